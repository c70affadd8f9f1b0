"""A rule: what makes one is what validation accepts, and every fault is named."""

from typing import Any

import pytest
from hypothesis import given

from connectors.errors import ConfigurationError
from connectors.filtering.basic import RuleByItself
from connectors.filtering.rule import Policy, Rule, faults, is_default, order_of
from connectors.filtering.validation import SyncRuleValidationResult
from connectors.literal import Literal, Operator
from connectors.pattern import Pattern
from connectors.predicate import Comparison
from tests.filtering.wire import HOSTILE, PATTERNS, TEXTS, WIRE_RULES, Json, almost_rules, rule

RE2 = "Write it in the syntax of RE2, which has neither look-around nor back-references."
EVERY_TEXT = "which matches every text. Say which texts are meant; what no rule matches is included anyway."


def test_names_of_policies_and_operators_are_folded() -> None:
    wire = rule(policy="Include", rule="STARTS_WITH", order=2.5)
    assert Rule.of(wire) == Rule("r1", Policy.INCLUDE, Comparison("a", Operator.STARTS_WITH, Literal("x")), 2.5)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rule": ">", "value": "neither number nor date"}, []),
        ({"rule": "regex", "value": "a.*"}, []),
        ({"value": " "}, []),
        ({"order": -(10**400)}, []),
        ({"id": ...}, ["The rule without an id needs an id, by which messages name it."]),
        ({"id": 5}, ["The rule without an id has 5 as its id, which is no text."]),
        ({"policy": ...}, ["The rule 'r1' needs a policy: include or exclude."]),
        ({"field": ""}, ["The rule 'r1' needs a field to look at."]),
        ({"rule": None}, ["The rule 'r1' needs an operator (its \"rule\"), such as equals or starts_with."]),
        ({"value": ...}, ["The rule 'r1' needs a value to compare with."]),
        ({"value": ["x"]}, ["The rule 'r1' has a list as its value, which is no text."]),
        ({"value": True}, ["The rule 'r1' has true as its value, which is no text."]),
        (
            {"policy": "exlude"},
            ["The rule 'r1' has the policy 'exlude', which does not exist. Did you mean 'exclude'?"],
        ),
        (
            {"policy": "drop"},
            ["The rule 'r1' has the policy 'drop', which does not exist. There are include, exclude."],
        ),
        (
            {"rule": "Start_With"},
            ["The rule 'r1' has the operator 'Start_With', which does not exist. Did you mean 'starts_with'?"],
        ),
        ({"order": ...}, ["The rule 'r1' needs an order, the number by which rules are sorted."]),
        ({"order": "1"}, ["The rule 'r1' has '1' as its order, which is no number."]),
        ({"order": True}, ["The rule 'r1' has true as its order, which is no number."]),
        ({"order": float("nan")}, ["The rule 'r1' has nan as its order, by which nothing can be sorted."]),
        (
            {"rule": "regex", "value": "("},
            [f"The rule 'r1' has the expression '(', which can't be used: missing ): (. {RE2}"],
        ),
        ({"rule": "Regex", "value": ".*"}, [f"The rule 'r1' has the expression '.*', {EVERY_TEXT}"]),
        (
            {"id": "é" * 70, "policy": {}, "order": 10**5_000},
            [f"The rule '{'é' * 60}'… has an object as its policy, which is no text."],
        ),
        (
            {"policy": "p", "rule": "r", "order": None},
            [
                "The rule 'r1' has the policy 'p', which does not exist. There are include, exclude.",
                "The rule 'r1' has the operator 'r', which does not exist. There are " + ", ".join(Operator) + ".",
                "The rule 'r1' needs an order, the number by which rules are sorted.",
            ],
        ),
    ],
)
def test_every_fault_of_a_rule_is_named(changes: Json, expected: list[str]) -> None:
    wire = rule(**changes)
    found = RuleByItself.validate(wire)
    results = [found] if isinstance(found, SyncRuleValidationResult) else found
    assert isinstance(results, list)
    assert [one.validation_message for one in results if not one.is_valid] == expected
    if expected:
        with pytest.raises(ConfigurationError) as caught:
            Rule.of(wire)
        assert caught.value.message.splitlines() == expected


@given(almost_rules() | HOSTILE)
def test_what_validation_accepts_can_be_made_a_rule_and_nothing_else(wire: Any) -> None:
    result = RuleByItself.validate(wire)
    valid = isinstance(result, SyncRuleValidationResult) and result.is_valid
    try:
        made = Rule.of(wire)
    except ConfigurationError:
        assert not valid
    else:
        assert valid
        assert (made.id, made.comparison.field) == (wire["id"], wire["field"])


@given(WIRE_RULES)
def test_a_sound_rule_has_no_faults(wire: Json) -> None:
    assert list(faults(wire)) == []


MATCH_ALL = [".*", "(.*)", "^.*$", "(?s).*", "a*", "()", "^", "(?m)^", "a|", ".*?", "((.*))", "[ab]*", r"\A", "(?i)"]


@pytest.mark.parametrize("pattern", MATCH_ALL)
def test_an_expression_that_matches_every_text_is_refused(pattern: str) -> None:
    assert [EVERY_TEXT in fault for fault in faults(rule(rule="regex", value=pattern))] == [True]
    assert all(Pattern(pattern).matches(text) for text in TEXTS if "\n" not in text)


@pytest.mark.parametrize("pattern", [*PATTERNS, "$", "^$", r"\b", ".", ".*a", "[^q]*$", r"\Qa*", "(?m)$"])
def test_an_expression_that_means_some_texts_is_not(pattern: str) -> None:
    assert list(faults(rule(rule="regex", value=pattern))) == []


@given(almost_rules())
def test_what_is_said_to_match_every_text_does(wire: Json) -> None:
    if any(EVERY_TEXT in fault for fault in faults(wire)):
        assert all(Pattern(wire["value"]).matches(text) for text in ["", "a", "-", *TEXTS] if "\n" not in text)


def test_the_default_rule_is_known_by_its_id_and_what_has_no_order_comes_last() -> None:
    assert [is_default(one) for one in (rule("DEFAULT"), rule(), {}, None, "DEFAULT")] == [True] + [False] * 4
    assert sorted([rule("b", order="x"), rule("c", order=10**400), rule("a")], key=order_of) == [
        rule("a"),
        rule("c", order=10**400),
        rule("b", order="x"),
    ]
