"""The connection to SQL Server: what is read is never written, in a transaction that is always undone."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

import pytds  # type: ignore[import-untyped]
from OpenSSL import SSL
from pytds import tds_base
from pytds.tds_types import Binary  # type: ignore[import-untyped]

from connectors import logger
from connectors.errors import SourceError
from connectors.secret import Secret
from connectors.sources._mssql.dial import CONNECT_WITHIN_S, Encryption, dialled
from connectors.sources._mssql.errors import explained
from connectors.sources._mssql.line import Line
from connectors.sources._mssql.reading import objection
from connectors.sources._mssql.values import in_utc, plain_of, unpadded
from connectors.sources._sql import meanings
from connectors.sources._sql.address import Address
from connectors.sources._sql.form import Make
from connectors.sources._sql.session import NOTHING, Fetched, ResultColumn, Session, Stream, Values
from connectors.sources._sql.single import single_of

log = logger.get(__name__)
T = TypeVar("T")
_Driver = Any
"""The driver's annotations are those of its own code: nothing of what it returns is typed."""
Dial = Callable[[Address, Secret, Encryption | None, str], _Driver]
GRACE_S: Final = 5.0
"""How much longer than for a lock we wait for an answer: the server has no limit of its own for that."""
ROWS_AT_ONCE: Final = 32
"""Rows that are taken from the driver at once: few, as each may be large."""
_DRIVER: Final = (pytds.Error, tds_base.Error, SSL.Error, OSError)
SETTINGS: Final = (
    "SET NOCOUNT ON; SET XACT_ABORT OFF; SET IMPLICIT_TRANSACTIONS OFF; SET DATEFORMAT ymd; SET TEXTSIZE 2147483647; "
    "SET DEADLOCK_PRIORITY LOW; SET LOCK_TIMEOUT {timeout_ms}"
)
"""Others go first where we are in their way."""
BEGIN: Final = "SET TRANSACTION ISOLATION LEVEL {level}; BEGIN TRANSACTION"
UNDO: Final = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"
SERVER: Final = """
SELECT CAST(SERVERPROPERTY('ProductVersion') AS NVARCHAR(128)), CAST(SERVERPROPERTY('Edition') AS NVARCHAR(128)),
    (SELECT d.snapshot_isolation_state FROM sys.databases AS d WHERE d.database_id = DB_ID())"""
DESCRIBED: Final = """
SELECT name, error_number, error_message FROM sys.dm_exec_describe_first_result_set(%(text)s, NULL, 0)
WHERE is_hidden = 0 OR is_hidden IS NULL ORDER BY column_ordinal"""
_ON: Final = 1
"""That snapshots are allowed: other states are on the way from one to the other."""
_SINGLE_BYTES: Final = 4
_MADE: Final[Mapping[int, Make]] = {
    tds_base.SYBUNIQUE: str,
    tds_base.SYBMSTIME: plain_of,
    tds_base.SYBMSDATETIMEOFFSET: in_utc,
    tds_base.SYBVARIANT: plain_of,
    tds_base.XSYBCHAR: unpadded,
    tds_base.XSYBNCHAR: unpadded,
    tds_base.SYBREAL: single_of,
}


async def connect(
    address: Address,
    password: Secret,
    encryption: Encryption | None,
    timeout_s: float,
    *,
    intent: str = "ReadWrite",
    dial: Dial = dialled,
) -> Session:
    """Return a session. Raises what keeps from having one."""
    try:
        line = await Line.opened(partial(dial, address, password, encryption, intent), 2 * CONNECT_WITHIN_S)
    except _DRIVER as error:
        raise explained(error, address) from None
    try:
        session = MSSQLSession(line, address, timeout_s)
        await session.set_up()
    except BaseException:
        await line.close()
        raise
    return session


class MSSQLSession(Session):
    """A session of the driver's, in a thread of its own. What an error leaves behind is of no use."""

    snapshots: bool = False
    """Whether the database can be read as it was at one moment."""

    def __init__(self, line: Line, address: Address, timeout_s: float) -> None:
        self._line = line
        self._address = address
        self._timeout_s = timeout_s

    async def set_up(self) -> None:
        """Have the server keep to what is said here, and ask what it is."""
        await self._run(partial(_executed, SETTINGS.format(timeout_ms=round(1000 * self._timeout_s))))
        version, edition, state = (await self.fetch(SERVER)).rows[0]
        self.server = f"Microsoft SQL Server {version}, {edition}"
        self.snapshots = state == _ON
        if not self.snapshots:
            log.info(
                "The database allows no snapshots, so each page of it is of its own moment.",
                database=self._address.database,
            )

    async def begin(self) -> None:
        """Begin a snapshot, which is of the moment of what is read first, or a mere transaction."""
        await self._run(partial(_executed, UNDO))
        await self._run(partial(_executed, BEGIN.format(level="SNAPSHOT" if self.snapshots else "READ COMMITTED")))

    async def fetch(self, text: str, given: Mapping[str, Any] = NOTHING, *, most_bytes: int | None = None) -> Fetched:
        """Return rows. Where they are too many bytes, the connection is given up, and its transaction with it."""
        found = await self._run(lambda driver: _Result(driver, text, given).fetched(most_bytes))
        if not found.complete:
            await self.close()
        return found

    @asynccontextmanager
    async def streamed(self, text: str, given: Mapping[str, Any] | None = None) -> AsyncIterator[Stream]:
        """Provide the rows of a statement, which may take as long as it likes; each wait for it has a limit."""
        if given is None:
            self._refuse(text)
        result = await self._run(lambda driver: _Result(driver, text, given))
        ended: list[bool] = []
        parts = self._parts(result, ended)
        try:
            yield Stream(result.columns, parts)
        finally:
            await parts.aclose()
            if not ended:
                await self.close()

    async def described(self, text: str) -> Sequence[str]:
        """Return the names of the columns that a statement would return: the server looks at it, and runs nothing."""
        self._refuse(text)
        found = (await self.fetch(DESCRIBED, {"text": text})).rows
        for _, number, words in found:
            if number is not None:
                error = tds_base.OperationalError(str(words))
                error.number = number
                raise explained(error, self._address)
        return [_name(name, place) for place, (name, *_) in enumerate(found)]

    async def close(self) -> None:
        """Close the connection, whatever it is doing: the server undoes what was begun."""
        self.usable = False
        await self._line.close()

    def _refuse(self, text: str) -> None:
        """Raise what speaks against a text that somebody wrote: there is no session that may only read."""
        if reason := objection(text):
            raise meanings.writes(self._address, reason)

    async def _parts(self, result: "_Result", ended: list[bool]) -> AsyncGenerator[Sequence[Values], None]:
        while some := await self._run(lambda _: result.part()):
            yield some
        ended.append(True)

    async def _run(self, work: Callable[[_Driver], T]) -> T:
        """Do some work in the thread, within the limit, and raise what the driver raises as what it means."""
        try:
            return await self._line.run(work, self._timeout_s + GRACE_S)
        except TimeoutError:
            self.usable = False
            raise meanings.too_slow(self._address, f"no answer within {self._timeout_s + GRACE_S:g} s") from None
        except UnicodeDecodeError:
            self.usable = False
            raise SourceError(f"{self._address} returned a text that is none in Unicode.") from None
        except _DRIVER as error:
            self.usable = False
            raise explained(error, self._address) from None
        except BaseException:
            self.usable = False
            raise


class _Result:
    """A statement and its rows, some at a time; in the thread of the line."""

    def __init__(self, driver: _Driver, text: str, given: Mapping[str, Any] | None) -> None:
        self._cursor = driver.cursor()
        self._cursor.execute(text, None if given is None else {name: _sent(value) for name, value in given.items()})
        described = self._cursor.description
        if described is None:
            raise SourceError("The database was asked for something that returns no rows.")
        self.columns = [ResultColumn(_name(one[0], place), _made_of(one)) for place, one in enumerate(described)]

    def part(self) -> list[Values]:
        """Return some rows; none at the end, when the server was asked for all that it has to say."""
        rows: list[Values] = []
        while len(rows) < ROWS_AT_ONCE and (row := self._cursor.fetchone()) is not None:
            rows.append(row)
        if not rows:
            while self._cursor.nextset():  # an error that came behind the last row is raised here
                pass
        return rows

    def fetched(self, most_bytes: int | None) -> Fetched:
        """Return the rows until there are too many bytes."""
        rows: list[Values] = []
        size = 0
        while some := self.part():
            rows += some
            size += sum(map(_size_of, some))
            if most_bytes is not None and size > most_bytes:
                return Fetched(rows, size, complete=False)
        return Fetched(rows, size, complete=True)


def _executed(text: str, driver: _Driver) -> None:
    """Execute statements of ours that return nothing."""
    cursor = driver.cursor()
    cursor.execute(text)
    while cursor.nextset():
        pass


def _sent(value: Any) -> Any:  # noqa: ANN401 - any value of a column
    """Return a value as the driver has to have it: it takes bytes for a text."""
    return Binary(value) if isinstance(value, bytes) else value


def _size_of(row: Values) -> int:
    """Return about how many bytes a row is on the wire, where texts have two for each character."""
    size = 8 * (1 + len(row))
    for value in row:
        if type(value) is str:
            size += 2 * len(value)
        elif type(value) is bytes:
            size += len(value)
    return size


def _name(name: str | None, place: int) -> str:
    """Return the name of a column of a result; one that has none is called by its place."""
    return name or f"column_{place + 1}"


def _made_of(described: Sequence[Any]) -> Make | None:
    kind, size = described[1], described[3]
    if kind == tds_base.SYBFLTN and size == _SINGLE_BYTES:
        return single_of
    return _MADE.get(kind)
