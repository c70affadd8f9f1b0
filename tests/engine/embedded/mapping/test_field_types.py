"""Types of fields: what they read, what queries compare with it, and what they show. Tried on Elasticsearch 8.19."""

import math

import pytest

from connectors.engine.embedded.mapping.field_types import (
    Binary,
    Boolean,
    Bound,
    Date,
    FieldType,
    Keyword,
    Malformed,
    Text,
)
from connectors.engine.embedded.mapping.java_numbers import double_text
from connectors.engine.embedded.mapping.number_types import Byte, Double, Float, HalfFloat, Integer, Long, Short
from connectors.engine.embedded.refusal import Refusal

READ: list[tuple[FieldType, object, list[object]]] = [
    (Long(), 5.9, [5]),
    (Long(), "-5.9", [-5]),
    (Long(), "", []),
    (Long(null_value=7), "", [7]),
    (Long(null_value=7), [None, 3], [3, 7]),
    (Long(), "1e3", [1000]),
    (Long(), "9223372036854775807.9", [2**63 - 1]),
    (Long(), 9.223372036854775807e18, [2**63 - 1]),
    (Long(), [[3, [1]], 2, 1], [1, 1, 2, 3]),
    (Long(coerce=False), 5.0, [5]),
    (Integer(), "0x1p3", [8]),
    (Short(), " 5 ", [5]),
    (Byte(), "127.9", [127]),
    (Double(), 1, [1.0]),
    (Double(), "5d", [5.0]),
    (Double(), 2**53 + 1, [2.0**53]),
    (Float(), 0.1, [0.10000000149011612]),
    (Float(), 16_777_217, [16_777_216.0]),
    (HalfFloat(), 65_519, [65_504.0]),
    (Boolean(), ["true", "", True], [0, 1, 1]),
    (Keyword(), ["b", "a", "b", 5, True, 1.5], ["1.5", "5", "a", "b", "true"]),
    (Keyword(ignore_above=3), ["abc", "abcd", "😀", "😀😀"], ["abc", "😀"]),
    (Keyword(), "\ud800", ["?"]),
    (Keyword(), "k" * 32_766, ["k" * 32_766]),
    (Text(), ["b", "a", 5], ["b", "a", "5"]),
    (Date(), [2024, "1970-01-01"], [0, 1_704_067_200_000]),
    (Binary(stored=True), "aGVsbG8=", []),
    (Binary(), "###", []),
]
REFUSED: list[tuple[FieldType, object]] = [
    (Long(), 2**63), (Long(), -(2**63) - 1), (Long(), 1e19), (Long(), True), (Long(), {"x": 1}), (Long(), "abc"),
    (Long(), " 5"), (Long(), "0x10"), (Long(), "NaN"), (Long(), "1_000"), (Long(), "1e400"),
    (Long(coerce=False), 5.5), (Long(coerce=False), "5"),
    (Integer(), 2_147_483_647.9), (Short(), 32_768), (Byte(), 128.5),
    (Double(), "NaN"), (Double(), "1e309"), (Double(), True), (Float(), 3.5e38), (HalfFloat(), 65_520),
    (Boolean(), 1), (Boolean(), "True"), (Boolean(), {}),
    (Keyword(), {"x": 1}), (Keyword(), "k" * 32_767), (Keyword(), "é" * 16_384), (Text(), {"x": 1}),
    (Date(), ""), (Date(), "no date"), (Date(), True), (Date(), {}),
    (Binary(stored=True), "###"), (Binary(stored=True), "aGVsbG8"), (Binary(stored=True), 5),
]  # fmt: skip
QUERIED: list[tuple[FieldType, object, object]] = [
    (Long(), 5.0, 5),
    (Long(), "5.0e0", 5),
    (Long(), 5.5, 5.5),
    (Long(), 2**63, 2.0**63),
    (Integer(), "5d", 5),
    (Float(), 0.1, 0.10000000149011612),
    (HalfFloat(), 70_000, math.inf),
    (Keyword(), True, "true"),
    (Keyword(), 1e10, "1.0E10"),
    (Boolean(), "true", 1),
    (Date(), "2024-01-31", 1_706_659_200_000),
    (Date(), 2024, 2024),
]
NOT_QUERIED: list[tuple[FieldType, object, str]] = [
    (Long(), "abc", "number_format_exception"),
    (Long(), "", "number_format_exception"),
    (Double(), True, "number_format_exception"),
    (Boolean(), "", "illegal_argument_exception"),
    (Boolean(), 1, "illegal_argument_exception"),
    (Date(), "no date", "parse_exception"),
    (Date(), 1_706_695_200_000.5, "parse_exception"),
    (Binary(), "x", "illegal_argument_exception"),
]
DAY = 1_706_659_200_000
LAST = DAY + 86_399_999


@pytest.mark.parametrize(("kind", "raw", "stored"), READ)
def test_value_is_stored_as(kind: FieldType, raw: object, stored: list[object]) -> None:
    found = kind.parse(raw)
    assert found == stored
    assert [type(value) for value in found] == [type(value) for value in stored]


@pytest.mark.parametrize(("kind", "raw"), REFUSED)
def test_value_that_the_type_cannot_have_is_malformed(kind: FieldType, raw: object) -> None:
    with pytest.raises(Malformed):
        kind.parse(raw)


@pytest.mark.parametrize(("kind", "raw", "value"), QUERIED)
def test_value_of_a_query_is_compared_as(kind: FieldType, raw: object, value: object) -> None:
    assert kind.query_value(raw) == value


@pytest.mark.parametrize(("kind", "raw", "error_type"), NOT_QUERIED)
def test_value_that_a_query_cannot_have_is_refused(kind: FieldType, raw: object, error_type: str) -> None:
    with pytest.raises(Refusal) as refused:
        kind.query_value(raw)
    assert (refused.value.status, refused.value.kind) == (400, error_type)


@pytest.mark.parametrize(
    ("upper", "inclusive", "bound"),
    [(False, True, DAY), (False, False, LAST + 1), (True, True, LAST), (True, False, DAY - 1)],
)
def test_bound_that_names_a_day_means_all_of_it(upper: bool, inclusive: bool, bound: int) -> None:
    assert Date().query_bound("2024-01-31", upper=upper, inclusive=inclusive) == Bound(bound, inclusive=True)


def test_term_of_a_date_means_the_whole_day() -> None:
    assert Date().term_bounds("2024-01-31") == (Bound(DAY, inclusive=True), Bound(LAST, inclusive=True))
    assert Long().term_bounds(5) is None


def test_bound_can_have_a_format_and_a_zone_of_its_own() -> None:
    bound = Date().query_bound("31.01.2024", upper=False, inclusive=True, pattern="dd.MM.yyyy", time_zone="+01:00")
    assert bound == Bound(DAY - 3_600_000, inclusive=True)


def test_bound_of_a_half_float_is_not_rounded_as_far_as_its_values() -> None:
    bound = HalfFloat().query_bound(0.1, upper=False, inclusive=True)
    assert isinstance(bound.value, float)
    assert bound.value > 0.0999755859375


@pytest.mark.parametrize("raw", [2**63, 1e30, -1e30, "1e30"])
def test_bound_beyond_64_bits_is_refused(raw: object) -> None:
    with pytest.raises(Refusal, match="out of range for a long"):
        Long().query_bound(raw, upper=True, inclusive=False)


def test_now_is_what_the_clock_says() -> None:
    assert Date(clock=lambda: 1.5).query_value("now") == 1_500


def test_stored_values_are_shown() -> None:
    assert Boolean().show(1) is True
    assert Date().show(0) == "1970-01-01T00:00:00.000Z"
    assert Date().show(0, "yyyy") == "1970"
    assert Long().show(5) == 5


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.1, "0.1"), (1e7, "1.0E7"), (123456789.125, "1.23456789125E8"), (1e-5, "1.0E-5"), (-0.0, "-0.0")],
)
def test_double_is_written_as_java_does(number: float, text: str) -> None:
    assert double_text(number) == text
