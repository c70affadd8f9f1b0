"""The connection to a server of Oracle: in a transaction that is read-only, in UTC, and never ahead of who reads."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, TypeVar

import oracledb

from connectors.errors import ConnectorsError, SourceError, SourceUnreachable
from connectors.secret import Secret
from connectors.sources._oracle.dialect import DAY_FORMAT, MOMENT_FORMAT, PREFIX, instant_written
from connectors.sources._oracle.errors import explained
from connectors.sources._oracle.results import FIRST_ROWS, ZONED, Columns, fetched_as, rows_at_once
from connectors.sources._oracle.values import instant_of, text_of
from connectors.sources._sql import meanings
from connectors.sources._sql.address import Address
from connectors.sources._sql.form import Make
from connectors.sources._sql.session import NOTHING, Fetched, Session, Stream, Values
from connectors.sources._sql.statement import column

T = TypeVar("T")
Dial = Callable[..., Awaitable[Any]]
"""Makes a connection of the driver's: its own function, or what stands in for that."""
CONNECT_WITHIN_S: Final = 10.0
CLOSE_WITHIN_S: Final = 1.0
GRACE_S: Final = 5.0
"""How much longer than the driver itself we wait for it to end a statement."""
ALIVE_EVERY_MIN: Final = 2
"""How often a connection that nobody uses is kept from being forgotten by what is between."""
_TEXTS: Final = f"""ALTER SESSION SET NLS_SORT = BINARY NLS_COMP = BINARY NLS_NUMERIC_CHARACTERS = '.,'
NLS_CALENDAR = GREGORIAN NLS_DATE_FORMAT = '{DAY_FORMAT}' NLS_TIMESTAMP_FORMAT = '{MOMENT_FORMAT}'
NLS_TIMESTAMP_TZ_FORMAT = '{MOMENT_FORMAT}TZH:TZM'"""
"""Keys are in the order of their bytes, and texts of queries are the same everywhere."""
_UTC: Final = "ALTER SESSION SET TIME_ZONE = '+00:00'"
_SNAPSHOT: Final = "SET TRANSACTION READ ONLY"
"""It has to be the first statement of its transaction. What it reads is of the moment of this statement."""
_READS: Final = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*(?:SELECT|WITH)\b", re.DOTALL | re.IGNORECASE)
"""How a query begins. Anything else is never sent: a server executes some statements when they are only parsed."""
_MARK: Final = re.compile(rf":({PREFIX}\w+)")


@dataclass(frozen=True)
class Encryption:
    """How a server has to prove who it is, and how we do: by a wallet, which is a folder with certificates."""

    trusted: ssl.SSLContext
    check_host: bool
    wallet: Path | None = None
    wallet_password: Secret | None = None


@dataclass(frozen=True)
class Login:
    """How to log in: whether the address names a service or a SID, and whose tables are read."""

    by: Literal["service_name", "sid"]
    password: Secret
    schema: str
    encryption: Encryption | None = None


async def connect(
    address: Address,
    login: Login,
    timeout_s: float,
    dial: Dial | None = None,
    within_s: float = CONNECT_WITHIN_S,
) -> "OracleSession":
    """Return a session whose queries find the tables of a schema by their names alone. Raises what keeps from it."""
    connection = None
    try:
        async with asyncio.timeout(2 * within_s):
            connection = await (dial or oracledb.connect_async)(
                host=address.host,
                port=address.port,
                user=address.user,
                password=login.password.reveal(),
                tcp_connect_timeout=within_s,
                expire_time=ALIVE_EVERY_MIN,
                program="connectors",
                **{login.by: address.database},
                **_encrypted(login.encryption),
            )
            connection.call_timeout = round(1000 * timeout_s)
            session = OracleSession(connection, address, timeout_s)
            schema = f"ALTER SESSION SET CURRENT_SCHEMA = {column(login.schema).sql('oracle')}"
            for text in (_TEXTS, _UTC, schema, _SNAPSHOT):
                await session.execute(text)
    except BaseException as error:
        if connection is not None:
            connection.terminate()
        if isinstance(error, TimeoutError | OSError | oracledb.Error):
            raise explained(error, address) from None
        raise
    return session


def _encrypted(encryption: Encryption | None) -> dict[str, Any]:
    """Return what the driver wants to know of encryption."""
    if encryption is None:
        return {"protocol": "tcp"}
    wallet: dict[str, Any] = {} if encryption.wallet is None else {"wallet_location": str(encryption.wallet)}
    if encryption.wallet_password is not None:
        wallet["wallet_password"] = encryption.wallet_password.reveal()
    match = encryption.check_host
    return {"protocol": "tcps", "ssl_context": encryption.trusted, "ssl_server_dn_match": match, **wallet}


class OracleSession(Session):
    """A session of oracledb's. Rows are sent when they are asked for, so who wants no more just says so."""

    grace_s: ClassVar[float] = GRACE_S

    def __init__(self, connection: Any, address: Address, timeout_s: float) -> None:  # noqa: ANN401 - or a stand-in
        self._connection = connection
        self._address = address
        self._timeout_s = timeout_s
        self._running: asyncio.Task[Any] | None = None
        self.server = f"Oracle Database {connection.version}"

    async def begin(self) -> None:
        """Begin a snapshot."""
        async with self._told():
            await self._done(self._connection.rollback())
            await self.execute(_SNAPSHOT)

    async def fetch(self, text: str, given: Mapping[str, Any] = NOTHING, *, most_bytes: int | None = None) -> Fetched:
        """Return rows. Where they are too many bytes, no more are asked for."""
        async with self._told():
            result = await self._executed(text, given)
            rows: list[Values] = []
            size = 0
            with contextlib.closing(result):
                while some := await result.part():
                    rows += some
                    size += result.columns.size_of(some)
                    if most_bytes is not None and size > most_bytes:
                        return Fetched(rows, size, complete=False)
            return Fetched(rows, size, complete=True)

    @asynccontextmanager
    async def streamed(self, text: str, given: Mapping[str, Any] | None = None) -> AsyncIterator[Stream]:
        """Provide the rows of a statement, which may take as long as it likes; each wait for it has a limit."""
        async with self._told():
            result = await (self._queried(text) if given is None else self._executed(text, given))
            first = await result.part()
        parts = self._parts(result, first)
        try:
            yield Stream(result.columns.columns, parts)
        finally:
            await parts.aclose()
            if self.usable:
                result.close()

    async def described(self, text: str) -> Sequence[str]:
        """Return the names of the columns that a query would return: it is parsed, which runs nothing."""
        async with self._told():
            return [one.name for one in await self._parsed(text)]

    async def close(self) -> None:
        """Say goodbye where that makes sense, and close the connection."""
        if self.usable and self._running is None:
            with contextlib.suppress(TimeoutError, OSError, oracledb.Error):
                await self._done(self._connection.close(), within_s=CLOSE_WITHIN_S)
                self.usable = False
        if self.usable or self._running is not None:
            self._give_up()

    async def execute(self, text: str) -> None:
        """Execute a statement of ours that returns nothing."""
        cursor = self._connection.cursor()
        await self._done(cursor.execute(text))
        cursor.close()

    async def _executed(
        self, text: str, given: Mapping[str, Any] | None, made: Mapping[int, Make] | None = None
    ) -> "_Result":
        """Execute a statement, and return what it has for us."""
        cursor = self._connection.cursor()
        cursor.arraysize = cursor.prefetchrows = FIRST_ROWS
        cursor.outputtypehandler = fetched_as
        if given is None:
            await self._done(cursor.execute(text))
        else:
            values = {f"{PREFIX}{name}": _bound(value) for name, value in given.items()}
            marks = values.keys() & set(_MARK.findall(text))  # a value that no mark stands for is refused
            await self._done(cursor.execute(text, {name: values[name] for name in marks}))
        cursor.arraysize = rows_at_once(cursor.description)
        return _Result(cursor, Columns(cursor.description, made or {}), self._done)

    async def _parsed(self, text: str) -> Sequence[oracledb.FetchInfo]:
        """Return what a query of somebody's would return."""
        if _READS.match(text) is None:
            raise meanings.writes(self._address, "it is no SELECT")
        cursor = self._connection.cursor()
        with contextlib.closing(cursor):
            await self._done(cursor.parse(text))
            described: Sequence[oracledb.FetchInfo] = list(cursor.description or ())
            return described

    async def _queried(self, text: str) -> "_Result":
        """Execute a query of somebody's as it is; within another one where a value would come without its zone."""
        described = await self._parsed(text)
        zoned = {place: one.name for place, one in enumerate(described) if one.type_code in ZONED}
        if not zoned:
            return await self._executed(text, None)
        names = [one.name for one in described]
        if len(set(names)) < len(names):
            message = f"The query has several columns of one name, and {', '.join(zoned.values())} of times with zones."
            raise SourceError(message, hint="Give each column a name of its own.")
        asked = [instant_written(column(name)) if name in zoned.values() else column(name) for name in names]
        listed = ", ".join(
            f"{one.sql('oracle')} AS {column(name).sql('oracle')}" for one, name in zip(asked, names, strict=True)
        )
        outer = f"SELECT {listed} FROM (\n{text}\n)"  # noqa: S608 - names of columns, quoted
        return await self._executed(outer, None, dict.fromkeys(zoned, instant_of))

    async def _parts(self, result: "_Result", first: Sequence[Values]) -> AsyncGenerator[Sequence[Values], None]:
        some = first
        while some:
            yield some
            async with self._told():
                some = await result.part()

    async def _done(self, work: Coroutine[Any, Any, T], within_s: float | None = None) -> T:
        """Return what the driver does, in a task of its own, or give the connection up.

        When it is cancelled, the driver itself waits for the answer of the server, which may be gone.
        """
        task = self._running = asyncio.create_task(work, name="oracle")
        try:
            await asyncio.wait({task}, timeout=self._timeout_s + self.grace_s if within_s is None else within_s)
        finally:
            if not task.done():
                self._give_up()
            self._running = None
        if task.cancelled():
            raise SourceUnreachable(f"{self._address} was given up.")
        if not task.done():
            raise TimeoutError
        result: T = task.result()
        return result

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        """Run the block with a limit, and raise what the driver raises as what it means."""
        try:
            async with asyncio.timeout(self._timeout_s + self.grace_s):
                yield
        except ConnectorsError:
            raise
        except TimeoutError:
            message = f"{self._address} did not answer within {self._timeout_s + self.grace_s:g} s."
            self._give_up()
            raise SourceUnreachable(message, hint="Raise statement_timeout_s if that was to be expected.") from None
        except (oracledb.Error, OSError) as error:
            meant = explained(error, self._address)
            if isinstance(meant, SourceUnreachable):  # a snapshot that can't be read any more is of no use either
                self._give_up()
            raise meant from None
        except (ValueError, OverflowError) as error:
            self._give_up()
            message = f"{self._address} returned a value that Python has not: {error}."
            hint = "In a query, select TO_CHAR of dates before the year 1."
            raise SourceError(message, hint=hint) from None

    def _give_up(self) -> None:
        """End what the server does, and close the connection without waiting for anybody."""
        was_usable, self.usable = self.usable, False
        running = self._running
        with contextlib.suppress(oracledb.Error, OSError, AttributeError):
            if running is not None and was_usable:
                self._connection.cancel()
        with contextlib.suppress(oracledb.Error, OSError):
            self._connection.terminate()
        if running is not None:
            running.add_done_callback(_forgotten)
            running.cancel()


@dataclass(frozen=True)
class _Result:
    """What a statement returns: rows, some at a time, when they are asked for."""

    cursor: Any
    columns: Columns
    done: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]

    async def part(self) -> list[Values]:
        """Return some rows; none at the end."""
        rows: list[Values] = await self.done(self.cursor.fetchmany())
        return rows

    def close(self) -> None:
        """Ask for no more of it."""
        with contextlib.suppress(oracledb.Error):
            self.cursor.close()


def _bound(value: object) -> object:
    """Return a value as it is given: the driver would leave the parts of a second out."""
    return text_of(value) if isinstance(value, date) else value


def _forgotten(task: asyncio.Task[Any]) -> None:
    """Take note of how a task ended that nobody waits for."""
    if not task.cancelled():
        task.exception()
