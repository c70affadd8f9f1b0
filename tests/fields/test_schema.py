"""The schema says what the checks say, of values that are written as their type."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.fields import Configuration, Field, Fields
from connectors.fields.schema import portable
from connectors.pattern import InvalidPattern, Pattern
from tests.fields.declarations import PATTERNS, plain_configurations, settings_of

TEXTS = st.text(st.sampled_from("ab1.-@ _é\n\r\t\f\v\u00a0\u2028A٣[]{}^$|\\/&~"), max_size=8)
PIECES = [
    "a",
    "b",
    "1",
    ".",
    r"\.",
    r"\d",
    r"\D",
    r"\w",
    r"\W",
    r"\s",
    r"\S",
    r"\-",
    r"\@",
    r"\/",
    "[ab]",
    "[^a]",
    "[a-c.]",
]
PIECES += [
    r"[\w.-]",
    r"[^\s]",
    r"[\]\\]",
    "[-a]",
    "(?:",
    "(",
    ")",
    "|",
    "*",
    "+",
    "?",
    "{2}",
    "{1,}",
    "{,2}",
    "^",
    "$",
    "é",
]
PIECES += [
    "[",
    "]",
    "{",
    "}",
    r"\b",
    r"\pL",
    "(?i)",
    "(?P<n>a)",
    r"\Q.\E",
    "[[:alpha:]]",
    r"[\d-z]",
    r"\n",
    "-",
    "/",
    "[a&&b]",
]


def accepts(fields: Fields, values: dict[str, Any]) -> bool:
    """Return what the checks and the schema both say of values."""
    problems = [str(problem) for problem in Configuration(fields, values).problems()]
    valid = jsonschema_rs.Draft202012Validator(fields.schema()).is_valid(values)
    assert valid == (not problems), (problems, fields.schema())
    return valid


@given(st.data())
def test_the_schema_accepts_what_the_checks_accept(data: st.DataObject) -> None:
    plain = data.draw(plain_configurations())
    accepts(Fields.of_configuration(plain), data.draw(settings_of(plain)))


@given(st.data())
def test_the_checks_accept_every_example(data: st.DataObject) -> None:
    fields = Fields.of_configuration(data.draw(plain_configurations()))
    for example in fields.schema().get("examples", []):
        assert accepts(fields, example)


@pytest.mark.parametrize(
    ("one", "good", "bad"),
    [
        (Field("x", "X"), ["a"], [""]),
        (Field("x", "X", required=False, pattern="[a-z]+"), ["", "a"], ["A", "ab\n"]),
        (Field("x", "X", required=False, options={"a": "A"}), ["", "a"], ["b"]),
        (Field("x", "X", included_in=["a", "b"], options={"b": "B"}), ["b"], ["a", ""]),
        (Field("x", "X", default="d", required=True), ["a"], [""]),
        (Field("x", "X", pattern="a|b"), ["a"], ["ab", "a|b"]),
        (Field("x", "X", type=int, greater_than=1.5, less_than=4), [2, 3, 3.0], [1, 4, 5]),
        (Field("x", "X", type=float, less_than=0), [-1, -0.5], [0, 0.0]),
        (Field("x", "X", type=int, options={1: "One"}), [1, 1.0], [2]),
        (Field("x", "X", type=int, options={"1": "One"}), [1], [2]),
        (Field("x", "X", type=bool), [True, False], []),
        (Field("x", "X", type=list), [["a"], ["", 1], [True, 0.5]], [[], [""], [None, ""], [["a"]], [{}]]),
        (Field("x", "X", type=list, required=False), [[], [""], [None]], [[["a"]]]),
        (Field("x", "X", type=list, included_in=[1, "a"]), [[1, "a"], [1.0, ""]], [[True], ["b"], [""]]),
        (Field("x", "X", type=list, list_type="str", pattern="a+"), [["a", "aa"], ["a", ""]], [["b"], [""], []]),
        (Field("x", "X", type=list, list_type="int", included_in=["1", 2]), [[1], [2, 1]], [[3], []]),
        (Field("x", "X", type=list, list_type="int", required=False), [[], [1]], []),
    ],
)
def test_each_limit_is_said_in_the_schema(one: Field, good: list[Any], bad: list[Any]) -> None:
    found = [accepts(Fields(one), {"x": value}) for value in [*good, *bad]]
    assert found == [True] * len(good) + [False] * len(bad)


def test_a_path_is_a_text_in_the_schema(tmp_path: Path) -> None:
    validator = jsonschema_rs.Draft202012Validator(Fields(Field("x", "X", type=Path)).schema())
    assert [validator.is_valid({"x": value}) for value in (str(tmp_path), "", 5)] == [True, False, False]


@pytest.mark.parametrize(
    ("values", "accepted"),
    [
        ({}, False),
        ({"password": "p"}, True),
        ({"auth": "", "password": "p"}, True),
        ({"auth": ""}, False),
        ({"auth": "none"}, True),
        ({"auth": "none", "password": ""}, True),
        ({"auth": "none", "retries": 99}, True),
        ({"password": "p", "again": True}, False),
        ({"password": "p", "again": True, "retries": 3}, True),
        ({"password": "p", "again": True, "retries": 99}, False),
        ({"password": "p", "again": False, "retries": 99}, True),
        ({"auth": "none", "again": True}, True),
    ],
)
def test_what_depends_on_others_is_asked_only_where_these_are_met(values: dict[str, Any], accepted: bool) -> None:
    fields = Fields(
        Field("auth", "Sign in", default="basic", options={"basic": "Password", "none": "Not at all"}),
        Field("password", "Password", sensitive=True, depends_on={"auth": "basic"}),
        Field("again", "Try again", type=bool, depends_on={"auth": "basic"}),
        Field("retries", "Attempts", type=int, less_than=10, depends_on={"again": "yes"}),
    )
    assert accepts(fields, values) == accepted


@pytest.mark.parametrize(
    ("wanted", "values", "counts"),
    [
        ("", {}, True),
        ("", {"host": ""}, True),
        ("", {"host": "h"}, False),
        ("h", {"host": "h"}, True),
        ("h", {}, False),
    ],
)
def test_a_field_may_depend_on_another_being_empty(wanted: str, values: dict[str, Any], counts: bool) -> None:
    fields = Fields(Field("host", "Host", required=False), Field("x", "X", depends_on={"host": wanted}))
    assert accepts(fields, values) == (not counts)


def test_a_field_that_has_a_default_is_never_empty() -> None:
    fields = Fields(Field("host", "Host", default="h", value=""), Field("x", "X", depends_on={"host": ""}))
    assert [accepts(fields, values) for values in ({}, {"host": ""}, {"host": "h"})] == [True] * 3


@pytest.mark.parametrize(
    ("pattern", "translated"),
    [
        ("[a-z]+@.*", r"[a-z]+@[^\n]*"),
        (r"\d{3}-\w+?\s", r"[0-9]{3}-[0-9A-Za-z_]+?[\t\n\f\r ]"),
        (r"\D\W\S", r"[^0-9][^0-9A-Za-z_][^\t\n\f\r ]"),
        (r"[\w.\-]+", r"[0-9A-Za-z_.\-]+"),
        (r"(?:a|b)(c)", "(?:a|b)(c)"),
        (r"a\@\.", r"a@\."),
        (r"[\@\]]", r"[@\]]"),
        ("(?i)a", None),
        ("(?P<n>a)", None),
        (r"\bx", None),
        (r"\pL", None),
        (r"\Qa\E", None),
        ("[[:alpha:]]", None),
        ("a{,2}", None),
        ("[a&&b]", None),
        (r"[\d-z]", None),
        ("^*", None),
    ],
)
def test_a_pattern_is_said_in_the_syntax_that_all_know_or_not_at_all(pattern: str, translated: str | None) -> None:
    assert portable(pattern) == translated
    found = Fields(Field("x", "X", pattern=pattern, required=True)).schema()["properties"]["x"].get("pattern")
    assert found == (None if translated is None else f"^(?:{translated})$")


@given(
    st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.sampled_from(list(PATTERNS)),
    st.lists(TEXTS, max_size=5),
)
def test_a_translated_pattern_matches_the_same(pattern: str, texts: list[str]) -> None:
    try:
        expected = Pattern(pattern, whole=True)
    except InvalidPattern:
        return
    translated = portable(pattern)
    if translated is not None:
        validator = jsonschema_rs.Draft202012Validator({"pattern": f"^(?:{translated})$"})
        for text in texts:
            assert validator.is_valid(text) == expected.matches(text), (pattern, text)
