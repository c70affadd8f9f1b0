"""Values of sources in a SQLite file, which all processes of one machine share."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

import apsw

from connectors.errors import ConfigurationError, StorageRefused, StorageUnreachable
from connectors.storage import Kept
from connectors.storages.expiry import instant_of, number_of

T = TypeVar("T")
BUSY_MS: Final = 5_000
"""How long a call waits for another process that writes."""
_OURS: Final = 0x436F6E56
"""What SQLite files of this program say that they are, so that no other one is written to."""
_VERSION: Final = 1
_SCHEMA: Final = f"""
    CREATE TABLE kept (
        connector TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, expires_at INTEGER,
        PRIMARY KEY (connector, key)
    ) WITHOUT ROWID;
    CREATE INDEX kept_expires_at ON kept (expires_at) WHERE expires_at IS NOT NULL;
    PRAGMA application_id = {_OURS};
    PRAGMA user_version = {_VERSION};
"""
_WRITE: Final = """
    INSERT INTO kept VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
_EXPIRE: Final = """
    DELETE FROM kept WHERE (connector, key) IN
    (SELECT connector, key FROM kept WHERE expires_at <= ? LIMIT ?)
"""
_MAY_PASS: Final = (apsw.BusyError, apsw.LockedError, apsw.FullError, apsw.IOError, apsw.NoMemError)


@asynccontextmanager
async def open_sqlite(path: Path, *, busy_ms: int = BUSY_MS) -> "AsyncIterator[SqliteBackend]":
    """Provide a backend in a file, which is made when it is missing.

    Raises a `ConfigurationError` for a file that can't be used, and a `StorageUnreachable` for one that can't now.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="storage")  # in which calls keep their order
    loop = asyncio.get_running_loop()
    try:
        connection = await loop.run_in_executor(thread, _opened, path, busy_ms)
        try:
            yield SqliteBackend(path, connection, thread)
        finally:
            await loop.run_in_executor(thread, connection.close)
    finally:
        thread.shutdown(wait=False)


class SqliteBackend:
    """Keeps values in one table. A write is on the disk before the call returns, and one that was torn is none."""

    def __init__(self, path: Path, connection: apsw.Connection, thread: ThreadPoolExecutor) -> None:
        self._path = path
        self._connection = connection
        self._thread = thread

    async def read(self, connector: str, key: str) -> Kept | None:
        """Return what is kept."""
        sql = "SELECT value, expires_at FROM kept WHERE connector = ? AND key = ?"
        rows = await self._do(lambda one: list(one.execute(sql, (connector, key))))
        if not rows:
            return None
        value, expires_at = rows[0]
        return Kept(bytes(value), None if expires_at is None else instant_of(expires_at))

    async def write(self, connector: str, key: str, kept: Kept) -> None:
        """Keep it."""
        expires_at = None if kept.expires_at is None else number_of(kept.expires_at)
        await self._do(lambda one: one.execute(_WRITE, (connector, key, kept.value, expires_at)))

    async def remove(self, connector: str, key: str) -> None:
        """Keep it no longer."""
        await self._do(lambda one: one.execute("DELETE FROM kept WHERE connector = ? AND key = ?", (connector, key)))

    async def forget(self, connector: str) -> int:
        """Remove all of a connector."""
        return await self._do(lambda one: _changed(one, "DELETE FROM kept WHERE connector = ?", connector))

    async def remove_expired(self, now: datetime, *, most: int) -> int:
        """Remove what has expired."""
        return await self._do(lambda one: _changed(one, _EXPIRE, number_of(now), most))

    async def connectors(self) -> set[str]:
        """Return whose values there are."""
        rows = await self._do(lambda one: list(one.execute("SELECT DISTINCT connector FROM kept")))
        return {str(connector) for (connector,) in rows}

    async def _do(self, work: Callable[[apsw.Connection], T]) -> T:
        def done() -> T:
            with _of_sqlite(self._path):
                return work(self._connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, done)


def _opened(path: Path, busy_ms: int) -> apsw.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # there may be secrets in it
    except OSError as error:
        text = f"The file {path} can't be used: {error.strerror}."
        raise ConfigurationError(text, field="storage.path") from None
    with _of_sqlite(path):
        connection = apsw.Connection(str(path))
        try:
            connection.set_busy_timeout(busy_ms)
            with _of_strange_file(path):
                _check(path, connection)
            for one in ("secure_delete = ON", "journal_mode = WAL", "synchronous = FULL"):
                connection.execute(f"PRAGMA {one}")
        except BaseException:
            connection.close()
            raise
        return connection


def _check(path: Path, connection: apsw.Connection) -> None:
    """Make the table where there is none, and refuse a file that holds something else."""
    with _immediately(connection):
        if not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall():
            connection.execute(_SCHEMA)
        is_ours = connection.pragma("application_id") == _OURS
        if not is_ours or connection.pragma("user_version") != _VERSION:
            what = "was written by another version of this program" if is_ours else "holds something else"
            text = f"The SQLite file {path} {what}."
            raise ConfigurationError(text, field="storage.path", hint="Name a file of its own.")


@contextmanager
def _immediately(connection: apsw.Connection) -> Iterator[None]:
    """Run the block as one transaction that waits for others at its beginning, where it may."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _changed(connection: apsw.Connection, sql: str, *values: str | int) -> int:
    connection.execute(sql, values)
    return connection.changes()


@contextmanager
def _of_strange_file(path: Path) -> Iterator[None]:
    """Make what is wrong with a file that was never ours an error of the setting."""
    try:
        yield
    except (apsw.NotADBError, apsw.ReadOnlyError) as error:
        text = f"The file {path} can't be used: {error}."
        raise ConfigurationError(text, field="storage.path", hint="Name a file of its own.") from None


@contextmanager
def _of_sqlite(path: Path) -> Iterator[None]:
    """Make an error of SQLite one of the storage. Its words hold no values, as these are bound."""
    try:
        yield
    except _MAY_PASS as error:
        raise StorageUnreachable(f"The storage of sources, {path}, can't be used now: {error}.") from None
    except apsw.Error as error:
        hint = "Restore it from a backup, or remove it with its -wal and -shm: then what sources remember is lost."
        raise StorageRefused(f"The storage of sources, {path}, can't be used: {error}.", hint=hint) from None
