"""MySQL and MariaDB: the tables of a database, read in the order of their keys and never written."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from connectors.fields import Field, Fields
from connectors.sources._mysql.dialect import JSON, PERHAPS_JSON, MySQLDialect, created, is_json
from connectors.sources._mysql.position import doubt_about, position_of
from connectors.sources._remote import PASSWORD, port_of
from connectors.sources._sql.address import addresses_of, first_reached
from connectors.sources._sql.catalog import Catalog
from connectors.sources._sql.dialect import Dialect
from connectors.sources._sql.position import Position
from connectors.sources._sql.positioned import PositionedSQLDataSource
from connectors.sources._sql.session import Session
from connectors.sources._sql.settings import HOST, READING, TABLES
from connectors.sources._sql.table import Table
from connectors.sources._tls import ENCRYPTION, trusting


class MySQLDataSource(PositionedSQLDataSource):
    """The tables and views of one database of MySQL 5.7 or later, or of MariaDB 10.4 or later.

    It is only read, in pages by primary or unique keys, as it was at one moment. docs/mysql.md tells what to grant,
    what becomes of types, and how it is read.
    """

    name = "MySQL"
    service_type = "mysql"
    drivers: ClassVar[Mapping[str, str]] = {"asyncmy": "asyncmy"}
    dialect: ClassVar[Dialect] = MySQLDialect()
    fields = Fields(
        HOST,
        port_of(3306),
        Field("user", "User", example="connectors", shapes=False),
        PASSWORD,
        Field("database", "Database", example="shop"),
        *TABLES,
        *ENCRYPTION,
        *READING,
    )

    @property
    def group(self) -> str:
        """The database."""
        database: str = self.configuration.database
        return database

    async def connect(self) -> Session:
        """Return a new session."""
        from connectors.sources._mysql.connection import connect  # noqa: PLC0415 - the driver may be missing

        given = self.configuration
        trusted = trusting(given) if given.ssl_enabled else None
        addresses = addresses_of(given.host, given.port, given.user, given.database)
        return await first_reached(
            addresses, lambda one: connect(one, given.password, trusted, given.statement_timeout_s)
        )

    async def settled(self, catalog: Catalog, tables: Sequence[str], session: Session) -> Catalog:
        """Return a catalog that tells columns of JSON, which MariaDB tells nobody who may only read but in this way."""
        found: dict[tuple[str, str], str] = {}
        for table in tables:
            names = [one.name for one in catalog.columns[table] if one.declared == PERHAPS_JSON]
            shown = ""
            if names and not catalog.tables[table].is_view:
                shown = (await session.fetch(self.dialect.text(created(catalog.group, table)))).rows[0][1]
            found |= {(table, one): JSON if is_json(one, shown) else "longtext" for one in names}
        return catalog.declared(found)

    async def position(self, session: Session) -> Position:
        """Return the place in the binary log, and in what InnoDB counts."""
        return await position_of(session)

    async def doubt(self, session: Session, tables: Sequence[Table]) -> str:
        """Return why these tables may change unnoticed."""
        return await doubt_about(session, self.group, tables)
