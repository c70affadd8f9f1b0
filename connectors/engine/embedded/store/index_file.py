"""One index in one SQLite file: every write is recorded at once, and becomes searchable at a refresh."""

import base64
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import apsw

from connectors.engine.embedded.mapping.mapping import Entries
from connectors.engine.embedded.store.schema import TABLES
from connectors.engine.embedded.store.versioning import LARGEST, Condition, Standing, conflict

PRIMARY_TERM: Final = 1
READY_BATCH: Final = 5_000
PURGED_AT_ONCE: Final = 5_000
CACHE_KB: Final = 16_000
"""Memory that one index may use for pages of its file; small indices use less."""
_STANDING: Final = "SELECT row, shard, seq, term, version, deleted, at_ms FROM docs WHERE id = ? AND until IS NULL"
_DOCUMENT: Final = "SELECT version, seq, term, source, deleted FROM docs WHERE id = ? AND until IS NULL"
_REFRESHED: Final = (
    "SELECT version, seq, term, source, deleted FROM docs WHERE id = ? AND row <= ? AND (until IS NULL OR until > ?)"
)
_FORGOTTEN: Final = (
    "SELECT row FROM docs INDEXED BY docs_gone WHERE (until IS NOT NULL OR deleted = 1) "
    "AND row <= ? AND (until <= ? OR (until IS NULL AND at_ms <= ?)) LIMIT ?"
)


@dataclass(frozen=True)
class Recorded:
    """A write that was applied."""

    result: str
    version: int
    seq: int


@dataclass(frozen=True)
class Stored:
    """A document as it stands, its source as it was sent."""

    version: int
    seq: int
    term: int
    source: bytes


class Indexer(Protocol):
    """Keeps the tables that are searched."""

    def add(self, rows: Sequence[tuple[int, Entries]]) -> None:
        """Add what these rows hold."""
        ...

    def remove(self, rows: Sequence[int]) -> None:
        """Take out whatever these rows added."""
        ...


class IndexFile:
    """Records and finds the documents of one index.

    For one thread at a time. What happens in a `transaction` is on disk when the block is left, whatever becomes of the
    process afterwards; where the block is left by an error, nothing happened.

    A row is searchable once `refreshed` has reached it. What it holds may be in the searched tables before that, where
    no search looks; `indexed` says how far they go, and after a crash the rest is read from the record again.
    """

    def __init__(
        self, path: Path, *, shards: int, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self.connection = apsw.Connection(str(path))
        self.gc_deletes_ms = 60_000
        self._now_ms = now_ms
        self._waiting: dict[int, Entries] = {}
        self._create(shards)
        self._load()

    def _create(self, shards: int) -> None:
        run = self.connection.execute
        run("PRAGMA journal_mode = wal")
        run("PRAGMA synchronous = full")
        run(f"PRAGMA cache_size = -{CACHE_KB}")
        if run("SELECT count(*) FROM sqlite_schema").get == 0:
            with self.connection:
                run(TABLES)
                for shard in range(shards):
                    run("INSERT INTO shards VALUES(?, -1, ?)", (shard, unique_name()))

    def _load(self) -> None:
        """Read what is kept in memory: at the start, and after a transaction that failed."""
        run = self.connection.execute
        self.max_seq: dict[int, int] = dict(run("SELECT shard, max_seq FROM shards ORDER BY shard"))
        self.histories: dict[int, str] = dict(run("SELECT shard, history_uuid FROM shards ORDER BY shard"))
        self.refreshed = int(self.kept("refreshed", "0"))
        self.indexed = int(self.kept("indexed", "0"))
        self.last_row = max(run("SELECT coalesce(max(row), 0) FROM docs").get, self.indexed, self.refreshed)
        self._waiting = {row: entries for row, entries in self._waiting.items() if row <= self.last_row}

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def kept(self, key: str, default: str) -> str:
        """Return what was kept under a key."""
        found = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).get
        return default if found is None else str(found)

    def keep(self, key: str, value: str | int) -> None:
        """Keep a value under a key, in the transaction that is open."""
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, str(value)))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do what the block does wholly or not at all."""
        try:
            with self.connection:
                yield
                counters = [(seq, shard) for shard, seq in self.max_seq.items()]
                self.connection.executemany("UPDATE shards SET max_seq = ? WHERE shard = ?", counters)
        except BaseException:
            self._load()
            raise

    def get(self, doc_id: str) -> Stored | None:
        """Return the document as it stands."""
        return self._stored(_DOCUMENT, (doc_id,))

    def get_refreshed(self, doc_id: str) -> Stored | None:
        """Return the document as searches see it."""
        return self._stored(_REFRESHED, (doc_id, self.refreshed, self.refreshed))

    def _stored(self, query: str, parameters: tuple[str | int, ...]) -> Stored | None:
        for version, seq, term, source, deleted in self.connection.execute(query, parameters):
            return None if deleted else Stored(version, seq, term, source)
        return None

    def standing(self, doc_id: str) -> Standing | None:
        """Return the last operation on an id, unless it is a delete that is forgotten by now."""
        return self._remembered(self._last(doc_id))

    def _last(self, doc_id: str) -> tuple[Standing, int] | None:
        """Return the last operation on an id and when it was, forgotten or not."""
        for row, shard, seq, term, version, deleted, at_ms in self.connection.execute(_STANDING, (doc_id,)):
            return Standing(row, shard, seq, term, version, bool(deleted)), at_ms
        return None

    def _remembered(self, last: tuple[Standing, int] | None) -> Standing | None:
        if last is None or (last[0].deleted and last[1] <= self._now_ms() - self.gc_deletes_ms):
            return None
        return last[0]

    def index(self, doc_id: str, source: bytes, entries: Entries, condition: Condition) -> Recorded:
        """Record a document. Raises a `Refusal` with status 409 when what stands there is not what was expected."""
        found, version, seq = self._record(doc_id, condition, source)
        self._waiting[self.last_row] = entries
        return Recorded("updated" if found else "created", version, seq)

    def delete(self, doc_id: str, condition: Condition) -> Recorded:
        """Record that a document is deleted, whether or not there is one."""
        found, version, seq = self._record(doc_id, condition, None)
        return Recorded("deleted" if found else "not_found", version, seq)

    def _record(self, doc_id: str, condition: Condition, source: bytes | None) -> tuple[bool, int, int]:
        """Record an operation; return whether there was a document, and the version and number it got."""
        last = self._last(doc_id)
        standing = self._remembered(last)
        version = condition.new_version(doc_id, standing)
        if version > LARGEST:
            raise conflict(doc_id, "the version can't be raised any further")
        shard = self.shard_of(doc_id)
        seq = self.max_seq[shard] + 1
        row = self.last_row + 1
        run = self.connection.execute
        if last is not None:
            run("UPDATE docs SET until = ? WHERE row = ?", (row, last[0].row))
            self._waiting.pop(last[0].row, None)
        values = (row, shard, seq, PRIMARY_TERM, doc_id, version, source is None, source, self._now_ms(), None)
        run("INSERT INTO docs VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        self.max_seq[shard], self.last_row = seq, row
        return standing is not None and not standing.deleted, version, seq

    def identity(self, row: int) -> tuple[str, int, int]:
        """Return the id, sequence number and primary term of a row."""
        found: tuple[str, int, int] = next(
            self.connection.execute("SELECT id, seq, term FROM docs WHERE row = ?", (row,))
        )
        return found

    def field_number(self, path: str) -> int | None:
        """Return the number of a field in the searched tables; None when nothing was ever indexed in it."""
        number: int | None = self.connection.execute("SELECT number FROM fields WHERE path = ?", (path,)).get
        return number

    def live_documents(self) -> int:
        """Return how many documents there are, searchable or not."""
        return int(self.connection.execute("SELECT count(*) FROM docs WHERE until IS NULL AND deleted = 0").get)

    def shard_of(self, doc_id: str) -> int:
        """Return the shard that an id belongs to."""
        return zlib.crc32(doc_id.encode("utf-8", "surrogatepass")) % len(self.max_seq)

    def refresh(self, indexer: Indexer, entries_of: Callable[[bytes], Entries]) -> None:
        """Make every row searchable that was recorded so far."""
        with self.transaction():
            self.make_ready(indexer, entries_of)
            self.refreshed = self.last_row
            self.keep("refreshed", self.refreshed)

    def make_ready(self, indexer: Indexer, entries_of: Callable[[bytes], Entries]) -> None:
        """Bring the searched tables up to the record."""
        if self.indexed == self.last_row:
            return
        rows = self.connection.execute(
            "SELECT row, source FROM docs WHERE row > ? AND deleted = 0 AND until IS NULL ORDER BY row", (self.indexed,)
        )
        waiting = self._waiting
        ready = [(row, waiting[row] if row in waiting else entries_of(source)) for row, source in rows]
        for start in range(0, len(ready), READY_BATCH):
            indexer.add(ready[start : start + READY_BATCH])
        self._waiting.clear()
        self.indexed = self.last_row
        self.keep("indexed", self.indexed)

    @property
    def waiting(self) -> int:
        """How many rows are not in the searched tables yet."""
        return len(self._waiting)

    def purge(self, indexer: Indexer, oldest_view: int) -> None:
        """Forget rows that no search can see any more, and deletes that need not be remembered; some at a time."""
        limit = min(oldest_view, self.refreshed)
        parameters = (limit, limit, self._now_ms() - self.gc_deletes_ms)
        with self.transaction():
            gone = [row for (row,) in self.connection.execute(_FORGOTTEN, (*parameters, PURGED_AT_ONCE))]
            indexer.remove(gone)
            self.connection.executemany("DELETE FROM docs WHERE row = ?", ((row,) for row in gone))


def unique_name() -> str:
    """Return a name that nothing else has, 22 characters of a URL-safe alphabet."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
