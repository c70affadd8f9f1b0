"""Queries of the embedded engine: what they match, and how it scores; the numbers are Elasticsearch's."""

import pytest

from connectors.engine.embedded.query.query import parse_query
from connectors.engine.embedded.query.search import parse_count
from connectors.engine.embedded.refusal import Refusal
from tests.contracts.engine.queries import COMPOUND, DOCUMENTS, MALFORMED, PROPERTIES, RANGES, TERMS, WORDS
from tests.engine.embedded.index import Json, SmallIndex


@pytest.fixture(scope="module")
def index() -> SmallIndex:
    small = SmallIndex(PROPERTIES)
    for doc_id, source in DOCUMENTS.items():
        small.add(doc_id, source)
    return small


CASES = [*TERMS, *COMPOUND, *WORDS, *[(f"range {name}", {"range": query}, ids) for name, query, ids in RANGES]]


@pytest.mark.parametrize(("query", "ids"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_query_selects_these_documents(index: SmallIndex, query: Json, ids: str) -> None:
    assert index.ids(query) == ids


@pytest.mark.parametrize(("query", "kind"), [pytest.param(*case[1:], id=case[0]) for case in MALFORMED])
def test_malformed_query_is_refused(query: object, kind: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_query(query)
    assert refused.value.kind == kind
    with pytest.raises(Refusal) as refused:
        parse_count({"query": query})
    assert refused.value.kind == "parsing_exception"


@pytest.mark.parametrize("kind", ["fuzzy", "knn", "nested", "query_string", "script", "wildcard"])
def test_query_that_is_not_implemented_is_refused(kind: str) -> None:
    with pytest.raises(Refusal, match=kind):
        parse_query({kind: {}})


@pytest.mark.parametrize(
    ("query", "scores"),
    [
        ({"match": {"t": "quick"}}, {"2": 0.193638, "1": 0.172255}),
        ({"term": {"tags": "red"}}, {"1": 0.211109, "2": 0.211109}),
        ({"term": {"n": 5}}, {"2": 1.0, "4": 1.0}),
        ({"bool": {"filter": {"term": {"n": 5}}}}, {"2": 0.0, "4": 0.0}),
        ({"constant_score": {"filter": {"match": {"t": "quick"}}, "boost": 3}}, {"1": 3.0, "2": 3.0}),
        ({"bool": {"must": {"term": {"n": 5}}, "should": {"term": {"f": -2.5}}}}, {"2": 2.0, "4": 1.0}),
    ],
)
def test_match_scores_as_in_elasticsearch(index: SmallIndex, query: Json, scores: dict[str, float]) -> None:
    assert index.scores(query) == scores


@pytest.mark.parametrize(
    ("minimum", "ids"),
    [(1, "abcd"), (2, "abc"), ("75%", "ab"), ("-25%", "ab"), ("-1", "ab"), ("3<50%", "abc"), (5, "")],
)
def test_so_many_words_have_to_match(minimum: object, ids: str) -> None:
    small = SmallIndex({"t": {"type": "text"}})
    for doc_id, text in {"a": "one two three four", "b": "one two three", "c": "one two", "d": "one"}.items():
        small.add(doc_id, {"t": text})
    assert small.ids({"match": {"t": {"query": "one two three four", "minimum_should_match": minimum}}}) == ids


def test_phrase_does_not_reach_over_the_texts_of_an_array() -> None:
    small = SmallIndex({"t": {"type": "text"}})
    small.add("a", {"t": ["quick brown", "fox"]})
    assert small.ids({"match_phrase": {"t": "quick brown"}}) == "a"
    assert small.ids({"match_phrase": {"t": {"query": "brown fox", "slop": 50}}}) == ""


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("fox quick", "abc"),
        ("fox + quick", "a"),
        ("fox | quick", "abc"),
        ('"quick fox"', "a"),
        ("-fox", "cd"),
        ("qu*", "ac"),
        ("(fox | dog) + the", "bd"),
        ('fox) "quick', "abc"),
        ("", ""),
    ],
)
def test_typed_query_is_understood(text: str, ids: str) -> None:
    small = SmallIndex({"t": {"type": "text"}})
    for doc_id, said in {"a": "quick fox", "b": "the fox", "c": "quick", "d": "the dog"}.items():
        small.add(doc_id, {"t": said})
    assert small.ids({"simple_query_string": {"query": text, "fields": ["t"]}}) == ids


def test_field_without_an_index_is_searched_by_its_doc_values() -> None:
    small = SmallIndex({"n": {"type": "long", "index": False}})
    small.add("a", {"n": 5})
    assert small.ids({"range": {"n": {"gte": 5}}}) == "a"


def test_bools_in_each_other_are_limited() -> None:
    query: Json = {"match_all": {}}
    for _ in range(1_000):
        query = {"bool": {"must": query}}
    with pytest.raises(Refusal, match="nested depth"):
        parse_query(query)
