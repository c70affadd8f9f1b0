"""The state index: records that several daemons share, read by key and written by compare-and-set."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Self, TypeVar
from uuid import uuid4

import msgspec

from connectors.aio.clock import Clock, SystemClock
from connectors.engine import Engine
from connectors.engine.bulk import index_line
from connectors.engine.operations import Operations
from connectors.engine.records import Hit, Revision, StoredDocument
from connectors.engine.scan import Walk
from connectors.errors import Conflict, EngineError, RecordUnreadable
from connectors.store.index import StoreIndex
from connectors.store.record import Record, Versioned, document_of, record_of

T = TypeVar("T", bound=Record)
Term = dict[str, dict[str, Any]]
INDEX: Final = StoreIndex(
    ".elastic-connectors-state-v1",
    {
        "kind": {"type": "keyword"},
        "connector": {"type": "keyword"},
        "target": {"type": "keyword"},
        "run": {"type": "keyword"},
        "updated_at": {"type": "date"},
        "expires_at": {"type": "date"},
        # What sources and others make up is in here: nothing of it is looked at, so that nothing of it can be refused.
        "record": {"type": "object", "enabled": False},
    },
)
MOST_ATTEMPTS: Final = 25
"""How often a change is tried while others change the same record: each time one of them gets through."""
_PAGE: Final = 500


@dataclass(frozen=True)
class Replacement(Generic[T]):
    """A record that is to be written in the place of what was read."""

    key: str
    old: Versioned[T]
    value: T


class StateStore:
    """Reads and writes records of the state index, which has to be there: `open` sees to that.

    Every write says who made it by a number drawn for it alone. So one whose answer was lost, and that met its own
    first attempt when it was repeated, is recognised and has succeeded.
    """

    def __init__(self, operations: Operations, clock: Clock | None = None) -> None:
        self._operations = operations
        self._clock = clock or SystemClock()

    @classmethod
    async def open(cls, engine: Engine, clock: Clock | None = None) -> Self:
        """Return the store of an engine, its index created when it was missing. Raises an `EngineError`."""
        await INDEX.prepare(engine)
        return cls(engine.control, clock)

    async def read(self, key: str, kind: type[T]) -> Versioned[T] | None:
        """Return the record as it is now; None when there is none. Raises `RecordUnreadable`."""
        found = await self._operations.get(INDEX.name, key)
        return None if found is None else _versioned(found, kind)

    async def create(self, key: str, value: T) -> Versioned[T]:
        """Write a record of which there is none yet. Raises `Conflict` when there is."""
        return await self._write(key, value, None)

    async def replace(self, key: str, old: Versioned[T], value: T) -> Versioned[T]:
        """Write a record in the place of what was read. Raises `Conflict` when somebody wrote in between.

        The error says `maybe_applied` when this write may have been there for a while, before somebody else's.
        """
        return await self._write(key, value, old)

    async def replace_many(self, changes: Sequence["Replacement[T]"]) -> list[Versioned[T] | None]:
        """Do the same for many records with one request, which is not repeated: None for one that was not written.

        Raises an `EngineError` when its answer is lost: some may be written all the same.
        """
        documents = [
            document_of(one.value, one.old.stored, now=self._clock.now(), nonce=uuid4().hex) for one in changes
        ]
        lines = [
            part
            for one, document in zip(changes, documents, strict=True)
            for part in (index_line(one.key, expected=one.old.revision), msgspec.json.encode(document) + b"\n")
        ]
        answer = await self._operations.bulk(INDEX.name, b"".join(lines), operations=len(changes))
        items = [item for action in answer.items for item in action.values()]
        return [
            Versioned(one.value, Revision(item.seq_no, item.primary_term), document)
            if item.ok and item.seq_no is not None and item.primary_term is not None
            else None
            for one, document, item in zip(changes, documents, items, strict=True)
        ]

    async def put(self, key: str, value: Record) -> None:
        """Write a record over whatever is there, for records that never have two writers."""
        document = document_of(value, {}, now=self._clock.now(), nonce=uuid4().hex)
        await self._operations.put(INDEX.name, key, msgspec.json.encode(document))

    async def remove(self, key: str, old: Versioned[T]) -> None:
        """Delete what was read. Raises `Conflict` when somebody wrote in between."""
        try:
            await self._operations.delete(INDEX.name, key, expected=old.revision)
        except Conflict as error:
            if not error.maybe_applied or await self._settling(key) is not None:
                raise

    async def change(self, key: str, kind: type[T], change: Callable[[T | None], T]) -> Versioned[T]:
        """Write what a function makes of the record as it is; of the newer one when somebody wrote in between.

        What equals the record is not written. The function may see its own work where an answer was lost and somebody
        wrote on top of it, so it should say what has to be, not how much more. Raises `Conflict` in the end.
        """
        maybe_applied, attempts = False, 0
        while True:
            attempts += 1
            try:
                return await self._changed(key, kind, change)
            except EngineError as error:
                maybe_applied |= error.maybe_applied
                error.maybe_applied = maybe_applied
                if not isinstance(error, Conflict) or attempts == MOST_ATTEMPTS:
                    raise

    async def find(
        self, kind: type[T], *, connector: str | None = None, target: str | None = None, run: str | None = None
    ) -> AsyncGenerator[Versioned[T], None]:
        """Yield the records of a kind that have these labels, in no order, as they were when the search began.

        Close the generator (`aclosing`) to leave early.
        """
        labels = {"kind": kind.KIND, "connector": connector, "target": target, "run": run}
        async with aclosing(self._hits(labels, source=True)) as pages:
            async for hit in pages:
                yield _found(hit, kind)

    async def keys(self, kind: type[Record], **labels: str) -> AsyncGenerator[str, None]:
        """Yield the keys of the same without reading the records. It is closed in the same way."""
        async with aclosing(self._hits({"kind": kind.KIND, **labels}, source=False)) as pages:
            async for hit in pages:
                yield hit.id

    async def expired(self, kind: type[T], now: datetime) -> AsyncGenerator[Versioned[T], None]:
        """Yield the records of a kind whose `expires_at` is over, to the millisecond. It is closed in the same way."""
        term: Term = {"range": {"expires_at": {"lte": now.isoformat()}}}
        async with aclosing(self._hits({"kind": kind.KIND}, term, source=True)) as hits:
            async for hit in hits:
                yield _found(hit, kind)

    async def connectors_of(self, kind: type[Record]) -> set[str]:
        """Return the connectors that there are records of a kind of, of whatever version these are."""
        await self._operations.refresh(INDEX.name)
        walk = Walk(INDEX.name, {"term": {"kind": kind.KIND}}, fields=("connector",))
        found: set[str] = set()
        async with aclosing(self._operations.scan(walk)) as pages:
            async for page in pages:
                found.update(str(one) for hit in page for one in (hit.fields or {}).get("connector", ()))
        return found

    async def delete(self, key: str) -> None:
        """Delete a record whatever it holds, which may be missing."""
        await self._operations.delete(INDEX.name, key)

    async def forget(self, connector: str, *, but: type[Record]) -> int:
        """Delete all records of a connector but those of one kind, and return how many there were.

        They may be of any other kind, and of versions that this one does not know.
        """
        number = 0
        async with aclosing(self._hits({"connector": connector}, source=False, but=but.KIND)) as hits:
            async for hit in hits:
                await self.delete(hit.id)
                number += 1
        return number

    async def _changed(self, key: str, kind: type[T], change: Callable[[T | None], T]) -> Versioned[T]:
        found = await self.read(key, kind)
        value = change(None if found is None else found.value)
        if found is not None and found.value == value:
            return found
        return await self._write(key, value, found)

    async def _write(self, key: str, value: T, old: Versioned[T] | None) -> Versioned[T]:
        nonce = uuid4().hex
        document = document_of(value, old.stored if old else {}, now=self._clock.now(), nonce=nonce)
        body = msgspec.json.encode(document)
        try:
            if old is None:
                written = await self._operations.create(INDEX.name, key, body)
            else:
                written = await self._operations.put(INDEX.name, key, body, expected=old.revision)
        except Conflict as error:
            found = await self._settling(key) if error.maybe_applied else None
            if found is None or found.source.get("written_by") != nonce:
                raise
            return Versioned(value, found.revision, found.source)
        return Versioned(value, written.revision, msgspec.json.decode(body))

    async def _settling(self, key: str) -> StoredDocument | None:
        """Return what there is instead of what may have been written; without an answer that stays open."""
        try:
            return await self._operations.get(INDEX.name, key)
        except EngineError as error:
            error.maybe_applied = True
            raise

    async def _hits(
        self, labels: Mapping[str, str | None], *more: Term, source: bool, but: str | None = None
    ) -> AsyncGenerator[Hit, None]:
        terms: list[Term] = [{"term": {name: value}} for name, value in labels.items() if value is not None]
        query: dict[str, Any] = {"filter": [*terms, *more]}
        if but is not None:
            query["must_not"] = [{"term": {"kind": but}}]
        await self._operations.refresh(INDEX.name)
        walk = Walk(INDEX.name, {"bool": query}, source=source, page_size=_PAGE)
        async with aclosing(self._operations.scan(walk)) as pages:
            async for page in pages:
                for hit in page:
                    yield hit


def _versioned(found: StoredDocument, kind: type[T]) -> Versioned[T]:
    return Versioned(record_of(found.id, found.source, kind), found.revision, found.source)


def _found(hit: Hit, kind: type[T]) -> Versioned[T]:
    if hit.source is None or hit.seq_no is None or hit.primary_term is None:
        raise RecordUnreadable(f"The record {hit.id!r} came without its content.", key=hit.id)
    return Versioned(record_of(hit.id, hit.source, kind), Revision(hit.seq_no, hit.primary_term), hit.source)
