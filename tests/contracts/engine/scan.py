"""Scans: every document of an index exactly once, as it was at one point in time, without reading its source."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest

from tests.contracts.engine.case import (
    ILLEGAL_ARGUMENT,
    INDEX_NOT_FOUND,
    INVALID_REQUEST,
    Failure,
    Json,
    body_of,
    create,
    doc,
    failure,
    hits_of,
    ndjson,
    needs,
    refresh,
    root_causes,
)
from tests.contracts.engine.corpus import DOCUMENTS, PROPERTIES, fill
from tests.contracts.wire import Wire

ScanStyle = Literal["shard_doc", "per_shard"]
"""How an engine walks a point in time without losing documents: one for all shards, or one for each."""

PAGE = 100


@asynccontextmanager
async def _point_in_time(wire: Wire, index: str, query: str = "") -> AsyncIterator[str]:
    opened = body_of(await wire("POST", f"/{index}/_pit?keep_alive=1m{query}"))
    yield opened["id"]
    assert (await wire("DELETE", "/_pit", {"id": opened["id"]})).status == 200


async def _search(wire: Wire, pit: str, **body: object) -> Json:
    answer = await wire("POST", "/_search", {"pit": {"id": pit, "keep_alive": "1m"}, "track_total_hits": True, **body})
    return body_of(answer)


async def _walk(wire: Wire, pit: str, sort: str) -> list[Json]:
    """Return the hits of all pages, after checking that they are as many as every page says there are."""
    asked: Json = {"size": PAGE, "_source": False, "docvalue_fields": ["mark.f"], "sort": [sort]}
    asked |= {"version": True, "seq_no_primary_term": True}
    total: int = (await _search(wire, pit, size=0))["hits"]["total"]["value"]
    hits: list[Json] = []
    while more := (page := await _search(wire, pit, **asked))["hits"]["hits"]:
        assert page["hits"]["total"] == {"value": total, "relation": "eq"}
        assert page["_shards"]["failed"] == 0
        hits += more
        assert len(hits) <= total
        pit = page["pit_id"]
        asked["search_after"] = more[-1]["sort"]
    assert len(hits) == total
    return hits


async def _scan(wire: Wire, index: str, style: ScanStyle, shards: int) -> list[Json]:
    queries = [""] if style == "shard_doc" else [f"&preference=_shards:{number}" for number in range(shards)]
    hits: list[Json] = []
    for query in queries:
        async with _point_in_time(wire, index, query) as pit:
            hits += await _walk(wire, pit, "_shard_doc" if style == "shard_doc" else "_doc")
    return hits


class Scan:
    """Points in time, and walks over them."""

    scan_style: ScanStyle = "shard_doc"

    async def _assert_complete(self, wire: Wire, index: str, expected: dict[str, Json], shards: int) -> None:
        hits = await _scan(wire, index, self.scan_style, shards)
        by_id = {hit["_id"]: {key: hit[key] for key in hit if key != "sort"} for hit in hits}
        assert by_id == expected
        assert len(hits) == len(expected)

    async def test_scan_yields_every_document_once_with_its_exact_values(self, wire: Wire, index: str) -> None:
        await self._assert_complete(wire, index, await fill(wire, index, shards=1), shards=1)

    @needs("shards")
    async def test_scan_of_three_shards_yields_every_document_once(self, wire: Wire, index: str) -> None:
        await self._assert_complete(wire, index, await fill(wire, index, shards=3), shards=3)

    @needs("shards")
    async def test_scan_leaves_out_deleted_documents(self, wire: Wire, index: str) -> None:
        expected = await fill(wire, index, shards=3)
        gone = [doc_id for doc_id in expected if doc_id.endswith("5")]
        await wire("POST", f"/{index}/_bulk?refresh=true", ndjson(*({"delete": {"_id": doc_id}} for doc_id in gone)))
        kept = {doc_id: hit for doc_id, hit in expected.items() if doc_id not in gone}
        await self._assert_complete(wire, index, kept, shards=3)

    async def test_scan_of_an_empty_index_yields_nothing(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties=PROPERTIES)
        assert await _scan(wire, index, self.scan_style, shards=1) == []

    async def test_point_in_time_does_not_see_later_writes(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await wire("PUT", doc(index, "changed"), {"n": 1})
        await wire("PUT", doc(index, "deleted", "refresh=true"), {"n": 1})
        async with _point_in_time(wire, index) as pit:
            await wire("PUT", doc(index, "changed"), {"n": 2})
            await wire("PUT", doc(index, "added"), {"n": 2})
            await wire("DELETE", doc(index, "deleted", "refresh=true"))
            then = (await _search(wire, pit))["hits"]
            now = await hits_of(wire, index, {})
        assert then["total"] == {"value": 2, "relation": "eq"}
        assert {hit["_id"]: hit["_source"]["n"] for hit in then["hits"]} == {"changed": 1, "deleted": 1}
        assert {hit["_id"]: hit["_source"]["n"] for hit in now} == {"changed": 2, "added": 2}

    async def test_point_in_time_does_not_see_what_was_never_refreshed(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await wire("PUT", doc(index, "1"), {"n": 1})
        async with _point_in_time(wire, index) as pit:
            await refresh(wire, index)
            assert (await _search(wire, pit))["hits"]["total"] == {"value": 0, "relation": "eq"}

    async def test_point_in_time_answers_queries(self, wire: Wire, index: str) -> None:
        await fill(wire, index, shards=1)
        async with _point_in_time(wire, index) as pit:
            page = await _search(
                wire, pit, query={"range": {"_seq_no": {"gt": 1_000}}}, sort=["_seq_no"], _source=False
            )
        assert [hit["_id"] for hit in page["hits"]["hits"]] == [f"d{number}" for number in range(1_001, DOCUMENTS)]

    async def test_closed_point_in_time_is_gone(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        async with _point_in_time(wire, index) as pit:
            pass
        answer = await wire("POST", "/_search", {"pit": {"id": pit, "keep_alive": "1m"}})
        assert failure(answer) == Failure(404, "search_phase_execution_exception")
        assert root_causes(answer) == ["search_context_missing_exception"]

    async def test_point_in_time_of_a_deleted_index_is_gone(self, wire: Wire, index: str) -> None:
        # Elasticsearch: 503 all shards failed. OpenSearch: 404 no such index. A scan ends in an error either way.
        await create(wire, index)
        opened = body_of(await wire("POST", f"/{index}/_pit?keep_alive=1m"))
        await wire("DELETE", f"/{index}")
        answer = await wire("POST", "/_search", {"pit": {"id": opened["id"]}})
        assert failure(answer).status in {404, 503}

    @pytest.mark.parametrize("garbage", ["garbage", ""])
    async def test_garbage_is_no_point_in_time(self, wire: Wire, garbage: str) -> None:
        answer = await wire("POST", "/_search", {"pit": {"id": garbage, "keep_alive": "1m"}})
        assert failure(answer) == Failure(400, ILLEGAL_ARGUMENT)
        assert failure(await wire("DELETE", "/_pit", {"id": "garbage"})) == Failure(400, ILLEGAL_ARGUMENT)

    async def test_point_in_time_needs_an_index_and_a_time(self, wire: Wire, index: str) -> None:
        assert failure(await wire("POST", f"/{index}/_pit?keep_alive=1m")) == Failure(404, INDEX_NOT_FOUND)
        await create(wire, index)
        assert failure(await wire("POST", f"/{index}/_pit")) == Failure(400, INVALID_REQUEST)
        assert failure(await wire("POST", f"/{index}/_pit?keep_alive=forever")) == Failure(400, ILLEGAL_ARGUMENT)

    async def test_search_names_a_point_in_time_or_an_index(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        async with _point_in_time(wire, index) as pit:
            answer = await wire("POST", f"/{index}/_search", {"pit": {"id": pit, "keep_alive": "1m"}})
        assert failure(answer) == Failure(400, INVALID_REQUEST)
