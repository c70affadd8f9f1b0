"""What of an index is searchable: its tables are brought up to the record some at a time, and old rows forgotten."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import apsw

from connectors.engine.embedded.mapping.mapping import Entries
from connectors.engine.embedded.store.index_file import IndexFile
from connectors.engine.embedded.turn import SLICE_S

MOST_LAG_BYTES: Final = 2**20
"""So much may be recorded before a bulk brings the tables up to it, so that a refresh never has much to do."""
MOST_KEPT_BYTES: Final = 8 * MOST_LAG_BYTES
"""What documents of so many bytes hold is kept in memory until it is in the tables; of more it is read again."""
ROWS_AT_ONCE: Final = 100
BYTES_AT_ONCE: Final = 128 * 2**10
PURGED_AT_ONCE: Final = 100
"""Taken out of the words, more rows would make SQLite merge so much at once that it takes half a second."""
_COMING: Final = (
    "SELECT row, source FROM docs WHERE row > :indexed AND row <= :goal AND deleted = 0 "
    "AND (until IS NULL OR until > :goal) ORDER BY row"
)


class Indexer(Protocol):
    """Keeps the tables that are searched."""

    def add(self, rows: Sequence[tuple[int, Entries]]) -> None:
        """Add what these rows hold."""
        ...

    def remove(self, rows: Sequence[int]) -> None:
        """Take out whatever these rows added."""
        ...


def searchable(connection: apsw.Connection) -> int:
    """Return the row up to which searches see, as a connection to the file sees it."""
    found = connection.execute("SELECT value FROM meta WHERE key = 'refreshed'").get
    return 0 if found is None else int(found)


class Searched:
    """The searched tables of one index file.

    A row is searchable once `refreshed` has reached it. `indexed` says how far the tables go; after a crash the rest is
    read from the record again. They are brought up to one goal after the other, each the end of the record when it was
    set: what is superseded before the goal is left out, because only at a goal can `refreshed` stand, and so no search
    ever sees the rows between.
    """

    def __init__(
        self,
        file: IndexFile,
        indexer: Indexer,
        entries_of: Callable[[bytes], Entries],
        now_s: Callable[[], float] = time.monotonic,
        rows_at_once: int = ROWS_AT_ONCE,
        slice_s: float = SLICE_S,
    ) -> None:
        self._file = file
        self._indexer = indexer
        self._entries_of = entries_of
        self._now_s = now_s
        self._rows_at_once = rows_at_once
        self._slice_s = slice_s
        self._kept: dict[int, tuple[Entries, int]] = {}
        self.reload()
        self._goal = self.indexed

    def reload(self) -> None:
        """Read what is kept in memory again: at the start, and after a transaction that failed."""
        self.refreshed = int(self._file.kept("refreshed", "0"))
        self.indexed = int(self._file.kept("indexed", "0"))
        self._kept = {row: kept for row, kept in self._kept.items() if self.indexed < row <= self._file.last_row}
        self._kept_bytes = sum(size for _, size in self._kept.values())
        self.lag_bytes = self._file.bytes_between(self.indexed, self._file.last_row)

    def keep(self, row: int, entries: Entries, size: int) -> None:
        """Take what a row of so many bytes holds, which was recorded just now."""
        self.lag_bytes += size
        if self._kept_bytes + size <= MOST_KEPT_BYTES:
            self._kept[row] = (entries, size)
            self._kept_bytes += size

    def refresh_step(self, wanted: int) -> bool:
        """Do a slice of a refresh; return whether searches see the record up to the row `wanted` now."""
        if self.refreshed < wanted:
            with self._transaction():
                if self._catch_up():
                    self.refreshed = self._goal
                    self._file.keep("refreshed", self.refreshed)
        return self.refreshed >= wanted

    def catch_up_step(self) -> None:
        """Do a slice of what the next refresh would have to do."""
        with self._transaction():
            self._catch_up()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._file.transaction():
                yield
        except BaseException:
            self.reload()
            raise

    def _catch_up(self) -> bool:
        """Bring the tables nearer to their goal, or to the next one; return whether they are there."""
        if self.indexed == self._goal:
            self._goal = self._file.last_row
        until_s = self._now_s() + self._slice_s
        while self.indexed < self._goal:
            self._add_some()
            if self._now_s() > until_s:
                break
        self._file.keep("indexed", self.indexed)
        return self.indexed == self._goal

    def _add_some(self) -> None:
        coming, reached = self._coming()
        kept = self._kept
        self._indexer.add([(row, kept[row][0] if row in kept else self._entries_of(raw)) for row, raw in coming])
        for row in [row for row in kept if row <= reached]:
            self._kept_bytes -= kept.pop(row)[1]
        self.lag_bytes -= self._file.bytes_between(self.indexed, reached)
        self.indexed = reached

    def _coming(self) -> tuple[list[tuple[int, bytes]], int]:
        """Return the next rows with their sources, and how far the tables are when these are in."""
        found: list[tuple[int, bytes]] = []
        size = 0
        for row, raw in self._file.connection.execute(_COMING, {"indexed": self.indexed, "goal": self._goal}):
            found.append((row, raw))
            size += len(raw)
            if len(found) == self._rows_at_once or size > BYTES_AT_ONCE:
                return found, row
        return found, self._goal

    def purge_step(self, oldest_view: int) -> bool:
        """Forget some rows that no search sees any more, and deletes that need not be remembered.

        Return whether that were all.
        """
        gone = self._file.forgotten(min(oldest_view, self.refreshed), PURGED_AT_ONCE)
        if gone:
            with self._transaction():
                self._indexer.remove(gone)
                self._file.remove(gone)
        return len(gone) < PURGED_AT_ONCE
