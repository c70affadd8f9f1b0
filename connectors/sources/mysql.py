"""MySQL and MariaDB: the tables of a database, read in the order of their keys and never written."""

import re
import ssl
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from connectors import logger
from connectors.errors import ConfigurationError, SourceUnreachable
from connectors.fields import Field, Fields
from connectors.sources._mysql.dialect import JSON, PERHAPS_JSON, MySQLDialect, created, is_json
from connectors.sources._mysql.errors import Address
from connectors.sources._sql.catalog import Catalog
from connectors.sources._sql.dialect import Dialect
from connectors.sources._sql.session import Session
from connectors.sources._sql.settings import READING, TABLES
from connectors.sources._sql.source import SQLDataSource

log = logger.get(__name__)
_HOST: Final = re.compile(
    r"(?:\[(?P<six>[0-9a-fA-F.]*(?::[0-9a-fA-F.]*){2,})\]|(?P<name>[^\s:\[\],]+))(?::(?P<port>\d{1,5}))?"
    r"|(?P<bare>[0-9a-fA-F.]*(?::[0-9a-fA-F.]*){2,})"
)
"""A host with or without a port. One of IPv6 with a port stands in brackets."""


class MySQLDataSource(SQLDataSource):
    """The tables and views of one database of MySQL 5.7 or later, or of MariaDB 10.4 or later.

    It is only read, in pages by primary or unique keys, as it was at one moment. docs/mysql.md tells what to grant,
    what becomes of types, and how it is read.
    """

    name = "MySQL"
    service_type = "mysql"
    drivers: ClassVar[Mapping[str, str]] = {"asyncmy": "asyncmy"}
    dialect: ClassVar[Dialect] = MySQLDialect()
    fields = Fields(
        Field(
            "host",
            "Host",
            example="db.example.org",
            tooltip="Several, separated by commas and with ports of their own where they have such, are tried in turn: "
            "replicas first, and the primary for when they can't be reached.",
            shapes=False,
        ),
        Field("port", "Port", type=int, default=3306, greater_than=0, less_than=65_536, shapes=False),
        Field("user", "User", example="connectors", shapes=False),
        Field("password", "Password", sensitive=True, required=False),
        Field("database", "Database", example="shop"),
        *TABLES,
        Field("ssl_enabled", "Encrypted connection", type=bool, default=False, shapes=False),
        Field(
            "ssl_ca",
            "Certificate of the authority",
            required=False,
            multiline=True,
            depends_on={"ssl_enabled": True},
            tooltip="In PEM. Without one, those that this machine trusts count.",
            shapes=False,
        ),
        Field(
            "ssl_check_host",
            "Check the name of the host",
            type=bool,
            default=True,
            depends_on={"ssl_enabled": True},
            tooltip="Whether the certificate has to be one of this host.",
            advanced=True,
            shapes=False,
        ),
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

        given, trusted = self.configuration, self._trusted()
        *others, last = self._addresses()
        for address in others:
            try:
                return await connect(address, given.password, trusted, given.statement_timeout_s)
            except SourceUnreachable as error:
                log.warning("A host can't be reached, and the next one is asked.", why=str(error))
        return await connect(last, given.password, trusted, given.statement_timeout_s)

    def _addresses(self) -> list[Address]:
        given = self.configuration
        found = []
        for one in given.host.split(","):
            parts = _HOST.fullmatch(one.strip())
            if parts is None:
                hint = "Write them as: replica.example.org, db.example.org:3307"
                raise ConfigurationError(f"{one.strip()!r} is no host.", field="host", hint=hint)
            host = parts["six"] or parts["bare"] or parts["name"]
            found.append(Address(host, int(parts["port"] or given.port), given.user, given.database))
        return found

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

    def _trusted(self) -> ssl.SSLContext | None:
        """Return which certificates are trusted; None for a connection that is not encrypted."""
        given = self.configuration
        if not given.ssl_enabled:
            return None
        try:
            context = ssl.create_default_context(cadata=pem_of(given.ssl_ca) if given.ssl_ca else None)
        except ssl.SSLError:
            raise ConfigurationError("It is no certificate in PEM.", field="ssl_ca") from None
        context.check_hostname = given.ssl_check_host
        return context


def pem_of(text: str) -> str:
    """Return certificates as they have to be: forms turn the ends of their lines into blanks."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    bodies = [part.partition(end)[0] for part in text.split(begin)[1:]]
    return "\n".join("\n".join([begin, *body.split(), end]) for body in bodies) + "\n"
