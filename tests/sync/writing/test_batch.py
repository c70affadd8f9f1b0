"""A batch: the bytes that engines understand, and the documents that can be had back from them."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.engine.records import Revision
from connectors.sync.document.encoding import encoded
from connectors.sync.document.prepared import Prepared, key_of
from connectors.sync.index.mark import Mark
from connectors.sync.writing.batch import Batch, Removal, Write
from tests.torture.bulk_body import actions_of

LONGS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(codec="utf-8"))
DOCUMENTS = st.dictionaries(
    TEXTS.filter(lambda name: name != "_sync"), st.none() | st.booleans() | LONGS | TEXTS | st.lists(TEXTS), max_size=5
)
WRITES = st.builds(
    Write,
    id=TEXTS.filter(bool),
    key=st.binary(min_size=16, max_size=16),
    fingerprint=LONGS,
    content=LONGS,
    held=st.booleans(),
    names=st.none() | st.lists(TEXTS, max_size=3),
)
REMOVALS = st.builds(
    Removal,
    TEXTS.filter(bool),
    st.binary(min_size=16, max_size=16),
    st.builds(Revision, st.integers(0, 2**53), st.integers(1, 2**31)),
)
ENTRIES = st.lists(st.tuples(WRITES, DOCUMENTS.map(encoded)) | st.tuples(REMOVALS, st.just(b"")), max_size=8)


def filled(entries: Sequence[tuple[Write | Removal, bytes]], *, version: int = 7, connector: str = "c") -> Batch:
    batch = Batch(version, connector)
    for operation, body in entries:
        batch.add(operation, body)
    return batch


def write(doc_id: str, **more: Any) -> Write:
    return Write(doc_id, key_of(doc_id), 1, **more)


def three() -> Batch:
    return filled([(write(one), b'{"n":"%b"}' % one.encode()) for one in "abc"])


def test_a_batch_is_the_body_of_a_bulk() -> None:
    batch = Batch(9, "mine")
    batch.add(Write("a", b"k" * 16, -5, 3, names=["body"]), b'{"n":1.50}')
    batch.add(Removal("b", b"k" * 16, Revision(4, 2)))
    batch.add(Write("c", b"k" * 16, 0), b"{}")
    assert batch.body() == (
        b'{"index":{"_id":"a","version":9,"version_type":"external_gte"}}\n'
        b'{"_sync":{"f":-5,"d":3,"o":9,"c":"mine","k":["body"]},"n":1.50}\n'
        b'{"delete":{"_id":"b","if_seq_no":4,"if_primary_term":2}}\n'
        b'{"index":{"_id":"c","version":9,"version_type":"external_gte"}}\n'
        b'{"_sync":{"f":0,"d":0,"o":9,"c":"mine"}}\n'
    )


@given(ENTRIES, st.integers(0, 2**63 - 1), TEXTS)
def test_a_batch_says_what_was_put_into_it(
    entries: list[tuple[Write | Removal, bytes]], version: int, connector: str
) -> None:
    batch = filled(entries, version=version, connector=connector)
    assert batch.size == len(batch.body())
    assert len(batch) == len(entries)
    found = [json.loads(line) for line in batch.body().split(b"\n")[:-1]]
    for operation, body in entries:
        if isinstance(operation, Removal):
            revision = operation.revision
            line = {"_id": operation.id, "if_seq_no": revision.seq_no, "if_primary_term": revision.primary_term}
            assert found.pop(0) == {"delete": line}
        else:
            line = {"_id": operation.id, "version": version, "version_type": "external_gte"}
            assert found.pop(0) == {"index": line}
            stored = found.pop(0)
            expected = Mark(operation.fingerprint, operation.content, version, connector, operation.names)
            assert Mark.of_source(stored) == expected
            del stored["_sync"]
            assert stored == json.loads(body)
    assert found == []


@given(ENTRIES, TEXTS)
def test_a_document_comes_back_byte_for_byte(entries: list[tuple[Write | Removal, bytes]], connector: str) -> None:
    batch = filled(entries, version=2**63 - 1, connector=connector)
    for place, (operation, body) in enumerate(entries):
        if isinstance(operation, Write):
            assert batch.document(place) == body


def test_a_removal_has_no_document() -> None:
    batch = filled([(Removal("a", b"k" * 16, Revision(1, 1)), b"")])
    with pytest.raises(TypeError):
        batch.document(0)


@given(ENTRIES)
def test_halves_are_the_whole_in_two_parts_under_its_version(entries: list[tuple[Write | Removal, bytes]]) -> None:
    batch = filled(entries, connector='"\\')
    first, second = batch.halves()
    assert first.operations + second.operations == batch.operations
    assert first.body() + second.body() == batch.body()
    assert len(second) - len(first) in {0, 1}
    for half in (first, second):
        assert (half.version, half.connector, half.size) == (7, '"\\', len(half.body()))


@given(st.data())
def test_what_is_kept_has_the_same_bytes(data: st.DataObject) -> None:
    entries = data.draw(ENTRIES)
    places = sorted(data.draw(st.sets(st.sampled_from(range(len(entries))))) if entries else set())
    batch = filled(entries)
    batch.keep(places)
    assert batch.body() == filled([entries[place] for place in places]).body()
    assert batch.operations == [entries[place][0] for place in places]
    assert batch.size == len(batch.body())


def test_documents_come_back_after_a_part_was_taken_away() -> None:
    batch = three()
    batch.keep([0, 2])
    assert [batch.document(place) for place in (0, 1)] == [b'{"n":"a"}', b'{"n":"c"}']
    _, second = three().halves()
    assert [second.document(place) for place in (0, 1)] == [b'{"n":"b"}', b'{"n":"c"}']


def test_operations_that_are_added_to_what_is_left_come_behind_it() -> None:
    batch = three()
    batch.keep([1])
    batch.add(write("d"), b"{}")
    assert [action.id for action in actions_of(batch.body())] == ["b", "d"]
    assert batch.size == len(batch.body())


def test_a_write_is_that_of_its_prepared_document() -> None:
    prepared = Prepared("a", key_of("a"), 5, b"{}")
    found = Write.of(prepared, 6, content=7, held=True, names=["body"])
    assert found == Write("a", key_of("a"), 6, 7, True, ["body"])
    assert found.mark(9, "mine") == Mark(6, 7, 9, "mine", ["body"])
