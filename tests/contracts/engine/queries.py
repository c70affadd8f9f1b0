"""Queries: which documents match."""

import pytest

from tests.contracts.engine.case import (
    ALL_SHARDS_FAILED,
    ILLEGAL_ARGUMENT,
    Failure,
    Json,
    body_of,
    create,
    failure,
    found,
    store,
)
from tests.contracts.wire import Wire

PROPERTIES = {
    "k": {"type": "keyword"},
    "t": {"type": "text"},
    "n": {"type": "long"},
    "f": {"type": "double"},
    "d": {"type": "date"},
    "b": {"type": "boolean"},
    "o": {"properties": {"x": {"type": "long"}, "s": {"type": "keyword"}}},
    "tags": {"type": "keyword"},
}
DOCUMENTS: dict[str, Json] = {
    "1": {
        "k": "apple", "t": "the quick brown fox", "n": 1, "f": 1.5, "d": "2024-01-31T10:00:00Z", "b": True,
        "o": {"x": 1, "s": "p"}, "tags": ["red", "green"],
    },
    "2": {
        "k": "apricot", "t": "brown dogs, quick", "n": 5, "f": -2.5, "d": "2024-01-31T12:30:00+02:00", "b": False,
        "o": {"x": 5}, "tags": "red",
    },
    "3": {"k": "Banana", "n": [3, 30], "d": "2024-02-01", "o": [{"x": 7}, {"x": 9}], "tags": []},
    "4": {"k": None, "t": "", "n": 5, "b": "true", "extra": 1},
    "5": {"k": "apple", "n": 2**53 + 1},
}  # fmt: skip
ALL = "12345"

TERMS: list[tuple[str, Json, str]] = [
    ("keyword", {"term": {"k": "apple"}}, "15"),
    ("keyword as an object", {"term": {"k": {"value": "apple"}}}, "15"),
    ("keyword is not analyzed", {"term": {"k": "APPLE"}}, ""),
    ("keyword is not a prefix", {"term": {"k": "appl"}}, ""),
    ("number", {"term": {"n": 5}}, "24"),
    ("number as a string", {"term": {"n": "5"}}, "24"),
    ("number as a float", {"term": {"n": 5.0}}, "24"),
    ("fraction of an integer field", {"term": {"n": 5.5}}, ""),
    ("large number", {"term": {"n": 2**53 + 1}}, "5"),
    ("neighbour of a large number", {"term": {"n": 2**53}}, ""),
    ("any element of an array", {"term": {"n": 30}}, "3"),
    ("any element of a keyword array", {"term": {"tags": "red"}}, "12"),
    ("double", {"term": {"f": 1.5}}, "1"),
    ("boolean", {"term": {"b": True}}, "14"),
    ("boolean as a string", {"term": {"b": "false"}}, "2"),
    ("field of an object", {"term": {"o.x": 5}}, "2"),
    ("field of objects in an array", {"term": {"o.x": 9}}, "3"),
    ("word of a text", {"term": {"t": "quick"}}, "12"),
    ("term of a text is not analyzed", {"term": {"t": "Quick"}}, ""),
    ("unknown field", {"term": {"none": 1}}, ""),
    ("id", {"term": {"_id": "3"}}, "3"),
    ("several keywords", {"terms": {"k": ["apple", "Banana", "none"]}}, "135"),
    ("several numbers", {"terms": {"n": [1, "3"]}}, "13"),
    ("several ids", {"terms": {"_id": ["1", "5", "none"]}}, "15"),
    ("no terms", {"terms": {"k": []}}, ""),
    ("ids", {"ids": {"values": ["1", "3", "none"]}}, "13"),
    ("no ids", {"ids": {"values": []}}, ""),
    ("prefix", {"prefix": {"k": "ap"}}, "125"),
    ("prefix as an object", {"prefix": {"k": {"value": "ap"}}}, "125"),
    ("prefix minds case", {"prefix": {"k": "AP"}}, ""),
    ("empty prefix", {"prefix": {"k": ""}}, "1235"),
    ("exists", {"exists": {"field": "k"}}, "1235"),
    ("empty text exists", {"exists": {"field": "t"}}, "124"),
    ("empty array does not exist", {"exists": {"field": "tags"}}, "12"),
    ("object exists", {"exists": {"field": "o"}}, "123"),
    ("field of an object exists", {"exists": {"field": "o.s"}}, "1"),
    ("unknown field does not exist", {"exists": {"field": "none"}}, ""),
]  # fmt: skip

RANGES: list[tuple[str, Json, str]] = [
    ("closed", {"n": {"gte": 1, "lte": 5}}, "1234"),
    ("open", {"n": {"gt": 1, "lt": 5}}, "3"),
    ("number as a string", {"n": {"gt": "1"}}, "2345"),
    ("fraction of an integer field", {"n": {"gt": 1.5}}, "2345"),
    ("large number", {"n": {"gt": 2**53}}, "5"),
    ("no bounds", {"n": {}}, ALL),
    ("double", {"f": {"lt": 0}}, "2"),
    ("keyword", {"k": {"gte": "apple", "lt": "b"}}, "125"),
    ("time from", {"d": {"gte": "2024-01-31T10:00:00Z"}}, "123"),
    ("time after", {"d": {"gt": "2024-01-31T10:00:00Z"}}, "23"),
    ("time with an offset", {"d": {"gt": "2024-01-31T11:00:00+01:00"}}, "23"),
    ("time with milliseconds", {"d": {"lt": "2024-01-31T10:00:00.001Z"}}, "1"),
    ("whole day", {"d": {"gte": "2024-01-31", "lte": "2024-01-31"}}, "12"),
    ("after a whole day", {"d": {"gt": "2024-01-31"}}, "3"),
    ("whole month", {"d": {"gte": "2024-01", "lt": "2024-02"}}, "12"),
    ("milliseconds since the epoch", {"d": {"gte": 1_706_697_000_000}}, "23"),
    ("now", {"d": {"lt": "now"}}, "123"),
    ("sequence number above", {"_seq_no": {"gt": 2}}, "45"),
    ("sequence number between", {"_seq_no": {"gte": 1, "lt": 3}}, "23"),
    ("unknown field", {"none": {"gt": 1}}, ""),
]  # fmt: skip

COMPOUND: list[tuple[str, Json, str]] = [
    ("everything", {"match_all": {}}, ALL),
    ("nothing", {"match_none": {}}, ""),
    ("empty bool", {"bool": {}}, ALL),
    ("must and must not", {"bool": {"must": [{"term": {"n": 5}}], "must_not": [{"term": {"b": False}}]}}, "4"),
    ("filter that is no list", {"bool": {"filter": {"term": {"n": 5}}}}, "24"),
    ("filters are anded", {"bool": {"filter": [{"term": {"k": "apple"}}, {"range": {"n": {"lt": 9}}}]}}, "1"),
    ("should alone is required", {"bool": {"should": [{"term": {"k": "apple"}}, {"term": {"n": 3}}]}}, "135"),
    ("should beside must is optional", {"bool": {"must": {"match_all": {}}, "should": {"term": {"n": 1}}}}, ALL),
    (
        "should with a minimum",
        {"bool": {"should": [{"term": {"k": "apple"}}, {"term": {"n": 1}}], "minimum_should_match": 2}},
        "1",
    ),
    ("must not exist", {"bool": {"must_not": [{"exists": {"field": "k"}}]}}, "4"),
    ("nested bools", {"bool": {"must_not": {"bool": {"should": [{"term": {"n": 1}}, {"term": {"n": 5}}]}}}}, "35"),
]  # fmt: skip

WORDS: list[tuple[str, Json, str]] = [
    ("one word", {"match": {"t": "quick"}}, "12"),
    ("any of the words in any case", {"match": {"t": "QUICK Fox"}}, "12"),
    ("all of the words", {"match": {"t": {"query": "quick fox", "operator": "and"}}}, "1"),
    ("stop words are words", {"match": {"t": "the"}}, "1"),
    ("no word", {"match": {"t": ""}}, ""),
    ("match of a keyword", {"match": {"k": "apple"}}, "15"),
    ("match of a number", {"match": {"n": 5}}, "24"),
    ("phrase", {"match_phrase": {"t": "quick brown"}}, "1"),
    ("phrase over punctuation", {"match_phrase": {"t": "dogs quick"}}, "2"),
    ("phrase in the wrong order", {"match_phrase": {"t": "fox brown"}}, ""),
    ("phrase with slop", {"match_phrase": {"t": {"query": "quick fox", "slop": 1}}}, "1"),
]  # fmt: skip

TOKENS = [("foo_bar", True), ("foo", False), ("don't", True), ("don", False), ("v1.5", True), ("v1", False),
          ("mail", True), ("e", True), ("ÜBER", True), ("uber", False), ("中", True), ("中文", True)]  # fmt: skip

MALFORMED: list[tuple[str, object, str]] = [
    ("unknown query", {"unheard_of": {}}, "parsing_exception"),
    ("empty query", {}, ILLEGAL_ARGUMENT),
    ("array", [], "parsing_exception"),
    ("text", "abc", "parsing_exception"),
    ("two queries in one", {"match_all": {}, "term": {"k": "a"}}, "parsing_exception"),
    ("two fields in one", {"term": {"k": "a", "n": 1}}, "parsing_exception"),
    ("list for one term", {"term": {"k": ["a"]}}, "parsing_exception"),
    ("one term for a list", {"terms": {"k": "a"}}, "parsing_exception"),
    ("null", {"term": {"k": None}}, ILLEGAL_ARGUMENT),
    ("unknown bound", {"range": {"n": {"above": 1}}}, "parsing_exception"),
    ("unknown clause", {"bool": {"perhaps": []}}, "x_content_parse_exception"),
]  # fmt: skip


async def _fill(wire: Wire, index: str) -> None:
    await create(wire, index, properties=PROPERTIES)
    await store(wire, index, DOCUMENTS)


class Queries:
    """What the query of a search selects. All cases of a table share one index, which makes them fast."""

    @pytest.mark.parametrize("cases", [TERMS, COMPOUND, WORDS], ids=["terms", "compound", "words"])
    async def test_query_selects_these_documents(
        self, wire: Wire, index: str, cases: list[tuple[str, Json, str]]
    ) -> None:
        await _fill(wire, index)
        selected = {name: await found(wire, index, query) for name, query, _ in cases}
        assert selected == {name: set(ids) for name, _, ids in cases}

    async def test_range_selects_these_documents(self, wire: Wire, index: str) -> None:
        await _fill(wire, index)
        selected = {name: await found(wire, index, {"range": query}) for name, query, _ in RANGES}
        assert selected == {name: set(ids) for name, _, ids in RANGES}

    async def test_text_is_cut_into_these_words(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties=PROPERTIES)
        await store(wire, index, {"1": {"t": "Don't foo_bar v1.5 e-mail über 中文"}})
        matched = {word: bool(await found(wire, index, {"match": {"t": word}})) for word, _ in TOKENS}
        assert matched == dict(TOKENS)

    @pytest.mark.parametrize(("query", "error_type"), [pytest.param(*case[1:], id=case[0]) for case in MALFORMED])
    async def test_malformed_query_is_refused(self, wire: Wire, index: str, query: object, error_type: str) -> None:
        searched = await wire("POST", f"/{index}/_search", {"query": query})
        counted = await wire("POST", f"/{index}/_count", {"query": query})
        # Parsed before the index is looked for.
        assert failure(searched) == Failure(400, error_type)
        assert failure(counted) == Failure(400, "parsing_exception")

    @pytest.mark.parametrize(
        "query", [{"term": {"n": "abc"}}, {"term": {"b": "yes"}}, {"range": {"d": {"gte": "no date"}}}]
    )
    async def test_value_that_the_field_cannot_have_is_refused(self, wire: Wire, index: str, query: Json) -> None:
        await _fill(wire, index)
        answer = await wire("POST", f"/{index}/_search", {"query": query})
        assert failure(answer) == ALL_SHARDS_FAILED

    async def test_count_counts_what_the_query_selects(self, wire: Wire, index: str) -> None:
        await _fill(wire, index)
        assert body_of(await wire("POST", f"/{index}/_count", {"query": {"term": {"n": 5}}})) == {
            "count": 2,
            "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        }
        assert body_of(await wire("GET", f"/{index}/_count"))["count"] == len(DOCUMENTS)

    async def test_terms_are_limited_to_65536(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties=PROPERTIES)
        most = [str(number) for number in range(65_536)]
        assert await found(wire, index, {"terms": {"k": most}}) == set()
        answer = await wire("POST", f"/{index}/_search", {"query": {"terms": {"k": [*most, "one more"]}}})
        assert failure(answer) == ALL_SHARDS_FAILED
