"""PostgreSQL: the tables of a schema, read in the order of their keys and never written."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from connectors.fields import Field, Fields
from connectors.sources._postgresql.dialect import PostgreSQLDialect
from connectors.sources._postgresql.position import doubt_about, position_of
from connectors.sources._remote import PASSWORD, port_of
from connectors.sources._sql.address import addresses_of, first_reached
from connectors.sources._sql.dialect import Dialect
from connectors.sources._sql.position import Position
from connectors.sources._sql.positioned import PositionedSQLDataSource
from connectors.sources._sql.session import Session
from connectors.sources._sql.settings import HOST, READING, TABLES
from connectors.sources._sql.table import Table
from connectors.sources._tls import ENCRYPTION, authority_of

if TYPE_CHECKING:
    from connectors.sources._postgresql.connection import Encryption


class PostgreSQLDataSource(PositionedSQLDataSource):
    """The tables and views of one schema of a database of PostgreSQL 12 or later.

    It is only read, in pages by primary or unique keys, as it was at one moment. docs/postgresql.md tells what to
    grant, what becomes of types, and how it is read.
    """

    name = "PostgreSQL"
    service_type = "postgresql"
    drivers: ClassVar[Mapping[str, str]] = {"psycopg": "psycopg[binary]"}
    dialect: ClassVar[Dialect] = PostgreSQLDialect()
    fields = Fields(
        HOST,
        port_of(5432),
        Field("username", "User", example="connectors", shapes=False),
        PASSWORD,
        Field("database", "Database", example="shop"),
        Field("schema", "Schema", default="public"),
        *TABLES,
        *ENCRYPTION,
        *READING,
    )

    @property
    def group(self) -> str:
        """The schema."""
        schema: str = self.configuration.schema
        return schema

    @property
    def origin(self) -> Mapping[str, str]:
        """The database and the schema."""
        return {"database": self.configuration.database, "schema": self.group}

    async def connect(self) -> Session:
        """Return a new session."""
        from connectors.sources._postgresql.connection import connect  # noqa: PLC0415 - the driver may be missing

        given, encryption = self.configuration, self._encryption()
        addresses = addresses_of(given.host, given.port, given.username, given.database)
        return await first_reached(
            addresses, lambda one: connect(one, given.password, self.group, encryption, given.statement_timeout_s)
        )

    async def position(self, session: Session) -> Position:
        """Return which transactions the snapshot sees."""
        return await position_of(session)

    async def doubt(self, session: Session, tables: Sequence[Table]) -> str:
        """Return why these tables may change unnoticed."""
        return await doubt_about(session, self.group, tables)

    def _encryption(self) -> "Encryption | None":
        from connectors.sources._postgresql.connection import Encryption  # noqa: PLC0415

        given = self.configuration
        if not given.ssl_enabled:
            return None
        return Encryption(authority_of(given), given.ssl_check_host)
