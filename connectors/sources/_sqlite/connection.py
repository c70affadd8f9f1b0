"""The connection to a SQLite database: read-only, in a thread of its own, and stopped wherever it is."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from connectors.errors import AccessDenied, ConfigurationError, ConnectorsError, SourceError, SourceUnreachable
from connectors.sources._sqlite.stamp import HEADER_SIZE, MAGIC, Stamp

T = TypeVar("T")
_TURN_S: Final = 0.02
_STEPS: Final = 20_000
"""Steps of SQLite's machine, some hundred microseconds, after which a statement looks whether it should stop."""
_OPTIONS: Final = {
    apsw.SQLITE_DBCONFIG_DEFENSIVE: 1,
    apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA: 0,  # functions that a view calls are not ours to run
    apsw.SQLITE_DBCONFIG_DQS_DML: 0,  # the name of a column that is gone is no text
    apsw.SQLITE_DBCONFIG_DQS_DDL: 0,
}
_DENIED: Final = {
    apsw.SQLITE_ATTACH,
    apsw.SQLITE_DETACH,
    apsw.SQLITE_CREATE_TEMP_INDEX,
    apsw.SQLITE_CREATE_TEMP_TABLE,
    apsw.SQLITE_CREATE_TEMP_TRIGGER,
    apsw.SQLITE_CREATE_TEMP_VIEW,
    apsw.SQLITE_CREATE_VTABLE,
}
_REFUSED: Final = {apsw.SQLITE_AUTH, apsw.SQLITE_READONLY}
"""What a statement is answered that would write. Other codes of the same kind say that a database needs repair."""
_PRAGMAS: Final = {
    *("table_list", "table_xinfo", "table_info", "index_list", "index_info", "index_xinfo", "foreign_key_list"),
    *("collation_list", "compile_options", "data_version", "database_list", "encoding", "function_list"),
    *("module_list", "page_count", "schema_version", "user_version", "application_id"),
}
"""What may be asked of a database: others change it, the connection, or this process."""


class Connection:
    """A database that is opened by the first who asks; what is asked is done one after the other in one thread."""

    def __init__(self, path: Path, busy_s: float, now_ns: Callable[[], int]) -> None:
        self.path = path
        self._busy_s = busy_s
        self._now_ns = now_ns
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection: apsw.Connection | None = None
        self._quiet: Stamp | None = None
        self._disturbed = False
        self._closed = threading.Event()
        self._stopped = threading.Event()

    async def run(self, work: Callable[[apsw.Connection], T], *, again: bool = True) -> T:
        """Do some work with the connection, and stop it when the caller is cancelled.

        It is done `again` where the database was read without locks and was written meanwhile, or else it fails.
        """
        return await self._run(lambda: self._undisturbed(work, again=again))

    async def stamp(self) -> Stamp:
        """Return the stamp of the database, without opening it."""
        return await self._run(self._stamp)

    async def release(self, cursor: apsw.Cursor) -> None:
        """Close a cursor that work has left open. A closed connection has none."""
        if not self._closed.is_set():
            await self._run(partial(cursor.close, force=True))

    async def close(self) -> None:
        """Stop what is running, close the connection and end the thread."""
        if not self._closed.is_set():
            self._closed.set()
            self._thread.submit(self._disconnect)
            await asyncio.to_thread(self._thread.shutdown)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closed.is_set():
            raise SourceError(f"{self.path} was closed.")
        stopped = threading.Event()
        running = self._thread.submit(self._work, work, stopped)
        future = asyncio.wrap_future(running)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stopped.set()
            future.add_done_callback(_seen)
            if not running.cancel():
                await asyncio.wait([future])
            raise

    # In the thread.

    def _work(self, work: Callable[[], T], stopped: threading.Event) -> T:
        self._stopped = stopped
        try:
            if self._should_stop():
                raise apsw.InterruptError
            return work()
        except (apsw.Error, OSError) as error:
            raise self._explained(error) from error
        except UnicodeDecodeError as error:
            raise SourceError(f"{self.path} holds a text that is not {error.encoding}.") from None

    def _undisturbed(self, work: Callable[[apsw.Connection], T], *, again: bool) -> T:
        if self._connection is None:
            self._connection = self._opened()
        try:
            result = work(self._connection)
        except apsw.Error:
            if not self._was_written():
                raise
        else:
            if not self._was_written():
                return result
        self._disturbed = True
        self._disconnect()
        if not again:
            raise SourceUnreachable(f"{self.path} was written while it was read without locks.")
        self._connection = self._opened()
        return work(self._connection)

    def _was_written(self) -> bool:
        """Return whether it was read as what nobody uses, and somebody does."""
        return self._quiet is not None and self._stamp() != self._quiet

    def _opened(self) -> apsw.Connection:
        """Open the database for reading.

        In WAL mode readers make files beside the database and leave them behind. So one that has no log and was left
        alone for some time is read as what can't change, without locks, and looked at after each page.
        """
        stamp = self._stamp()
        alone = stamp.quiet_wal and stamp.settled and not self._disturbed
        options = "?mode=ro&immutable=1" if alone else "?mode=ro"
        connection = apsw.Connection(
            self.path.as_uri() + options, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        )
        self._quiet = stamp if alone else None
        for option, value in _OPTIONS.items():
            connection.config(option, value)
        connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
        connection.authorizer = _allowed
        connection.set_busy_handler(self._wait)
        connection.set_progress_handler(self._should_stop, _STEPS)
        return connection

    def _stamp(self) -> Stamp:
        # Through SQLite: to close a file that was opened otherwise would give up the locks that this process has on it.
        header = b""
        if self.path.stat().st_size >= HEADER_SIZE and self.path.is_file():
            file = apsw.VFSFile("", os.fspath(self.path), [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0])
            try:
                header = file.xRead(HEADER_SIZE, 0)
            finally:
                file.xClose()
        if not header.startswith(MAGIC):
            hint = "An encrypted one can't be read."
            raise ConfigurationError(f"{self.path} is no SQLite database.", field="database", hint=hint)
        return Stamp.of(self.path, header, self._now_ns())

    def _wait(self, turns: int) -> bool:
        """Wait a little for a program that is writing: called by SQLite, as often as it says so."""
        self._stopped.wait(_TURN_S)
        return not self._should_stop() and turns * _TURN_S < self._busy_s

    def _should_stop(self) -> bool:
        return self._stopped.is_set() or self._closed.is_set()

    def _disconnect(self) -> None:
        connection, self._connection, self._quiet = self._connection, None, None
        if connection is not None:
            connection.close(force=True)

    def _explained(self, error: apsw.Error | OSError) -> ConnectorsError:
        """Return an error of the driver as one that says what to do."""
        match error:
            case FileNotFoundError():
                return ConfigurationError(f"There is no file {self.path}.", field="database")
            case PermissionError() | apsw.PermissionsError():
                return AccessDenied(f"{self.path} can't be read: permission denied.")
            case apsw.AuthError() | apsw.ReadOnlyError() if getattr(error, "extendedresult", 0) in _REFUSED:
                return AccessDenied(f"{self.path} is only read: {error}.")
            case apsw.NotADBError():
                hint = "An encrypted one can't be read."
                return ConfigurationError(f"{self.path} is no SQLite database.", field="database", hint=hint)
            case apsw.BusyError() | apsw.LockedError() | apsw.ProtocolError():
                return SourceUnreachable(f"{self.path} is locked by another program: {error}.")
            case apsw.InterruptError():
                return SourceUnreachable(f"{self.path} was closed while it was read.")
            case apsw.CantOpenError() if not os.access(self.path, os.R_OK):
                return AccessDenied(f"{self.path} can't be read: permission denied.")
            case apsw.ReadOnlyError() | apsw.CantOpenError():
                hint = "Open it once with a program that may write into its folder."
                return SourceUnreachable(
                    f"{self.path} needs to be recovered before it can be read: {error}.", hint=hint
                )
            case apsw.IOError() | OSError():
                return SourceUnreachable(f"{self.path} can't be read: {error}.")
        return SourceError(f"{self.path} can't be read: {error}.")


def _seen(future: "asyncio.Future[Any]") -> None:
    """Look at how work ended that nobody waits for, as asyncio reports what nobody has looked at."""
    _ = future.cancelled() or future.exception()


def _allowed(action: int, first: str | None, *_: str | None) -> int:
    denied = action in _DENIED or (action == apsw.SQLITE_PRAGMA and str(first).lower() not in _PRAGMAS)
    return apsw.SQLITE_DENY if denied else apsw.SQLITE_OK
