import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.engine.records import Hit
from connectors.sync.index.mark import MOST_BATCHES, VERSION_BITS, Mark, epoch_of, marked, scanned_fingerprint, version

LONGS = st.integers(-(2**63), 2**63 - 1)
MARKS = st.builds(Mark, LONGS, LONGS, LONGS, st.text(), st.none() | st.lists(st.text()))
MARK = Mark(-1, 0, 8, "mine")
SOURCE = {"f": -1, "d": 0, "o": 8, "c": "mine"}
FIELDS = {"_sync.f": [-1], "_sync.o": [8]}


@given(MARKS, st.dictionaries(st.text().filter(lambda name: name != "_sync"), st.integers() | st.text()))
def test_a_marked_document_is_the_document_and_its_mark(mark: Mark, document: dict[str, Any]) -> None:
    found = json.loads(marked(json.dumps(document, separators=(",", ":")).encode(), mark))
    assert Mark.of_source(found) == mark
    names = {} if mark.k is None else {"k": mark.k}
    assert found.pop("_sync") == {"f": mark.f, "d": mark.d, "o": mark.o, "c": mark.c, **names}
    assert found == document


def test_the_bytes_of_a_document_stay_as_they_are() -> None:
    mark = b'{"_sync":{"f":-1,"d":0,"o":8,"c":"mine"}'
    assert marked(b'{"a":1.50}', MARK) == mark + b',"a":1.50}'
    assert marked(b"{}", MARK) == mark + b"}"


def test_a_scan_knows_a_document_by_its_mark_unless_somebody_wrote_to_it() -> None:
    assert scanned_fingerprint(Hit("notes", "1", version=8, fields=FIELDS)) == -1
    assert scanned_fingerprint(Hit("notes", "1", version=9, fields=FIELDS)) == 0


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"_sync": None},
        {"_sync": "done"},
        {"_sync": [SOURCE]},
        {"_sync": {}},
        {"_sync": {**SOURCE, "k": "body"}},
        {"_sync": {**SOURCE, "k": [1]}},
        *({"_sync": {name: value for name, value in SOURCE.items() if name != one}} for one in SOURCE),
        *(
            {"_sync": {**SOURCE, one: value}}
            for one in SOURCE
            for value in (None, 1.5, True, [1], "1")[: 5 - (one == "c")]
        ),
    ],
)
def test_somebody_elses_data_in_a_document_is_no_mark(source: dict[str, Any]) -> None:
    assert Mark.of_source({"_sync": SOURCE}) == MARK
    assert Mark.of_source(source) is None


@pytest.mark.parametrize(
    "fields",
    [
        None,
        {},
        {**FIELDS, "_sync.f": []},
        {**FIELDS, "_sync.f": [1, 2]},
        {**FIELDS, "_sync.f": ["1"]},
        {**FIELDS, "_sync.f": [True]},
        {**FIELDS, "_sync.f": [1.0]},
        {**FIELDS, "_sync.f": 1},
        {**FIELDS, "_sync.o": None},
        {**FIELDS, "_sync.o": ["8"]},
        *({name: value for name, value in FIELDS.items() if name != one} for one in FIELDS),
    ],
)
def test_somebody_elses_data_in_doc_values_is_no_fingerprint(fields: dict[str, Any] | None) -> None:
    assert scanned_fingerprint(Hit("notes", "1", version=8, fields=fields)) == 0


@given(st.integers(0, 2**42 - 1), st.integers(0, MOST_BATCHES - 1))
def test_a_version_orders_by_epoch_and_then_by_batch(epoch: int, batch: int) -> None:
    found = version(epoch, batch)
    assert (epoch_of(found), found & (MOST_BATCHES - 1)) == (epoch, batch)
    assert version(epoch, 0) <= found < version(epoch + 1, 0) <= 2**63
    assert VERSION_BITS == 21


@pytest.mark.parametrize("batch", [-1, MOST_BATCHES])
def test_a_batch_beyond_its_epoch_has_no_version(batch: int) -> None:
    with pytest.raises(ValueError, match="is not the number of a batch"):
        version(1, batch)
