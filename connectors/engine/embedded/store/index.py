"""An index: its settings, its mapping and its documents, as requests deal with them."""

import copy
import random
import time
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Dict
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from typing import Any, Final, TypeVar

import msgspec

from connectors.engine.embedded.mapping.mapping import Entries, Mapping, MappingSettings
from connectors.engine.embedded.refusal import Refusal
from connectors.engine.embedded.store import index_settings
from connectors.engine.embedded.store.document import parse_document
from connectors.engine.embedded.store.index_file import PRIMARY_TERM, IndexFile, Recorded
from connectors.engine.embedded.store.searched import Indexer, Searched
from connectors.engine.embedded.store.versioning import CONFLICT, Condition
from connectors.engine.embedded.time_value import time_ms

T = TypeVar("T")
MOST_ID_BYTES: Final = 512


@dataclass(eq=False)
class Index:
    """One concrete index, open until it is `closed`."""

    name: str
    uuid: str
    created_ms: int
    file: IndexFile
    indexer: InitVar[Indexer]
    mapping: Mapping
    slice_s: InitVar[float]
    settings: dict[str, str] = field(default_factory=dict)
    closed: bool = False
    searched: Searched = field(init=False)
    _refreshed_at_s: float = field(default_factory=time.monotonic)

    def __post_init__(self, indexer: Indexer, slice_s: float) -> None:
        self.searched = Searched(self.file, indexer, self._entries_of, slice_s=slice_s)

    def close(self) -> None:
        """Close the file, with which nothing can be done any more."""
        self.closed = True
        self.file.close()

    def setting(self, name: str) -> str:
        """Return a setting, or its default."""
        return self.settings.get(name) or index_settings.DEFAULTS[name]

    def change_settings(self, changes: Dict[str, str | None]) -> None:
        """Set settings, and take back those that are None."""
        for name, value in changes.items():
            if value is None:
                self.settings.pop(name, None)
            else:
                self.settings[name] = value
        with self.file.transaction():
            self.file.keep("settings", msgspec.json.encode(self.settings).decode())
        self.file.gc_deletes_ms = time_ms(self.setting("index.gc_deletes"))
        self.mapping = Mapping.parse(self.mapping.body(), mapping_settings_of(self.settings))

    def change_mapping(self, mapping: Mapping) -> None:
        """Take a mapping that grew."""
        with self.transaction():
            self._keep_mapping(mapping)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do what the block does wholly or not at all, the growth of the mapping included."""
        before = self.mapping
        try:
            with self.file.transaction():
                yield
        except BaseException:
            self.mapping = before
            self.searched.reload()
            raise

    def _keep_mapping(self, mapping: Mapping) -> None:
        self.file.keep("mapping", msgspec.json.encode(mapping.body()).decode())
        self.mapping = mapping

    # --- documents ---------------------------------------------------------------------------------------------------

    def put(self, doc_id: str, raw: bytes, condition: Condition) -> Recorded:
        """Write a document, in the transaction that is open."""
        source = parse_document(doc_id, raw)
        entries, grown = self.mapping.index(source, doc_id)
        recorded = self._named(lambda: self.file.index(doc_id, raw, condition), doc_id)
        self.searched.keep(self.file.last_row, entries, len(raw))
        if grown is not None:
            self._keep_mapping(grown)
        return recorded

    def delete(self, doc_id: str, condition: Condition) -> Recorded:
        """Delete a document, in the transaction that is open."""
        return self._named(lambda: self.file.delete(doc_id, condition), doc_id)

    def update(self, doc_id: str, body: Dict[str, Any], condition: Condition) -> tuple[Recorded, bytes]:
        """Merge a part into a document, in the transaction that is open; return also the document as it is then."""
        stored = self.file.get(doc_id)
        part = body.get("doc")
        if stored is None:
            first = part if body.get("doc_as_upsert") else body.get("upsert")
            if first is None:
                more = {"index_uuid": self.uuid, "shard": str(self.file.shard_of(doc_id)), "index": self.name}
                raise Refusal(404, "document_missing_exception", f"[{doc_id}]: document missing", more=more)
            raw = msgspec.json.encode(first)
            return self.put(doc_id, raw, Condition(create=True)), raw
        if condition.if_seq_no is not None:
            standing = self.file.standing(doc_id)
            self._named(lambda: condition.new_version(doc_id, standing), doc_id)
        source = msgspec.json.decode(stored.source)
        changed = merge(source, part or {})
        if not changed and body.get("detect_noop", True):
            return Recorded("noop", stored.version, stored.seq), stored.source
        raw = msgspec.json.encode(source)
        return self.put(doc_id, raw, Condition()), raw

    def refresh_step(self, wanted: int) -> bool:
        """Do a slice of a refresh; return whether searches see every row up to `wanted` now."""
        done = self.searched.refresh_step(wanted)
        if done:
            self._refreshed_at_s = time.monotonic()
        return done

    @property
    def is_due(self) -> bool:
        """Whether there is something new and the last refresh was longer ago than the index' own interval."""
        interval_ms = time_ms(self.setting("index.refresh_interval"))
        if interval_ms < 0 or self.searched.refreshed == self.file.last_row:
            return False
        return time.monotonic() - self._refreshed_at_s >= interval_ms / 1000

    def _entries_of(self, raw: bytes) -> Entries:
        """Return what a recorded document adds to the searched tables."""
        return self.mapping.index(msgspec.json.decode(raw))[0]

    def check_writable(self) -> None:
        """Raise a `Refusal` where the index takes no writes."""
        blocked = index_settings.block_against_writing(self.settings, self.name)
        if blocked is not None:
            raise blocked

    def _named(self, write: Callable[[], T], doc_id: str) -> T:
        """Carry out a write; a conflict is told with the index and the shard that it happened in."""
        try:
            return write()
        except Refusal as refusal:
            if refusal.kind == CONFLICT:
                shard = str(self.file.shard_of(doc_id))
                refusal.more |= {"index_uuid": self.uuid, "shard": shard, "index": self.name}
            raise

    def answer(self, doc_id: str, recorded: Recorded) -> dict[str, Any]:
        """Return what a write answers."""
        copies = 1 if recorded.result != "noop" else 0
        total = (1 + int(self.setting("index.number_of_replicas"))) * copies
        return {
            "_index": self.name,
            "_id": doc_id,
            "_version": recorded.version,
            "result": recorded.result,
            "_shards": {"total": total, "successful": copies, "failed": 0},
            "_seq_no": recorded.seq,
            "_primary_term": PRIMARY_TERM,
        }


def merge(target: dict[str, Any], part: Dict[str, Any]) -> bool:
    """Merge a part into a document, objects into objects; return whether that changed anything."""
    changed = False
    for name, value in part.items():
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            changed |= merge(target[name], value)
        elif name not in target or not same(target[name], value):
            target[name] = copy.deepcopy(value)
            changed = True
    return changed


def same(one: object, other: object) -> bool:
    """Return whether two JSON values are the same, `1` and `True` and `1.0` being different ones."""
    return msgspec.json.encode(one) == msgspec.json.encode(other)


def new_id() -> str:
    """Return an id for a document that came without one."""
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return "".join(random.SystemRandom().choices(alphabet, k=20))


def mapping_settings_of(settings: Dict[str, str | None]) -> MappingSettings:
    """Return what these settings say of a mapping."""
    names = [f"index.mapping.{name}" for name in ("total_fields.limit", "depth.limit", "ignore_malformed")]
    fields, depth, ignore = (settings.get(name) or index_settings.DEFAULTS[name] for name in names)
    return MappingSettings(int(fields), int(depth), ignore == "true")
