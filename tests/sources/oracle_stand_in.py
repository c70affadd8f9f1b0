"""A stand-in for Oracle Database: connections and cursors of the driver's own classes, answered by a rehearsal.

What our code hands to the driver is checked by the driver itself as far as that needs no server: variables, arraysizes,
output type handlers. Values come as the driver returns them, and errors are of its classes, with its codes.
"""

import array
import asyncio
import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count, islice
from types import SimpleNamespace
from typing import Any, ClassVar, Final

import oracledb
import sqlglot
from oracledb import errors, thin_impl  # type: ignore[attr-defined]  # it is there
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from connectors.sources._oracle.catalog import KEYS, TABLES, columns
from connectors.sources._sql.source import SQLDataSource
from connectors.sources.oracle import OracleDataSource
from tests.sources.rehearsal import Answer, Refusal, Rehearsal, Tongue
from tests.sources.sql_store import Store

USER: Final = "CONNECTORS"
PASSWORD: Final = "loopback"
SCHEMA: Final = "SHOP"
SERVICE: Final = "FREEPDB1"
VERSION: Final = "23.4.0.24.5"
WORDS: Final[Mapping[int, str]] = {
    900: "invalid SQL statement",
    904: "invalid identifier",
    942: "table or view does not exist",
    1013: "user requested cancel of current operation",
    1017: "invalid credential or not authorized; logon denied",
    1435: "user does not exist",
    1456: "may not perform insert, delete, update operation inside a READ ONLY transaction",
    1555: 'snapshot too old: rollback segment number 9 with name "_SYSSMU9$" too small',
    1861: "literal does not match format string",
    3113: "end-of-file on communication channel",
}
_CODES: Final = {"syntax": 900, "table": 942, "column": 904, "other": 904}
_PORTS: Final = count(20_000)
_SERVERS: Final[dict[int, "Server"]] = {}
_DAY: Final = re.compile(r"[ -]?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")
_MOMENT: Final = re.compile(rf"{_DAY.pattern}(?:\.(\d{{1,9}}))?")


def ora(code: int, words: str = "") -> Exception:
    """Return an error of the server's as the driver raises it."""
    error = errors._Error(f"ORA-{code:05d}: {words or WORDS.get(code, 'words of the server')}", code=code)
    return error.exc_type(error)


def dpy(number: int, **given: object) -> Exception:
    """Return an error of the driver's own."""
    known: Any = given
    return errors._create_exception(number, **known)


@dataclass
class Server:
    """A server: what is in it, what it was asked, and what goes wrong."""

    rehearsal: Rehearsal
    port: int = field(default_factory=lambda: next(_PORTS))
    asked: list[str] = field(default_factory=list)
    connections: "list[Connection]" = field(default_factory=list)
    given: list[Mapping[str, Any]] = field(default_factory=list)
    """With what each connection was made."""
    faults: list[tuple[str, Exception]] = field(default_factory=list)
    """What is raised next where a text occurs in a statement."""
    silent: bool = False
    """Whether nothing is answered any more."""

    async def dial(self, **given: Any) -> "Connection":
        """Log somebody in."""
        self.given.append(given)
        await self.heard("CONNECT")
        if given.get("sid") or given.get("service_name") != SERVICE:
            raise (
                dpy(6003, sid=given.get("sid"), host="h", port=1)
                if given.get("sid")
                else dpy(6001, service_name=given["service_name"], host="h", port=1)
            )
        if (given["user"], given["password"]) != (USER, PASSWORD):
            raise ora(1017)
        made = Connection(self)
        self.connections.append(made)
        return made

    async def heard(self, text: str) -> None:
        """Take note of a statement, and do what goes wrong with it."""
        self.asked.append(text)
        for place, (part, fault) in enumerate(self.faults):
            if part in text:
                del self.faults[place]
                raise fault
        await asyncio.sleep(0)
        if self.silent:
            await asyncio.Event().wait()


class Connection(oracledb.AsyncConnection):
    """A connection that was never made: its cursors are the driver's, and ask a rehearsal."""

    def __init__(self, server: Server) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._impl = thin_impl.ThinConnImpl(is_async=True)
        self._impl.prepare_connect_args("127.0.0.1/x", None, None, {"user": USER, "password": PASSWORD})
        self._version = VERSION
        self.conversation = server.rehearsal.conversation()
        self.is_read_only = False
        self.is_canceled = False

    @property
    def is_open(self) -> bool:
        return self._impl is not None

    def cursor(self, scrollable: bool = False) -> "Cursor":
        self._verify_connected()
        return Cursor(self, self._server)

    async def rollback(self) -> None:
        self._verify_connected()
        await self._server.heard("ROLLBACK")
        self.conversation.end()
        self.is_read_only = False

    def snapshot(self) -> None:
        """Begin a snapshot, which is of this moment."""
        if self.is_read_only:
            raise ora(1453, "SET TRANSACTION must be first statement of transaction")
        self.conversation.begin()
        self.conversation._reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        self.is_read_only = True

    async def close(self) -> None:
        self._verify_connected()
        await self._server.heard("CLOSE")
        self.terminate()

    def terminate(self) -> None:
        if self._impl is not None:
            self._impl = None
            self.conversation.close()

    def cancel(self) -> None:
        self._verify_connected()
        self.is_canceled = True


class Cursor(oracledb.AsyncCursor):
    """A cursor of the driver's, whose statements a rehearsal answers."""

    def __init__(self, connection: Connection, server: Server) -> None:
        made_by: Any = connection
        super().__init__(made_by)
        self._server = server
        self._wanted: dict[int, Any] = {}
        self._described: list[oracledb.FetchInfo] | None = None
        self._rows: Iterator[tuple[Any, ...]] = iter(())
        self._makers: list[Callable[[Any], Any]] = []

    @property
    def description(self) -> list[oracledb.FetchInfo] | None:
        self._verify_open()
        return self._described

    def var(self, typ: Any, *given: Any, **more: Any) -> oracledb.Var:
        made = super().var(typ, *given, **more)
        self._wanted[id(made)] = typ
        return made

    async def parse(self, statement: str) -> None:
        self._verify_open()
        await self._server.heard(f"PARSE {statement}")
        await asyncio.to_thread(self._ask, statement, None)

    async def execute(self, statement: str, parameters: Any = None, **more: Any) -> Any:
        self._verify_open()
        await self._server.heard(statement)
        connection: Any = self.connection
        if statement == "SET TRANSACTION READ ONLY":
            connection.snapshot()
        elif statement.startswith("ALTER SESSION SET CURRENT_SCHEMA"):
            if f'"{SCHEMA}"' not in statement:
                raise ora(1435)
        elif not statement.startswith("ALTER SESSION"):
            await asyncio.to_thread(self._ask, statement, parameters)
            self._made()
            return self
        return None

    async def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        self._verify_open()
        await self._server.heard("FETCH")
        return await asyncio.to_thread(self._next, self.arraysize if size is None else size)

    def _next(self, size: int) -> list[tuple[Any, ...]]:
        """Return so many rows. It is called in a thread, as a server would not have the loop wait either."""
        rows = islice(self._rows, size)
        return [tuple(make(value) for make, value in zip(self._makers, row, strict=True)) for row in rows]

    def _ask(self, statement: str, parameters: Mapping[str, Any] | None) -> None:
        if re.match(r"\s*(INSERT|UPDATE|DELETE|MERGE)", statement, re.IGNORECASE):
            raise ora(1456)
        connection: Any = self.connection
        try:
            own = statement if parameters is not None else _upper(statement)
            answer: Answer = connection.conversation.ask(own, parameters)
        except Refusal as refusal:
            raise ora(_CODES[refusal.kind], str(refusal)) from None
        self._rows, values = answer.rows, [None] * len(answer.names)
        if None in answer.declared and (first := next(answer.rows, None)) is not None:
            self._rows, values = _with_first(first, answer.rows), list(first)
        self._described = [
            _info(name, declared, value)
            for name, declared, value in zip(answer.names, answer.declared, values, strict=True)
        ]

    def _made(self) -> None:
        """Decide what becomes of each column, as the driver does."""
        self._makers = []
        for one in self._described or ():
            handler: Any = self.outputtypehandler
            chosen = None if handler is None else handler(self, one)
            if chosen is not None:
                assert isinstance(chosen, oracledb.Var)
                assert chosen.num_elements >= self.arraysize
            self._makers.append(_maker(one, self._wanted.get(id(chosen))))


def _upper(statement: str) -> str:
    """Return a statement with the names that Oracle understands: those without quotes are in upper case."""
    try:
        return normalize_identifiers(sqlglot.parse_one(statement, "oracle"), "oracle").sql("oracle")
    except sqlglot.errors.SqlglotError as error:
        raise Refusal("syntax", str(error)) from None


def _with_first(first: tuple[Any, ...], others: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    yield first
    yield from others


_KINDS: Final[Mapping[str, oracledb.DbType]] = {
    "varchar2": oracledb.DB_TYPE_VARCHAR,
    "is json": oracledb.DB_TYPE_VARCHAR,
    "nvarchar2": oracledb.DB_TYPE_NVARCHAR,
    "char": oracledb.DB_TYPE_CHAR,
    "number": oracledb.DB_TYPE_NUMBER,
    "float": oracledb.DB_TYPE_NUMBER,
    "binary_float": oracledb.DB_TYPE_BINARY_FLOAT,
    "binary_double": oracledb.DB_TYPE_BINARY_DOUBLE,
    "raw": oracledb.DB_TYPE_RAW,
    "clob": oracledb.DB_TYPE_CLOB,
    "blob": oracledb.DB_TYPE_BLOB,
    "date": oracledb.DB_TYPE_DATE,
    "timestamp": oracledb.DB_TYPE_TIMESTAMP,
    "timestamp with time zone": oracledb.DB_TYPE_TIMESTAMP_TZ,
    "interval day to second": oracledb.DB_TYPE_INTERVAL_DS,
    "interval year to month": oracledb.DB_TYPE_INTERVAL_YM,
    "json": oracledb.DB_TYPE_JSON,
    "vector": oracledb.DB_TYPE_VECTOR,
    "rowid": oracledb.DB_TYPE_ROWID,
}


def _info(name: str, declared: str | None, value: Any) -> oracledb.FetchInfo:
    """Return what the driver says of a column."""
    computed = {int: "number", float: "number", bytes: "raw"}.get(type(value), "varchar2")
    known = declared or computed
    kind = _KINDS[re.sub(r"\(.*?\)", "", known)]
    digits = re.fullmatch(r"number\((\d+),(-?\d+)\)", known)
    length = re.fullmatch(r"(?:n?varchar2|raw|char)\((\d+)\)", known)
    return described(
        name,
        kind,
        precision=int(digits[1]) if digits else 0,
        scale=int(digits[2]) if digits else -127 if kind is oracledb.DB_TYPE_NUMBER else 0,
        max_size=int(length[1]) if length else 4_000 if kind.default_size else 0,
        is_json=known in {"is json", "json"},
    )


def described(name: str, kind: oracledb.DbType, **given: Any) -> oracledb.FetchInfo:
    """Return what the driver says of such a column."""
    known = {"precision": 0, "scale": 0, "max_size": 0, "is_json": False, "is_oson": False, **given}
    impl = SimpleNamespace(
        name=name, dbtype=kind, objtype=None, nulls_allowed=True, buffer_size=4 * known["max_size"], **known
    )
    made: oracledb.FetchInfo = oracledb.FetchInfo._from_impl(impl)  # type: ignore[no-untyped-call]
    return made


def _maker(column: oracledb.FetchInfo, wanted: Any) -> Callable[[Any], Any]:
    """Return what the driver makes of what the database has, where it was told what is wanted."""
    kind = column.type_code
    if kind is oracledb.DB_TYPE_NUMBER:
        number = {int: _whole, Decimal: lambda text: Decimal(str(text)), None: _default_number}[wanted]
        return lambda value: None if value is None else number(_exact(value))
    if kind in {oracledb.DB_TYPE_CLOB, oracledb.DB_TYPE_BLOB}:
        assert wanted in {oracledb.DB_TYPE_LONG, oracledb.DB_TYPE_LONG_RAW}, "LOBs are fetched with their rows."
    if column.is_json and kind is oracledb.DB_TYPE_VARCHAR:
        assert wanted is kind, "The driver would make floats of the numbers in JSON."
    return lambda value: value


def _exact(value: Any) -> str:
    """Return a number in the digits that the server sends: without zeros that say nothing."""
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _whole(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _default_number(text: str) -> int | float:
    return _whole(text)


# What SQLite holds of values.


def _moment_in(text: str) -> datetime:
    return datetime.fromisoformat(text.strip()[:26])


def _loaded(declared: str, value: Any) -> Any:
    """Return a value as the driver does before it is told otherwise."""
    kind = re.sub(r"\(.*?\)", "", declared)
    match kind:
        case "date" | "timestamp":
            return _moment_in(value)  # fails for years before 1, as the driver does
        case "timestamp with time zone":
            return datetime.fromisoformat(f"{value.strip()[:26]}{value[-6:]}").replace(tzinfo=None)  # the zone is lost
        case "char":
            return value.ljust(int(declared[5:-1]))
        case "binary_float":
            return struct.unpack("f", struct.pack("f", value))[0]
        case "interval day to second":
            return timedelta(seconds=value)
        case "interval year to month":
            return oracledb.IntervalYM(int(value / 12), value - 12 * int(value / 12))
        case "json":
            return json.loads(value, parse_float=Decimal)
        case "vector":
            return array.array("f", json.loads(value))
    return value


def _read(pattern: re.Pattern[str]) -> Callable[[str | None], str | None]:
    def read(text: str | None) -> str | None:
        if text is None:
            return None
        found = pattern.fullmatch(text)
        if found is None:
            raise ValueError(f"ORA-01861: literal does not match format string: {text!r}")
        signed = f"{'-' if text.startswith('-') else ' '}{found[1]}"
        return signed if pattern is _DAY else f"{signed}.{(found[2] or '').ljust(9, '0')}"

    return read


def _in_utc(text: str | None) -> str | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(f"{text.strip()[:26]}{text[-6:]}") - datetime.fromisoformat(
        "1970-01-01T00:00+00:00"
    )
    return f" {(datetime(1970, 1, 1) + moment).isoformat(timespec='microseconds')}000"  # noqa: DTZ001


def _by_time(one: str, other: str) -> int:
    """Compare times as they are written: those of years before 1 begin with a minus."""

    def key(text: str) -> tuple[int, str]:
        year = int(text[:5])
        return year, text[5:]

    return (key(one) > key(other)) - (key(one) < key(other))


ORACLE: Final = Tongue(
    loaded=_loaded,
    stored=lambda value: (
        float(value)
        if isinstance(value, Decimal) and value % 1
        else int(value)
        if isinstance(value, Decimal)
        else value
    ),
    functions={
        "TO_CHAR": lambda value, *_: None if value is None else str(value),
        "TO_DATE": _read(_DAY),
        "TO_TIMESTAMP": _read(_MOMENT),
        "SYS_EXTRACT_UTC": _in_utc,
    },
    collations={"TIMES": _by_time},
)


class RehearsedOracle(OracleDataSource):
    """The tables and views of one schema of Oracle Database 12.1.0.2 or later.

    It is only read, in pages by primary or unique keys, as it was at one moment. docs/oracle.md tells what to grant,
    what becomes of types, and how it is read. It was not run against a real server yet.
    """

    @staticmethod
    async def dial(**given: Any) -> Connection:
        """Connect to the server of that port."""
        return await _SERVERS[given["port"]].dial(**given)


@dataclass(frozen=True)
class Database(Store):
    """A schema on a server of its own."""

    server: Server
    kind: ClassVar[type[SQLDataSource]] = RehearsedOracle

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a source that reads it."""
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "username": USER,
            "password": PASSWORD,
            "service_name": SERVICE,
            "schema": SCHEMA,
            "retry_count": 0,
        }

    async def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in SQLite's own SQL, and return the rows of the last one."""
        return [self.server.rehearsal.run(one) for one in statements][-1]

    async def connections(self) -> int:
        """Return how many connections of sources are open."""
        return sum(one.is_open for one in self.server.connections)


@contextmanager
def made() -> Iterator[Database]:
    """Provide a new database."""
    rehearsal = Rehearsal("oracle", schema=SCHEMA, tongue=ORACLE)
    known = tuple(map(int, VERSION.split(".")[:2]))
    rehearsal.recorded |= {
        TABLES: lambda given: rehearsal.catalog()[0],
        columns(known): lambda given: [_declared(*row) for row in rehearsal.catalog()[1]],
        KEYS: lambda given: rehearsal.catalog()[2],
    }
    server = Server(rehearsal)
    _SERVERS[server.port] = server
    try:
        yield Database(server)
    finally:
        for one in server.connections:
            one.terminate()
        del _SERVERS[server.port]
        rehearsal.close()


def _declared(table: str, name: str, declared: str, nullable: bool, readable: bool) -> tuple[Any, ...]:
    """Return a column as the catalog describes it: a collation of SQLite's is none of Oracle's."""
    kind = declared.upper().partition(" COLLATE ")[0]
    if kind.startswith(("VARCHAR2(", "NVARCHAR2(", "CHAR(", "RAW(")):
        kind = kind.partition("(")[0]
    return table, name, "NUMBER(,)" if kind == "NUMBER" else kind, nullable, readable
