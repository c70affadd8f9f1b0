"""A server of SQL Server as its driver shows it: what `pytds.connect` would return, in front of a rehearsal."""

import re
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from threading import Event
from typing import Any, ClassVar, Final
from uuid import UUID

import apsw
import apsw.ext
from pytds import tds_base  # type: ignore[import-untyped]
from pytds.tds_types import Binary  # type: ignore[import-untyped]
from pytds.tz import FixedOffsetTimezone  # type: ignore[import-untyped]

from connectors.secret import Secret
from connectors.sources._mssql.connection import DESCRIBED, SERVER
from connectors.sources._mssql.dial import Encryption
from connectors.sources._mssql.dialect import MSSQLDialect
from connectors.sources._sql.address import Address
from connectors.sources._sql.source import SQLDataSource
from connectors.sources.mssql import MSSQLDataSource
from tests.sources.rehearsal import Answer, Conversation, Refusal, Rehearsal, Tongue, in_sqlite
from tests.sources.sql_store import Store

USER, PASSWORD, DATABASE, SCHEMA = "connectors", "loopback", "shop", "dbo"
ACCENTS: Final = "Latin1_General_CI_AS"
OLD: Final = "SQL_Latin1_General_CP1_CI_AS"
_TICKS: Final = 300
_NUMBERS: Final = {"syntax": 102, "table": 208, "column": 207, "other": 8180}
_KINDS: Final = {
    "uniqueidentifier": tds_base.SYBUNIQUE,
    "time": tds_base.SYBMSTIME,
    "datetimeoffset": tds_base.SYBMSDATETIMEOFFSET,
    "sql_variant": tds_base.SYBVARIANT,
    "char": tds_base.XSYBCHAR,
    "nchar": tds_base.XSYBNCHAR,
    "real": tds_base.SYBFLTN,
    "float": tds_base.SYBFLTN,
}


def failure(number: int, *words: str) -> Exception:
    """Return the error that the driver makes of what a server says: the number of the last message, and all words."""
    message = {
        "marker": tds_base.TDS_ERROR_TOKEN,
        "msgno": number,
        "state": 1,
        "severity": 16,
        "sql_state": None,
        "priv_msg_type": 1,
        "message": words[-1],
        "server": "sql",
        "proc_name": "",
        "line_number": 1,
    }
    made: Exception = tds_base._create_exception_by_message(message, " ".join(words))
    return made


def rehearsed() -> Rehearsal:
    """Return a rehearsal of a database of SQL Server."""
    return Rehearsal("tsql", schema=SCHEMA, tongue=TONGUE)


@dataclass
class Server:
    """A server with one database. `before` is called with each statement and its connection, and may raise or wait."""

    rehearsal: Rehearsal = field(default_factory=rehearsed)
    snapshots: int | None = 1
    before: Callable[[str, "Connection"], None] = lambda text, connection: None
    connections: list["Connection"] = field(default_factory=list)
    dialled: list[tuple[Address, Encryption | None, str]] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    given: list[Mapping[str, Any] | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        recorded = self.rehearsal.recorded
        recorded[SERVER] = lambda _: [("16.0.4135.4", "Developer Edition (64-bit)", self.snapshots)]
        recorded[DESCRIBED] = lambda given: self._described(given["text"])
        for place, text in enumerate(MSSQLDialect().catalog("")):
            recorded[text] = partial(self._catalog, place)

    def dial(self, address: Address, password: Secret, encryption: Encryption | None, intent: str) -> "Connection":
        """Return a connection as the driver does."""
        self.dialled.append((address, encryption, intent))
        if address.port == 1:
            raise ConnectionRefusedError(111, "Connection refused")
        refused = f"Login failed for user '{address.user}'."
        if (address.user, password.reveal()) != (USER, PASSWORD):
            raise failure(18456, refused)
        if address.database != DATABASE:
            unknown = f'Cannot open database "{address.database}" requested by the login. The login failed.'
            raise failure(18456, unknown, refused)
        found = Connection(self)
        self.connections.append(found)
        return found

    def _catalog(self, place: int, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self.rehearsal.catalog()[place] if given["group"] == SCHEMA else []

    def _described(self, text: str) -> list[tuple[Any, ...]]:
        try:
            own, _ = in_sqlite(text, "tsql", SCHEMA)
            with self.rehearsal.opened() as reader:
                names = [one[0] for one in apsw.ext.query_info(reader, own).description]
        except (Refusal, apsw.Error) as error:
            return [(None, 208 if "table" in str(error) else 207, str(error))]
        return [(name, None, None) for name in names]


class Wire:
    """Stands for the socket of a connection."""

    def __init__(self) -> None:
        self.is_cut = Event()

    def shutdown(self, how: int) -> None:
        assert how == socket.SHUT_RDWR
        self.is_cut.set()

    def close(self) -> None:
        """Nothing has to be closed."""


class Connection:
    """A connection of the driver's."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.wire = Wire()
        self._tds_socket = type("Socket", (), {"sock": self.wire})
        self.conversation: Conversation = server.rehearsal.conversation()
        self.level = ""
        self.transactions = 0
        self.settings: list[str] = []
        self.is_closed = False

    def cursor(self) -> "Cursor":
        return Cursor(self)

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.conversation.close()

    def check(self) -> None:
        """Raise what is raised where the line is gone."""
        if self.wire.is_cut.is_set():
            raise tds_base.ClosedConnectionError

    def wait(self) -> None:
        """Wait as for a server that does not answer, until the line is cut."""
        assert self.wire.is_cut.wait(30)
        self.check()

    def set(self, text: str) -> None:
        """Do what settings and transactions say."""
        match text.upper().split():
            case ["SET", "TRANSACTION", "ISOLATION", "LEVEL", *level]:
                self.level = " ".join(level)
                if self.level == "SNAPSHOT" and self.server.snapshots != 1:
                    raise failure(3952, "Snapshot isolation transaction failed: it is not allowed in this database.")
            case ["SET", *_]:
                self.settings.append(text)
            case ["BEGIN", "TRANSACTION"]:
                self.transactions += 1
                if self.level == "SNAPSHOT":
                    self.conversation.begin()
            case ["IF", "@@TRANCOUNT", ">", "0", "ROLLBACK", "TRANSACTION"]:
                self.transactions = 0
                self.conversation.end()
            case _:
                raise failure(102, f"Incorrect syntax near '{text}'.")


class Cursor:
    """A cursor of the driver's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._answer: Answer | None = None
        self._ended = False
        self.description: Any = None

    def execute(self, text: str, given: Mapping[str, Any] | None = None) -> "Cursor":
        server = self._connection.server
        self._connection.check()
        server.statements.append(text)
        server.given.append(given)
        server.before(text, self._connection)
        if not given and text.lstrip().upper().startswith(("SET", "IF", "BEGIN")):
            for one in text.split(";"):
                self._connection.set(one.strip())
            return self
        assert self._connection.transactions or text == SERVER, f"This is in no transaction: {text}"
        try:
            self._answer = self._connection.conversation.ask(text, given)
        except Refusal as error:
            raise failure(_NUMBERS[error.kind], str(error)) from None
        pairs = zip(self._answer.names, self._answer.declared, strict=True)
        self.description = tuple(_described(name, declared) for name, declared in pairs)
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        self._connection.check()
        if self._answer is None:
            raise tds_base.ProgrammingError("Previous statement didn't produce any results")
        row = next(self._answer.rows, None)
        self._connection.server.before("fetch", self._connection)
        return row

    def nextset(self) -> bool | None:
        self._connection.check()
        return False


def _described(name: str, declared: str | None) -> tuple[Any, ...]:
    kind = (declared or "").partition("(")[0]
    size = {"real": 4, "float": 8}.get(kind, 0)
    return name, _KINDS.get(kind, tds_base.XSYBNVARCHAR), None, size, 0, 0, 1


# What SQLite holds of values, and what the driver makes of that.


def stored(value: Any) -> Any:
    match value:
        case bool() | None | float() | str():
            return value
        case int():
            assert -(2**63) <= value < 2**63, "the driver would send a decimal"
            return value
        case Binary():
            return bytes(value)
        case UUID():
            return str(value).upper()
        case datetime():
            text = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo is not None else value
            return f"{text.isoformat(' ', 'microseconds')}0{' +00:00' if value.tzinfo is not None else ''}"
        case date():
            return value.isoformat()
        case time():
            return f"{value.isoformat('microseconds')}0"
        case Decimal():
            assert abs(value) < 10**38
            return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
    raise tds_base.DataError(f"Cannot infer TDS type from Python value: {value!r}")


def loaded(declared: str, value: Any) -> Any:
    """Return a value as the driver does: with six digits of a second, of which DATETIME has three."""
    kind, _, more = declared.partition("(")
    match kind:
        case "bit":
            return bool(value)
        case "uniqueidentifier":
            return UUID(value)
        case "datetime":
            return datetime.fromisoformat(f"{float(value[17:]):06.3f}".join([value[:17], ""]))
        case "datetime2" | "smalldatetime":
            return datetime.fromisoformat(value)
        case "datetimeoffset":
            return datetime.fromisoformat(value.replace(" +", "+")).astimezone(FixedOffsetTimezone(120))
        case "date":
            return date.fromisoformat(value)
        case "time":
            return time.fromisoformat(value)
        case "decimal" | "numeric" | "money" | "smallmoney":
            scale = int(more.rstrip(")").partition(",")[2] or 0) if more else 4
            return Decimal(round(Decimal(str(value)) * 10**scale)) / 10**scale
        case "real":
            return struct.unpack("f", struct.pack("f", value))[0]
    return value


def ticked(text: str | None) -> str | None:
    """Return a moment as DATETIME has it, in steps of a 300th of a second."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    whole = moment.replace(microsecond=0)
    ticks = round(moment.microsecond * _TICKS / 1_000_000)
    whole, ticks = (whole + timedelta(seconds=1), 0) if ticks == _TICKS else (whole, ticks)
    return f"{whole.isoformat(' ')}.{ticks * 10_000_000 // _TICKS:07}"


def timed(text: str | None) -> str | None:
    """Return a time as what is in a column: with seven digits of a second, and a blank before the time and the zone."""
    if text is None:
        return None
    body, sign, zone = re.fullmatch(r"(.*?)(?: ?([+-])(\d\d:\d\d))?", text.replace("T", " "), re.DOTALL).groups()  # type: ignore[union-attr]
    whole, _, digits = body.partition(".")
    return f"{whole}.{digits:0<7}{f' {sign}{zone}' if sign else ''}"


def _by(key: Callable[[str], Any]) -> Callable[[str, str], int]:
    return lambda one, other: (key(one) > key(other)) - (key(one) < key(other))


def _guid(text: str) -> bytes:
    """Return what a GUID is ordered by: its last part first."""
    whole = UUID(text).bytes
    return whole[10:] + whole[8:10] + whole[6:8] + whole[4:6] + whole[:4]


_insensitive: Final = _by(lambda text: text.rstrip(" ").casefold())
TONGUE: Final = Tongue(
    stored=stored,
    loaded=loaded,
    functions={
        "right": lambda text, size: None if text is None else text[len(text) - size :],
        "length": lambda text: None if text is None else len(text.rstrip(" ")),
        "STAsText": lambda value: value,
        "ToString": lambda value: value,
        "ticked": ticked,
        "timed": timed,
    },
    collations={
        ACCENTS: _insensitive,
        OLD: _insensitive,
        "Latin1_General_100_BIN2": _by(lambda text: text.rstrip(" ").encode("utf-16-be", "surrogatepass")),
        "guid": _by(_guid),
    },
    casts={"datetime": "ticked", **dict.fromkeys(("datetime2", "smalldatetime", "timestamptz", "time"), "timed")},
)


# Servers are found by the names of their hosts.

_SERVERS: Final[dict[str, Server]] = {}
_PLACES: Final = count(1)


def dialled(address: Address, password: Secret, encryption: Encryption | None, intent: str) -> Connection:
    """Return a connection to one of them."""
    if address.host not in _SERVERS:
        raise socket.gaierror(-2, "Name or service not known")
    return _SERVERS[address.host].dial(address, password, encryption, intent)


class RehearsedDataSource(MSSQLDataSource):
    __doc__ = MSSQLDataSource.__doc__  # all is its own but for the driver, its page of the docs too
    __module__ = MSSQLDataSource.__module__
    dialling: ClassVar[Mapping[str, Any]] = {"dial": dialled}


RehearsedDataSource.__name__ = RehearsedDataSource.__qualname__ = MSSQLDataSource.__name__


@dataclass(frozen=True)
class Database(Store):
    """The database of a server, which the user of the source may read."""

    server: Server
    host: str
    kind: ClassVar[type[SQLDataSource]] = RehearsedDataSource

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a source that reads it."""
        return {
            "host": self.host,
            "username": USER,
            "password": PASSWORD,
            "database": DATABASE,
            "retry_count": 0,
        }

    async def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in SQLite's own SQL, and return the rows of the last one."""
        rows: list[tuple[Any, ...]] = []
        for one in statements:
            rows = self.server.rehearsal.run(one)
        return rows

    async def connections(self) -> int:
        """Return how many connections of sources are open."""
        return sum(not one.is_closed for one in self.server.connections)


@contextmanager
def made(**given: Any) -> Iterator[Database]:
    """Provide a new database."""
    host = f"sql{next(_PLACES)}.example.org"
    server = _SERVERS[host] = Server(**given)
    try:
        yield Database(server, host)
    finally:
        del _SERVERS[host]
        server.rehearsal.close()
