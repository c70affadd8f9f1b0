"""Rules: what is kept is what a plain reading of the rules says, and what is pushed down never misses any of it."""

import math
import operator
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigurationError
from connectors.filtering.rules import MOST_TURNS, Rules
from connectors.predicate import Comparison, matches
from tests.filtering.wire import DOCUMENTS, HOSTILE, WIRE_RULES, Json, almost_rules, rule

ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "equals": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


# The reference: rules read one after the other, as the documentation words them.


def kept(wires: list[Json], document: Json) -> bool:
    for wire in sorted(wires, key=lambda one: one["order"]):
        if wire["id"] != "DEFAULT" and any(agrees(value, wire) for value in found(document, wire["field"])):
            return bool(wire["policy"].lower() == "include")
    return True


def found(document: Json, field: str) -> Iterator[Any]:
    if field in document:
        yield document[field]
    elif "." in field:
        yield from below(document, field.split("."))


def below(value: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from below(value[path[0]], path[1:])
    elif isinstance(value, list):
        for one in value:
            yield from below(one, path)


def agrees(value: Any, wire: Json) -> bool:
    if isinstance(value, list):
        return any(agrees(one, wire) for one in value if not isinstance(one, list))
    if value is None or isinstance(value, dict):
        return False
    how, wanted = wire["rule"], wire["value"]
    if how not in ORDERED:
        text = written(value)
        answers: dict[str, bool] = {
            "contains": wanted in text,
            "starts_with": text[: len(wanted)] == wanted,
            "ends_with": text[-len(wanted) :] == wanted,
            "regex": how == "regex" and re2.match(wanted, text) is not None,
        }
        return answers[how]
    return ordered(value, how, wanted)


def ordered(value: Any, how: str, wanted: str) -> bool:
    compare = ORDERED[how]
    if isinstance(value, bool):
        return how == "equals" and flag(wanted) is value
    if isinstance(value, int | float | Decimal):
        other = number(wanted)
        if other is None or (not isinstance(value, int) and math.isnan(value)):
            return False
        return compare(value, float(other) if isinstance(value, float) else other)
    if isinstance(value, date):
        moment = instant(wanted)
        return moment is not None and compare(instant(value), moment)
    text = written(value)
    if how != "equals":
        for kind in (number, instant):
            if kind(text) is not None and kind(wanted) is not None:
                return compare(kind(text), kind(wanted))
    return compare(text, wanted)


def written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def flag(text: str) -> bool | None:
    words = {"true": True, "yes": True, "1": True, "on": True, "y": True, "t": True}
    words |= {"false": False, "no": False, "0": False, "off": False, "n": False, "f": False}
    return words.get(text.lower())


def number(text: Any) -> Decimal | None:
    try:
        return Decimal(text) if Decimal(text).is_finite() else None
    except InvalidOperation:
        return None


def instant(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@given(st.lists(WIRE_RULES, max_size=8), DOCUMENTS)
def test_what_is_kept_is_what_a_plain_reading_says(wires: list[Json], document: Json) -> None:
    assert Rules.of(wires).keeps(document) is kept(wires, document)


@given(st.lists(WIRE_RULES, max_size=40), DOCUMENTS)
def test_the_predicate_says_the_same_and_with_many_turns_never_less(wires: list[Json], document: Json) -> None:
    rules = Rules.of(wires)
    pushed = matches(rules.predicate, document)
    turns = sum(1 for a, b in zip(rules.rules, rules.rules[1:], strict=False) if a.policy is not b.policy) + 1
    if turns <= MOST_TURNS:
        assert pushed is rules.keeps(document)
    else:
        assert pushed or not rules.keeps(document)


def test_with_more_turns_than_are_pushed_down_the_rest_is_left_out() -> None:
    wires = [
        rule(f"r{number}", policy=("include", "exclude")[number % 2], value=str(number), order=number)
        for number in range(MOST_TURNS + 2)
    ]
    rules = Rules.of(wires)
    last = {"a": str(MOST_TURNS + 1)}
    assert (rules.keeps(last), matches(rules.predicate, last)) == (False, True)
    first = {"a": "1"}
    assert (rules.keeps(first), matches(rules.predicate, first)) == (False, False)


def test_the_first_in_order_decides_and_what_none_matches_is_kept() -> None:
    rules = Rules.of(
        [
            rule("late", order=3),
            rule("early", policy="include", rule="starts_with", order=-1),
            rule("DEFAULT", rule="regex", value=".*"),
            rule("c", field="c", order=2),
        ]
    )
    assert [one.id for one in rules.rules] == ["early", "c", "late"]
    assert [rules.keeps(one) for one in ({"a": "x"}, {"a": "x", "c": "x"}, {"c": "x"}, {})] == [True, True, False, True]


def test_rules_that_include_at_the_end_are_not_evaluated() -> None:
    assert [bool(Rules.of([])), bool(Rules.of([rule()]))] == [False, True]
    assert Rules.of([rule(policy="include")]).predicate == Rules().predicate
    comparison = Rules.of([rule(), rule("r2", policy="include", order=2)]).predicate
    assert comparison == Rules.of([rule()]).predicate
    assert not isinstance(comparison, Comparison)


def test_ten_thousand_rules_are_one_function() -> None:
    keeps = Rules.of([rule(str(number), value=str(number), order=number) for number in range(10_000)]).keeps
    assert [keeps({"a": "9999"}), keeps({"a": "10000"})] == [False, True]


@given(HOSTILE | st.lists(almost_rules() | HOSTILE, max_size=4))
def test_rules_that_are_none_are_refused_and_never_crash(wire: Any) -> None:
    try:
        rules = Rules.of(wire)
    except ConfigurationError:
        return
    assert rules.keeps({}) is True


def test_what_is_no_list_is_named() -> None:
    with pytest.raises(ConfigurationError, match="The basic rules are an object, not a list"):
        Rules.of({"rules": []})
