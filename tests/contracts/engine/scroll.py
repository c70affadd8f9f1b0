"""Scrolls: the older way to read everything once."""

from tests.contracts.engine.case import ILLEGAL_ARGUMENT, Failure, body_of, create, failure, needs, root_causes
from tests.contracts.engine.corpus import DOCUMENTS, fill
from tests.contracts.wire import Wire

PAGE = 100


class Scroll:
    """`scroll`."""

    @needs("scroll")
    async def test_scroll_yields_every_document_once(self, wire: Wire, index: str) -> None:
        expected = await fill(wire, index, shards=1)
        page = body_of(await wire("POST", f"/{index}/_search?scroll=1m", {"size": PAGE, "sort": ["_doc"]}))
        seen: list[str] = []
        while hits := page["hits"]["hits"]:
            assert page["hits"]["total"] == {"value": DOCUMENTS, "relation": "eq"}
            seen += [hit["_id"] for hit in hits]
            assert len(seen) <= DOCUMENTS
            page = body_of(await wire("POST", "/_search/scroll", {"scroll_id": page["_scroll_id"], "scroll": "1m"}))
        assert set(seen) == set(expected)
        assert len(seen) == DOCUMENTS
        closed = await wire("DELETE", "/_search/scroll", {"scroll_id": page["_scroll_id"]})
        assert body_of(closed) == {"succeeded": True, "num_freed": 1}

    @needs("scroll")
    async def test_closed_scroll_is_gone(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        scroll_id = body_of(await wire("POST", f"/{index}/_search?scroll=1m", {}))["_scroll_id"]
        await wire("DELETE", "/_search/scroll", {"scroll_id": scroll_id})
        answer = await wire("POST", "/_search/scroll", {"scroll_id": scroll_id, "scroll": "1m"})
        assert failure(answer) == Failure(404, "search_phase_execution_exception")
        assert root_causes(answer) == ["search_context_missing_exception"]

    @needs("scroll")
    async def test_garbage_is_no_scroll(self, wire: Wire) -> None:
        asked = {"scroll_id": "garbage"}
        assert failure(await wire("POST", "/_search/scroll", {**asked, "scroll": "1m"})) == Failure(
            400, ILLEGAL_ARGUMENT
        )
        assert failure(await wire("DELETE", "/_search/scroll", asked)) == Failure(400, ILLEGAL_ARGUMENT)
