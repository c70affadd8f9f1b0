"""Predicates: the compiled function says what the plain one says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.literal import Literal, Operator
from connectors.predicate import ALWAYS, NEVER, And, Comparison, Not, Or, Predicate, compiled, matches, without

Json = dict[str, Any]
NAMES = ["a", "b", "c", "a.b"]
FIELDS = ["a", "b", "a.b", "b.a.c", "x"]
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "1", "a", "ab", "true"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c", "a.b"]), inner, max_size=3)
    ),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(st.sampled_from(["a", "b", "a.b", "x"]), VALUES, max_size=4)
COMPARISONS = st.builds(
    Comparison,
    st.sampled_from(FIELDS),
    st.sampled_from(Operator),
    st.sampled_from(["", "0", "1", "a", "true", "2.5"]).map(Literal),
)
PREDICATES: st.SearchStrategy[Predicate] = st.recursive(
    COMPARISONS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, max_size=4).map(lambda parts: Or(tuple(parts)))
        | inner.map(Not)
    ),
    max_leaves=12,
)


def is_one(field: str, text: str) -> Comparison:
    return Comparison(field, Operator.EQUALS, Literal(text))


@given(PREDICATES, DOCUMENTS, st.sets(st.sampled_from(["a", "b", "x"])))
def test_without_some_fields_it_matches_all_that_it_did_and_does_not_look_at_them(
    predicate: Predicate, document: Json, fields: set[str]
) -> None:
    others = {name: value for name, value in document.items() if name.partition(".")[0] not in fields}
    if matches(predicate, document):
        assert matches(without(predicate, fields), others)


@given(PREDICATES, DOCUMENTS)
def test_the_compiled_function_says_what_the_plain_one_says(predicate: Predicate, document: Json) -> None:
    assert compiled(predicate)(document) is matches(predicate, document)


def test_nothing_in_particular_is_always_and_never() -> None:
    assert compiled(ALWAYS)({}) is True
    assert compiled(NEVER)({}) is False
    assert compiled(Not(NEVER))({"a": 1}) is True


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"a": {"b": 1}}, True),
        ({"a.b": 1}, True),
        ({"a.b": 2, "a": {"b": 1}}, False),
        ({"a": [{"b": 2}, {"b": 1}]}, True),
        ({"a": {"b": [2, 1]}}, True),
        ({"a": [{"b": [2, 1]}]}, True),
        ({"a": [{"b": [2, [1]]}]}, False),
        ({"a": 1}, False),
        ({"a": [1]}, False),
        ({}, False),
    ],
)
def test_dots_lead_into_objects_unless_a_field_has_that_very_name(document: Json, found: bool) -> None:
    assert compiled(is_one("a.b", "1"))(document) is found


def test_what_lacks_the_field_matches_the_opposite() -> None:
    assert compiled(Not(is_one("a", "1")))({}) is True


def test_names_of_fields_and_texts_are_data_whatever_is_in_them() -> None:
    hostile = "'); import os #\n\"__class__"
    document = {hostile: hostile}
    assert compiled(Or((is_one(hostile, hostile), is_one("t0", "t1"))))(document) is True


def test_a_thousand_parts_are_no_problem_and_too_many_levels_are_refused() -> None:
    wide = Or(tuple(is_one("a", str(number)) for number in range(5_000)))
    assert compiled(wide)({"a": 4_999}) is True
    deep: Predicate = is_one("a", "1")
    for _ in range(60):
        deep = Not(deep)
    with pytest.raises(ValueError, match="50 levels"):
        compiled(deep)
