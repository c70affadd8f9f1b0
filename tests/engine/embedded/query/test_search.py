"""Searches of the embedded engine: pages, totals, visibility, several indices."""

import random

import pytest

from connectors.engine.embedded.query.search import SearchRequest, count, matching, parse_count, search
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


def test_low_scores_are_left_out_where_asked(few: SmallIndex) -> None:
    query = {"bool": {"should": [{"term": {"n": 5}}, {"term": {"b": True}}]}}
    assert ids(few.search(query=query, min_score=1.5)) == "1"
    assert few.search(query=query, min_score=1.5, track_total_hits=True)["total"]["value"] == 1


def test_large_numbers_of_terms_are_exact(few: SmallIndex) -> None:
    terms = [*range(20_000), 2**53 + 1]
    assert ids(few.search(query={"terms": {"n": terms}}, sort=["_seq_no"])) == "1234"


@pytest.mark.parametrize(
    "sort", [["n"], [{"n": "desc"}, "k"], ["k", "n"], [{"k": "desc"}], [{"n": {"missing": 3}}], ["many"]]
)
def test_pages_of_everything_in_an_order_are_those_of_the_whole_order(sort: list[Json]) -> None:
    chance = random.Random(1)
    small = SmallIndex({"n": {"type": "long"}, "k": {"type": "keyword"}, "many": {"type": "long"}})
    for number in range(60):
        source = {"n": chance.randrange(8), "k": chance.choice("abc"), "many": [chance.randrange(9), 5]}
        small.add(str(number % 50), {name: source[name] for name in source if chance.random() < 0.8})
    small.delete("7")
    order = [*sort, "_seq_no"]
    whole = [
        hit["_id"] for hit in small.search(sort=order, size=100, query={"bool": {"must_not": {"ids": {}}}})["hits"]
    ]
    assert len(whole) == 49
    for size in (1, 3, 20, 60):
        found, after = list[str](), None
        while hits := small.search(sort=order, size=size, **({} if after is None else {"search_after": after}))["hits"]:
            found += [hit["_id"] for hit in hits]
            after = hits[-1]["sort"]
        assert found == whole


def test_rows_that_are_replaced_only_later_are_seen_until_then(few: SmallIndex) -> None:
    then = few.view()
    for _ in range(1_001):
        few.add("1", {"k": "a"})
    few.add("2", {"k": "b"})
    k = parse_count({"query": {"term": {"k": "a"}}})
    assert count([then], EVERYTHING) == count([few.view()], EVERYTHING) == 5
    assert list(matching_rows(few.view(), k)) == [1_006]
    assert 1_006 not in list(matching_rows(then, k))
