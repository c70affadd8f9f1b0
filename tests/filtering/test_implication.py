"""Implication: what is said to be sure holds for every document, and what is plain is seen."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.filtering.implication import implies
from connectors.filtering.rule import Rule
from connectors.literal import Literal, Operator, check_of
from connectors.predicate import Comparison
from tests.filtering.wire import PATTERNS, SCALARS, TEXTS

LITERALS = [*TEXTS, "1e-400", "-0", "7", "50", "2024-05-01T10:00:00", "x", "axb"]
COMPARISONS = st.builds(
    Comparison,
    st.just("a"),
    st.sampled_from([one for one in Operator if one is not Operator.REGEX]),
    st.sampled_from(LITERALS).map(Literal),
) | st.builds(Comparison, st.just("a"), st.just(Operator.REGEX), st.sampled_from(PATTERNS).map(Literal))


def comparison(text: str) -> Comparison:
    how, value = text.split(" ", 1)
    return Comparison("a", Operator(how), Literal(value))


@settings(max_examples=1_000)
@given(COMPARISONS, COMPARISONS, st.lists(SCALARS, min_size=1, max_size=20))
def test_what_is_implied_holds_for_every_value(narrow: Comparison, wide: Comparison, values: list[Any]) -> None:
    if implies(narrow, wide):
        inner, outer = check_of(narrow.operator, narrow.literal), check_of(wide.operator, wide.literal)
        assert [value for value in values if inner(value) and not outer(value)] == []


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("equals 5", "equals 5"),
        ("regex a+", "regex a+"),
        ("starts_with ab", "starts_with a"),
        ("ends_with ba", "ends_with a"),
        ("contains axb", "contains x"),
        ("starts_with axb", "contains x"),
        ("ends_with axb", "contains b"),
        ("> 5", "> 3"),
        ("> 5", ">= 5"),
        (">= 5", "> 3"),
        ("< 3", "<= 3"),
        ("< 2024-01-01", "< 2024-05-01"),
        ("> b", "> a"),
        ("equals 5", "> 3"),
        ("equals 2024-05-01", "< 2024-05-02"),
        ("equals abc", "starts_with ab"),
        ("equals abc", "contains b"),
        ("equals abc", "ends_with c"),
        ("equals abc", "regex a.c"),
        ("equals abc", "< b"),
        ("equals true", "contains ru"),
    ],
)
def test_this_is_implied(narrow: str, wide: str) -> None:
    assert implies(comparison(narrow), comparison(wide))


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("starts_with a", "starts_with ab"),
        ("starts_with ab", "ends_with b"),
        ("contains axb", "starts_with a"),
        ("> 3", "> 5"),
        (">= 5", "> 5"),
        ("> 10", "> 3"),  # the text "2x" is greater than "10" and less than "3"
        ("> 5", "< 9"),
        ("> 5", "> b"),
        ("> 5.00000000000000000001", "equals 5"),
        (">= 5.00000000000000000001", "> 5"),  # which as floats are the same
        ("equals 1", "> 0"),  # which true equals, and is not greater than
        ("equals 5", "contains 5"),  # a decimal 5 may be written 5.00, and 50 as 5E+1
        ("equals 2024-05-01", "contains 05"),
        ("equals 1e500", "> 5"),
        ("equals yes", "contains y"),  # which true equals, and is written otherwise
        ("contains b", "> a"),
    ],
)
def test_this_is_not(narrow: str, wide: str) -> None:
    assert not implies(comparison(narrow), comparison(wide))


def test_another_field_is_another_matter() -> None:
    one = comparison("equals x")
    assert not implies(one, Comparison("b", one.operator, one.literal))
    assert (
        Rule.of({"id": "r", "policy": "include", "field": "a", "rule": "equals", "value": "x", "order": 1}).comparison
        == one
    )
