"""Mappings: what fields there are, what they accept, and how they come about."""

import pytest

from tests.contracts.engine.case import (
    ILLEGAL_ARGUMENT,
    INDEX_NOT_FOUND,
    UNPARSABLE_DOCUMENT,
    Failure,
    Item,
    Json,
    body_of,
    create,
    doc,
    failure,
    found,
    hits_of,
    items,
    ndjson,
    store,
)
from tests.contracts.wire import Wire

TEXT = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
TYPES = {
    "k": {"type": "keyword"},
    "n": {"type": "long"},
    "f": {"type": "double"},
    "d": {"type": "date"},
    "day": {"type": "date", "format": "yyyy-MM-dd||epoch_millis"},
    "b": {"type": "boolean"},
    "o": {"properties": {"x": {"type": "long"}}},
}
ACCEPTED: list[tuple[str, object]] = [
    ("k", 5), ("k", True), ("k", ["a", "b"]), ("k", None),
    ("n", 2**63 - 1), ("n", -(2**63)), ("n", 1.5), ("n", "7"), ("n", "1.5"), ("n", []),
    ("f", 1), ("f", "1e3"),
    ("d", "2024-01"), ("d", "2024-01-31"), ("d", "2024-01-31T10:00:00.123456789Z"), ("d", "2024-01-31T10:00:00+02:00"),
    ("d", 1_700_000_000_000), ("d", -1),
    ("day", "2024-01-31"), ("day", 1_700_000_000_000),
    ("b", "true"), ("b", "false"), ("b", ""),
    ("o", {}), ("o", None), ("o", [{"x": 1}, {"x": 2}]), ("o.x", 1),
]  # fmt: skip
REFUSED: list[tuple[str, object]] = [
    ("k", {"x": 1}),
    ("n", "abc"), ("n", 2**63), ("n", {"x": 1}), ("n", True),
    ("f", "abc"),
    ("d", "no date"), ("d", "2024-01-31 10:00:00"), ("d", "2024-13-31"), ("d", {"x": 1}),
    ("day", "2024-01-31T10:00:00Z"),
    ("b", "yes"), ("b", 1),
    ("o", "text"), ("o", 5),
    ("", 1), ("a..b", 1), (".a", 1), ("_id", "5"),
]  # fmt: skip


async def _mapping(wire: Wire, index: str) -> Json:
    mapping: Json = body_of(await wire("GET", f"/{index}/_mapping"))[index]["mappings"]
    return mapping


class Mappings:
    """The mapping of an index, and changes to it."""

    async def test_explicit_mapping_is_read_back(self, wire: Wire, index: str) -> None:
        mapping = {
            "dynamic": "strict",
            "_meta": {"pipeline": {"name": "p", "run": True}, "version": 1},
            "properties": {
                "free": {"type": "object", "dynamic": "true"},
                "k": {"type": "keyword", "ignore_above": 10},
                "mark": {"properties": {"f": {"type": "long", "index": False}}},
                "off": {"type": "object", "enabled": False},
                "t": TEXT,
            },
        }
        body_of(await wire("PUT", f"/{index}", {"mappings": mapping}))
        assert body_of(await wire("GET", f"/{index}/_mapping")) == {index: {"mappings": mapping}}
        assert body_of(await wire("GET", f"/{index}"))[index]["mappings"] == mapping

    async def test_index_without_a_mapping_has_an_empty_one(self, wire: Wire, index: str) -> None:
        body_of(await wire("PUT", f"/{index}", {"settings": {"number_of_replicas": 0}}))
        assert await _mapping(wire, index) == {}

    async def test_fields_are_added_and_kept(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties={"a": {"type": "long"}, "o": {"properties": {"x": {"type": "long"}}}})
        more = {"b": {"type": "keyword"}, "o": {"properties": {"y": {"type": "long"}}}}
        assert body_of(await wire("PUT", f"/{index}/_mapping", {"properties": more})) == {"acknowledged": True}
        assert (await _mapping(wire, index))["properties"] == {
            "a": {"type": "long"},
            "b": {"type": "keyword"},
            "o": {"properties": {"x": {"type": "long"}, "y": {"type": "long"}}},
        }

    async def test_type_of_a_field_cannot_change(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties={"a": {"type": "long"}})
        change = {"properties": {"a": {"type": "keyword"}, "b": {"type": "long"}}}
        assert failure(await wire("PUT", f"/{index}/_mapping", change)) == Failure(400, ILLEGAL_ARGUMENT)
        assert (await _mapping(wire, index))["properties"] == {"a": {"type": "long"}}

    async def test_meta_is_replaced_as_a_whole(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        for meta in ({"a": 1}, {"b": {"c": 2}}):
            body_of(await wire("PUT", f"/{index}/_mapping", {"_meta": meta}))
            assert (await _mapping(wire, index))["_meta"] == meta
        body_of(await wire("PUT", f"/{index}/_mapping", {"properties": {"n": {"type": "long"}}}))
        assert (await _mapping(wire, index))["_meta"] == {"b": {"c": 2}}

    @pytest.mark.parametrize("field", [{"type": "unheard_of"}, {"type": "long", "unheard_of": 1}])
    async def test_invalid_field_is_refused(self, wire: Wire, index: str, field: Json) -> None:
        refused = Failure(400, "mapper_parsing_exception")
        mapping = {"properties": {"a": field}}
        assert failure(await wire("PUT", f"/{index}", {"mappings": mapping})) == refused
        assert (await wire("HEAD", f"/{index}")).status == 404
        await create(wire, index)
        assert failure(await wire("PUT", f"/{index}/_mapping", mapping)) == refused

    async def test_mapping_of_a_missing_index_is_refused(self, wire: Wire, index: str) -> None:
        answer = await wire("PUT", f"/{index}/_mapping", {"properties": {}})
        assert failure(answer) == Failure(404, INDEX_NOT_FOUND)

    async def test_fields_come_about_by_their_values(self, wire: Wire, index: str) -> None:
        await create(wire, index)
        source = {
            "text": "word", "number": "5", "integer": 1, "fraction": 1.5, "boolean": True, "list": [None, 1],
            "time": "2024-01-31T10:00:00Z", "day": "2024-01-31", "object": {"x": 1}, "dotted.name": 1,
            "null": None, "empty": [], "none": {},
        }  # fmt: skip
        await wire("PUT", doc(index, "1"), source)
        assert (await _mapping(wire, index))["properties"] == {
            "text": TEXT,
            "number": TEXT,
            "integer": {"type": "long"},
            "fraction": {"type": "float"},
            "boolean": {"type": "boolean"},
            "list": {"type": "long"},
            "time": {"type": "date"},
            "day": {"type": "date"},
            "object": {"properties": {"x": {"type": "long"}}},
            "dotted": {"properties": {"name": {"type": "long"}}},
            "none": {"type": "object"},
        }

    async def test_unmapped_fields_are_stored_and_not_searched_when_not_dynamic(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties={"a": {"type": "long"}}, dynamic=False)
        await store(wire, index, {"1": {"a": 1, "b": 2, "o": {"x": 3}}})
        assert (await _mapping(wire, index)) == {"dynamic": "false", "properties": {"a": {"type": "long"}}}
        assert body_of(await wire("GET", doc(index, "1")))["_source"] == {"a": 1, "b": 2, "o": {"x": 3}}
        assert await found(wire, index, {"term": {"b": 2}}) == set()
        assert await found(wire, index, {"exists": {"field": "o.x"}}) == set()

    @pytest.mark.parametrize("source", [{"b": 1}, {"o": {"y": 1}}])
    async def test_unmapped_fields_are_refused_when_strict(self, wire: Wire, index: str, source: Json) -> None:
        await create(wire, index, properties={"o": {"properties": {"x": {"type": "long"}}}}, dynamic="strict")
        strict = "strict_dynamic_mapping_exception"
        assert failure(await wire("PUT", doc(index, "1"), source)) == Failure(400, strict)
        answered = items(await wire("POST", f"/{index}/_bulk", ndjson({"index": {"_id": "1"}}, source)))
        assert answered == [Item("index", "1", 400, strict)]
        assert (await wire("PUT", doc(index, "1"), {"o": {"x": 1}})).status == 201


class Values:
    """What fields accept."""

    async def test_fields_accept_these_values_and_keep_them(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties=TYPES)
        for field, value in ACCEPTED:
            answer = await wire("PUT", doc(index, "1"), {field: value})
            assert answer.status in {200, 201}, (field, value, answer)
            assert body_of(await wire("GET", doc(index, "1")))["_source"] == {field: value}

    async def test_fields_refuse_these_values(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties=TYPES)
        for field, value in REFUSED:
            refused = failure(await wire("PUT", doc(index, "1"), {field: value}))
            assert refused.status == 400, (field, value)
            assert refused.type in UNPARSABLE_DOCUMENT, (field, value)
        assert (await wire("HEAD", doc(index, "1"))).status == 404

    async def test_text_is_searched_and_its_keyword_is_exact(self, wire: Wire, index: str) -> None:
        raw = {"type": "keyword", "ignore_above": 5}
        await create(wire, index, properties={"t": {"type": "text", "fields": {"raw": raw}}})
        await store(wire, index, {"1": {"t": "Short"}, "2": {"t": "longer short"}})
        assert await found(wire, index, {"match": {"t": "short"}}) == {"1", "2"}
        assert await found(wire, index, {"term": {"t.raw": "Short"}}) == {"1"}
        # Longer than ignore_above: kept in the source and searched as text, and no keyword.
        assert await found(wire, index, {"exists": {"field": "t.raw"}}) == {"1"}
        values = {hit["_id"]: hit.get("fields") for hit in await hits_of(wire, index, {"docvalue_fields": ["t.raw"]})}
        assert values == {"1": {"t.raw": ["Short"]}, "2": None}

    async def test_disabled_object_takes_anything(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties={"off": {"type": "object", "enabled": False}}, dynamic="strict")
        sources: dict[str, Json] = {
            "1": {"off": {"a": {"b": [1, "x", {"c": 1}]}}},
            "2": {"off": "text"},
            "3": {"off": 5},
        }
        await store(wire, index, sources)
        assert await found(wire, index, {"exists": {"field": "off"}}) == set()
        assert {hit["_id"]: hit["_source"] for hit in await hits_of(wire, index, {})} == sources

    async def test_field_that_is_only_doc_values_is_still_found(self, wire: Wire, index: str) -> None:
        await create(wire, index, properties={"f": {"type": "long", "index": False}})
        await store(wire, index, {"1": {"f": 2**53 + 1}, "2": {"f": 2**53}})
        assert await found(wire, index, {"term": {"f": 2**53 + 1}}) == {"1"}
        assert await found(wire, index, {"range": {"f": {"lte": 2**53}}}) == {"2"}

    async def test_keyword_of_more_than_32766_bytes_is_refused(self, wire: Wire, index: str) -> None:
        # OpenSearch says illegal_argument_exception, and spends a sequence number that no answer carries: an audit that
        # counts operations sees a difference there, which is the safe side.
        await create(wire, index, properties={"k": {"type": "keyword"}})
        assert (await wire("PUT", doc(index, "1"), {"k": "k" * 32_766})).status == 201
        assert failure(await wire("PUT", doc(index, "2"), {"k": "k" * 32_767})).status == 400
        assert (await wire("HEAD", doc(index, "2"))).status == 404

    async def test_fields_of_an_index_are_limited_to_a_thousand(self, wire: Wire, index: str) -> None:
        # Refused as unparsable or as an illegal argument: a dead letter either way.
        await create(wire, index)
        answer = await wire("PUT", doc(index, "1"), {f"f{number}": 1 for number in range(1_001)})
        assert failure(answer).status == 400
        assert (await wire("HEAD", doc(index, "1"))).status == 404

    async def test_limit_of_fields_is_a_setting_from_the_creation_on(self, wire: Wire, index: str) -> None:
        named = {f"m{number}": {"type": "long"} for number in range(1_100)}
        settings = {"number_of_shards": 1, "number_of_replicas": 0, "index.mapping.total_fields.limit": 1_200}
        body_of(await wire("PUT", f"/{index}", {"settings": settings, "mappings": {"properties": named}}))
        fitting = await wire("PUT", doc(index, "1"), {f"f{number}": 1 for number in range(100)})
        assert (fitting.status, (await wire("PUT", doc(index, "2"), {"more": 1})).status) == (201, 400)

    async def test_deep_document_is_kept(self, wire: Wire, index: str) -> None:
        # From 1,001 levels on Elasticsearch refuses; OpenSearch has no limit, and from some depth on never answers.
        await create(wire, index, dynamic=False)
        source: Json = {"n": 1}
        for _ in range(100):
            source = {"o": source}
        assert (await wire("PUT", doc(index, "1"), source)).status == 201
        assert body_of(await wire("GET", doc(index, "1")))["_source"] == source
