"""SQL Server: the tables of a schema, read in the order of their keys and never written."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.fields import Field, Fields
from connectors.sources._mssql.dialect import MSSQLDialect
from connectors.sources._remote import PASSWORD, port_of
from connectors.sources._sql.address import addresses_of, first_reached
from connectors.sources._sql.dialect import Dialect
from connectors.sources._sql.session import Session
from connectors.sources._sql.settings import HOST, READING, TABLES
from connectors.sources._sql.source import SQLDataSource
from connectors.sources._tls import ENCRYPTION, authority_of

if TYPE_CHECKING:
    from connectors.sources._mssql.dial import Encryption


class MSSQLDataSource(SQLDataSource):
    """The tables and views of one schema of a database of SQL Server 2016 or later, or of Azure SQL.

    It is only read, in pages by primary or unique keys, as it was at one moment where the database allows snapshots.
    docs/mssql.md tells what to grant, what becomes of types, and how it is read.
    """

    name = "Microsoft SQL Server"
    service_type = "mssql"
    drivers: ClassVar[Mapping[str, str]] = {"pytds": "python-tds", "OpenSSL": "pyopenssl"}
    dialect: ClassVar[Dialect] = MSSQLDialect()
    fields = Fields(
        HOST,
        port_of(1433),
        Field("username", "User", example="connectors", shapes=False),
        PASSWORD,
        Field("database", "Database", example="shop"),
        Field("schema", "Schema", default="dbo"),
        *TABLES,
        *ENCRYPTION,
        Field(
            "read_only_intent",
            "Read from a replica",
            type=bool,
            default=False,
            tooltip="Say that nothing will be written (ApplicationIntent=ReadOnly): an availability group then passes "
            "the connection on to a secondary replica.",
            advanced=True,
            shapes=False,
        ),
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
        from connectors.sources._mssql.connection import connect  # noqa: PLC0415 - the driver may be missing

        given, encryption = self.configuration, self._encryption()
        addresses = addresses_of(given.host, given.port, given.username, given.database)
        intent = "ReadOnly" if given.read_only_intent else "ReadWrite"
        return await first_reached(
            addresses,
            lambda one: connect(
                one, given.password, encryption, given.statement_timeout_s, intent=intent, **self.dialling
            ),
        )

    @property
    def dialling(self) -> Mapping[str, Any]:
        """What takes the place of the driver, where that is not to be used."""
        return {}

    async def health(self) -> Mapping[str, Any]:
        """Return the version of the server, whether it can be read as of one moment, and which tables have no key."""
        async with self._asked() as (session, _):
            snapshots = getattr(session, "snapshots", False)
        return {**await super().health(), "snapshots": snapshots}

    def _encryption(self) -> "Encryption | None":
        from connectors.sources._mssql.dial import Encryption  # noqa: PLC0415 - the driver may be missing

        given = self.configuration
        if not given.ssl_enabled:
            return None
        return Encryption(authority_of(given), given.ssl_check_host)
