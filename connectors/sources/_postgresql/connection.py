"""The connection to a server of PostgreSQL: read-only, in UTC, and never ahead of who reads."""

import asyncio
import contextlib
import os
import ssl
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import generators
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from connectors.errors import ConfigurationError, ConnectorsError, SourceError, SourceUnreachable
from connectors.secret import Secret
from connectors.sources._postgresql.errors import explained
from connectors.sources._postgresql.loaders import OTHER_TYPES, Columns, register, register_escaping, register_others
from connectors.sources._sql.address import Address
from connectors.sources._sql.garbled import sorted_out
from connectors.sources._sql.session import NOTHING, Fetched, Session, Stream, Values

CONNECT_WITHIN_S: Final = 10
CANCEL_WITHIN_S: Final = 1.0
GRACE_S: Final = 5.0
"""How much longer than the server itself we wait for it to end a statement."""
ROWS_AT_ONCE: Final = 32
"""Rows that are taken from the driver at once: few, as each may be large."""
_IDLE_S: Final = 86_400
_NOWHERE: Final = f"{os.devnull}/none"
"""Stands for a file of passwords, else that of this user would count: it is silent only about one that can't be."""
_SETTINGS: Final = f"""
SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 1;
SET bytea_output = 'hex'; SET client_encoding = 'UTF8'; SET default_transaction_read_only = on;
SET idle_in_transaction_session_timeout = '{_IDLE_S}s'"""
"""What texts of values look like is part of a session. Who waits for a slow engine is not idle."""
ANY_BYTES: Final = "SQL_ASCII"
"""The encoding of a database that does not know of any. It would refuse to send what is none in UTF-8."""
_SEARCHED: Final = """
SELECT set_config('search_path', concat_ws(', ', quote_ident(%(schema)s), nullif(path, '')), false)
FROM current_setting('search_path') AS path"""


@dataclass(frozen=True)
class Encryption:
    """How a server has to prove who it is: by a certificate of an authority, in PEM, or of one that is known here."""

    authority: str | None
    check_host: bool


async def connect(
    address: Address, password: Secret, schema: str, encryption: Encryption | None, timeout_s: float
) -> Session:
    """Return a session whose queries find the tables of a schema by their names alone. Raises what keeps from it."""
    files = ExitStack()
    connection: psycopg.AsyncConnection[Values] | None = None
    try:
        async with asyncio.timeout(2 * CONNECT_WITHIN_S):
            connection = await psycopg.AsyncConnection.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                password=password.reveal(),
                dbname=address.database,
                **_trust(encryption, files),
                connect_timeout=CONNECT_WITHIN_S,
                application_name="connectors",
                passfile=_NOWHERE,
                options="",
                gssencmode="disable",
                autocommit=True,
                prepare_threshold=None,
            )
            register(connection)
            session = PostgreSQLSession(connection, address, timeout_s, files)
            await session.execute(_SETTINGS)
            if connection.info.parameter_status("server_encoding") == ANY_BYTES:
                await session.execute(f"SET client_encoding = '{ANY_BYTES}'")
                register_escaping(connection)
            await session.limit(timeout_s)
            await connection.execute(_SEARCHED, {"schema": schema})
            register_others(connection, await (await connection.execute(OTHER_TYPES)).fetchall())
    except BaseException as error:
        if connection is not None:
            await connection.close()
        files.close()
        if isinstance(error, TimeoutError | OSError | psycopg.Error):
            raise explained(error, address) from None
        raise
    return session


def _trust(encryption: Encryption | None, files: ExitStack) -> dict[str, Any]:
    """Return what libpq wants to know of encryption. It reads certificates from files only."""
    if encryption is None:
        return {"sslmode": "disable", "require_auth": "!password"}  # which whoever is between could ask for
    mode = "verify-full" if encryption.check_host else "verify-ca"
    if encryption.authority is None:
        return {"sslmode": mode, "sslrootcert": ssl.get_default_verify_paths().cafile or "system"}
    try:
        ssl.create_default_context(cadata=encryption.authority)
    except ssl.SSLError:
        raise ConfigurationError("It is no certificate in PEM.", field="ssl_ca") from None
    file = files.enter_context(tempfile.NamedTemporaryFile("w", suffix=".pem", encoding="ascii"))  # noqa: SIM115
    file.write(encryption.authority)
    file.flush()
    return {"sslmode": mode, "sslrootcert": file.name}


class PostgreSQLSession(Session):
    """A session of psycopg's. What an error leaves behind is of no use: a transaction that has failed."""

    def __init__(
        self, connection: psycopg.AsyncConnection[Values], address: Address, timeout_s: float, files: ExitStack
    ) -> None:
        self._connection = connection
        self._address = address
        self._timeout_s = timeout_s
        self._files = files
        self.server = f"PostgreSQL {connection.info.parameter_status('server_version')}"

    async def begin(self) -> None:
        """Begin a snapshot. What the one before had set is undone with it."""
        async with self._guarded():
            if self._connection.info.transaction_status is not TransactionStatus.IDLE:
                await self.execute("ROLLBACK")
            await self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    async def fetch(self, text: str, given: Mapping[str, Any] = NOTHING, *, most_bytes: int | None = None) -> Fetched:
        """Return rows. Where they are too many bytes, the connection is given up, and its transaction with it."""
        async with self._guarded():
            result = _Result(self._connection)
            await result.begin(text, given)
            rows: list[Values] = []
            size = 0
            while some := await result.part():
                rows += some
                size += result.columns.size_of(some)
                if most_bytes is not None and size > most_bytes:
                    await self.close()
                    return Fetched(rows, size, complete=False)
            return Fetched(rows, size, complete=True)

    @asynccontextmanager
    async def streamed(self, text: str, given: Mapping[str, Any] | None = None) -> AsyncIterator[Stream]:
        """Provide the rows of a statement, which may take as long as it likes; each wait for it has a limit."""
        ended: list[bool] = []
        async with self._guarded():
            await self.limit(0)
            result = _Result(self._connection)
            await result.begin(text, given)
            first = await result.part()
        parts = self._parts(result, first, ended)
        try:
            yield Stream(result.columns.columns, parts)
        finally:
            await parts.aclose()
            if not ended or self._connection.info.transaction_status is not TransactionStatus.INTRANS:
                await self.close()
        if self.usable:
            async with self._guarded():
                await self.limit(self._timeout_s)

    async def described(self, text: str) -> Sequence[str]:
        """Return the names of the columns that a statement would return: it is prepared, which runs nothing."""
        async with self._guarded():
            await self.execute("SAVEPOINT described")
            try:
                return await self._prepared(text)
            except psycopg.Error as error:
                if error.sqlstate is None:
                    raise
                raise explained(error, self._address) from None
            finally:
                if self._connection.info.transaction_status is TransactionStatus.INERROR:
                    await self.execute("ROLLBACK TO SAVEPOINT described")
                if self._connection.info.transaction_status is TransactionStatus.INTRANS:
                    await self.execute("RELEASE SAVEPOINT described")

    async def close(self) -> None:
        """Have the server end what it does, and close the connection."""
        self.usable = False
        if self._connection.info.transaction_status is TransactionStatus.ACTIVE:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._connection.cancel_safe(timeout=CANCEL_WITHIN_S)
        await self._connection.close()
        self._files.close()

    async def execute(self, text: str) -> None:
        """Execute statements of ours that return nothing."""
        await self._connection.execute(text.encode())

    async def limit(self, timeout_s: float) -> None:
        """Let the server end statements that take longer; 0 for no limit."""
        await self.execute(f"SET statement_timeout = {round(1000 * timeout_s)}")

    async def _prepared(self, text: str) -> list[str]:
        wire = self._connection.pgconn
        wire.send_prepare(b"", text.encode())
        await self._told()
        wire.send_describe_prepared(b"")
        result = await self._told()
        return [(result.fname(place) or b"").decode() for place in range(result.nfields)]

    async def _told(self) -> PGresult:
        result: PGresult
        [result] = await self._connection.wait(generators.execute(self._connection.pgconn))
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
        return result

    async def _parts(
        self, result: "_Result", first: Sequence[Values], ended: list[bool]
    ) -> AsyncGenerator[Sequence[Values], None]:
        some = first
        while some:
            yield some
            async with self._guarded():
                some = await result.part()
        ended.append(True)

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Run the block with a limit, and raise what the driver raises as what it means.

        The driver itself has the server end a statement that nobody waits for any more.
        """
        try:
            async with asyncio.timeout(self._timeout_s + GRACE_S):
                yield
        except ConnectorsError:
            raise
        except (psycopg.Error, OSError) as error:
            self.usable = False
            if isinstance(error, TimeoutError):
                message = f"{self._address} did not answer within {self._timeout_s + GRACE_S:g} s."
                hint = "Raise statement_timeout_s if that was to be expected."
                raise SourceUnreachable(message, hint=hint) from None
            if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
                raise SourceError(f"{self._address} was asked for something that returns no rows.") from None
            raise explained(error, self._address) from None
        except UnicodeDecodeError:
            self.usable = False
            raise SourceError(
                f"{self._address} returned an hstore, or the name of a column, that is not UTF-8."
            ) from None
        except BaseException:
            self.usable = False
            raise


class _Result(psycopg.AsyncCursor[Values]):
    """A statement and its rows, some at a time: one statement, whatever its text holds, and nothing read ahead."""

    columns: Columns

    @property
    def _encoding(self) -> str:
        """What names of columns are in: the driver takes those of a database without an encoding for ASCII."""
        return "utf-8"

    async def begin(self, text: str, given: Mapping[str, Any] | None) -> None:
        """Send it. Without values it is sent as it is."""
        await self._conn.wait(self._stream_send_gen(text.encode(), given, size=ROWS_AT_ONCE))
        self._is_first = True
        self._escapes = self._conn.info.parameter_status("client_encoding") == ANY_BYTES

    async def part(self) -> list[Values]:
        """Return some rows; none at the end."""
        result = await self._conn.wait(self._stream_fetchone_gen(self._is_first))
        if self._is_first:
            self._is_first = False
            self.columns = Columns(self.description or ())
        if result is None:
            return []
        rows: list[Values] = self._tx.load_rows(0, result.ntuples, self._make_row)
        return sorted_out(rows) if self._escapes else rows
