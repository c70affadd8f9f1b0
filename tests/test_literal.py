"""Literals: what a person would expect of a comparison, whatever a document holds."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.literal import Literal, Operator, check_of
from connectors.pattern import InvalidPattern, Pattern

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
EAST = timezone(timedelta(hours=2))


class Level(IntEnum):
    HIGH = 3


class Color(StrEnum):
    RED = "red"


def holds(value: object, how: str, text: str) -> bool:
    return check_of(Operator(how), Literal(text))(value)


@pytest.mark.parametrize(
    ("value", "how", "text"),
    [
        ("red", "equals", "red"),
        (Color.RED, "equals", "red"),
        (True, "equals", "yes"),
        (True, "equals", "True"),
        (False, "equals", "off"),
        (10, "equals", "10"),
        (10, "equals", "10.0"),
        (10, "equals", " 1e1 "),
        (Level.HIGH, "equals", "3"),
        (0.1, "equals", "0.1"),
        (Decimal("0.10"), "equals", "0.1"),
        (2**80, "equals", str(2**80)),
        (2**80 + 1, ">", str(2**80)),
        (10**20, "<", "1e999999999"),
        (9, "<", "10"),
        ("9", "<", "10"),
        ("b", ">", "a"),
        ("b", ">", "10"),
        (NOON, "equals", "2024-05-01T12:00:00Z"),
        (NOON, "equals", "2024-05-01T14:00:00+02:00"),
        (NOON.astimezone(EAST), "equals", "2024-05-01T12:00:00"),
        (NOON.replace(tzinfo=None), ">", "2024-05-01"),
        (date(2024, 5, 2), ">", "2024-05-01T12:00:00Z"),
        ("2024-05-01T12:00:00Z", ">=", "2024-05-01T13:00:00+02:00"),
        (["a", "b"], "equals", "b"),
        ((1, 20), ">", "10"),
        ({1, 2}, "equals", "2"),
        ("filename.txt", "ends_with", ".txt"),
        (1234, "starts_with", "12"),
        (True, "contains", "ru"),
        (["x", "abc"], "contains", "b"),
        (UUID(int=1), "ends_with", "0001"),
        (Fraction(10), ">", "9"),
        (time(10), "<", "9:00"),
        ("ba", "regex", "a|b"),
        ("b", "regex", "^a*b"),
        ("b", "regex", "a(?i)*b"),
        ("b", "regex", r"a\Q\E*b"),
        ("abc", "regex", "^ab"),
        (UUID(int=1), "equals", "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_this_matches(value: object, how: str, text: str) -> None:
    assert holds(value, how, text)


@pytest.mark.parametrize(
    ("value", "how", "text"),
    [
        (None, "equals", ""),
        (None, "equals", "None"),
        (None, "contains", "o"),
        (True, "equals", "1.0"),
        (True, ">", "false"),
        (1, "equals", "yes"),
        (10, ">", "ten"),
        (float("nan"), "equals", "nan"),
        (float("nan"), "<", "1"),
        (Decimal("sNaN"), ">", "1"),
        (NOON, ">", "soon"),
        (NOON, "equals", "5"),
        ([], "equals", ""),
        ([None], "equals", ""),
        ({"a": 1}, "contains", "a"),
        (b"bytes", "contains", "b"),
        ([[1]], "equals", "1"),
        ("RED", "equals", "red"),
    ],
)
def test_this_does_not(value: object, how: str, text: str) -> None:
    assert not holds(value, how, text)


def test_a_number_may_have_more_digits_than_python_likes_to_write() -> None:
    text = "1" + "0" * 5_000
    assert [holds(10**5_000, how, text) for how in ("starts_with", "equals", ">=")] == [True] * 3


SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(max_size=6)
    | st.datetimes(timezones=st.none() | st.just(UTC) | st.just(EAST))
    | st.dates()
    | st.uuids()
    | st.binary(max_size=3)
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=2), SCALARS, max_size=2)
LONG = ["1e999999999", "-1e-999999999", "0" * 5_000, "9" * 5_000]
TEXTS = st.text(max_size=8) | SCALARS.map(str) | st.sampled_from(LONG)


@given(VALUES, st.sampled_from(Operator), TEXTS)
def test_whatever_is_compared_the_answer_is_yes_or_no(value: object, how: Operator, text: str) -> None:
    assert check_of(how, Literal(text))(value) in {True, False}


@given(st.integers() | st.decimals(allow_nan=False, allow_infinity=False), st.integers(), st.sampled_from(Operator))
def test_numbers_are_ordered_as_numbers(value: int | Decimal, other: int, how: Operator) -> None:
    order = {
        Operator.EQUALS: value == other,
        Operator.GREATER: value > other,
        Operator.GREATER_OR_EQUAL: value >= other,
        Operator.LESS: value < other,
        Operator.LESS_OR_EQUAL: value <= other,
    }
    if how in order:
        assert check_of(how, Literal(str(other)))(value) is order[how]


PIECES = st.sampled_from(["a", "b", "^", "/", "-", "(?i)", "()", "(a|b)", "|", r"\Q", r"\E", ".", r"\d", "[ab]", "$"])
TIMES = st.sampled_from(["", "", "*", "+", "?", "{0}", "{2}", "*?"])


@settings(max_examples=300)
@given(st.lists(st.tuples(PIECES, TIMES), max_size=5), st.text("ab/-A1", max_size=5))
def test_a_pattern_with_a_plain_beginning_matches_as_any_other(pieces: list[tuple[str, str]], text: str) -> None:
    pattern = "".join(map("".join, pieces))
    try:
        expected = Pattern(pattern).matches(text)
    except InvalidPattern:
        expected = False
    assert holds(text, "regex", pattern) is expected
