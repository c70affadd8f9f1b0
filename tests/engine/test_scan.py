from contextlib import aclosing
from typing import Any

import pytest

from connectors.engine import Engine
from connectors.engine.scan import Walk
from connectors.errors import EngineFailed, EngineRefused, IndexMissing, ScanIncomplete
from tests.engine.conftest import Opened
from tests.engine.stub import OPENSEARCH, Reply, answer, greeting, refusal, reset

PIT = answer(200, {"id": "pit-1", "_shards": {}})
CLOSED = answer(200, {"succeeded": True, "num_freed": 1})
OPENED_BY_OPENSEARCH = answer(200, {"pit_id": "pit-1", "_shards": {}, "creation_time": 1})
CLOSED_BY_OPENSEARCH = answer(200, {"pits": [{"successful": True, "pit_id": "pit-1"}]})
TO_OPENSEARCH = greeting(OPENSEARCH, {"x-elastic-product": ""})


def page(ids: str, *, total: int | None = None, pit_id: str = "pit-1", failed: int = 0, **more: Any) -> Reply:
    hits = [
        {"_index": "docs", "_id": one, "_version": 1, "_seq_no": 0, "_primary_term": 1, "sort": [one]} for one in ids
    ]
    counted = {} if total is None else {"total": {"value": total, "relation": "eq"}}
    shards = {"total": 3, "successful": 3 - failed, "failed": failed}
    return answer(
        200, {"timed_out": False, "_shards": shards, "pit_id": pit_id, "hits": {"hits": hits, **counted}, **more}
    )


async def walk(engine: Engine, **settings: Any) -> list[str]:
    pages = engine.data.scan(Walk("docs", page_size=2, **settings))
    return ["".join(hit.id for hit in found) async for found in pages]


async def test_every_page_is_read_and_the_point_in_time_freed(opened: Opened) -> None:
    script = (PIT, page("ab", total=5, pit_id="pit-2"), page("cd", pit_id="pit-3"), page("e"), CLOSED)
    async with opened(*script) as (engine, stub):
        assert await walk(engine, fields=["_sync.f"], source=["a"], query={"term": {"c": "x"}}) == ["ab", "cd", "e"]
    assert stub.asked[0] == "POST /docs/_pit?keep_alive=5m"
    assert stub.asked[1:4] == ["POST /_search?allow_partial_search_results=false"] * 3
    assert stub.asked[4] == "DELETE /_pit"
    first, second, third = (request.json for request in stub.requests[2:5])
    assert first == {
        "pit": {"id": "pit-1", "keep_alive": "5m"},
        "query": {"term": {"c": "x"}},
        "size": 2,
        "sort": ["_shard_doc"],
        "docvalue_fields": ["_sync.f"],
        "_source": ["a"],
        "version": True,
        "seq_no_primary_term": True,
        "track_total_hits": True,
    }
    assert (second["search_after"], second["track_total_hits"], second["pit"]["id"]) == (["b"], False, "pit-2")
    assert (third["search_after"], third["pit"]["id"]) == (["d"], "pit-3")


@pytest.mark.parametrize(
    "pages", [[page("", total=0)], [page("ab", total=2), page("")], [page("a", total=1)]], ids=["none", "full", "part"]
)
async def test_the_last_page_may_be_empty_full_or_neither(opened: Opened, pages: list[Reply]) -> None:
    async with opened(PIT, *pages, CLOSED) as (engine, stub):
        await walk(engine)
    assert stub.asked[-1] == "DELETE /_pit"


@pytest.mark.parametrize("pages", [[page("ab", total=4), page("c")], [page("ab", total=2), page("c")]])
async def test_another_number_of_documents_than_counted_is_an_error(opened: Opened, pages: list[Reply]) -> None:
    async with opened(PIT, *pages, CLOSED) as (engine, _):
        with pytest.raises(ScanIncomplete, match=r"scan docs: 3 documents came of \d"):
            await walk(engine)


async def test_a_page_is_tried_again(opened: Opened) -> None:
    async with opened(PIT, page("ab", total=3), reset(), page("c"), CLOSED) as (engine, _):
        assert await walk(engine) == ["ab", "c"]


async def test_a_shard_that_does_not_answer_is_an_error(opened: Opened) -> None:
    async with opened(PIT, page("ab", total=3, failed=1), CLOSED) as (engine, _):
        with pytest.raises(EngineFailed, match="1 shards did not answer"):
            await walk(engine)


async def test_a_point_in_time_that_expired_makes_the_scan_incomplete(opened: Opened) -> None:
    gone = refusal(404, "search_context_missing_exception")
    async with opened(PIT, page("ab", total=3), gone, CLOSED) as (engine, _):
        with pytest.raises(ScanIncomplete, match="expired"):
            await walk(engine)


async def test_a_refused_query_is_that(opened: Opened) -> None:
    async with opened(PIT, refusal(400, "parsing_exception"), CLOSED) as (engine, _):
        with pytest.raises(EngineRefused):
            await walk(engine)


async def test_leaving_early_frees_the_point_in_time(opened: Opened) -> None:
    async with opened(PIT, page("ab", total=5), CLOSED) as (engine, stub):
        async with aclosing(engine.data.scan(Walk("docs", page_size=2))) as pages:
            async for _ in pages:
                break
        assert stub.asked[-1] == "DELETE /_pit"


async def test_a_point_in_time_that_can_not_be_freed_is_left_to_expire(opened: Opened) -> None:
    async with opened(PIT, page("a", total=1), refusal(500, "x")) as (engine, _):
        assert await walk(engine) == ["a"]


async def test_a_point_in_time_that_can_not_be_freed_holds_no_bulk_back(opened: Opened) -> None:
    async with opened(PIT, page("a", total=1), reset()) as (engine, _):
        assert [len(found) async for found in engine.control.scan(Walk("docs", page_size=2))] == [1]
        assert not engine.pressure.high


async def test_opensearch_is_walked_shard_by_shard(opened: Opened) -> None:
    shards = {"docs": {"settings": {"index": {"number_of_shards": "2"}}}}
    script = (
        answer(200, shards),
        *(OPENED_BY_OPENSEARCH, page("ab", total=2), page(""), CLOSED_BY_OPENSEARCH),
        *(OPENED_BY_OPENSEARCH, page("c", total=1), CLOSED_BY_OPENSEARCH),
    )
    async with opened(*script, greets=TO_OPENSEARCH) as (engine, stub):
        assert await walk(engine) == ["ab", "c"]
    assert [asked for asked in stub.asked if "point_in_time?" in asked] == [
        "POST /docs/_search/point_in_time?keep_alive=5m&preference=_shards%3A0",
        "POST /docs/_search/point_in_time?keep_alive=5m&preference=_shards%3A1",
    ]
    assert stub.requests[3].json["sort"] == ["_doc"]
    assert stub.asked[-1] == "DELETE /_search/point_in_time"
    assert stub.requests[-1].json == {"pit_id": ["pit-1"]}


async def test_on_opensearch_a_shard_that_loses_documents_is_noticed(opened: Opened) -> None:
    shards = {"docs": {"settings": {"index": {"number_of_shards": "2"}}}}
    script = (answer(200, shards), OPENED_BY_OPENSEARCH, page("ab", total=3), page(""), CLOSED_BY_OPENSEARCH)
    async with opened(*script, greets=TO_OPENSEARCH) as (engine, _):
        with pytest.raises(ScanIncomplete):
            await walk(engine)


async def test_a_missing_index_is_that(opened: Opened) -> None:
    missing = refusal(404, "index_not_found_exception")
    for greets in (greeting(), TO_OPENSEARCH):
        async with opened(missing, greets=greets) as (engine, _):
            with pytest.raises(IndexMissing):
                await walk(engine)
