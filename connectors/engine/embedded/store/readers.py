"""Readers: connections that searches read a file through, while others write to it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

MOST_IDLE: Final = 16
"""So many connections are kept for the next searches, of all files together."""
CACHE_KB: Final = 8_000
LONGEST_S: Final = 60.0
"""After this a search is given up, so that a few mad ones do not take the place of all others for ever."""
_STEPS: Final = 1_000_000
"""So many steps of SQLite, some 10 ms, are between two looks at the clock, each of which waits for the interpreter."""


class Readers:
    """Lends each search a connection of its own, from any thread."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self.longest_s = longest_s
        self._guard = threading.Lock()
        self._idle: list[tuple[Path, apsw.Connection]] = []
        self._closed: set[Path] = set()

    @contextmanager
    def snapshot(self, path: Path, limit_s: float | None = None) -> Iterator[apsw.Connection]:
        """Lend a connection to a file that sees it as it is now, whatever is written during the block.

        A statement that is still running after `limit_s`, or after `longest_s`, is ended by an `apsw.InterruptError`.
        Raises `apsw.CantOpenError` when there is no such file any more.
        """
        connection = self._take(path)
        until_s = time.monotonic() + min(self.longest_s, self.longest_s if limit_s is None else limit_s)
        try:
            connection.set_progress_handler(lambda: time.monotonic() > until_s, _STEPS)
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM meta").get  # noqa: B018 - the first read begins what is seen
            try:
                yield connection
            finally:
                connection.set_progress_handler(None)
                connection.execute("ROLLBACK")
        except BaseException:
            connection.close()
            raise
        self._give_back(path, connection)

    def _take(self, path: Path) -> apsw.Connection:
        with self._guard:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place][0] == path:
                    return self._idle.pop(place)[1]
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.execute("PRAGMA query_only = on")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        return connection

    def _give_back(self, path: Path, connection: apsw.Connection) -> None:
        with self._guard:
            if path in self._closed:
                spare = [connection]
            else:
                self._idle.append((path, connection))
                spare = [one for _, one in self._idle[:-MOST_IDLE]]
                del self._idle[:-MOST_IDLE]
        for one in spare:
            one.close()

    def forget(self, path: Path) -> None:
        """Close the connections to a file that is about to go; those that are lent go when they come back."""
        with self._guard:
            self._closed.add(path)
            spare = [one for known, one in self._idle if known == path]
            self._idle = [(known, one) for known, one in self._idle if known != path]
        for one in spare:
            one.close()
