import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest, xxh3_128_digest

from connectors.errors import DocumentSkipped
from connectors.sync.document.prepared import Preparer, content_digest, fingerprint, key_of, version_digest
from connectors.sync.document.shape import Shape
from connectors.sync.index.pipeline import Pipeline
from tests.sync.conversions import CONVERSIONS, ObjectId, Text, objects, texts

SHAPE = Shape("notes")
OTHER = Shape("notes", {"columns": "all"})
prepare = Preparer(SHAPE)


class Own(Enum):
    SYNC = "_sync"
    PART = "_sync.f"


class Id(StrEnum):
    ONE = "one"


def test_a_document_is_its_fields_in_order_and_without_its_id() -> None:
    document = {"b": 1, "_id": "é/1", "a": 2}
    found = prepare(document)
    assert found.body == '{"a":2,"b":1,"id":"é/1"}'.encode()
    assert (found.id, found.key) == ("é/1", xxh3_128_digest("é/1".encode()))
    assert found.metadata == xxh3_64_intdigest(found.body, SHAPE.seed)
    assert document == {"b": 1, "_id": "é/1", "a": 2}


@pytest.mark.parametrize("own", [5, None, ""])
def test_an_id_of_the_source_is_kept(own: object) -> None:
    assert json.loads(prepare({"_id": "x", "id": own}).body) == {"id": own}


def test_the_fields_of_a_pipeline_are_those_of_its_settings() -> None:
    extra = Pipeline("p", run_ml_inference=False).fields
    found = Preparer(SHAPE, extra)({"_id": "x", "_run_ml_inference": True, "z": 1})
    assert found.body == (
        b'{"_extract_binary_content":true,"_reduce_whitespace":true,"_run_ml_inference":false,"id":"x","z":1}'
    )


def test_another_shape_is_another_hash_of_the_same_bytes() -> None:
    one, other = prepare({"_id": "x"}), Preparer(OTHER)({"_id": "x"})
    assert one.body == other.body
    assert one.metadata != other.metadata


@pytest.mark.parametrize(
    ("given_id", "expected"),
    [
        ("x", "x"),
        (Text("raw"), "raw"),
        (Id.ONE, "one"),
        (0, "0"),
        (-(10**500), f"-1{'0' * 500}"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (ObjectId(), "507f1f77bcf86cd799439011"),
        ("é" * 256, "é" * 256),
        ("\x00\n\"", "\x00\n\""),
    ],
)  # fmt: skip
def test_an_id_is_a_text(given_id: object, expected: str) -> None:
    found = prepare({"_id": given_id})
    assert (found.id, json.loads(found.body)) == (expected, {"id": expected})
    assert type(found.id) is str
    assert found.key == key_of(expected)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "The document has no _id."),
        ({"_id": None}, "The document has no _id."),
        ({"_id": ""}, "The _id is empty."),
        ({"_id": Text("")}, "The _id is empty."),
        ({"_id": "é" * 257}, "The _id has 514 bytes; an engine takes 512."),
        ({"_id": 10**512}, "The _id is of the type int, which is no text."),
        ({"_id": True}, "The _id is of the type bool, which is no text."),
        ({"_id": 1.0}, "The _id is of the type float, which is no text."),
        ({"_id": b"x"}, "The _id is of the type bytes, which is no text."),
        ({"_id": ["x"]}, "The _id is of the type list, which is no text."),
        ({"_id": "a\ud800"}, "The _id holds half a character (a lone surrogate)."),
        (["_id"], "The document is of the type list, and no dict."),
        (None, "The document is of the type NoneType, and no dict."),
        ({"_id": "x", "_sync": 1}, "The document has a field _sync, and _sync is where its own state is kept."),
        ({"_id": "x", "_sync.": 1}, "The document has a field _sync., and _sync is where its own state is kept."),
        ({"_id": "x", "_sync.f": 1}, "The document has a field _sync.f, and _sync is where its own state is kept."),
        ({"_id": "x", Own.SYNC: 1}, "The document has a field _sync, and _sync is where its own state is kept."),
        ({"_id": "x", Own.PART: 1}, "The document has a field _sync.f, and _sync is where its own state is kept."),
        ({"_id": "x", "a": {"b": object()}}, "The field a.b is of the type object, which has no form in JSON."),
    ],
)
def test_what_no_index_takes_is_skipped(document: Any, reason: str) -> None:
    with pytest.raises(DocumentSkipped) as raised:
        prepare(document)
    assert raised.value.reason == reason


@pytest.mark.parametrize("name", ["_syncing", "a._sync", "sync", "_synced.f", "_index", "_source", "a\0_sync", "a b."])
def test_names_that_are_not_ours_are_kept(name: str) -> None:
    assert json.loads(prepare({"_id": "x", name: 1, "in": {"_sync": 1, "_id": 2}}).body) == {
        name: 1,
        "in": {"_sync": 1, "_id": 2},
        "id": "x",
    }


@pytest.mark.parametrize("first", ["", "A", "_", "_s", "_sync\n", "_sync ", "\n", '"', "_timestamp", "a"])
def test_a_field_that_would_be_the_mark_is_found_behind_any_other(first: str) -> None:
    for own in ("_sync", "_sync.f"):
        with pytest.raises(DocumentSkipped, match="where its own state is kept"):
            prepare({"_id": "x", own: 1, first: 1})


class Broken(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise OSError("s3cret")

    def __iter__(self) -> Iterator[str]:
        yield "_id"

    def __len__(self) -> int:
        return 1


def test_a_mapping_is_a_document_unless_it_fails() -> None:
    assert prepare(MappingProxyType({"_id": "x", "a": 1})).body == b'{"a":1,"id":"x"}'
    with pytest.raises(DocumentSkipped) as raised:
        prepare(Broken())
    assert str(raised.value) == "The document can't be read as a dict (OSError)."


@settings(max_examples=150)
@given(st.dictionaries(texts() | st.sampled_from(["_id", "_sync", "_sync.f", "id"]), objects(), max_size=4))
def test_a_document_that_is_refused_leaves_nothing_behind(poison: dict[str, Any]) -> None:
    own = Preparer(SHAPE)
    before = deepcopy(prepare({"_id": "x", "a": 1}))
    with suppress(DocumentSkipped):
        found = own(poison)
        assert not {name for name in json.loads(found.body) if name.split(".")[0] == "_sync"}
        assert 0 < len(found.id.encode()) <= 512
    assert own({"_id": "x", "a": 1}) == before


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1))
def test_a_fingerprint_is_a_long_and_never_zero(one: int, other: int, content: int) -> None:
    found = fingerprint(one, content)
    assert -(2**63) <= found < 2**63
    assert found != 0
    if content:
        assert (found == fingerprint(other, content)) is (one == other)
        assert found != fingerprint(one, 0)


def test_a_fingerprint_without_content_is_the_hash_of_the_metadata() -> None:
    assert [fingerprint(one, 0) for one in (0, 1, 2**63 - 1, 2**63, 2**64 - 1)] == [1, 1, 2**63 - 1, -(2**63), -1]


def test_contents_of_each_kind_and_extraction_differ() -> None:
    other = Shape("notes", extraction={"language": "de"})
    found = [
        version_digest("a", SHAPE),
        version_digest("a", other),
        version_digest("b", SHAPE),
        version_digest("\ud800", SHAPE),
        content_digest(b"a", SHAPE),
        content_digest(b"a", other),
        content_digest(b"", SHAPE),
        content_digest({"a": 1}, SHAPE),
        content_digest(b'{"a":1}', SHAPE),
        content_digest({}, SHAPE),
    ]
    assert len({*found}) == len(found)
    assert [one for one in found if not -(2**63) <= one < 2**63 or one == 0] == []
    assert version_digest("a", OTHER) == version_digest("a", SHAPE)
    assert content_digest({"a": 1, "b": 2}, SHAPE) == content_digest({"b": 2, "a": 1}, OTHER)


def test_a_content_that_has_no_form_is_skipped() -> None:
    with pytest.raises(DocumentSkipped, match="The field a is of the type object"):
        content_digest({"a": object()}, SHAPE)


def test_every_conversion_is_prepared() -> None:
    for number, (value, expected) in enumerate(CONVERSIONS):
        assert prepare({"_id": number, "v": value}).body.decode() == f'{{"id":"{number}","v":{expected}}}'
