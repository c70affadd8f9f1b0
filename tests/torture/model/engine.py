"""The engine of the model: one index with shards, versions, sequence numbers, tombstones and a refresh."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


class Mark(NamedTuple):
    """What a stored document says of itself: fingerprint, origin (the version that its writer gave it), connector."""

    f: int
    o: int
    c: str


class Stored(NamedTuple):
    """A document, or the tombstone of one."""

    version: int
    seq_no: int
    term: int
    value: int
    mark: Mark | None
    deleted: bool = False


class Item(NamedTuple):
    """One operation of a bulk. A version is external (equal or higher); `expected` is a sequence number and a term."""

    id: int
    action: Literal["index", "delete"]
    value: int = 0
    mark: Mark | None = None
    version: int | None = None
    expected: tuple[int, int] | None = None


class Result(NamedTuple):
    """What became of it: a conflict carries no sequence number."""

    conflict: bool
    seq_no: int | None


class ShardStamp(NamedTuple):
    history: int
    term: int
    max_seq_no: int


class Stamp(NamedTuple):
    """Where the index stands."""

    uuid: int
    shards: tuple[ShardStamp, ...]

    def advance_since(self, base: "Stamp") -> int | None:
        """Return how many writes came since; None when that can't be told."""
        if self.uuid != base.uuid:
            return None
        total = 0
        for now, then in zip(self.shards, base.shards, strict=True):
            if (now.history, now.term) != (then.history, then.term):
                return None
            total += now.max_seq_no - then.max_seq_no
        return total


@dataclass
class Shard:
    """One primary: all that is written, and what of it a search sees."""

    history: int
    term: int = 1
    max_seq_no: int = -1
    documents: dict[int, Stored] = field(default_factory=dict)
    visible: dict[int, Stored] = field(default_factory=dict)
    unacknowledged: tuple[int, Stored | None] | None = None
    """What the last write replaced, while nobody was told of that write: a new primary may not have it."""

    def live(self, doc_id: int) -> Stored | None:
        found = self.documents.get(doc_id)
        return found if found is not None and not found.deleted else None

    def write(self, doc_id: int, version: int, value: int, mark: Mark | None, *, deleted: bool = False) -> int:
        self.max_seq_no += 1
        self.unacknowledged = doc_id, self.documents.get(doc_id)
        self.documents[doc_id] = Stored(version, self.max_seq_no, self.term, value, mark, deleted)
        return self.max_seq_no

    def refresh(self) -> None:
        self.visible = {doc_id: one for doc_id, one in self.documents.items() if not one.deleted}


class Engine:
    """An index under one name, which may be replaced by another of that name."""

    def __init__(self, shards: int) -> None:
        self._numbers = iter(range(1, 1 << 60))
        self.shards: list[Shard] = []
        self.uuid = 0
        self._size = shards
        self.replace()

    def replace(self) -> None:
        """Delete the index and create it anew."""
        self.uuid = next(self._numbers)
        self.shards = [Shard(next(self._numbers)) for _ in range(self._size)]

    def shard_of(self, doc_id: int) -> Shard:
        return self.shards[doc_id % self._size]

    # What a worker may ask.

    def stamp(self) -> Stamp:
        return Stamp(self.uuid, tuple(ShardStamp(one.history, one.term, one.max_seq_no) for one in self.shards))

    def refresh(self) -> None:
        for shard in self.shards:
            shard.refresh()

    def scan(self, shard: int) -> dict[int, Stored]:
        return dict(self.shards[shard].visible)

    def get(self, doc_id: int) -> Stored | None:
        return self.shard_of(doc_id).live(doc_id)

    def apply(self, item: Item) -> Result:
        shard = self.shard_of(item.id)
        now = shard.documents.get(item.id)
        alive = now is not None and not now.deleted
        if item.expected is not None and (now is None or not alive or item.expected != (now.seq_no, now.term)):
            return Result(conflict=True, seq_no=None)
        if item.version is not None and now is not None and item.version < now.version:
            return Result(conflict=True, seq_no=None)
        version = item.version if item.version is not None else (now.version + 1 if now else 1)
        deleted = item.action == "delete"
        return Result(conflict=False, seq_no=shard.write(item.id, version, item.value, item.mark, deleted=deleted))

    # What others do.

    def partial_update(self, doc_id: int, value: int) -> None:
        """Change a document as an update by script does: its mark stays as it is, its version rises."""
        shard = self.shard_of(doc_id)
        if (now := shard.live(doc_id)) is not None:
            shard.write(doc_id, now.version + 1, value, now.mark)

    def fail_over(self, number: int, *, loses: bool) -> int | None:
        """Let another copy become the primary, which may lack the last write if that was not acknowledged."""
        shard = self.shards[number]
        shard.term += 1
        if not loses or shard.unacknowledged is None:
            return None
        doc_id, before = shard.unacknowledged
        shard.unacknowledged = None
        shard.max_seq_no -= 1
        if before is None:
            del shard.documents[doc_id]
        else:
            shard.documents[doc_id] = before
        return doc_id

    def acknowledge(self, doc_id: int) -> None:
        """Remember that somebody was told of a write."""
        self.shard_of(doc_id).unacknowledged = None

    def forget_tombstones(self) -> None:
        for shard in self.shards:
            shard.documents = {doc_id: one for doc_id, one in shard.documents.items() if not one.deleted}
            shard.unacknowledged = None

    def saved(self) -> list[dict[int, Stored]]:
        """Return a snapshot."""
        return [dict(shard.documents) for shard in self.shards]

    def restore(self, snapshot: list[dict[int, Stored]]) -> None:
        """Put a snapshot in the place of everything: another index, with the versions of the old one."""
        self.replace()
        for shard, documents in zip(self.shards, snapshot, strict=True):
            shard.documents = {doc_id: one for doc_id, one in documents.items() if not one.deleted}
            shard.max_seq_no = max([one.seq_no for one in documents.values()], default=-1)

    def content(self) -> dict[int, Stored]:
        """Return every document as it is now, refreshed or not."""
        return dict(self._live())

    def _live(self) -> Iterator[tuple[int, Stored]]:
        for shard in self.shards:
            for doc_id, one in shard.documents.items():
                if not one.deleted:
                    yield doc_id, one
