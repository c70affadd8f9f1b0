"""Mappings: parsed, shown, merged, and grown by documents. All of it was tried on Elasticsearch 8.19."""

from typing import Any

import pytest

from connectors.engine.embedded.mapping.mapping import Mapping, MappingSettings
from connectors.engine.embedded.refusal import Refusal

Json = dict[str, Any]
LONG = {"type": "long"}
TEXT = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}


def _of(**properties: Json) -> Json:
    return {"properties": properties}


SHOWN: list[tuple[Json, Json]] = [
    ({}, {}),
    ({"dynamic": True, "date_detection": True}, {"dynamic": "true", "date_detection": True}),
    ({"_meta": {}, "_source": {"enabled": True}, "_routing": {}}, {"_meta": {}}),
    (_of(**{"a.b": LONG, "a": _of(c=LONG)}), _of(a=_of(b=LONG, c=LONG))),
    (_of(**{"a.": LONG}), _of(a=LONG)),
    (_of(a={"properties": {}}), _of(a={"type": "object"})),
    (_of(a={"enabled": True}), _of(a={"type": "object"})),
    (_of(a={"type": "long", "index": "true", "store": False, "coerce": True}), _of(a={"type": "long", "coerce": True})),
    (_of(a={"type": "long", "null_value": "5"}), _of(a={"type": "long", "null_value": 5})),
    (_of(a={"type": "half_float", "null_value": 0.1}), _of(a={"type": "half_float", "null_value": 0.099975586})),
    (_of(a={"type": "keyword", "ignore_above": "10"}), _of(a={"type": "keyword", "ignore_above": 10})),
    (_of(a={"type": "date", "null_value": 5}), _of(a={"type": "date", "null_value": "5"})),
    (_of(a={"type": "text", "fields": {}, "index_options": "positions"}), _of(a={"type": "text"})),
]
BAD: list[tuple[object, str]] = [
    ({"foo": 1}, "Root mapping definition has unsupported parameters:  [foo : 1]"),
    ({"properties": 5}, "properties must be a map type"),
    (_of(a={}), "No type specified for field [a]"),
    (_of(a={"type": "long", "foo": 1}), "unknown parameter [foo] on mapper [a] of type [long]"),
    (_of(a={"type": "text", "null_value": "x"}), "unknown parameter [null_value] on mapper [a] of type [text]"),
    (_of(a={"type": "long", "index": None}), "[index] on mapper [a] of type [long] must not have a [null] value"),
    (_of(a={"type": "long", "index": 0}), "Failed to parse value [0] as only [true] or [false] are allowed."),
    (_of(a={"type": "long", "null_value": 1.5}), "Value [1.5] has a decimal part"),
    (_of(a={"type": "byte", "null_value": 128}), "Value [128] is out of range for a byte"),
    (_of(a={"type": "object", "foo": 1}), "Mapping definition for [a] has unsupported parameters:  [foo : 1]"),
    (_of(**{"": LONG}), "field name cannot be an empty string"),
    (_of(**{".": LONG}), "field name cannot contain only dots"),
    (_of(**{"a": LONG, "a.b": LONG}), "mapper [a] cannot be changed from type [long] to [ObjectMapper]"),
    (
        _of(a={"type": "long", "fields": {"k": {"type": "object"}}}),
        "Type [object] cannot be used in multi field",
    ),
]
UNIMPLEMENTED: list[Json] = [
    {"dynamic": "runtime"},
    {"_source": {"enabled": False}},
    {"dynamic_templates": [{"a": {"mapping": LONG}}]},
    _of(a={"type": "nested"}),
    _of(a={"type": "text", "analyzer": "english"}),
    _of(a={"type": "long", "copy_to": "b"}),
    _of(a={"type": "keyword", "normalizer": "lowercase"}),
]
CONFLICTS: list[tuple[Json, Json, int, str]] = [
    (LONG, {"type": "keyword"}, 400, "mapper [a] cannot be changed from type [long] to [keyword]"),
    (LONG, _of(x=LONG), 400, "can't merge a non object mapping [a] with an object mapping"),
    (
        LONG,
        {"type": "long", "index": False, "null_value": 1},
        400,
        "\n\t".join(
            (
                "Mapper for [a] conflicts with existing mapper:",
                "Cannot update parameter [index] from [true] to [false]",
                "Cannot update parameter [null_value] from [null] to [1]",
            )
        ),
    ),
    (
        {"type": "object"},
        {"type": "object", "enabled": False},
        500,
        "the [enabled] parameter can't be updated for the object mapping [a]",
    ),
]
REFUSED: list[tuple[Json, str, str]] = [
    ({"n": "abc"}, "document_parsing_exception",
     "failed to parse field [n] of type [long] in document with id '1'. Preview of field's value: 'abc'"),
    ({"o": 5}, "document_parsing_exception",
     "object mapping for [o] tried to parse field [o] as object, but found a concrete value"),
    ({"o": [1]}, "document_parsing_exception",
     "object mapping for [o] tried to parse field [null] as object, but found a concrete value"),
    ({"n.x": 1}, "document_parsing_exception",
     "failed to parse field [n] of type [long] in document with id '1'. Preview of field's value: '{x=1}'"),
    ({"": 1}, "document_parsing_exception", "failed to parse: field name cannot be an empty string"),
    ({"a..b": 1}, "document_parsing_exception",
     "failed to parse: field name cannot contain only whitespace: ['a..b']"),
    ({" ": 1}, "document_parsing_exception", "Field name cannot contain only whitespace: [ ]"),
    ({"_id": "5"}, "document_parsing_exception",
     "failed to parse field [_id] of type [_id] in document with id '1'. Preview of field's value: '5'"),
    ({"strict": {"x": None}}, "strict_dynamic_mapping_exception",
     "mapping set to strict, dynamic introduction of [x] within [strict] is not allowed"),
    ({"new": [1, "x"]}, "illegal_argument_exception", "mapper [new] cannot be changed from type [long] to [text]"),
    ({"new": ["x", 2]}, "illegal_argument_exception", "mapper [new] cannot be changed from type [text] to [long]"),
    ({"new": 2**63}, "document_parsing_exception",
     f"failed to parse field [new] of type [long] in document with id '1'. Preview of field's value: '{2**63}'"),
]  # fmt: skip
KNOWN = _of(
    n=LONG, o=_of(x=LONG), off={"type": "object", "enabled": False}, strict={"type": "object", "dynamic": "strict"}
)


@pytest.mark.parametrize(("body", "shown"), SHOWN)
def test_mapping_is_shown_without_what_goes_without_saying(body: Json, shown: Json) -> None:
    mapping = Mapping.parse(body)
    assert mapping.body() == shown
    assert Mapping.parse(mapping.body()).body() == shown


@pytest.mark.parametrize(("body", "reason"), BAD)
def test_invalid_mapping_is_refused(body: object, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        Mapping.parse(body)
    assert (refused.value.status, refused.value.kind) == (400, "mapper_parsing_exception")
    assert refused.value.reason == f"Failed to parse mapping: {reason}"


@pytest.mark.parametrize("body", UNIMPLEMENTED)
def test_what_is_not_implemented_is_refused(body: Json) -> None:
    with pytest.raises(Refusal, match="does not implement"):
        Mapping.parse(body)


def test_mapping_that_is_no_object_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        Mapping.parse([])
    assert refused.value.kind == "parse_exception"


@pytest.mark.parametrize(("old", "new", "status", "reason"), CONFLICTS)
def test_contradicting_mapping_is_refused(old: Json, new: Json, status: int, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        Mapping.parse(_of(a=old)).merge(Mapping.parse(_of(a=new)))
    assert (refused.value.status, refused.value.reason) == (status, reason)


def test_merged_mapping_has_the_fields_and_options_of_both() -> None:
    old = Mapping.parse({"_meta": {"a": 1}, "dynamic": "strict", **_of(a={"type": "keyword", "ignore_above": 5})})
    new = Mapping.parse(_of(a={"type": "keyword", "fields": {"t": {"type": "text"}}}, o=_of(x=LONG)))
    assert old.merge(new).body() == {
        "_meta": {"a": 1},
        "dynamic": "strict",
        **_of(a={"type": "keyword", "fields": {"t": {"type": "text"}}}, o=_of(x=LONG)),
    }
    assert old.body()["properties"] == {"a": {"type": "keyword", "ignore_above": 5}}


def test_fields_are_found_by_path_object_and_pattern() -> None:
    mapping = Mapping.parse(_of(t=TEXT, o=_of(x=LONG, p=_of(y=LONG)), mark={"type": "long", "index": False}))
    mark = mapping.field("mark")
    assert mark is not None
    assert (mark.indexed, mark.doc_values, mark.searchable) == (False, True, True)
    assert mapping.field("o") is None
    assert mapping.is_object("o.p")
    assert [field.path for field in mapping.fields_below("o")] == ["o.x", "o.p.y"]
    assert [field.path for field in mapping.matching("t*")] == ["t", "t.keyword"]
    assert [field.path for field in mapping.matching("*.x")] == ["o.x"]


@pytest.mark.parametrize(("source", "error_type", "reason"), REFUSED)
def test_document_is_refused(source: Json, error_type: str, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        Mapping.parse(KNOWN).index(source, "1")
    assert (refused.value.status, refused.value.kind, refused.value.reason) == (400, error_type, reason)


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"o": None},
        {"o": [[{"x": 1}]]},
        {"off": 5},
        {"off.x": {"": 1}},
        {"n": None},
        {"n": [[], None]},
        {"_doc_count": 1},
    ],
)
def test_document_adds_no_field(source: Json) -> None:
    assert Mapping.parse(KNOWN).index(source)[1] is None


def test_values_are_sorted_and_texts_are_not() -> None:
    mapping = Mapping.parse(
        _of(n=LONG, k={"type": "keyword"}, t=TEXT, gone={**LONG, "index": False, "doc_values": False})
    )
    entries, grown = mapping.index({"n": [3, 1, 1], "k": ["b", "a", "b"], "t": ["z", "y" * 257, "z"], "gone": 1})
    assert grown is None
    assert entries.values == {"n": (1, 1, 3), "k": ("a", "b"), "t.keyword": ("z",), "_ignored": ("t.keyword",)}
    assert entries.texts == {"t": ("z", "y" * 257, "z")}
    assert entries.present == frozenset()


def test_stored_field_exists_without_values() -> None:
    stored = {**LONG, "index": False, "doc_values": False, "store": True}
    entries, _ = Mapping.parse(_of(n=stored)).index({"n": 1})
    assert not entries.values
    assert entries.present == {"n"}


def test_fields_come_about_by_their_values() -> None:
    source = {
        "text": "word", "number": "5", "integer": 1, "fraction": 1.5, "boolean": True, "list": [None, 1],
        "time": "2024-01-31T10:00:00Z", "day": "2024/01/31", "o": [{"x": 1}, {"y.z": 2}], "dotted.name": 1,
        "null": None, "empty": [], "none": {}, "year": "2024", "bad": "2024-02-30",
    }  # fmt: skip
    _, grown = Mapping.parse({}).index(source)
    assert grown is not None
    assert grown.body()["properties"] == {
        "text": TEXT,
        "number": TEXT,
        "integer": LONG,
        "fraction": {"type": "float"},
        "boolean": {"type": "boolean"},
        "list": LONG,
        "time": {"type": "date"},
        "day": {"type": "date", "format": "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis", "locale": ""},
        "o": _of(x=LONG, y=_of(z=LONG)),
        "dotted": _of(name=LONG),
        "none": {"type": "object"},
        "year": TEXT,
        "bad": TEXT,
    }
    assert Mapping.parse(grown.body()).body() == grown.body()
    assert grown.index(source)[1] is None


def test_unknown_field_is_ignored_where_nothing_is_dynamic() -> None:
    mapping = Mapping.parse({"dynamic": False, **_of(o={"properties": {}, "dynamic": True})})
    entries, grown = mapping.index({"a": {"": 1}, "b": 2, "o": {"x": 1}})
    assert entries.values == {"o.x": (1,)}
    assert grown is not None
    assert grown.body()["properties"] == {"o": {"dynamic": "true", "properties": {"x": LONG}}}


def test_fields_are_limited() -> None:
    mapping = Mapping.parse(_of(a=LONG), MappingSettings(fields=2))
    with pytest.raises(Refusal) as refused:
        mapping.index({"b": "text"})
    assert refused.value.kind == "document_parsing_exception"
    with pytest.raises(Refusal, match=r"Limit of total fields \[2\] has been exceeded"):
        mapping.merge(Mapping.parse(_of(b=LONG, c=LONG)))


def test_depth_is_limited() -> None:
    deepest: object = 1
    for _ in range(20):
        deepest = {"o": deepest}
    assert isinstance(deepest, dict)
    _, grown = Mapping.parse({}).index(deepest)
    assert grown is not None
    with pytest.raises(Refusal, match=r"Limit of mapping depth \[20\]"):
        Mapping.parse({}).index({"o": deepest})
    with pytest.raises(Refusal, match=r"Limit of mapping depth \[20\]"):
        Mapping.parse(_of(o=grown.body()))


def test_long_array_of_floats_would_be_a_vector_and_is_refused() -> None:
    with pytest.raises(Refusal, match="dense_vector"):
        Mapping.parse({}).index({"v": [1.5] * 128})
    assert Mapping.parse({}).index({"v": [1.5] * 127})[1] is not None


def test_keyword_that_is_too_long_and_what_is_malformed_are_named() -> None:
    mapping = Mapping.parse(_of(t=TEXT, n=LONG, b={"type": "boolean"}), MappingSettings(ignore_malformed=True))
    entries, _ = mapping.index({"t": ["z" * 257, "a"], "n": "x", "b": [True, "maybe"], "new": [1, 2**70]})
    assert entries.values == {
        "t.keyword": ("a",),
        "b": (1,),
        "new": (1,),
        "_ignored": ("b", "n", "new", "t.keyword"),
    }


@pytest.mark.parametrize("field", [{"type": "boolean"}, {"type": "binary"}])
def test_values_that_nobody_reads_are_not_named(field: Json) -> None:
    body = {**field, "index": False, "doc_values": False} if field["type"] == "boolean" else field
    mapping = Mapping.parse(_of(a=body), MappingSettings(ignore_malformed=True))
    assert mapping.index({"a": "***"})[0].values == {}


@pytest.mark.parametrize("value", [{"x": 1}, [5, {"x": 1}]])
def test_object_in_place_of_a_value_is_refused_though_malformed_ones_are_ignored(value: object) -> None:
    mapping = Mapping.parse(_of(n=LONG), MappingSettings(ignore_malformed=True))
    with pytest.raises(Refusal, match=r"failed to parse field \[n\]"):
        mapping.index({"n": value})


def test_null_value_that_is_too_long_is_ignored() -> None:
    mapping = Mapping.parse(_of(k={"type": "keyword", "ignore_above": 3, "null_value": "NULL"}))
    assert mapping.index({"k": [None, "abc"]})[0].values == {"k": ("abc",), "_ignored": ("k",)}
