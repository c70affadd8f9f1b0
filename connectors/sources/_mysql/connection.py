"""The connection to a server of MySQL or MariaDB: read-only, in UTC, and never ahead of who reads."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import asyncmy
from asyncmy.connection import Connection
from asyncmy.constants import CLIENT, COMMAND, FIELD_TYPE, FLAG
from asyncmy.converters import conversions, through
from asyncmy.cursors import Cursor, SSCursor
from asyncmy.protocol import FieldDescriptorPacket

from connectors.errors import SourceError, SourceUnreachable
from connectors.secret import Secret
from connectors.sources._mysql.errors import explained, is_of_the_connection
from connectors.sources._mysql.rows import Rows
from connectors.sources._mysql.values import bits_of, json_of, members_of, moment_of
from connectors.sources._sql.address import Address
from connectors.sources._sql.form import Make
from connectors.sources._sql.session import NOTHING, Fetched, ResultColumn, Session, Stream, Values

_Driver = Any
"""What the driver's own stubs leave out is needed here: nothing of it is typed."""
CONNECT_WITHIN_S: Final = 10.0
CLOSE_WITHIN_S: Final = 1.0
GRACE_S: Final = 5.0
"""How much longer than the server itself we wait for it to end a statement."""
_IDLE_S: Final = 86_400
_PLUGIN_UNKNOWN: Final = 2059
_CONVERSIONS: Final = {**conversions, FIELD_TYPE.TIME: through}
"""A time stays as the server writes it: it may be negative, and longer than a day."""
_MADE: Final[Mapping[int, Make]] = {
    FIELD_TYPE.BIT: bits_of,
    FIELD_TYPE.JSON: json_of,
    **dict.fromkeys((FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP), moment_of),
}
_MODE: Final = "CONCAT('ALLOW_INVALID_DATES', IF(@@sql_mode LIKE '%ONLY_FULL_GROUP_BY%', ',ONLY_FULL_GROUP_BY', ''))"
"""How names are quoted and what operators mean is part of it. What is no date may be in a key, and is compared then."""
_SETTINGS: Final = (
    f"SET SESSION time_zone = '+00:00', net_write_timeout = {_IDLE_S}, wait_timeout = {_IDLE_S}",
    "SET SESSION max_error_count = 0, sql_quote_show_create = 1",
    f"SET SESSION sql_mode = {_MODE}",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION TRANSACTION READ ONLY",
)
"""Who waits for a slow engine is not idle."""


class _Unspoken:
    """Stands for ways to log in that send the password as it is: whoever is between could ask for it."""

    def __init__(self, connection: _Driver) -> None:
        del connection

    def authenticate(self, packet: _Driver) -> NoReturn:
        """Refuse."""
        del packet
        words = "it asks for the password as plain text, on a connection that is not encrypted"
        raise asyncmy.errors.OperationalError(_PLUGIN_UNKNOWN, words)


_PLAIN: Final = {b"mysql_clear_password": _Unspoken, b"dialog": _Unspoken}


async def connect(address: Address, password: Secret, trusted: ssl.SSLContext | None, timeout_s: float) -> Session:
    """Return a session. Raises what keeps from having one."""
    connection: _Driver = Connection(  # type: ignore[no-untyped-call]
        host=address.host,
        port=address.port,
        user=address.user,
        password=password.reveal().encode(),
        database=address.database,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=CONNECT_WITHIN_S,
        conv=_CONVERSIONS,
        ssl=trusted,
        auth_plugin_map=_PLAIN if trusted is None else None,
        program_name="connectors",
    )
    # One statement at a time, whatever a text holds: the driver has no way to say so.
    connection._client_flag &= ~CLIENT.MULTI_STATEMENTS  # noqa: SLF001
    try:
        async with asyncio.timeout(2 * CONNECT_WITHIN_S):
            await connection.connect()
            session = MySQLSession(connection, address, timeout_s)
            for text in _SETTINGS:
                await session.execute(text)
            await session.limit(timeout_s)
    except BaseException as error:
        connection.close()
        if isinstance(error, TimeoutError | OSError | asyncmy.errors.MySQLError | RuntimeError):
            raise explained(error, address) from None
        raise
    return session


class MySQLSession(Session):
    """A session of asyncmy's. What it returns of rows is measured on the wire, where that costs nothing."""

    def __init__(self, connection: _Driver, address: Address, timeout_s: float) -> None:
        self._connection = connection
        self._address = address
        self._timeout_s = timeout_s
        self._meter = _Meter.between(connection)
        self.server = str(connection.get_server_info())

    async def begin(self) -> None:
        """Begin a snapshot."""
        async with self._guarded():
            await self.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    async def fetch(self, text: str, given: Mapping[str, Any] = NOTHING, *, most_bytes: int | None = None) -> Fetched:
        """Return rows. Where they are too many bytes, the connection is given up: there is no other way to stop it."""
        async with self._guarded():
            before = self._meter.received
            cursor = self._connection.cursor(SSCursor)
            await cursor.execute(text, dict(given))
            received, rows = Rows(cursor), list[Values]()
            while some := await received.some():
                rows += some
                if most_bytes is not None and self._meter.received - before > most_bytes:
                    self._give_up()
                    return Fetched(rows, self._meter.received - before, complete=False)
            return Fetched(rows, self._meter.received - before, complete=True)

    @asynccontextmanager
    async def streamed(self, text: str, given: Mapping[str, Any] | None = None) -> AsyncIterator[Stream]:
        """Provide the rows of a statement, which may take as long as it likes; each wait for it has a limit."""
        async with self._guarded():
            await self.limit(0)
            cursor = self._connection.cursor(SSCursor)
            await cursor.execute(text, None if given is None else dict(given))
            columns = [ResultColumn(one.name, _made_of(one)) for one in cursor._result.fields]  # noqa: SLF001
            rows = Rows(cursor)
        ended: list[bool] = []
        parts = self._parts(rows, ended)
        try:
            yield Stream(columns, parts)
        finally:
            await parts.aclose()
            if not ended:
                self._give_up()
        async with self._guarded():
            await self.limit(self._timeout_s)

    async def described(self, text: str) -> Sequence[str]:
        """Return the names of the columns that a statement would return: it is prepared, which runs nothing."""
        async with self._guarded():
            return await _prepared(self._connection, text)

    async def close(self) -> None:
        """Say goodbye where that makes sense, and close the connection."""
        was_usable, self.usable = self.usable, False
        with contextlib.suppress(TimeoutError, OSError, asyncmy.errors.MySQLError):
            if was_usable:
                async with asyncio.timeout(CLOSE_WITHIN_S):
                    await self._connection.ensure_closed()
        self._connection.close()

    async def execute(self, text: str) -> None:
        """Execute a statement that returns nothing."""
        cursor = self._connection.cursor(Cursor)
        await cursor.execute(text)

    async def limit(self, timeout_s: float) -> None:
        """Let the server end statements that take longer; 0 for no limit."""
        if "MariaDB" in self.server:
            await self.execute(f"SET SESSION max_statement_time = {timeout_s}")
        else:
            await self.execute(f"SET SESSION max_execution_time = {round(1000 * timeout_s)}")

    async def _parts(self, rows: Rows, ended: list[bool]) -> AsyncGenerator[Sequence[Values], None]:
        while True:
            async with self._guarded():
                self._meter.flow()
                some = await rows.some()
                self._meter.hold()
            if not some:
                ended.append(True)
                self._meter.flow()
                return
            yield some

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Run the block with a limit, and raise what the driver raises as what it means.

        A connection is of no use after anything but an error that the server itself has told.
        """
        try:
            async with asyncio.timeout(self._timeout_s + GRACE_S):
                yield
        except asyncmy.errors.MySQLError as error:
            if is_of_the_connection(error):
                self._give_up()
            raise explained(error, self._address) from None
        except TimeoutError:
            self._give_up()
            message = f"{self._address} did not answer within {self._timeout_s + GRACE_S:g} s."
            raise SourceUnreachable(message, hint="Raise statement_timeout_s if that was to be expected.") from None
        except OSError as error:
            self._give_up()
            raise explained(error, self._address) from None
        except UnicodeDecodeError:
            self._give_up()
            raise SourceError(f"{self._address} returned a column whose name is not UTF-8.") from None
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        self.usable = False
        self._connection.close()


def _made_of(field: _Driver) -> Make | None:
    if field.flags & FLAG.SET:
        return members_of
    return _MADE.get(field.type_code)


async def _prepared(connection: _Driver, text: str) -> list[str]:
    """Prepare a statement as the driver does, which leaves out what the columns are called."""
    await connection._execute_command(COMMAND.COM_STMT_PREPARE, text.encode())  # noqa: SLF001
    packet = await connection.read_packet()
    packet.read_uint8()
    number = packet.read_uint32()
    columns, parameters = packet.read_uint16(), packet.read_uint16()
    ends = 0 if connection._deprecate_eof else 1  # noqa: SLF001
    for _ in range(parameters + (ends if parameters else 0)):
        await connection.read_packet()
    names = [(await connection.read_packet(FieldDescriptorPacket)).name for _ in range(columns)]
    if columns and ends:
        await connection.read_packet()
    await connection._execute_command(COMMAND.COM_STMT_CLOSE, number.to_bytes(4, "little"))  # noqa: SLF001
    return names


@dataclass
class _Meter(asyncio.BufferedProtocol):
    """Stands between a socket and the driver: counts what comes, and lets no more come than is asked for.

    The driver takes in whatever a server sends, also while nobody reads: without this, what is streamed would pile up
    in memory.
    """

    inner: Any
    transport: Any
    received: int = 0
    flowing: bool = True
    paused: bool = False

    @classmethod
    def between(cls, connection: _Driver) -> "_Meter":
        """Put one into a connection that is made."""
        meter = cls(connection._proto, connection._transport)  # noqa: SLF001
        meter.transport.set_protocol(meter)
        return meter

    def flow(self) -> None:
        """Let come what is sent."""
        self.flowing = True
        if self.paused:
            self.paused = False
            self.transport.resume_reading()

    def hold(self) -> None:
        """Let nothing more come than what is on its way already."""
        self.flowing = False

    def get_buffer(self, sizehint: int) -> memoryview:
        buffer: memoryview = self.inner.get_buffer(sizehint)
        return buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += nbytes
        self.inner.buffer_updated(nbytes)
        if not self.flowing:
            self.paused = True
            self.transport.pause_reading()

    def eof_received(self) -> bool | None:
        ended: bool | None = self.inner.eof_received()
        return ended

    def connection_lost(self, exc: Exception | None) -> None:
        self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()
