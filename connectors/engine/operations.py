"""The named operations on documents: what the rest of the program may ask of an engine, over one lane."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal, cast

from connectors.engine.bulk import ANSWER_PATH, BulkAnswer
from connectors.engine.flavor import Flavor
from connectors.engine.lane import Lane
from connectors.engine.records import (
    Counted,
    Hit,
    Lookup,
    Lookups,
    Revision,
    SearchAnswer,
    SearchPage,
    StoredDocument,
    Written,
)
from connectors.engine.scan import Walk, scan
from connectors.errors import EngineFailed, IndexMissing

Document = Mapping[str, Any] | bytes
"""A document, or its JSON where that is ready already."""
Query = Mapping[str, Any]
Refresh = Literal["no", "wait", "now"]
"""Whether a write is searchable when it returns: not necessarily, by waiting for a refresh, or by one of its own."""
_REFRESH: Mapping[Refresh, bool | Literal["wait_for"] | None] = {"no": None, "wait": "wait_for", "now": True}


class Operations:
    """Reads and writes documents.

    Every operation names its index, has a time limit, is retried as its lane says, and raises an `EngineError`. A
    write that is repeated after its answer was lost may meet its own first attempt: then the `Conflict` that it
    raises says `maybe_applied`.
    """

    def __init__(self, lane: Lane, flavor: Flavor) -> None:
        self._lane = lane
        self._flavor = flavor

    async def get(self, index: str, doc_id: str) -> StoredDocument | None:
        """Return the document as it is now, refreshed or not; None when there is none of that id."""
        found = await self._lane.call(
            f"read {doc_id!r} of {index}", lambda client: client.get(index=index, id=doc_id), Lookup
        )
        return found.document

    async def get_many(
        self, index: str, doc_ids: Sequence[str], *, source: bool | Sequence[str] = True
    ) -> list[StoredDocument | None]:
        """Return documents as they are now, in the order of their ids; of their fields those that are asked for.

        Raises `IndexMissing`, and `EngineFailed` when the engine could not tell of every one.
        """
        what = f"read {len(doc_ids)} documents of {index}"
        wanted = source if isinstance(source, bool) else list(source)
        answer = await self._lane.call(
            what, lambda client: client.mget(index=index, ids=list(doc_ids), source=wanted), Lookups
        )
        failed = next((one.error for one in answer.docs if one.error is not None), None)
        if failed is not None or [one.id for one in answer.docs] != list(doc_ids):
            if failed is not None and failed.type == "index_not_found_exception":
                raise IndexMissing(f"Could not {what}: there is no such index.", index=index)
            reason = failed.reason if failed is not None else "it answered for other ids"
            raise EngineFailed(f"Could not {what}: {reason}.", status=200)
        return [one.document for one in answer.docs]

    async def put(
        self, index: str, doc_id: str, document: Document, *, expected: Revision | None = None, refresh: Refresh = "no"
    ) -> Written:
        """Write a document; with `expected` only over that revision. Raises `Conflict`."""
        return await self._lane.call(
            f"write {doc_id!r} to {index}",
            lambda client: client.index(
                index=index,
                id=doc_id,
                document=cast("Mapping[str, Any]", document),
                if_seq_no=expected.seq_no if expected else None,
                if_primary_term=expected.primary_term if expected else None,
                refresh=_REFRESH[refresh],
            ),
            Written,
        )

    async def create(self, index: str, doc_id: str, document: Document, *, refresh: Refresh = "no") -> Written:
        """Write a document of which there is none yet. Raises `Conflict` when there is."""
        return await self._lane.call(
            f"create {doc_id!r} in {index}",
            lambda client: client.create(
                index=index, id=doc_id, document=cast("Mapping[str, Any]", document), refresh=_REFRESH[refresh]
            ),
            Written,
        )

    async def delete(
        self, index: str, doc_id: str, *, expected: Revision | None = None, refresh: Refresh = "no"
    ) -> Written:
        """Delete a document, which may be missing (`not_found`); with `expected` only at that revision."""
        return await self._lane.call(
            f"delete {doc_id!r} of {index}",
            lambda client: client.delete(
                index=index,
                id=doc_id,
                if_seq_no=expected.seq_no if expected else None,
                if_primary_term=expected.primary_term if expected else None,
                refresh=_REFRESH[refresh],
            ),
            Written,
        )

    async def search(self, index: str, body: Mapping[str, Any]) -> SearchPage:
        """Return what a search finds; the total is exact, and a shard that does not answer is an error."""
        what = f"search {index}"
        answer = await self._lane.call(
            what,
            lambda client: client.search(
                index=index, body={"track_total_hits": True, **body}, allow_partial_search_results=False
            ),
            SearchAnswer,
        )
        if answer.timed_out or answer.hits.total is None:
            raise EngineFailed(f"Could not {what}: it was not finished within the search's own time limit.", status=200)
        return SearchPage(answer.hits.total.value, answer.hits.hits)

    async def count(self, index: str, query: Query | None = None) -> int:
        """Return how many documents match, as of the last refresh."""
        answer = await self._lane.call(f"count {index}", lambda client: client.count(index=index, query=query), Counted)
        return answer.count

    async def refresh(self, index: str) -> None:
        """Make everything written so far searchable."""
        await self._lane.call(f"refresh {index}", lambda client: client.indices.refresh(index=index), object)

    def scan(self, walk: Walk) -> AsyncGenerator[list[Hit], None]:
        """Yield every document of a walk once, as of one moment, in pages. See `connectors.engine.scan`."""
        return scan(self._lane, self._flavor, walk)

    async def bulk(
        self, index: str, body: bytes, *, operations: int, pipeline: str | None = None, require_alias: bool = False
    ) -> BulkAnswer:
        """Send ready-made lines (`connectors.engine.bulk`) as they are, once, and return what became of each.

        It is never repeated here: whoever numbers its batches decides what to do with one whose answer was lost. With
        `require_alias` each operation fails unless `index` is an alias; without, a missing index may be created by it.
        Raises `EngineFailed` when the engine does not answer for exactly as many operations as were sent.
        """
        what = f"send {operations} operations to {index}"
        answer = await self._lane.call(
            what,
            lambda client: client.bulk(
                index=index,
                operations=cast("Any", body),
                pipeline=pipeline,
                require_alias=require_alias or None,
                filter_path=ANSWER_PATH,
            ),
            BulkAnswer,
            repeat=False,
        )
        if len(answer.items) != operations:
            raise EngineFailed(f"Could not {what}: the engine answered for {len(answer.items)}.", status=200)
        if answer.errors:
            refused = sum(one.status == 429 for item in answer.items for one in item.values())
            self._lane.traffic.rejected_operations += refused
        return answer
