"""The dead letters: one for each document and kind of failure, in an index of their own."""

from collections import Counter
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import aclosing
from itertools import islice
from typing import Any, Final, Self

from connectors.aio.clock import Clock
from connectors.aio.retry import Retry
from connectors.engine import Engine
from connectors.engine.bulk import BulkItem, delete_line, index_line
from connectors.engine.operations import Operations
from connectors.engine.records import Hit, Revision
from connectors.engine.scan import Walk
from connectors.errors import EngineOverloaded, EngineRefused
from connectors.store.dead_letter import OF_DOCUMENTS, CauseCount, DeadLetter, LetterKind, key_of, letter_of, stored
from connectors.store.index import StoreIndex

INDEX: Final = StoreIndex(
    ".elastic-connectors-dead-letters-v1",
    {
        **{name: {"type": "keyword"} for name in ("connector", "kind", "cause", "run")},
        "id": {"type": "keyword", "ignore_above": 512},
        "at": {"type": "date"},
    },
)
AT_ONCE: Final = 500
_MANY: Final = 10_000
"""Letters of one request."""
SAMPLES: Final = 3
MOST_CAUSES: Final = 100


class DeadLetters:
    """Keeps dead letters, in an index that has to be there: `open` sees to that.

    A letter is written over the one before it of the same document and kind, so that every write can be repeated; and
    searches see whatever was written before them.
    """

    def __init__(self, operations: Operations, clock: Clock | None = None) -> None:
        self._operations = operations
        self._retry = Retry() if clock is None else Retry(clock=clock)

    @classmethod
    async def open(cls, engine: Engine, clock: Clock | None = None) -> Self:
        """Return the letters of an engine, their index created when it was missing. Raises an `EngineError`."""
        await INDEX.prepare(engine)
        return cls(engine.control, clock)

    async def put_many(self, letters: Iterable[DeadLetter]) -> None:
        """Write letters, of one document and kind the last. They are there when it returns."""
        rest = iter(letters)
        while some := list(islice(rest, AT_ONCE)):
            lines = [index_line(key_of(one.connector, one.id, one.kind)) + stored(one) + b"\n" for one in some]
            await self._send(lines)

    async def remove_many(
        self, connector: str, document_ids: Iterable[str], *, kinds: Collection[LetterKind] = OF_DOCUMENTS
    ) -> None:
        """Remove the letters about these documents, where there are any. A failed content stays unless it is named."""
        keys = (key_of(connector, one, kind) for one in document_ids for kind in sorted(kinds))
        while some := list(islice(keys, AT_ONCE)):
            await self._send([delete_line(key) for key in some])

    async def count(self, connector: str, *, kinds: Collection[LetterKind] | None = None) -> int:
        """Return how many letters there are, of these kinds where they are given."""
        await self._operations.refresh(INDEX.name)
        return await self._operations.count(INDEX.name, _query(connector, kinds=kinds))

    async def numbers(self) -> Counter[str]:
        """Return how many letters there are of each connector: a request for ten thousand of them."""
        numbers: Counter[str] = Counter()
        pages = self._pages({"match_all": {}}, fields=("connector",), page_size=_MANY)
        async with aclosing(pages) as found:
            async for page in found:
                numbers.update(_only(hit, "connector") for hit in page)
        return numbers

    async def causes(self, connector: str, *, samples: int = SAMPLES, most: int = MOST_CAUSES) -> list[CauseCount]:
        """Return how many letters there are of each kind and cause, the most frequent first, with some of each."""
        counts: Counter[tuple[LetterKind, str]] = Counter()
        async with aclosing(self._pages(_query(connector), fields=("kind", "cause"))) as pages:
            async for page in pages:
                counts.update((LetterKind(_only(hit, "kind")), _only(hit, "cause")) for hit in page)
        ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        return [
            CauseCount(kind, cause, count, await self._samples(connector, kind, cause, samples))
            for (kind, cause), count in ordered[:most]
        ]

    async def letters(
        self, connector: str, *, cause: str | None = None, kinds: Collection[LetterKind] | None = None
    ) -> AsyncGenerator[DeadLetter, None]:
        """Yield the letters of a connector, of one cause or of these kinds where they are given, in no order.

        Close the generator (`aclosing`) to leave early. Raises `RecordUnreadable` for a letter of a newer version.
        """
        async with aclosing(self._pages(_query(connector, cause=cause, kinds=kinds), source=True)) as pages:
            async for page in pages:
                for hit in page:
                    yield letter_of(hit.id, hit.source)

    async def ids(
        self, connector: str, *, cause: str | None = None, kinds: Collection[LetterKind] | None = None
    ) -> AsyncGenerator[str, None]:
        """Yield the ids of the documents that such letters are about: once for each letter."""
        async with aclosing(self.letters(connector, cause=cause, kinds=kinds)) as letters:
            async for letter in letters:
                yield letter.id

    async def drop(
        self,
        connector: str,
        *,
        cause: str | None = None,
        kinds: Collection[LetterKind] | None = None,
        but_of_run: str | None = None,
    ) -> int:
        """Remove all such letters but those that a run wrote, and return how many.

        A letter that is written anew meanwhile stays.
        """
        query = _query(connector, cause=cause, kinds=kinds, but_of_run=but_of_run)
        dropped = 0
        async with aclosing(self._pages(query)) as pages:
            async for page in pages:
                lines = [delete_line(hit.id, expected=Revision(hit.seq_no or 0, hit.primary_term or 0)) for hit in page]
                items = await self._send(lines, conflicts=True)
                dropped += sum(item.result == "deleted" for item in items)
        return dropped

    async def _samples(self, connector: str, kind: LetterKind, cause: str, most: int) -> tuple[DeadLetter, ...]:
        if most == 0:
            return ()
        query = _query(connector, cause=cause, kinds=[kind])
        body = {"query": query, "size": most, "sort": [{"at": "desc"}]}
        page = await self._operations.search(INDEX.name, body)
        return tuple(letter_of(hit.id, hit.source) for hit in page.hits)

    async def _pages(
        self, query: dict[str, Any], *, fields: Sequence[str] = (), source: bool = False, page_size: int = AT_ONCE
    ) -> AsyncGenerator[list[Hit], None]:
        await self._operations.refresh(INDEX.name)
        walk = Walk(INDEX.name, query, fields=fields, source=source, page_size=page_size)
        async with aclosing(self._operations.scan(walk)) as pages:
            async for page in pages:
                yield page

    async def _send(self, lines: list[bytes], *, conflicts: bool = False) -> list[BulkItem]:
        """Send operations until all are done: each can be repeated, whatever became of it before."""

        async def attempt(_number: int) -> list[BulkItem]:
            answer = await self._operations.bulk(INDEX.name, b"".join(lines), operations=len(lines))
            items = [item for action in answer.items for item in action.values()]
            for item in items:
                if not item.ok and not (conflicts and item.status == 409):
                    raise _refused(item)
            return items

        return await self._retry(attempt)


def _query(
    connector: str,
    *,
    cause: str | None = None,
    kinds: Collection[LetterKind] | None = None,
    but_of_run: str | None = None,
) -> dict[str, Any]:
    wanted: list[dict[str, Any]] = [{"term": {"connector": connector}}]
    if cause is not None:
        wanted.append({"term": {"cause": cause}})
    if kinds is not None:
        wanted.append({"terms": {"kind": sorted(kinds)}})
    query: dict[str, Any] = {"filter": wanted}
    if but_of_run is not None:
        query["must_not"] = [{"term": {"run": but_of_run}}]
    return {"bool": query}


def _only(hit: Hit, name: str) -> str:
    return str((hit.fields or {})[name][0])


def _refused(item: BulkItem) -> EngineOverloaded | EngineRefused:
    failure = item.error
    reason = (failure.reason if failure else None) or "no reason given"
    text = f"Could not keep a dead letter: {reason} (status {item.status})."
    if item.status == 429:
        return EngineOverloaded(text)
    return EngineRefused(text, status=item.status, kind=failure.type if failure else "unknown")
