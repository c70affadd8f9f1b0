import math
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.dataset import LONGEST_ID, Dataset, apart, document_id

Key = tuple[object, ...]
SURROGATES = st.characters(categories=["Cs"])
LOOKALIKES = [
    "null",
    "True",
    "nan",
    "-inf",
    "Infinity",
    "1",
    "-1",
    "1.0",
    "1e3",
    "uuid:",
    "bytes:00",
    '"',
    "%22",
    "%u",
    "",
]
TEXTS = (
    st.text()
    | st.sampled_from(LOOKALIKES)
    | st.text(st.sampled_from('/%"#:u2F5a1é.-') | SURROGATES)
    | st.text(st.characters(), min_size=100)
)
ZONES = st.just(UTC) | st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**30, 10**40),
    st.floats(),
    st.decimals(),
    TEXTS,
    st.binary(max_size=40),
    st.uuids(),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=ZONES),
    st.timedeltas(),
)
KEYS = st.lists(VALUES, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ((5,), "t/5"),
        ((-5, "abc"), "t/-5/abc"),
        (("5",), 't/"5"'),
        (("a b.c-d_é",), "t/a b.c-d_é"),
        (("a/b",), 't/"a%2Fb"'),
        (("null", None), 't/"null"/null'),
        (("Null", "NaN", "true"), 't/"Null"/"NaN"/"true"'),
        ((True, False), "t/true/false"),
        ((b"\x00\xff", bytearray(b"a"), memoryview(b"b")), "t/bytes:00ff/bytes:61/bytes:62"),
        ((1.0, 0.1, 1e22, math.nan, math.inf), "t/1.0/0.1/1e+22/float:nan/float:inf"),
        ((Decimal("5.00"), Decimal("1E+3"), Decimal("-0")), "t/5/1000/0"),
        ((Decimal("0.1"), Decimal("NaN"), Decimal("sNaN")), "t/decimal:0.1/decimal:NaN/decimal:sNaN"),
        ((Decimal("1E+999999"),), "t/decimal:1E+999999"),
        ((10**30, Decimal(10**30)), f"t/1{'0' * 30}/1{'0' * 30}"),
        ((date(2024, 1, 2), time(3, 4)), "t/date:2024-01-02/time:03:04:00"),
        ((datetime(2024, 1, 2, 3, 4),), "t/datetime:2024-01-02T03:04:00"),  # noqa: DTZ001 - without a zone
        ((datetime(2024, 1, 2, 3, 4, tzinfo=UTC),), "t/datetime:2024-01-02T03:04:00+00:00"),
        ((UUID(int=1),), "t/uuid:00000000-0000-0000-0000-000000000001"),
        (("uuid:00000000-0000-0000-0000-000000000001",), 't/"uuid:00000000-0000-0000-0000-000000000001"'),
        (("a\ud800", "%uD800"), 't/"a%uD800"/"%25uD800"'),
        (("",), 't/""'),
        ((), "t"),
        ((ip_address("::1"),), 't/IPv6Address:"::1"'),
        ((["a", 1],), "t/list:\"['a', 1]\""),
    ],
)
def test_an_id_is_readable(key: Key, expected: str) -> None:
    assert document_id("t", key) == expected


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [("main.users", "main.users/1"), ("a/1", "a%2F1/1"), ('"%', "%22%25/1"), ("\ud800", "%uD800/1")],
)
def test_a_dataset_is_told_from_its_keys(dataset: str, expected: str) -> None:
    assert document_id(dataset, [1]) == expected


def test_a_text_of_a_type_of_its_own_is_a_text() -> None:
    class Color(StrEnum):
        RED = "red"

    assert document_id("t", [Color.RED]) == "t/red"


def test_an_instant_is_the_same_in_every_zone() -> None:
    here = datetime(2024, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2)))
    assert document_id("t", [here]) == document_id("t", [here.astimezone(UTC)])


def test_the_ends_of_the_calendar_have_ids() -> None:
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
    assert document_id("t", [first]) == "t/datetime:0001-01-01T00:00:00+01:00"


def test_a_long_id_ends_in_a_hash() -> None:
    long = "x" * LONGEST_ID
    found = document_id("t", [long])
    assert found == f"t/{'x' * (LONGEST_ID - 52)}%#a99cd2f407e86036de5b75d17c98c5c0f1cfd514"
    assert document_id("t", ["x" * (LONGEST_ID - 2)]) == f"t/{'x' * (LONGEST_ID - 2)}"


def test_long_ids_differ_in_what_was_cut_off() -> None:
    ids = {document_id("t", ["x" * 1000 + end]) for end in ("", "a", "b")} | {document_id("t", ["é" * 1000, 10**5000])}
    assert len(ids) == 4


@given(KEYS, KEYS, st.sampled_from(["t", "t/1", "t%2F1", '"t"', "t/null", "é", ""]), TEXTS)
def test_different_keys_have_different_ids(one: Key, other: Key, dataset: str, another: str) -> None:
    if not same(one, other):
        assert document_id(dataset, one) != document_id(dataset, other)
    if dataset != another:
        assert document_id(dataset, one) != document_id(another, one)
        assert document_id(dataset, one) != document_id(another, other)


@given(
    st.lists(
        st.sampled_from([*LOOKALIKES, 1, 1.5, True, False, None, b"", b"\0", math.nan, Decimal("1.5")]), max_size=3
    ),
    KEYS,
)
def test_what_looks_alike_has_different_ids(one: Sequence[object], other: Key) -> None:
    for key in (other, tuple(str(value) for value in one)):
        if not same(tuple(one), key):
            assert document_id("t", one) != document_id("t", key)


@given(TEXTS, KEYS)
def test_an_id_is_short_valid_and_the_same_each_time(dataset: str, key: Key) -> None:
    found = document_id(dataset, key)
    assert len(found.encode("utf-8", "strict")) <= LONGEST_ID <= 512
    assert found == document_id(dataset, list(key))


def test_an_id_is_the_same_in_every_process() -> None:
    code = "from connectors.dataset import document_id; print(document_id('t', ['a', 5, b'c', None, 'x' * 999]))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {f"{document_id('t', ['a', 5, b'c', None, 'x' * 999])}\n".encode()}


def same(one: Key, other: Key) -> bool:
    """Return whether two keys are one and the same: as equal values of one type, or equal numbers."""
    return len(one) == len(other) and all(map(same_value, one, other))


def same_value(one: object, other: object) -> bool:
    kinds = (type(one), type(other))
    if kinds == (datetime, datetime):
        assert isinstance(one, datetime)
        assert isinstance(other, datetime)
        return (one.utcoffset() is None) == (other.utcoffset() is None) and one == other
    if {int, Decimal} == set(kinds) or kinds == (Decimal, Decimal):
        return str(one) == str(other) or (not is_nan(one) and not is_nan(other) and one == other)
    if kinds == (float, float):
        return repr(one) == repr(other)
    return kinds[0] is kinds[1] and one == other


def is_nan(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_nan()


def test_a_dataset_knows_its_columns_and_keys() -> None:
    schema = {"properties": {"id": {"type": "integer"}, "part": {"type": "string"}, "text": {"type": "string"}}}
    dataset = Dataset("letters", schema=schema, primary_key=("part", "id"))
    assert dataset.columns == ("id", "part", "text")
    assert dataset.key_of({"id": 1, "part": "a", "text": "dear"}) == ("a", 1)


def test_a_dataset_without_a_schema_has_no_columns() -> None:
    assert (Dataset("letters").columns, Dataset("letters").key_of({"id": 1})) == ((), ())


def test_datasets_can_be_told_apart_and_looked_up() -> None:
    one, other = Dataset("a", schema={"properties": {}}), Dataset("a", group="b")
    assert one != other
    assert {one: 1, other: 2}[Dataset("a", schema={"properties": {}})] == 1


def test_a_column_of_a_name_that_is_taken_gets_underscores_until_it_is_free() -> None:
    taken = {"_id", "dataset", "dataset_"}
    plain = {"id": 1, "Dataset": 2, "dataset__": 3}
    assert apart(plain, taken) is plain
    row = {"_id": 1, "dataset": 2, "dataset_": 3, "dataset___": 4, "_id_": 5}
    assert apart(row, taken) == {"_id__": 1, "dataset__": 2, "dataset____": 3, "dataset___": 4, "_id_": 5}
