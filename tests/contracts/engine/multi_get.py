"""Reads of many documents by id, in one request."""

import pytest

from tests.contracts.engine.case import INDEX_NOT_FOUND, INVALID_REQUEST, Failure, Json, body_of, create, doc, failure
from tests.contracts.wire import Wire


async def _docs(wire: Wire, target: str, body: Json) -> list[Json]:
    answer = body_of(await wire("POST", target, body))
    assert set(answer) == {"docs"}
    docs: list[Json] = answer["docs"]
    return docs


async def _two_documents(wire: Wire, index: str) -> None:
    await create(wire, index)
    await wire("PUT", doc(index, "1"), {"a": 1, "mark": {"v": 7}})
    await wire("PUT", doc(index, "2", "version=9&version_type=external"), {"a": 2})


class MultiGet:
    """`_mget`."""

    async def test_documents_come_in_the_order_asked_for(self, wire: Wire, index: str) -> None:
        await _two_documents(wire, index)
        same = {"_index": index, "_primary_term": 1, "found": True}
        assert await _docs(wire, f"/{index}/_mget", {"ids": ["2", "none", "1", "2"]}) == [
            {"_id": "2", "_version": 9, "_seq_no": 1, "_source": {"a": 2}, **same},
            {"_index": index, "_id": "none", "found": False},
            {"_id": "1", "_version": 1, "_seq_no": 0, "_source": {"a": 1, "mark": {"v": 7}}, **same},
            {"_id": "2", "_version": 9, "_seq_no": 1, "_source": {"a": 2}, **same},
        ]

    async def test_missing_index_is_an_error_of_its_document_alone(self, wire: Wire, index: str) -> None:
        await _two_documents(wire, index)
        asked = {"docs": [{"_index": index, "_id": "1"}, {"_index": f"{index}-none", "_id": "1"}]}
        first, second = await _docs(wire, "/_mget", asked)
        assert first["found"] is True
        assert (second["_index"], second["_id"], second["error"]["type"]) == (f"{index}-none", "1", INDEX_NOT_FOUND)
        assert "found" not in second

    @pytest.mark.parametrize(
        ("query", "sources"),
        [
            ("_source=false", [None, None]),
            ("_source_includes=mark", [{"mark": {"v": 7}}, {}]),
            ("_source_excludes=mark", [{"a": 1}, {"a": 2}]),
        ],
    )
    async def test_asked_part_of_the_sources_is_returned(
        self, wire: Wire, index: str, query: str, sources: list[Json | None]
    ) -> None:
        await _two_documents(wire, index)
        docs = await _docs(wire, f"/{index}/_mget?{query}", {"ids": ["1", "2"]})
        assert [got.get("_source") for got in docs] == sources
        assert [(got["_version"], got["_seq_no"]) for got in docs] == [(1, 0), (9, 1)]

    async def test_each_document_may_ask_for_its_own_part(self, wire: Wire, index: str) -> None:
        await _two_documents(wire, index)
        asked = {"docs": [{"_id": "1", "_source": False}, {"_id": "1", "_source": ["mark.v"]}]}
        docs = await _docs(wire, f"/{index}/_mget", asked)
        assert [got.get("_source") for got in docs] == [None, {"mark": {"v": 7}}]

    async def test_documents_are_seen_before_any_refresh_and_not_after_a_delete(self, wire: Wire, index: str) -> None:
        await _two_documents(wire, index)
        await wire("DELETE", doc(index, "1"))
        docs = await _docs(wire, f"/{index}/_mget", {"ids": ["1", "2"]})
        assert [got["found"] for got in docs] == [False, True]

    @pytest.mark.parametrize("body", [{}, {"ids": []}, {"docs": []}])
    async def test_asking_for_nothing_is_refused(self, wire: Wire, index: str, body: Json) -> None:
        await create(wire, index)
        assert failure(await wire("POST", f"/{index}/_mget", body)) == Failure(400, INVALID_REQUEST)
