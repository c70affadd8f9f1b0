"""Queries of the embedded engine: what they match, and how it scores; the numbers are Elasticsearch's."""

import pytest

from connectors.engine.embedded.query.query import parse_query
from connectors.engine.embedded.query.search_request import parse_count
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


def test_a_clause_that_asks_for_all_words_scores_nothing_where_one_is_missing() -> None:
    small = SmallIndex({"t": {"type": "text"}})
    for doc_id, text in {"1": "one two", "2": "one", "3": "two three"}.items():
        small.add(doc_id, {"t": text})
    one, both = {"match": {"t": "one"}}, {"match": {"t": {"query": "one two", "operator": "and"}}}
    either = {"should": [one, both], "must_not": {"ids": {"values": ["3"]}}}
    scores = small.scores({"bool": either})
    assert scores["1"] == pytest.approx(small.scores(one)["1"] + small.scores(both)["1"], abs=1e-5)
    assert scores["2"] == small.scores(one)["2"]


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
        ("quick|+the", "abcd"),
        ("quick+|the", ""),
        ("quick+'", "ac"),
        ("quick + ' fox", "a"),
        ("-)fox", "ab"),
        ("*", "abcd"),
        ("' *", ""),
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


NUMBERS = {
    "b": {"type": "byte"}, "f": {"type": "float"}, "d": {"type": "date"},
    "s": {"type": "date", "format": "epoch_second"},
    "t": {"type": "text"}, "x": {"type": "text", "index": False},
    "z": {"type": "date", "index": False, "doc_values": False},
}  # fmt: skip


@pytest.fixture(scope="module")
def numbers() -> SmallIndex:
    small = SmallIndex(NUMBERS)
    small.add("1", {"b": 1, "f": 0.5, "d": "2024-01-31T00:00:00Z", "s": 1706659200, "t": "one word", "x": "y"})
    small.add("2", {"b": 5, "f": 1.5, "d": "2024-01-31T00:00:00.123Z", "t": "another word"})
    return small


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"range": {"b": {"gt": 0, "gte": 5}}}, "2"),
        ({"range": {"b": {"gte": 5, "gt": 0}}}, "12"),
        ({"range": {"d": {"gt": "2024-01-31T00:00:00Z"}}}, ""),
        ({"range": {"d": {"gte": "2024-01-31T00:00:00Z"}}}, "12"),
        ({"range": {"t": {}}}, "12"),
        ({"range": {"z": {"gt": "2024-01-31"}}}, ""),
        ({"terms": {"x": []}}, ""),
        ({"match": {"x": " ' "}}, ""),
        ({"match": {"s": 1706659200}}, ""),
        ({"match": {"s": {"query": 1706659200, "lenient": True}}}, "1"),
        ({"multi_match": {"query": 1706659200, "fields": ["s"]}}, "1"),
        ({"match": {"t": {"query": "one word", "operator": "and", "minimum_should_match": "50%"}}}, "1"),
        ({"match": {"t": {"query": "one word", "operator": "and", "minimum_should_match": 1}}}, ""),
        ({"bool": {"should": [{"match_all": {}}, {"term": {"b": 1}}], "minimum_should_match": "-30%"}}, "1"),
        ({"simple_query_string": {"query": "-foo*", "fields": ["none"]}}, ""),
        ({"simple_query_string": {"query": "-foo", "fields": ["none"]}}, "12"),
    ],
)
def test_what_is_told_apart_finely_is_found_as_in_elasticsearch(numbers: SmallIndex, query: Json, ids: str) -> None:
    assert numbers.ids(query) == ids


@pytest.mark.parametrize(
    "query",
    [
        {"terms": {"b": [1, 2**40]}},
        {"terms": {"f": [0.5, 1e300]}},
        {"range": {"d": {"gt": 1706659200000, "lt": "2024-02-01"}}},
        {"exists": {"field": "*"}},
    ],
)
def test_query_that_no_field_can_answer_is_refused(numbers: SmallIndex, query: Json) -> None:
    with pytest.raises(Refusal):
        numbers.ids(query)


def test_text_without_norms_is_scored_without_its_length() -> None:
    small = SmallIndex({"t": {"type": "text", "norms": False}})
    small.add("a", {"t": "fox"})
    small.add("b", {"t": "fox and many other words"})
    assert small.scores({"match": {"t": "fox"}}) == {"a": 0.250692, "b": 0.250692}
    assert small.scores({"match_phrase": {"t": "many other"}}) == {"b": 1.906155}


def test_prefix_is_lowered_like_the_words() -> None:
    small = SmallIndex({"t": {"type": "text"}})
    small.add("a", {"t": "ΣΑΣ"})
    assert small.ids({"simple_query_string": {"query": "ΣΑΣ*", "fields": ["t"]}}) == "a"


def test_bools_in_each_other_are_limited() -> None:
    query: Json = {"match_all": {}}
    for _ in range(1_000):
        query = {"bool": {"must": query}}
    with pytest.raises(Refusal, match="nested depth"):
        parse_query(query)
