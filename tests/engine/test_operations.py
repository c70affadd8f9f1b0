"""The named operations: what each sends, and what it makes of the answer."""

import pytest

from connectors.engine.records import Hit, Revision, StoredDocument, Written
from connectors.errors import EngineFailed
from tests.engine.conftest import Opened
from tests.engine.stub import answer

STORED = {"_index": "docs-1", "_id": "1", "_version": 3, "_seq_no": 7, "_primary_term": 2}
HITS = {"timed_out": False, "_shards": {"total": 1, "successful": 1, "failed": 0}}


def written(result: str = "created") -> object:
    return {**STORED, "result": result, "_shards": {"total": 1, "successful": 1, "failed": 0}}


async def test_get_returns_the_document_with_its_revision(opened: Opened) -> None:
    async with opened(answer(200, {**STORED, "found": True, "_source": {"n": 2**63}})) as (engine, stub):
        found = await engine.control.get("docs", "a/b ü%")
    assert found == StoredDocument("docs-1", "1", 3, 7, 2, {"n": 2**63})
    assert found.revision == Revision(7, 2)
    assert stub.asked == ["GET /docs/_doc/a%2Fb%20%C3%BC%25"]


@pytest.mark.parametrize(("doc_id", "path"), [("..", ".."), (".", "."), ("%2F", "%252F"), ("a?b#c", "a%3Fb%23c")])
async def test_an_id_reaches_the_engine_as_it_is(opened: Opened, doc_id: str, path: str) -> None:
    async with opened(answer(404, {"_index": "docs", "_id": doc_id, "found": False})) as (engine, stub):
        await engine.control.get("docs", doc_id)
    assert stub.asked == [f"GET /docs/_doc/{path}"]


async def test_get_of_a_missing_document_is_none(opened: Opened) -> None:
    async with opened(answer(404, {"_index": "docs", "_id": "1", "found": False})) as (engine, _):
        assert await engine.control.get("docs", "1") is None


async def test_put_sends_the_document(opened: Opened) -> None:
    async with opened(answer(201, written())) as (engine, stub):
        result = await engine.control.put("docs", "1", {"a": [1, None, "ü"]})
    assert result == Written("docs-1", "1", 3, 7, 2, "created")
    assert result.revision == Revision(7, 2)
    assert stub.asked == ["PUT /docs/_doc/1"]
    assert stub.requests[-1].json == {"a": [1, None, "ü"]}


async def test_put_sends_ready_bytes_as_they_are(opened: Opened) -> None:
    async with opened(answer(201, written())) as (engine, stub):
        await engine.control.put("docs", "1", b'{"a":  1}')
    assert stub.requests[-1].body == b'{"a":  1}'


@pytest.mark.parametrize(("refresh", "query"), [("no", ""), ("wait", "&refresh=wait_for"), ("now", "&refresh=true")])
async def test_put_expects_a_revision_and_refreshes_as_it_is_told(opened: Opened, refresh: str, query: str) -> None:
    async with opened(answer(200, written("updated"))) as (engine, stub):
        await engine.control.put("docs", "1", {}, expected=Revision(7, 2), refresh=refresh)  # type: ignore[arg-type]
    assert stub.asked == [f"PUT /docs/_doc/1?if_primary_term=2&if_seq_no=7{query}"]


async def test_create_only_creates(opened: Opened) -> None:
    async with opened(answer(201, written())) as (engine, stub):
        await engine.control.create("docs", "1", {"a": 1}, refresh="wait")
    assert stub.asked == ["PUT /docs/_create/1?refresh=wait_for"]


async def test_delete_says_whether_there_was_one(opened: Opened) -> None:
    async with opened(answer(200, written("deleted")), answer(404, written("not_found"))) as (engine, stub):
        assert (await engine.control.delete("docs", "1", expected=Revision(7, 2))).result == "deleted"
        assert (await engine.control.delete("docs", "1")).result == "not_found"
    assert stub.asked == ["DELETE /docs/_doc/1?if_primary_term=2&if_seq_no=7", "DELETE /docs/_doc/1"]


async def test_search_counts_exactly_and_wants_every_shard(opened: Opened) -> None:
    hits = {"total": {"value": 20_000, "relation": "eq"}, "hits": [{"_index": "docs", "_id": "1", "sort": [5]}]}
    async with opened(answer(200, {**HITS, "hits": hits})) as (engine, stub):
        page = await engine.control.search("docs", {"query": {"match_all": {}}, "size": 1})
    assert (page.total, page.hits) == (20_000, [Hit("docs", "1", sort=[5])])
    assert stub.asked == ["POST /docs/_search?allow_partial_search_results=false"]
    assert stub.requests[-1].json == {"query": {"match_all": {}}, "size": 1, "track_total_hits": True}


async def test_a_search_that_ran_out_of_time_is_no_result(opened: Opened) -> None:
    answers = [answer(200, {**HITS, "timed_out": True, "hits": {"hits": []}})] * 3
    async with opened(*answers) as (engine, _):
        with pytest.raises(EngineFailed, match="not finished"):
            await engine.control.search("docs", {})


async def test_count_counts_what_matches(opened: Opened) -> None:
    async with opened(answer(200, {"count": 3}), answer(200, {"count": 1})) as (engine, stub):
        assert await engine.data.count("docs") == 3
        assert await engine.data.count("docs", {"term": {"a": 1}}) == 1
    assert [request.body for request in stub.requests[1:]] == [b"", b'{"query":{"term":{"a":1}}}']


async def test_refresh_refreshes(opened: Opened) -> None:
    async with opened(answer(200, {"_shards": {}})) as (engine, stub):
        await engine.data.refresh("docs")
    assert stub.asked == ["POST /docs/_refresh"]


async def test_each_lane_has_its_own_connections(opened: Opened) -> None:
    count = answer(200, {"count": 0})
    async with opened(count, count, count) as (engine, stub):
        for lane in (engine.control, engine.data, engine.control):
            await lane.count("docs")
    assert stub.connections == 3  # one for the greeting, one a lane
