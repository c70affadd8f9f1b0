"""Scans: every document of an index once, as it was at one moment (on OpenSearch, at one moment a shard).

How to walk a point in time without losing documents differs. Elasticsearch has a sort of its own for it, `_shard_doc`.
OpenSearch has not, and with `_doc` over several shards it silently loses documents, so there each shard is walked
by itself. Whatever the engine, a walk that returns another number of documents than its point in time holds is an
error: what is built on a scan may delete.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from connectors import logger
from connectors.engine.flavor import Flavor
from connectors.engine.lane import Lane
from connectors.engine.records import Hit, SearchAnswer
from connectors.errors import EngineError, EngineFailed, EngineRefused, ScanIncomplete

log = logger.get(__name__)
KEEP_ALIVE: Final = "5m"
"""How long the engine keeps a point in time after each page, and so how long the reader of a page may take."""


@dataclass(frozen=True)
class Walk:
    """What to read: `fields` come from doc values, `source` is True, False or the fields to include."""

    index: str
    query: dict[str, Any] = field(default_factory=lambda: {"match_all": {}})
    fields: Sequence[str] = ()
    source: bool | Sequence[str] = False
    page_size: int = 5_000

    def page(self, pit_id: str, sort: str, after: list[Any] | None) -> dict[str, Any]:
        """Return the body of the request for the page after the given sort values."""
        source = self.source if isinstance(self.source, bool) else list(self.source)
        body = {
            "pit": {"id": pit_id, "keep_alive": KEEP_ALIVE},
            "query": self.query,
            "size": self.page_size,
            "sort": [sort],
            "docvalue_fields": list(self.fields),
            "_source": source,
            "version": True,
            "seq_no_primary_term": True,
            "track_total_hits": after is None,
        }
        return body if after is None else {**body, "search_after": after}


@dataclass(frozen=True)
class _Part:
    """What is walked at one point in time."""

    index: str
    sort: str
    preference: str | None = None


class _Opened(msgspec.Struct, frozen=True):
    id: str


class _IndexSettings(msgspec.Struct, frozen=True):
    settings: dict[str, dict[str, Any]]


async def scan(lane: Lane, flavor: Flavor, walk: Walk) -> AsyncGenerator[list[Hit], None]:
    """Yield the pages of a walk; close the generator (`aclosing`) to free the point in time early.

    A page is retried as the lane retries. Raises `ScanIncomplete` when documents are missing at the end or the point
    in time was lost.
    """
    for part in await _parts(lane, flavor, walk.index):
        async with aclosing(_pages(lane, walk, part)) as pages:
            async for page in pages:
                yield page


async def _parts(lane: Lane, flavor: Flavor, index: str) -> list[_Part]:
    """Return what is walked separately: everything at once, or each shard of the indices that a name stands for."""
    if flavor is not Flavor.OPENSEARCH:
        return [_Part(index, "_shard_doc")]
    found = await lane.call(
        f"read the settings of {index}",
        lambda client: client.indices.get_settings(index=index, name="index.number_of_shards"),
        dict[str, _IndexSettings],
    )
    counts = {name: int(answer.settings["index"]["number_of_shards"]) for name, answer in sorted(found.items())}
    return [_Part(name, "_doc", f"_shards:{shard}") for name, count in counts.items() for shard in range(count)]


async def _pages(lane: Lane, walk: Walk, part: _Part) -> AsyncGenerator[list[Hit], None]:
    what = f"scan {walk.index}"
    total = seen = 0
    after: list[Any] | None = None
    async with _point_in_time(lane, what, part) as opened_id:
        pit_id = opened_id
        while True:
            answer = await _page(lane, what, walk.page(pit_id, part.sort, after))
            pit_id = answer.pit_id or pit_id
            if after is None and answer.hits.total is not None:
                total = answer.hits.total.value
            page = answer.hits.hits
            seen += len(page)
            if page:
                yield page
                after = page[-1].sort
            if len(page) < walk.page_size:
                break
    if seen != total:
        raise ScanIncomplete(f"Could not {what}: {seen} documents came of {total} in its point in time.")


async def _page(lane: Lane, what: str, body: dict[str, Any]) -> SearchAnswer:
    try:
        answer = await lane.call(
            what, lambda client: client.search(body=body, allow_partial_search_results=False), SearchAnswer
        )
    except EngineRefused as error:
        if error.kind == "search_context_missing_exception":
            raise ScanIncomplete(f"Could not {what}: its point in time expired between two pages.") from error
        raise
    if answer.timed_out or answer.shards.failed:
        raise EngineFailed(f"Could not {what}: {answer.shards.failed} shards did not answer in time.", status=200)
    return answer


@asynccontextmanager
async def _point_in_time(lane: Lane, what: str, part: _Part) -> AsyncIterator[str]:
    opened = await lane.call(
        what,
        lambda client: client.open_point_in_time(index=part.index, keep_alive=KEEP_ALIVE, preference=part.preference),
        _Opened,
    )
    try:
        yield opened.id
    finally:
        # Nobody waits for this to succeed, so it has no turn: failing, it would hold back all bulks of the process.
        freeing = replace(lane, turn=nullcontext)
        try:
            await freeing.call(
                f"end the {what}", lambda client: client.close_point_in_time(id=opened.id), object, repeat=False
            )
        except EngineError as error:
            log.debug("A point in time is left to expire.", index=part.index, error=str(error))
