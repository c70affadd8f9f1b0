"""Malformed values: those that a field can't hold, where an index, or the field, takes the document without them."""

from typing import Any

import pytest

from tests.contracts.engine.case import (
    ILLEGAL_ARGUMENT,
    UNPARSABLE_DOCUMENT,
    Failure,
    Json,
    body_of,
    doc,
    failure,
    found,
    hits_of,
    store,
)
from tests.contracts.wire import Wire

SETTING = "index.mapping.ignore_malformed"
TYPES: Json = {
    **{kind: {"type": kind} for kind in ("long", "integer", "short", "byte", "double", "float", "half_float", "date")},
    "strict": {"type": "long", "coerce": False},
    "day": {"type": "date", "format": "yyyy-MM-dd"},
    "hidden": {"type": "long", "index": False, "doc_values": False},
    "o": {"properties": {"x": {"type": "long"}}},
    "parts": {"type": "keyword", "fields": {"n": {"type": "long"}}},
}
IGNORED: list[tuple[str, object]] = [
    ("long", "abc"), ("long", 2**63), ("long", 2**70), ("long", True), ("integer", 2**31), ("short", 40_000),
    ("byte", 128), ("double", "NaN"), ("float", 1e300), ("half_float", 1e30), ("strict", "5"), ("strict", 1.5),
    ("hidden", "abc"), ("o.x", "abc"), ("parts.n", "abc"),
    ("date", "infinity"), ("date", "-infinity"), ("date", "0044-03-15 BC"), ("date", "10000-01-01T00:00:00"),
    ("date", "294276-12-31 23:59:59"), ("date", "0000-00-00"), ("date", ""), ("date", True),
    ("day", "2024-01-31T10:00:00Z"),
]  # fmt: skip
REFUSED: list[tuple[str, object]] = [("o", 5), ("o", "text"), ("a..b", 1), ("parts", "x" * 33_000)]
CONTRADICTIONS: list[Json] = [
    {"new": ["2020-01-01", "infinity"]}, {"new": ["infinity", "2020-01-01"]}, {"new": [1, "abc"]},
    {"new": [{"a": 1}, {"a": "b"}]}, {"new": [1, {"a": 1}]},
]  # fmt: skip


async def _create(wire: Wire, index: str, properties: Json, setting: Any = True) -> None:
    settings = {SETTING: setting, "number_of_replicas": 0, "number_of_shards": 1, "refresh_interval": "-1"}
    body_of(await wire("PUT", f"/{index}", {"settings": settings, "mappings": {"properties": properties}}))


def _document(path: str, value: object) -> Json:
    return {path.removesuffix(".n"): value}


class Malformed:
    """What becomes of a value that does not fit its field, and of the document that it stands in."""

    async def test_index_ignores_what_a_field_can_not_hold_and_keeps_it(self, wire: Wire, index: str) -> None:
        await _create(wire, index, TYPES)
        documents = {str(number): _document(path, value) for number, (path, value) in enumerate(IGNORED)}
        await store(wire, index, documents)
        hits = await hits_of(wire, index, {"size": 100})
        assert {hit["_id"]: hit["_source"] for hit in hits} == documents
        assert [hit.get("_ignored") for hit in sorted(hits, key=lambda hit: int(hit["_id"]))] == [
            [path] for path, _ in IGNORED
        ]
        for path in {path for path, _ in IGNORED} - {"parts.n"}:
            assert await found(wire, index, {"exists": {"field": path}}) == set(), path

    async def test_other_values_of_the_field_and_the_document_are_found(self, wire: Wire, index: str) -> None:
        await _create(wire, index, {"d": {"type": "date"}, "n": {"type": "long"}, "k": {"type": "keyword"}})
        await store(wire, index, {"1": {"d": ["infinity", "2024-01-31"], "n": [["x"], 5], "k": "a"}, "2": {"n": 5}})
        assert await found(wire, index, {"range": {"d": {"gte": "2024-01-01"}}}) == {"1"}
        assert await found(wire, index, {"term": {"n": 5}}) == {"1", "2"}
        assert await found(wire, index, {"term": {"k": "a"}}) == {"1"}
        [first, second] = await hits_of(wire, index, {"sort": ["n", "k"], "docvalue_fields": ["d", "n"]})
        assert first["fields"] == {"d": ["2024-01-31T00:00:00.000Z"], "n": [5]}
        # Elasticsearch names them sorted, OpenSearch in the order of the document.
        assert set(first["_ignored"]) == {"d", "n"}
        assert "_ignored" not in second

    async def test_field_comes_about_by_its_first_value_and_ignores_later_ones(self, wire: Wire, index: str) -> None:
        await _create(wire, index, {})
        await store(wire, index, {"1": {"d": "2024-01-31", "n": 1}, "2": {"d": "infinity", "n": "many"}})
        kinds = (await wire("GET", f"/{index}/_mapping")).body[index]["mappings"]["properties"]
        assert kinds == {"d": {"type": "date"}, "n": {"type": "long"}}
        assert await found(wire, index, {"term": {"_ignored": "d"}}) == {"2"}
        # The first value is too large for the field that it makes.
        await store(wire, index, {"3": {"big": 2**70}})
        assert await found(wire, index, {"term": {"_ignored": "big"}}) == {"3"}

    async def test_documents_are_found_by_what_was_ignored(self, wire: Wire, index: str) -> None:
        await _create(wire, index, {"a": {"type": "long"}, "b": {"type": "date"}})
        await store(wire, index, {"1": {"a": "x"}, "2": {"a": "x", "b": "y"}, "3": {"a": 1}})
        expected: list[tuple[Json, set[str]]] = [
            ({"exists": {"field": "_ignored"}}, {"1", "2"}),
            ({"exists": {"field": "_ign*"}}, {"1", "2"}),
            ({"exists": {"field": "_i*"}}, {"1", "2", "3"}),  # they all have an _id
            ({"term": {"_ignored": "b"}}, {"2"}),
            ({"terms": {"_ignored": ["b", "c"]}}, {"2"}),
            ({"prefix": {"_ignored": "a"}}, {"1", "2"}),
            ({"match": {"_ignored": "a"}}, {"1", "2"}),
            ({"bool": {"must_not": {"term": {"_ignored": "a"}}}}, {"3"}),
        ]
        for query, ids in expected:
            assert await found(wire, index, query) == ids, query

    async def test_a_later_version_is_no_longer_found_by_what_was_ignored(self, wire: Wire, index: str) -> None:
        await _create(wire, index, {"a": {"type": "long"}})
        await store(wire, index, {"1": {"a": "x"}})
        body_of(await wire("POST", f"/{index}/_update/1?refresh=true", {"doc": {"a": 5}}))
        assert await found(wire, index, {"exists": {"field": "_ignored"}}) == set()
        [hit] = await hits_of(wire, index, {})
        assert "_ignored" not in hit

    async def test_what_is_no_value_at_all_is_still_refused(self, wire: Wire, index: str) -> None:
        await _create(wire, index, TYPES)
        for path, value in REFUSED:
            refused = failure(await wire("PUT", doc(index, "1"), {path: value}))
            assert refused.status == 400, path
            # OpenSearch says of a term that is too long that it is an illegal argument.
            assert refused.type in {*UNPARSABLE_DOCUMENT, ILLEGAL_ARGUMENT}, path
        # An object where there should be a value is refused by Elasticsearch, and kept by OpenSearch: a dead letter on
        # the one, a field that finds nothing on the other.
        answer = await wire("PUT", doc(index, "1", "refresh=true"), {"long": {"x": 1}})
        if answer.status == 400:
            assert failure(answer).type in UNPARSABLE_DOCUMENT
        else:
            assert answer.status == 201
        assert await found(wire, index, {"exists": {"field": "long"}}) == set()

    @pytest.mark.parametrize("source", CONTRADICTIONS)
    async def test_values_of_a_new_field_may_not_contradict_each_other(
        self, wire: Wire, index: str, source: Json
    ) -> None:
        await _create(wire, index, {})
        assert failure(await wire("PUT", doc(index, "1"), source)).status == 400

    async def test_a_field_says_so_itself(self, wire: Wire, index: str) -> None:
        kinds = ("long", "double", "date")
        await _create(wire, index, {one: {"type": one, "ignore_malformed": True} for one in kinds}, setting=False)
        await store(wire, index, {"1": dict.fromkeys(kinds, "abc"), "2": {"long": 5}})
        [hit] = await hits_of(wire, index, {"query": {"exists": {"field": "_ignored"}}})
        assert (hit["_id"], sorted(hit["_ignored"])) == ("1", ["date", "double", "long"])
        assert await found(wire, index, {"exists": {"field": "long"}}) == {"2"}

    async def test_mapping_shows_what_fields_say(self, wire: Wire, index: str) -> None:
        given = {
            f"{kind}_{said}": {"type": kind, "ignore_malformed": said}
            for kind in ("long", "date")
            for said in (True, False)
        }
        for setting in (True, False):
            await _create(wire, f"{index}-{setting}".lower(), given, setting)
            shown = (await wire("GET", f"/{index}-{setting}/_mapping".lower())).body
            [mapping] = [one["mappings"]["properties"] for one in shown.values()]
            # Dates leave out what goes without saying.
            expected = {name: body for name, body in given.items() if name.startswith("long")}
            expected |= {f"date_{setting}": {"type": "date"}}
            expected |= {f"date_{not setting}": {"type": "date", "ignore_malformed": not setting}}
            assert mapping == expected

    async def test_setting_is_shown_and_can_not_be_changed(self, wire: Wire, index: str) -> None:
        await _create(wire, index, {})
        shown = body_of(await wire("GET", f"/{index}/_settings?flat_settings=true"))[index]["settings"]
        assert shown[SETTING] == "true"
        for value in (False, True, None):
            refused = failure(await wire("PUT", f"/{index}/_settings", {SETTING: value}))
            assert refused == Failure(400, ILLEGAL_ARGUMENT)

    @pytest.mark.parametrize("value", ["maybe", "", 1])
    async def test_setting_is_true_or_false(self, wire: Wire, index: str, value: object) -> None:
        refused = failure(await wire("PUT", f"/{index}", {"settings": {SETTING: value}}))
        assert refused == Failure(400, ILLEGAL_ARGUMENT)
