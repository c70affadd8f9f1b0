"""Oracle Database: the tables of a schema, read in the order of their keys and never written."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from connectors.fields import Field, Fields
from connectors.sources._oracle.dialect import OracleDialect
from connectors.sources._remote import PASSWORD, port_of
from connectors.sources._sql.address import addresses_of, first_reached
from connectors.sources._sql.dialect import Dialect
from connectors.sources._sql.session import Session
from connectors.sources._sql.settings import HOST, READING, TABLES
from connectors.sources._sql.source import SQLDataSource
from connectors.sources._tls import trusting

if TYPE_CHECKING:
    from connectors.sources._oracle.connection import Dial, Encryption

SERVICE: Final = "service_name"
SID: Final = "sid"
_NAME: Final = r"[A-Za-z0-9_.$#-]+"


class OracleDataSource(SQLDataSource):
    """The tables and views of one schema of Oracle Database 12.1.0.2 or later.

    It is only read, in pages by primary or unique keys, as it was at one moment. docs/oracle.md tells what to grant,
    what becomes of types, and how it is read. It was not run against a real server yet.
    """

    name = "Oracle"
    service_type = "oracle"
    drivers: ClassVar[Mapping[str, str]] = {"oracledb": "oracledb"}
    dialect: ClassVar[Dialect] = OracleDialect()
    dial: ClassVar["Dial | None"] = None
    """What makes connections instead of the driver, where there is no server."""
    fields = Fields(
        HOST,
        port_of(1521),
        Field("username", "User", example="connectors", shapes=False),
        PASSWORD,
        Field(
            "connection_source",
            "Named by",
            default=SERVICE,
            options={SERVICE: "the name of a service", SID: "a SID"},
            tooltip="A pluggable database has a service, and no SID of its own.",
        ),
        Field(
            "service_name",
            "Name of the service",
            example="FREEPDB1",
            pattern=_NAME,
            depends_on={"connection_source": SERVICE},
        ),
        Field("sid", "SID", example="ORCL", pattern=_NAME, depends_on={"connection_source": SID}),
        Field(
            "schema",
            "Schema",
            required=False,
            example="SHOP",
            tooltip="Whose tables are read, as the catalog writes it: in upper case, unless it was made in quotes. "
            "Without it, the user's own.",
        ),
        *TABLES,
        Field(
            "oracle_protocol",
            "Protocol",
            default="TCP",
            options={"TCP": "TCP", "TCPS": "TCPS, which is encrypted"},
            shapes=False,
        ),
        Field(
            "ssl_ca",
            "Certificate of the authority",
            required=False,
            multiline=True,
            depends_on={"oracle_protocol": "TCPS"},
            tooltip="In PEM. Without one, those that this machine trusts count, and those of the wallet.",
            shapes=False,
        ),
        Field(
            "ssl_check_host",
            "Check the name of the host",
            type=bool,
            default=True,
            depends_on={"oracle_protocol": "TCPS"},
            tooltip="Whether the certificate has to be one of this host, which has to be given by its name.",
            advanced=True,
            shapes=False,
        ),
        Field(
            "wallet_configuration_path",
            "Folder of the wallet",
            type=Path,
            required=False,
            depends_on={"oracle_protocol": "TCPS"},
            tooltip="Where a server asks for a certificate of ours: a folder with ewallet.pem, below one of the "
            "allowed_paths of config.yml.",
            advanced=True,
            shapes=False,
        ),
        Field(
            "wallet_password",
            "Password of the wallet",
            sensitive=True,
            required=False,
            depends_on={"oracle_protocol": "TCPS"},
            advanced=True,
        ),
        *READING,
    )

    @property
    def group(self) -> str:
        """The schema."""
        given = self.configuration
        schema: str = given.schema or given.username.upper()
        return schema

    @property
    def origin(self) -> Mapping[str, str]:
        """The service or the SID, and the schema."""
        return {"database": self._database, "schema": self.group}

    async def connect(self) -> Session:
        """Return a new session."""
        from connectors.sources._oracle.connection import Login, connect  # noqa: PLC0415 - the driver may be missing

        given = self.configuration
        login = Login(given.connection_source, given.password, self.group, self._encryption())
        addresses = addresses_of(given.host, given.port, given.username, self._database)
        return await first_reached(
            addresses, lambda one: connect(one, login, given.statement_timeout_s, type(self).dial)
        )

    @property
    def _database(self) -> str:
        given = self.configuration
        database: str = given.service_name if given.connection_source == SERVICE else given.sid
        return database

    def _encryption(self) -> "Encryption | None":
        from connectors.sources._oracle.connection import Encryption  # noqa: PLC0415

        given = self.configuration
        if given.oracle_protocol == "TCP":
            return None
        return Encryption(trusting(given), given.ssl_check_host, given.wallet_configuration_path, given.wallet_password)
