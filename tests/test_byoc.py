"""The filter: what a source sees of the rules of its connector."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.byoc import Filter
from connectors.errors import ConfigurationError
from connectors.filtering.rules import Rules
from connectors.predicate import ALWAYS, Comparison, Not
from tests.filtering.wire import HOSTILE, Json, rule


@pytest.mark.parametrize(
    ("wire", "rules"),
    [
        (None, {}),
        ({}, {}),
        ({"advanced_snippet": None}, {}),
        ({"advanced_snippet": {}}, {}),
        ({"advanced_snippet": {"value": None}}, {}),
        ({"advanced_snippet": {"value": []}}, []),
        ({"advanced_snippet": {"value": {"a": 1}}}, {"a": 1}),
        ({"advanced_snippet": {"value": [1], "created_at": "2024-05-01"}}, [1]),
    ],
)
def test_advanced_rules_are_what_the_snippet_holds(wire: Json | None, rules: Any) -> None:
    filtering = Filter(wire)
    assert filtering.get_advanced_rules() == rules
    assert filtering.has_advanced_rules() is bool(rules)


def test_basic_rules_are_rules_and_what_sources_may_push_down() -> None:
    filtering = Filter({"rules": [rule("DEFAULT", policy="include"), rule()]})
    assert filtering.basic_rules == Rules.of([rule()])
    assert isinstance(filtering.where, Not)
    assert isinstance(filtering.where.part, Comparison)
    without: list[Json | None] = [None, {}, {"rules": None}, {"rules": []}]
    assert [Filter(wire).where for wire in without] == [ALWAYS] * 4


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        ([], "The filtering is a list, not an object."),
        ({"advanced_snippet": [1]}, "The advanced snippet is a list, not an object."),
        ({"advanced_snippet": {"value": ""}}, "The advanced rules are '', neither an object nor a list."),
        ({"rules": 0}, "The basic rules are 0, not a list."),
        ({"rules": [rule(id=None)]}, "The rule without an id needs an id, by which messages name it."),
    ],
)
def test_what_is_no_filtering_is_named(wire: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _ = (Filter(wire).get_advanced_rules(), Filter(wire).where)
    assert (str(caught.value), caught.value.field) == (message, "filtering")


def test_a_filter_shows_how_much_it_holds() -> None:
    assert repr(Filter({"rules": [rule()], "advanced_snippet": {"value": [1]}})) == (
        "Filter(1 basic rules, advanced rules: True)"
    )
    assert repr(Filter({"rules": [5]})) == "Filter(not valid)"


@given(st.fixed_dictionaries({}, optional={"rules": HOSTILE, "advanced_snippet": HOSTILE}) | HOSTILE)
def test_whatever_the_filtering_is_it_is_used_or_refused(wire: Any) -> None:
    try:
        filtering = Filter(wire)
    except ConfigurationError:
        return
    repr(filtering)
    for use in (filtering.get_advanced_rules, lambda: filtering.where):
        try:
            use()
        except ConfigurationError:
            continue
