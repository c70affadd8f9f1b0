"""An engine small enough for virtual time: documents with versions and sequence numbers, and faults on demand."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from connectors.aio.clock import Clock
from connectors.engine.bulk import BulkAnswer
from connectors.engine.operations import Document, Operations, Refresh
from connectors.engine.records import Revision, StoredDocument, Written
from connectors.errors import Conflict, EngineUnreachable, IndexMissing

T = TypeVar("T")
TERM = 1
Fault = Callable[["SmallEngine", Callable[..., Any]], Any]
"""Is given the engine and what would carry out the request, and answers instead of it.

What carries out a bulk may be given items to answer with, by their ids, instead of carrying those out.
"""


@dataclass
class Place:
    """What is under one id: without a source it is a tombstone."""

    version: int
    seq_no: int
    source: dict[str, Any] | None


@dataclass
class SmallIndex:
    places: dict[str, Place] = field(default_factory=dict)
    writes: int = 0

    @property
    def sources(self) -> dict[str, Any]:
        return {doc_id: place.source for doc_id, place in self.places.items() if place.source is not None}


def away(engine: "SmallEngine", apply: Callable[..., Any]) -> Any:
    """Nobody is there."""
    raise EngineUnreachable("Could not reach the small engine.", unsent=True)


def answer_lost(engine: "SmallEngine", apply: Callable[..., Any]) -> Any:
    """The request is carried out, and the answer does not come."""
    apply()
    error = EngineUnreachable("The small engine did not answer.")
    error.maybe_applied = True
    raise error


def raising(error: Exception) -> Fault:
    """The request is refused."""

    def refuse(_engine: "SmallEngine", _apply: Callable[..., Any]) -> Any:
        raise error

    return refuse


def answering(**instead: dict[str, Any]) -> Fault:
    """These operations of a bulk are not carried out, and answered like this; the others are."""
    return lambda _engine, apply: apply(instead)


def item_error(status: int, kind: str, reason: str | None = "the reason", **more: Any) -> dict[str, Any]:
    """Return the item of an operation that is refused."""
    return {"_index": "docs-000001", "status": status, "error": {"type": kind, "reason": reason, **more}}


class SmallEngine(Operations):
    """Every call takes `latency_s`, and meets the next of the faults that are due for its kind.

    `bulks` and `writes` (of single documents) are such faults; None is none. While `is_away` everything fails. Like
    others it says what version a conflict was met with, while it `tells_versions`.
    """

    def __init__(self, clock: Clock, *, latency_s: float = 0.0) -> None:
        self.clock = clock
        self.latency_s = latency_s
        self.is_away = False
        self.tells_versions = True
        self.indices: dict[str, SmallIndex] = {}
        self.bulks: deque[Fault | None] = deque()
        self.writes: deque[Fault | None] = deque()
        self.bodies: list[bytes] = []
        self.pipelines: set[str | None] = set()
        self.calls = 0
        self.flying_bytes = 0
        self.most_flying_bytes = 0

    def index(self, name: str) -> SmallIndex:
        """Return an index, made when it is missing."""
        return self.indices.setdefault(name, SmallIndex())

    async def get(self, index: str, doc_id: str) -> StoredDocument | None:
        return await self._call(None, lambda: self._found(index, doc_id))

    async def get_many(
        self, index: str, doc_ids: Sequence[str], *, source: bool | Sequence[str] = True
    ) -> list[StoredDocument | None]:
        del source
        if index not in self.indices:
            raise IndexMissing("There is no such index.", index=index)
        return await self._call(None, lambda: [self._found(index, one) for one in doc_ids])

    async def put(
        self, index: str, doc_id: str, document: Document, *, expected: Revision | None = None, refresh: Refresh = "no"
    ) -> Written:
        del refresh
        return await self._call(self.writes, lambda: self._put(index, doc_id, _decoded(document), expected))

    async def create(self, index: str, doc_id: str, document: Document, *, refresh: Refresh = "no") -> Written:
        del refresh

        def apply() -> Written:
            if self._found(index, doc_id) is not None:
                raise Conflict("There is one.")
            return self._put(index, doc_id, _decoded(document), None)

        return await self._call(self.writes, apply)

    async def bulk(
        self, index: str, body: bytes, *, operations: int, pipeline: str | None = None, require_alias: bool = False
    ) -> BulkAnswer:
        del require_alias
        self.pipelines.add(pipeline)

        def apply(instead: Mapping[str, dict[str, Any]] | None = None) -> BulkAnswer:
            return self.carry_out(index, body, instead)

        self.bodies.append(body)
        self.flying_bytes += len(body)
        self.most_flying_bytes = max(self.most_flying_bytes, self.flying_bytes)
        try:
            answer = await self._call(self.bulks, apply)
        finally:
            self.flying_bytes -= len(body)
        assert len(answer.items) == operations
        return answer

    def carry_out(self, index: str, body: bytes, instead: Mapping[str, dict[str, Any]] | None = None) -> BulkAnswer:
        """Do what a bulk says, but for what is answered instead."""
        if index not in self.indices:
            raise IndexMissing("There is no such index.", index=index)
        lines = iter(body.split(b"\n")[:-1])
        items = []
        for line in lines:
            ((action, given),) = json.loads(line).items()
            source = json.loads(next(lines)) if action == "index" else None
            item = (instead or {}).get(given["_id"]) or self._item(index, given, source)
            items.append({action: item})
        errors = any("error" in item for one in items for item in one.values())
        return msgspec.convert({"took": 0, "errors": errors, "items": items}, BulkAnswer)

    def touch(self, index: str, doc_id: str, source: dict[str, Any] | None) -> None:
        """Write to a document, or delete it, as somebody else does: without knowing of versions."""
        found = self.index(index).places.get(doc_id)
        self.place(index, doc_id, found.version + 1 if found is not None else 1, source)

    def place(self, index: str, doc_id: str, version: int, source: dict[str, Any] | None) -> Place:
        """Put a document under a version; without a source a tombstone."""
        where = self.index(index)
        place = where.places[doc_id] = Place(version, where.writes, source)
        where.writes += 1
        return place

    def _item(self, index: str, given: dict[str, Any], source: dict[str, Any] | None) -> dict[str, Any]:
        doc_id = given["_id"]
        found = self.index(index).places.get(doc_id)
        if "version" in given:
            stale = found is not None and found.version > given["version"]
            version = given["version"]
        else:
            stale = found is None or found.source is None or found.seq_no != given["if_seq_no"]
            version = found.version + 1 if found is not None else 1
        common = {"_index": index, "_id": doc_id}
        if stale:
            told = f"current version [{found.version}] is higher than the one provided" if found else ""
            reason = told if "version" in given and self.tells_versions else "somebody was first"
            error = {"type": "version_conflict_engine_exception", "reason": f"[{doc_id}]: version conflict, {reason}"}
            return {**common, "status": 409, "error": error}
        result = "deleted" if source is None else "updated" if found is not None and found.source else "created"
        place = self.place(index, doc_id, version, source)
        return {**common, "status": 200, "result": result, "_version": version, "_seq_no": place.seq_no}

    def _put(self, index: str, doc_id: str, source: dict[str, Any], expected: Revision | None) -> Written:
        found = self.index(index).places.get(doc_id)
        if expected is not None and (found is None or expected != Revision(found.seq_no, TERM)):
            raise Conflict("Somebody was first.")
        place = self.place(index, doc_id, found.version + 1 if found is not None else 1, source)
        return Written(index, doc_id, place.version, place.seq_no, TERM, "updated")

    def _found(self, index: str, doc_id: str) -> StoredDocument | None:
        found = self.index(index).places.get(doc_id)
        if found is None or found.source is None:
            return None
        return StoredDocument(index, doc_id, found.version, found.seq_no, TERM, found.source)

    async def _call(self, faults: deque[Fault | None] | None, apply: Callable[..., T]) -> T:
        self.calls += 1
        await asyncio.sleep(self.latency_s / 2)
        fault = away if self.is_away else faults.popleft() if faults else None
        answer: T = apply() if fault is None else fault(self, apply)
        await asyncio.sleep(self.latency_s / 2)  # who is cancelled now never learns of it
        return answer


def _decoded(document: Document) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(document if isinstance(document, bytes) else json.dumps(document))
    return decoded
