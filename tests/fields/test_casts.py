import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.fields.casts import LARGEST, LONGEST_SHOWN, Uncastable, cast_to, is_empty, list_of, shown
from connectors.secret import Secret
from tests.fields.hostile import DEEP, DIGITS, HOSTILE


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (str, "a", "a"),
        (str, " a ", " a "),
        (str, 5432, "5432"),
        (str, 0.5, "0.5"),
        (str, True, "True"),
        (str, Path("/a"), "/a"),
        (int, 5, 5),
        (int, " -5 ", -5),
        (int, 3.0, 3),
        (int, 10**30, 10**30),
        (float, 5, 5.0),
        (float, "1e3", 1000.0),
        (float, " .5", 0.5),
        (Path, "/a/b", Path("/a/b")),
        *[(bool, value, True) for value in (True, 1, 1.0, "true", "Yes", " ON ", "1", "t", "y")],
        *[(bool, value, False) for value in (False, 0, 0.0, "false", "No", "off", "0", "F", "n")],
    ],
)
def test_a_value_is_made_one_of_its_type(kind: type, value: object, expected: object) -> None:
    found = cast_to(kind, value)
    assert (found, type(found)) == (expected, type(expected if kind is not Path else Path()))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (int, "3.0", "a whole number"),
        (int, "", "a whole number"),
        (int, 3.5, "a whole number"),
        (int, True, "a whole number"),
        (int, math.inf, "a whole number"),
        (int, DIGITS, "a whole number"),
        (int, "0x10", "a whole number"),
        (int, [5], "a whole number"),
        (int, LARGEST, "a whole number"),
        (int, f"-{LARGEST}", "a whole number"),
        (float, "nan", "a number"),
        (float, "-Infinity", "a number"),
        (float, math.inf, "a number"),
        (float, 10**400, "a number"),
        (float, True, "a number"),
        (float, b"1", "a number"),
        (bool, 2, "true or false"),
        (bool, math.nan, "true or false"),
        (bool, "maybe", "true or false"),
        (bool, "", "true or false"),
        (bool, [True], "true or false"),
        (str, ["a"], "a text"),
        (str, ("a",), "a text"),
        (str, b"a", "a text"),
        (str, {"a": 1}, "a text"),
        (str, Secret("a"), "a text"),
        (Path, ["a"], "a text"),
    ],
)
def test_what_is_no_such_value_is_told_from_one(kind: type, value: object, message: str) -> None:
    with pytest.raises(Uncastable) as caught:
        cast_to(kind, value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("items", "value", "expected"),
    [
        (None, None, []),
        (None, "", []),
        (None, "a, b,,c d ", ["a", "b", "c d"]),
        (None, ["a", " b ", 1, 0.5, True], ["a", " b ", 1, 0.5, True]),
        (None, ["", None], []),
        (None, ["a", "", None, 0, False], ["a", 0, False]),
        (None, ("a", "b"), ["a", "b"]),
        (None, {"b", "a"}, ["a", "b"]),
        (None, frozenset({2, 1}), [1, 2]),
        (None, 5, [5]),
        (None, True, [True]),
        (int, "1, 2", [1, 2]),
        (int, [1, "2", 3.0, ""], [1, 2, 3]),
        (str, ["a", 1], ["a", "1"]),
        (str, 5, ["5"]),
    ],
)
def test_a_value_is_made_a_list(items: type | None, value: object, expected: list[object]) -> None:
    assert list(map(repr, list_of(value, items))) == list(map(repr, expected))


@pytest.mark.parametrize(
    ("items", "value", "message"),
    [
        (None, [["a"]], "a list of texts and numbers"),
        (None, [{}], "a list of texts and numbers"),
        (None, {"a": 1}, "a list of texts and numbers"),
        (None, b"a,b", "a list of texts and numbers"),
        (None, [math.nan], "a list of texts and numbers"),
        (None, [LARGEST], "a list of texts and numbers"),
        (int, "1,x", "a list of whole numbers"),
        (int, [True], "a list of whole numbers"),
        (str, ["a", ["b"]], "a list of texts"),
    ],
)
def test_what_is_no_such_list_is_told_from_one(items: type | None, value: object, message: str) -> None:
    with pytest.raises(Uncastable) as caught:
        list_of(value, items)
    assert str(caught.value) == message


def test_a_list_is_one_of_its_own() -> None:
    given = ["a"]
    list_of(given).append("b")
    assert given == ["a"]


@pytest.mark.parametrize("kind", [str, int, float, bool, Path])
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
def test_whatever_is_given_is_cast_or_refused(kind: type, value: object) -> None:
    for cast in (
        lambda: cast_to(kind, value),
        lambda: list_of(value),
        lambda: list_of(value, int),
        lambda: list_of([value], str),
    ):
        assert "hunter2" not in outcome(cast)
    assert len(shown(value)) <= LONGEST_SHOWN


def outcome(cast: Callable[[], object]) -> str:
    """Return what is said when a cast refuses its value."""
    try:
        cast()
    except Uncastable as error:
        return repr([error, error.__cause__, error.__context__])
    return ""


@given(st.from_type(type).flatmap(st.from_type) | st.text() | st.integers() | st.floats())
def test_no_value_of_any_type_is_anything_else(value: object) -> None:
    for kind in (str, int, float, bool, Path):
        try:
            found = cast_to(kind, value)
        except Uncastable:
            continue
        assert isinstance(found, kind)


@pytest.mark.parametrize("kind", [int, float])
def test_a_refusal_has_nothing_of_the_value_with_it(kind: type) -> None:
    with pytest.raises(Uncastable) as caught:
        cast_to(kind, "hunter2")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a'b", '"a\'b"'),
        (5, "5"),
        (Path("/a"), "'/a'"),
        ("\ud800", r"'\ud800'"),
        (10**5000, "a value of the type int"),
        ([10**5000], "a value of the type list"),
        (DEEP, "a value of the type list"),
        ("x" * 200, f"'{'x' * 98}…"),
        (Secret("hunter2"), "***"),
    ],
    ids=range(9),
)
def test_a_value_is_shown_in_one_short_piece(value: object, text: str) -> None:
    assert shown(value) == text


def test_nothing_is_empty_but_nothing() -> None:
    empty: list[object] = [None, "", []]
    others: list[object] = [0, False, 0.0, " ", [""], {}, ()]
    assert list(map(is_empty, empty)) == [True] * 3
    assert list(map(is_empty, others)) == [False] * 7
