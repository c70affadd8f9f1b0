"""The validators that every source's basic rules go through: each rule by itself, and all of them together."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.filtering.implication import implies
from connectors.filtering.rule import DEFAULT_ID, Policy, Rule, faults, id_of, is_default, named
from connectors.filtering.validation import (
    BasicRulesSetValidator,
    BasicRuleValidator,
    Results,
    SyncRuleValidationResult,
    WireRule,
)
from connectors.wording import shown

MOST_PAIRS: Final = 10_000
"""How many pairs of rules are compared: all of 140 rules of one field, in some 20 ms during which nothing else runs."""


class RuleByItself(BasicRuleValidator):
    """Finds everything that is wrong with one rule. What it accepts can be made a `Rule`."""

    @classmethod
    def validate(cls, rule: WireRule) -> Results:
        """Return a result for each fault."""
        own = id_of(rule) or ""
        found = [SyncRuleValidationResult.invalid_result(own, f"{named(rule)} {fault}") for fault in faults(rule)]
        return found or SyncRuleValidationResult.valid_result(own)


class RulesTogether(BasicRulesSetValidator):
    """Finds ids that several rules have, and rules that never decide because an earlier one always does.

    A rule that has a fault of its own is left out, but for its id.
    """

    @classmethod
    def validate(cls, set_of_rules: Sequence[WireRule]) -> Results:
        """Return a result for each rule that does not go together with the others."""
        rules = [Rule.of(wire) for wire in set_of_rules if not any(faults(wire))]
        return [*_shared_ids(set_of_rules), *_idle(rules)]


DEFAULT_VALIDATORS: Final[tuple[Any, ...]] = (RuleByItself, RulesTogether)


def faults_of_default(rules: Sequence[object]) -> Iterator[str]:
    """Yield what is wrong with the rule that every set has. It decides nothing, so nobody should believe it does."""
    found = [wire for wire in rules if isinstance(wire, Mapping) and is_default(wire)]
    for policy in (wire.get("policy") for wire in found):
        if not isinstance(policy, str) or policy.casefold() != Policy.INCLUDE:
            yield (
                f"The rule {DEFAULT_ID!r} has {shown(policy)} as its policy, which has no effect: what no other rule "
                "decides is included. Set it to include, and add a rule for what is to be excluded."
            )
    if len(found) > 1:
        yield (
            f"{len(found)} rules have the id {DEFAULT_ID!r}, and rules with that id have no effect. "
            "Keep one of them, and give the others ids of their own."
        )


def _shared_ids(wires: Sequence[WireRule]) -> Iterator[SyncRuleValidationResult]:
    counts = Counter(own for own in map(id_of, wires) if own is not None)
    for own, count in counts.items():
        if count > 1:
            message = f"{count} rules have the id {shown(own)}. Give each of them an id of its own."
            yield SyncRuleValidationResult.invalid_result(own, message)


def _idle(rules: Sequence[Rule]) -> Iterator[SyncRuleValidationResult]:
    """Yield the rules that never decide, as far as that is sure."""
    same: dict[object, Rule] = {}
    by_field: dict[str, list[Rule]] = defaultdict(list)
    pairs = 0
    for rule in rules:
        earlier = same.setdefault(rule.comparison, rule)
        others = by_field[rule.comparison.field]
        if earlier is not rule:
            yield SyncRuleValidationResult.invalid_result(rule.id, _repetition(rule, earlier))
        elif (pairs := pairs + len(others)) <= MOST_PAIRS:
            wider = next((other for other in others if implies(rule.comparison, other.comparison)), None)
            if wider is not None:
                yield SyncRuleValidationResult.invalid_result(rule.id, _shadow(rule, wider))
            else:
                others.append(rule)


def _repetition(rule: Rule, earlier: Rule) -> str:
    if rule.policy is earlier.policy:
        return f"The rule {shown(rule.id)} says the same as the rule {shown(earlier.id)} before it. Remove one of them."
    return (
        f"The rule {shown(rule.id)} contradicts the rule {shown(earlier.id)}: both compare the same, one includes and "
        "the other excludes. The earlier one decides, so this one has no effect. Remove one of them."
    )


def _shadow(rule: Rule, wider: Rule) -> str:
    return (
        f"The rule {shown(rule.id)} has no effect: whatever it matches, the rule {shown(wider.id)} before it matches "
        "too, and decides. Move it before that rule, or remove it."
    )
