"""The set of basic rules: what never decides is found, and nothing that may decide is called so."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.filtering.basic import DEFAULT_VALIDATORS, MOST_PAIRS, RuleByItself, RulesTogether, faults_of_default
from connectors.filtering.rule import Rule, faults
from connectors.filtering.validation import SyncRuleValidationResult
from connectors.literal import Operator
from connectors.predicate import matches
from tests.filtering.wire import DOCUMENTS, HOSTILE, PLAIN, TEXTS, WIRE_RULES, Json, almost_rules, rule


def together(wires: Sequence[Any]) -> dict[str, str]:
    results = RulesTogether.validate(wires)
    assert isinstance(results, list)
    assert not any(one.is_valid for one in results)
    return {one.rule_id: one.validation_message for one in results}


def test_these_are_the_defaults() -> None:
    assert list(DEFAULT_VALIDATORS) == [RuleByItself, RulesTogether]
    assert RuleByItself.validate(rule()) == SyncRuleValidationResult.valid_result("r1")


def test_a_rule_that_says_the_same_again_is_found_once() -> None:
    wires = [rule(), rule("r2", policy="Exclude", rule="EQUALS"), rule("r3")]
    same = "The rule '{}' says the same as the rule 'r1' before it. Remove one of them."
    assert together(wires) == {"r2": same.format("r2"), "r3": same.format("r3")}


def test_a_rule_that_contradicts_an_earlier_one_is_found() -> None:
    assert together([rule("r1", policy="include"), rule("r2")]) == {
        "r2": "The rule 'r2' contradicts the rule 'r1': both compare the same, one includes and the other excludes. "
        "The earlier one decides, so this one has no effect. Remove one of them."
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [(("starts_with", "a"), ("starts_with", "ab")), ((">", "3"), (">", "5")), (("contains", "a"), ("equals", "xa"))],
)
def test_a_rule_behind_a_wider_one_is_found(first: tuple[str, str], second: tuple[str, str]) -> None:
    wires = [
        rule("wide", rule=first[0], value=first[1]),
        rule("narrow", policy="include", rule=second[0], value=second[1]),
    ]
    assert together(wires) == {
        "narrow": "The rule 'narrow' has no effect: whatever it matches, the rule 'wide' before it matches too, and "
        "decides. Move it before that rule, or remove it."
    }
    assert together(wires[::-1]) == {}


def test_ids_that_several_rules_have_are_found_once_each() -> None:
    wires = [rule("r1"), rule("r1", value="y"), rule("r2", value="z"), rule("r1", field="b", value=None), rule("")]
    assert together(wires) == {"r1": "3 rules have the id 'r1'. Give each of them an id of its own."}


def test_rules_that_are_useful_or_merely_useless_are_left_alone() -> None:
    assert (
        together([rule(field="b"), rule("r2"), rule("r3", policy="include", value="y"), rule("r4", rule="contains")])
        == {}
    )


def test_a_rule_with_a_fault_of_its_own_hides_nothing() -> None:
    assert together([rule("r1", order=None), rule("r2")]) == {}


@settings(max_examples=300)
@given(st.lists(WIRE_RULES, max_size=8), st.lists(DOCUMENTS, max_size=8))
def test_a_rule_that_is_said_to_have_no_effect_never_decides(wires: list[Json], documents: list[Json]) -> None:
    wires = [{**wire, "id": f"r{place}"} for place, wire in enumerate(sorted(wires, key=lambda one: one["order"]))]
    idle = together(wires).keys()
    rules = [Rule.of(wire) for wire in wires]
    for document in documents:
        deciding = next((one.id for one in rules if matches(one.comparison, document)), None)
        assert deciding not in idle


@given(st.lists(almost_rules() | HOSTILE, max_size=5))
def test_whatever_the_rules_are_there_is_an_answer(wires: list[Any]) -> None:
    together(wires)
    assert all(isinstance(fault, str) for fault in faults_of_default(wires))


def test_of_very_many_rules_only_the_first_are_compared_with_each_other() -> None:
    count = int((2 * MOST_PAIRS) ** 0.5) + 2
    wires = [rule(str(number), rule="starts_with", value=f"{number:04}") for number in range(count)]
    wires += [rule("within", rule="starts_with", value="00001"), rule("same", rule="starts_with", value="0001")]
    assert together([*wires[:10], *wires[-2:]]).keys() == {"within", "same"}
    assert together(wires).keys() == {"same"}


def test_the_default_rule_has_to_include_and_there_is_one() -> None:
    default = rule("DEFAULT", policy="Include", field="_", rule="regex", value=".*", order=0)
    no_effect = (
        "as its policy, which has no effect: what no other rule decides is included. "
        "Set it to include, and add a rule for what is to be excluded."
    )
    assert list(faults_of_default([default, rule()])) == []
    assert list(faults_of_default([])) == []
    assert list(faults_of_default([{**default, "policy": "exclude"}])) == [
        f"The rule 'DEFAULT' has 'exclude' {no_effect}"
    ]
    assert list(faults_of_default([{"id": "DEFAULT"}])) == [f"The rule 'DEFAULT' has nothing {no_effect}"]
    assert list(faults_of_default([default, {**default, "field": "a"}])) == [
        (
            "2 rules have the id 'DEFAULT', and rules with that id have no effect. "
            "Keep one of them, and give the others ids of their own."
        )
    ]


@given(st.lists(st.sampled_from(TEXTS), min_size=2, max_size=2), st.sampled_from(PLAIN))
def test_faults_of_a_set_are_no_faults_of_its_rules(values: list[str], how: Operator) -> None:
    wires = [rule(str(place), rule=how.value, value=value) for place, value in enumerate(values)]
    assert [list(faults(one)) for one in wires] == [[], []]
    assert together(wires).keys() <= {"1"}
