"""Pages: the order of hits, and where to go on."""

import pytest

from tests.contracts.engine.case import (
    ALL_SHARDS_FAILED,
    ILLEGAL_ARGUMENT,
    Failure,
    Json,
    create,
    failure,
    hits_of,
    root_causes,
    store,
)
from tests.contracts.engine.corpus import FEW_PROPERTIES, fill_few
from tests.contracts.wire import Wire

LAST = 2**63 - 1


class Pages:
    """`sort`, `from`, `size` and `search_after`."""

    @pytest.mark.parametrize(
        ("sort", "order"),
        [
            pytest.param([{"n": "asc"}, {"_seq_no": "asc"}], "53124", id="an array counts by its smallest"),
            pytest.param([{"n": "desc"}, {"_seq_no": "asc"}], "43125", id="and descending by its largest"),
            pytest.param(["n", {"k": "asc"}], "53214", id="ties by a second key"),
            pytest.param([{"n": {"order": "desc"}}, {"k": "desc"}], "43125", id="order as an object"),
            pytest.param([{"k": "asc"}, {"n": "asc"}], "52314", id="keywords by code point, missing last"),
            pytest.param([{"k": "desc"}, {"n": "desc"}], "31254", id="missing last also descending"),
            pytest.param([{"k": {"order": "asc", "missing": "_first"}}, {"n": "asc"}], "45231", id="missing first"),
            pytest.param([{"d": "asc"}, {"_seq_no": "desc"}], "14253", id="times"),
            pytest.param([{"b": "asc"}, {"_seq_no": "asc"}], "31245", id="booleans"),
            pytest.param([{"_seq_no": "desc"}], "54321", id="sequence numbers"),
            pytest.param([{"none": {"order": "asc", "unmapped_type": "long"}}, "n", "k"], "53214", id="unmapped"),
        ],
    )
    async def test_hits_come_in_this_order(self, wire: Wire, index: str, sort: list[object], order: str) -> None:
        await fill_few(wire, index)
        everything = await hits_of(wire, index, {"sort": sort})
        assert [hit["_id"] for hit in everything] == list(order)
        # The same order page by page: going on after each hit's own sort values loses and repeats nothing.
        paged: list[str] = []
        after: Json = {}
        while page := await hits_of(wire, index, {"sort": sort, "size": 2, **after}):
            paged += [hit["_id"] for hit in page]
            assert len(paged) <= len(everything), paged
            after = {"search_after": page[-1]["sort"]}
        assert paged == list(order)

    async def test_sort_values_are_exact(self, wire: Wire, index: str) -> None:
        await fill_few(wire, index)
        hits = await hits_of(wire, index, {"sort": [{"n": "asc"}, {"d": "asc"}, {"k": "asc"}]})
        assert [hit["sort"] for hit in hits] == [
            [-7, LAST, "B"],
            [3, LAST, "b"],
            [5, 1_706_695_200_000, "b"],
            [5, 1_706_745_600_000, "a"],
            [2**53 + 1, 1_706_695_200_001, None],
        ]

    async def test_a_name_that_begins_with_an_underscore_is_sorted_by_as_any_other(
        self, wire: Wire, index: str
    ) -> None:
        await create(wire, index, properties={"_timestamp": {"type": "date"}})
        await store(wire, index, {"1": {"_timestamp": "2024-01-02"}, "2": {"_timestamp": "2024-01-01"}, "3": {}})
        assert [hit["_id"] for hit in await hits_of(wire, index, {"sort": ["_timestamp"]})] == ["2", "1", "3"]
        answer = await wire("POST", f"/{index}/_search", {"sort": ["_none"]})
        assert failure(answer) == ALL_SHARDS_FAILED

    async def test_search_goes_on_after_values_that_no_document_has(self, wire: Wire, index: str) -> None:
        await fill_few(wire, index)
        hits = await hits_of(wire, index, {"sort": [{"n": "asc"}, {"k": "asc"}], "search_after": [5, "aa"]})
        assert [hit["_id"] for hit in hits] == ["1", "4"]

    async def test_search_goes_on_after_a_time_given_as_text(self, wire: Wire, index: str) -> None:
        await fill_few(wire, index)
        body = {"query": {"exists": {"field": "d"}}, "sort": [{"d": "asc"}], "search_after": ["2024-01-31T10:00:00Z"]}
        assert [hit["_id"] for hit in await hits_of(wire, index, body)] == ["4", "2"]

    @pytest.mark.parametrize(("start", "size", "ids"), [(0, 2, "53"), (2, 2, "12"), (4, 10, "4"), (9_990, 10, "")])
    async def test_page_is_cut_from_the_order(self, wire: Wire, index: str, start: int, size: int, ids: str) -> None:
        await fill_few(wire, index)
        body = {"sort": ["n", "_seq_no"], "from": start, "size": size}
        assert [hit["_id"] for hit in await hits_of(wire, index, body)] == list(ids)

    @pytest.mark.parametrize("body", [{"from": 9_991, "size": 10}, {"size": 10_001}])
    async def test_page_beyond_ten_thousand_is_refused(self, wire: Wire, index: str, body: Json) -> None:
        await create(wire, index)
        answer = await wire("POST", f"/{index}/_search", body)
        assert failure(answer) == ALL_SHARDS_FAILED
        assert root_causes(answer) == [ILLEGAL_ARGUMENT]

    @pytest.mark.parametrize("body", [{"from": -1}, {"size": -1}, {"sort": [{"n": "sideways"}]}])
    async def test_page_that_is_none_is_refused(self, wire: Wire, index: str, body: Json) -> None:
        await create(wire, index, properties=FEW_PROPERTIES)
        assert failure(await wire("POST", f"/{index}/_search", body)) == Failure(400, ILLEGAL_ARGUMENT)

    @pytest.mark.parametrize(
        "body",
        [
            {"sort": [{"none": "asc"}]},
            {"search_after": [1]},
            {"sort": ["n", "k"], "search_after": [1]},
        ],
    )
    async def test_order_that_is_none_is_refused(self, wire: Wire, index: str, body: Json) -> None:
        await create(wire, index, properties=FEW_PROPERTIES)
        assert failure(await wire("POST", f"/{index}/_search", body)) == ALL_SHARDS_FAILED

    @pytest.mark.parametrize("body", [{"unheard_of": 1}, []])
    async def test_body_that_is_no_search_is_refused(self, wire: Wire, index: str, body: object) -> None:
        await create(wire, index)
        assert failure(await wire("POST", f"/{index}/_search", body)) == Failure(400, "parsing_exception")
