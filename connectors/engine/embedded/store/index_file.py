"""The record of one index in one SQLite file: every write, in its order, and what stands now."""

import base64
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from connectors.engine.embedded.store.schema import TABLES
from connectors.engine.embedded.store.versioning import LARGEST, Condition, Standing, conflict

PRIMARY_TERM: Final = 1
CACHE_KB: Final = 16_000
"""Memory that one index may use for pages of its file; small indices use less."""
JOURNAL_BYTES: Final = 64 * 2**20
"""So large the write-ahead log may stay once what is in it has moved to the file."""
_STANDING: Final = (
    "SELECT row, shard, seq, term, version, deleted, at_ms, length(source) FROM docs WHERE id = ? AND until IS NULL"
)
_DOCUMENT: Final = "SELECT version, seq, term, source, deleted FROM docs WHERE id = ? AND until IS NULL"
_AS_OF: Final = (
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


class IndexFile:
    """Records and finds the documents of one index.

    For one thread at a time. What happens in a `transaction` is on disk when the block is left, whatever becomes of the
    process afterwards; where the block is left by an error, nothing happened. `gone_bytes` is how large the documents
    are that were replaced or deleted, and stay for searches that began earlier.
    """

    def __init__(
        self, path: Path, *, shards: int, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self.path = path
        self.connection = apsw.Connection(str(path))
        self.gc_deletes_ms = 60_000
        self._now_ms = now_ms
        self._create(shards)
        self._load()
        gone = "SELECT coalesce(sum(length(source)), 0) FROM docs WHERE until IS NOT NULL"
        self.gone_bytes = int(self.connection.execute(gone).get)

    def _create(self, shards: int) -> None:
        run = self.connection.execute
        run("PRAGMA journal_mode = wal")
        run("PRAGMA synchronous = full")
        run(f"PRAGMA cache_size = -{CACHE_KB}")
        run(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
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
        # A row that was forgotten by now may have been the last one, and its number is not given again.
        last_seen = max(int(self.kept(key, "0")) for key in ("refreshed", "indexed"))
        self.last_row = max(run("SELECT coalesce(max(row), 0) FROM docs").get, last_seen)

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
        gone_bytes = self.gone_bytes
        run = self.connection.execute
        run("BEGIN IMMEDIATE")
        try:
            yield
            counters = [(seq, shard) for shard, seq in self.max_seq.items()]
            self.connection.executemany("UPDATE shards SET max_seq = ? WHERE shard = ?", counters)
            run("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # SQLite ends it by itself where the disk is full
                run("ROLLBACK")
            self._load()
            self.gone_bytes = gone_bytes
            raise

    def get(self, doc_id: str) -> Stored | None:
        """Return the document as it stands."""
        return standing_in(self.connection, doc_id)

    def standing(self, doc_id: str) -> Standing | None:
        """Return the last operation on an id, unless it is a delete that is forgotten by now."""
        return self._remembered(self._last(doc_id))

    def _last(self, doc_id: str) -> tuple[Standing, int, int] | None:
        """Return the last operation on an id, when it was and how large its document is, forgotten or not."""
        for row, shard, seq, term, version, deleted, at_ms, size in self.connection.execute(_STANDING, (doc_id,)):
            return Standing(row, shard, seq, term, version, bool(deleted)), at_ms, size or 0
        return None

    def _remembered(self, last: tuple[Standing, int, int] | None) -> Standing | None:
        if last is None or (last[0].deleted and last[1] <= self._now_ms() - self.gc_deletes_ms):
            return None
        return last[0]

    def index(self, doc_id: str, source: bytes, condition: Condition) -> Recorded:
        """Record a document. Raises a `Refusal` with status 409 when what stands there is not what was expected."""
        found, version, seq = self._record(doc_id, condition, source)
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
            self.gone_bytes += last[2]
        values = (row, shard, seq, PRIMARY_TERM, doc_id, version, source is None, source, self._now_ms(), None)
        run("INSERT INTO docs VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        self.max_seq[shard], self.last_row = seq, row
        return standing is not None and not standing.deleted, version, seq

    def live_documents(self) -> int:
        """Return how many documents there are, searchable or not."""
        return int(self.connection.execute("SELECT count(*) FROM docs WHERE until IS NULL AND deleted = 0").get)

    def shard_of(self, doc_id: str) -> int:
        """Return the shard that an id belongs to."""
        return zlib.crc32(doc_id.encode("utf-8", "surrogatepass")) % len(self.max_seq)

    def bytes_between(self, after: int, upto: int) -> int:
        """Return how large the documents are that were recorded after a row, up to another one."""
        found = self.connection.execute(
            "SELECT coalesce(sum(length(source)), 0) FROM docs WHERE row > ? AND row <= ?", (after, upto)
        )
        return int(found.get)

    def gone_rows(self) -> int:
        """Return how many rows are or will be forgotten: replaced ones, and deletes."""
        gone = "SELECT count(*) FROM docs INDEXED BY docs_gone WHERE until IS NOT NULL OR deleted = 1"
        return int(self.connection.execute(gone).get)

    def forgotten(self, oldest_view: int, most: int) -> list[int]:
        """Return rows that no view sees from `oldest_view` on, and deletes that need not be remembered any more."""
        parameters = (oldest_view, oldest_view, self._now_ms() - self.gc_deletes_ms, most)
        return [row for (row,) in self.connection.execute(_FORGOTTEN, parameters)]

    def remove(self, rows: Sequence[int]) -> None:
        """Remove rows from the record, in the transaction that is open."""
        for row in rows:
            size = self.connection.execute("DELETE FROM docs WHERE row = ? RETURNING length(source)", (row,)).get
            self.gone_bytes -= size or 0


def standing_in(connection: apsw.Connection, doc_id: str) -> Stored | None:
    """Return the document as it stands for a connection to the file."""
    return _stored(connection, _DOCUMENT, (doc_id,))


def stood_in(connection: apsw.Connection, doc_id: str, row: int) -> Stored | None:
    """Return the document as it stood when a row was the last one."""
    return _stored(connection, _AS_OF, (doc_id, row, row))


def _stored(connection: apsw.Connection, query: str, parameters: tuple[str | int, ...]) -> Stored | None:
    for version, seq, term, source, deleted in connection.execute(query, parameters):
        return None if deleted else Stored(version, seq, term, source)
    return None


def unique_name() -> str:
    """Return a name that nothing else has, 22 characters of a URL-safe alphabet."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
