"""Searches of the embedded engine: pages, totals, visibility, several indices."""

import itertools
import random
from dataclasses import replace

import pytest

from connectors.engine.embedded.query.search import count, matching, search
from connectors.engine.embedded.query.search_request import SearchRequest, parse_count
from connectors.engine.embedded.refusal import Refusal
from tests.contracts.engine.corpus import FEW, FEW_PROPERTIES
from tests.engine.embedded.index import Json, SmallIndex

EVERYTHING = parse_count(None)


@pytest.fixture
def few() -> SmallIndex:
    small = SmallIndex(FEW_PROPERTIES)
    for doc_id, source in FEW.items():
        small.add(doc_id, source)
    return small


def ids(hits: Json) -> str:
    return "".join(hit["_id"] for hit in hits["hits"])


def test_replaced_and_deleted_documents_are_seen_by_older_views_only(few: SmallIndex) -> None:
    then = few.view()
    few.add("1", {"k": "new"})
    few.delete("2")
    now = few.view()
    request = SearchRequest.parse({"sort": ["_seq_no"]})
    assert (ids(search([then], request)), ids(search([now], request))) == ("12345", "3451")
    assert (count([then], EVERYTHING), count([now], EVERYTHING)) == (5, 4)
    by_id = parse_count({"query": {"ids": {"values": ["1", "2"]}}})
    assert (list(matching(then, by_id)), list(matching(now, by_id))) == ([("1", 0, 1), ("2", 1, 1)], [("1", 5, 1)])


def test_search_of_one_shard_sees_nothing_of_others() -> None:
    small = SmallIndex({})
    for number in range(6):
        small.add(str(number), {"n": number}, shard=number % 3)
    assert count([small.view(shards=frozenset({1}))], EVERYTHING) == 2
    assert count([small.view(shards=frozenset({7}))], EVERYTHING) == 0
    assert count([small.view(shards=frozenset())], EVERYTHING) == 0
    request = SearchRequest.parse({"sort": ["_shard_doc"]})
    assert ids(search([small.view(shards=frozenset({0, 2}))], request)) == "0235"


def test_hits_of_several_indices_are_merged(few: SmallIndex) -> None:
    other = SmallIndex(FEW_PROPERTIES, "other")
    other.add("6", {"n": 4, "k": "a"})
    other.add("7", {"n": 2**60})
    hits = search([few.view(), other.view()], SearchRequest.parse({"sort": ["n", "k"], "size": 4, "from": 1}))
    assert ids(hits) == "3621"
    assert hits["total"] == {"value": 7, "relation": "eq"}
    assert {hit["_index"] for hit in hits["hits"]} == {"small", "other"}


def test_indices_are_sorted_by_their_names(few: SmallIndex) -> None:
    other = SmallIndex(FEW_PROPERTIES, "other")
    other.add("6", {})
    views = [few.view(), other.view()]
    hits = search(views, SearchRequest.parse({"sort": ["_index", "_seq_no"], "size": 2}))["hits"]
    assert [hit["sort"] for hit in hits] == [["other", 0], ["small", 0]]
    after = SearchRequest.parse({"sort": [{"_index": "desc"}, "_seq_no"], "search_after": ["small", 3]})
    assert ids(search(views, after)) == "56"


def test_walk_over_several_indices_yields_every_document_once(few: SmallIndex) -> None:
    other = SmallIndex({}, "other")
    other.add("6", {})
    other.add("7", {})
    seen, body = "", {"sort": ["_shard_doc"], "size": 2, "pit": {}}
    while page := search([few.view(), other.view()], SearchRequest.parse(body))["hits"]:
        seen += "".join(hit["_id"] for hit in page)
        body["search_after"] = page[-1]["sort"]
    assert seen == "1234567"


def test_point_in_time_breaks_ties_by_the_place(few: SmallIndex) -> None:
    hits = few.search(sort=["n"], pit={})["hits"]
    assert [hit["sort"] for hit in hits] == [[-7, 5], [3, 3], [5, 1], [5, 2], [2**53 + 1, 4]]
    assert ids(few.search(sort=["n"], pit={}, search_after=[5, 1])) == "24"
    assert ids(few.search(sort=["n"], pit={}, search_after=[5])) == "4"


@pytest.mark.parametrize("key", ["aggs", "highlight", "suggest", "knn", "script_fields", "post_filter", "collapse"])
def test_part_that_is_not_implemented_is_refused(key: str) -> None:
    with pytest.raises(Refusal, match="not implement"):
        SearchRequest.parse({key: {}})


@pytest.mark.parametrize(
    "body",
    [
        {"query": {"term": {"n": "abc"}}},
        {"sort": ["t"]},
        {"sort": ["none"]},
        {"docvalue_fields": ["_id"]},
        {"size": 10_001},
        {"search_after": [1]},
        {"sort": ["n"], "search_after": ["x"]},
    ],
)
def test_search_that_the_index_cannot_answer_fails_in_its_shards(few: SmallIndex, body: Json) -> None:
    with pytest.raises(Refusal) as refused:
        few.search(**body)
    assert (refused.value.status, refused.value.kind) == (400, "search_phase_execution_exception")


def test_page_reaches_as_far_as_the_least_window(few: SmallIndex) -> None:
    narrow = replace(few.view(), window=3)
    assert len(search([narrow], SearchRequest.parse({"size": 2, "from": 1}))["hits"]) == 2
    for views in ([narrow], [narrow, few.view()], [few.view(), narrow]):
        with pytest.raises(Refusal) as refused:
            search(views, SearchRequest.parse({"size": 3, "from": 1}))
        assert "equal to: [3] but was [4]" in refused.value.more["caused_by"]["reason"]
    with pytest.raises(Refusal):
        search([replace(narrow, window=10_001)], SearchRequest.parse({"size": 10_002}))


def test_low_scores_are_left_out_where_asked(few: SmallIndex) -> None:
    query = {"bool": {"should": [{"term": {"n": 5}}, {"term": {"b": True}}]}}
    assert ids(few.search(query=query, min_score=1.5)) == "1"
    assert few.search(query=query, min_score=1.5, track_total_hits=True)["total"]["value"] == 1


def test_large_numbers_of_terms_are_exact(few: SmallIndex) -> None:
    terms = [*range(20_000), 2**53 + 1]
    assert ids(few.search(query={"terms": {"n": terms}}, sort=["_seq_no"])) == "1234"


@pytest.fixture(scope="module")
def many() -> SmallIndex:
    chance = random.Random(1)
    large = SmallIndex({"n": {"type": "long"}, "k": {"type": "keyword"}, "several": {"type": "long"}})
    sources: list[Json] = []
    for _ in range(6_500):
        source = {"n": chance.randrange(900), "k": chance.choice("abc"), "several": [chance.randrange(9), 5]}
        sources.append({"all": 1} | {name: source[name] for name in source if chance.random() < 0.9})
    large.add_all(sources)
    for doc_id in range(1, 6_500, 9):
        large.delete(str(doc_id))
    return large


@pytest.mark.parametrize(
    "sort",
    [["n"], [{"n": "desc"}, "k"], ["k", "n"], [{"k": "desc"}], [{"n": {"missing": 3}}], ["several"], ["all", "n"]],
)
@pytest.mark.parametrize(
    ("query", "matching"),
    [
        ({"match_all": {}}, 5_777),
        ({"range": {"all": {"gte": 0}}}, 5_777),
        ({"bool": {"filter": [{"term": {"all": 1}}, {"exists": {"field": "all"}}]}}, 5_777),
        ({"bool": {"filter": [{"term": {"all": 1}}, {"range": {"all": {"gte": 0}}}]}}, 5_777),
        ({"terms": {"n": list(range(60, 900))}}, None),
    ],
)
def test_pages_in_an_order_are_those_of_the_whole_order(
    many: SmallIndex, sort: list[Json], query: Json, matching: int | None
) -> None:
    order = [*sort, "_seq_no"]
    unhelped = {"bool": {"must": [query], "must_not": {"ids": {"values": ["none"]}}}}
    whole = many.search(sort=order, size=10_000, query=unhelped)["hits"]
    assert matching is None or len(whole) == matching
    for size in (1, 70, 5_800):
        places = itertools.pairwise(range(0, 2 * size + 1, size))
        after: Json = {}
        for first, last in places:
            hits = many.search(sort=order, size=size, query=query, **after)["hits"]
            assert [hit["_id"] for hit in hits] == [hit["_id"] for hit in whole[first:last]]
            after = {"search_after": hits[-1]["sort"]} if hits else after


def test_rows_that_are_replaced_only_later_are_seen_until_then(few: SmallIndex) -> None:
    then = few.view()
    for _ in range(1_001):
        few.add("1", {"k": "a"})
    few.add("2", {"k": "b"})
    k = parse_count({"query": {"term": {"k": "a"}}})
    assert count([then], EVERYTHING) == count([few.view()], EVERYTHING) == 5
    assert list(matching(few.view(), k)) == [("1", 1_005, 1)]
    assert ("1", 1_005, 1) not in list(matching(then, k))


@pytest.mark.parametrize(
    ("sort", "values"),
    [
        (["i"], [1, 2**31 - 1]),
        ([{"i": "desc"}], [1, -(2**31)]),
        (["f"], [0.1, "Infinity"]),
        (["h"], [0.099975586, "Infinity"]),
        ([{"f": {"missing": 0.2}}], [0.1, 0.2]),
        ([{"no": {"unmapped_type": "short"}}], [2**31 - 1, 2**31 - 1]),
    ],
)
def test_sort_values_are_as_wide_as_their_type(sort: list[Json], values: list[object]) -> None:
    small = SmallIndex({"i": {"type": "integer"}, "f": {"type": "float"}, "h": {"type": "half_float"}})
    small.add("1", {"i": 1, "f": 0.1, "h": 0.1})
    small.add("2", {})
    assert [hit["sort"][0] for hit in small.search(sort=sort)["hits"]] == values


def test_float_that_was_shown_is_where_the_next_page_begins() -> None:
    small = SmallIndex({"f": {"type": "float"}})
    small.add("1", {"f": 0.1})
    small.add("2", {"f": 0.3})
    assert ids(small.search(sort=["f"], search_after=[0.1])) == "2"


def test_scores_are_shown_where_they_were_asked_for(few: SmallIndex) -> None:
    query = {"bool": {"should": [{"term": {"n": 5}}, {"range": {"n": {"gt": 4}}}]}}
    by_place = few.search(query=query, sort=["_doc"], min_score=1.5)
    assert [(hit["_id"], hit["_score"]) for hit in by_place["hits"]] == [("1", None), ("2", None)]
    tracked = few.search(query=query, sort=["_doc"], track_scores=True)
    assert [hit["_score"] for hit in tracked["hits"]][:1] == [2.0]
    after = few.search(query=query, sort=["_doc"], track_scores=True, search_after=[100])
    assert (after["hits"], after["max_score"]) == ([], 2.0)
    assert few.search(query=query, size=0, **{"from": 3})["max_score"] is None


def test_doc_values_are_shown_once(few: SmallIndex) -> None:
    hits = few.search(query={"term": {"n": 3}}, docvalue_fields=["n", {"field": "n"}])["hits"]
    assert [hit["fields"] for hit in hits] == [{"n": [3, 30]}]
    with pytest.raises(Refusal, match="all shards failed"):
        few.search(docvalue_fields=["*"])
