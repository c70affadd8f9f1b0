"""Hits: what a search says about the documents that it found."""

import pytest

from tests.contracts.engine.case import (
    ALL_SHARDS_FAILED,
    Json,
    body_of,
    create,
    doc,
    failure,
    hits_of,
    store,
)
from tests.contracts.engine.corpus import FEW, FEW_PROPERTIES, fill_few
from tests.contracts.wire import Wire


class Hits:
    """Versions, sources, doc values and totals."""

    async def test_answer_has_this_shape(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await store(wire, index, {"1": {"n": 1}})
        body = body_of(await wire("POST", f"/{index}/_search", {"sort": ["n"]}))
        assert isinstance(body.pop("took"), int)
        assert body == {
            "timed_out": False,
            "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
            "hits": {
                "total": {"value": 1, "relation": "eq"},
                "max_score": None,
                "hits": [{"_index": index, "_id": "1", "_score": None, "_source": {"n": 1}, "sort": [1]}],
            },
        }

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_search_without_a_body_finds_everything(self, wire: Wire, index: str, method: str) -> None:
        await fill_few(wire, index)
        hits = body_of(await wire(method, f"/{index}/_search"))["hits"]["hits"]
        assert {hit["_id"]: hit["_source"] for hit in hits} == FEW
        assert {hit["_score"] for hit in hits} == {1.0}

    async def test_hits_carry_version_and_sequence_number_when_asked(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        await wire("PUT", doc(index, "1", "version=7&version_type=external"), {"n": 1})
        await wire("PUT", doc(index, "1", "refresh=true"), {"n": 2})
        [hit] = await hits_of(wire, index, {"version": True, "seq_no_primary_term": True, "_source": False})
        assert (hit["_version"], hit["_seq_no"], hit["_primary_term"]) == (8, 1, 1)
        [plain] = await hits_of(wire, index, {})
        assert set(plain) == {"_index", "_id", "_score", "_source"}

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            (True, {"k": "a", "o": {"x": 1, "y": 2}, "l": [{"x": 3, "z": 4}]}),
            (["k", "o.x"], {"k": "a", "o": {"x": 1}}),
            ("o.*", {"o": {"x": 1, "y": 2}}),
            ("o", {"o": {"x": 1, "y": 2}}),
            ({"includes": ["o"], "excludes": ["o.x"]}, {"o": {"y": 2}}),
            ({"excludes": ["o", "l"]}, {"k": "a"}),
            (["l.x"], {"l": [{"x": 3}]}),
            (["none"], {}),
            (False, None),
        ],
    )
    async def test_source_is_filtered(self, wire: Wire, index: str, wanted: object, expected: Json | None) -> None:
        await create(wire, index)
        await store(wire, index, {"1": {"k": "a", "o": {"x": 1, "y": 2}, "l": [{"x": 3, "z": 4}]}})
        [hit] = await hits_of(wire, index, {"_source": wanted})
        assert hit.get("_source") == expected

    async def test_doc_values_are_exact_and_sorted(self, wire: Wire, index: str) -> None:
        await fill_few(wire, index)
        asked = {"_source": False, "docvalue_fields": ["n", "k", "b", "d", "none"], "sort": ["_seq_no"]}
        assert [hit.get("fields") for hit in await hits_of(wire, index, asked)] == [
            {"n": [5], "k": ["b"], "b": [True], "d": ["2024-01-31T10:00:00.000Z"]},
            {"n": [5], "k": ["a"], "d": ["2024-02-01T00:00:00.000Z"]},
            {"n": [3, 30], "k": ["b"], "b": [False]},
            {"n": [2**53 + 1], "d": ["2024-01-31T10:00:00.001Z"]},
            {"n": [-7], "k": ["B"]},
        ]

    async def test_text_has_no_doc_values(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties=FEW_PROPERTIES)
        await store(wire, index, {"1": {"t": "word"}})
        assert failure(await wire("POST", f"/{index}/_search", {"docvalue_fields": ["t"]})) == ALL_SHARDS_FAILED
        assert failure(await wire("POST", f"/{index}/_search", {"sort": ["t"]})) == ALL_SHARDS_FAILED

    @pytest.mark.parametrize(
        ("track", "expected"),
        [
            (True, {"value": 5, "relation": "eq"}),
            (5, {"value": 5, "relation": "eq"}),
            (2, {"value": 2, "relation": "gte"}),
            (False, None),
        ],
    )
    async def test_total_is_tracked_as_far_as_asked(
        self, wire: Wire, index: str, track: object, expected: Json | None
    ) -> None:
        await fill_few(wire, index)
        hits = body_of(await wire("POST", f"/{index}/_search", {"size": 0, "track_total_hits": track}))["hits"]
        assert (hits.get("total"), hits["hits"]) == (expected, [])

    async def test_partial_results_can_be_ruled_out(self, wire: Wire, index: str) -> None:
        await fill_few(wire, index)
        answer = await wire("POST", f"/{index}/_search?allow_partial_search_results=false", {"size": 0})
        assert body_of(answer)["hits"]["total"] == {"value": 5, "relation": "eq"}

    async def test_filter_path_leaves_what_it_names_of_a_search(self, wire: Wire, index: str) -> None:
        await fill_few(wire, index)
        target = f"/{index}/_search?filter_path=hits.total.value,hits.hits._id&size=2&sort=n"
        expected = {"hits": {"total": {"value": 5}, "hits": [{"_id": "5"}, {"_id": "3"}]}}
        assert body_of(await wire("POST", target)) == expected
