"""The basic rules of a connector: one function that keeps or drops, and a predicate that sources can push down."""

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Final

from connectors.errors import ConfigurationError
from connectors.filtering.rule import Policy, Rule, is_default
from connectors.predicate import ALWAYS, Code, Not, Or, Predicate, Test, conjunction
from connectors.wording import shown

MOST_TURNS: Final = 20
"""How often the policy may change before the rest of the rules is left out of what is pushed down."""


@dataclass(frozen=True)
class Rules:
    """Basic rules in their order: the first that matches a document decides, and what none matches is kept."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def of(cls, wire: object) -> "Rules":
        """Return the rules of a connector document. Raises a `ConfigurationError` for what validation refuses."""
        if not isinstance(wire, list | tuple):
            raise ConfigurationError(f"The basic rules are {shown(wire)}, not a list.", field="filtering")
        rules = (Rule.of(one) for one in wire if not is_default(one))
        return cls(tuple(sorted(rules, key=lambda rule: rule.order)))

    def __bool__(self) -> bool:
        return bool(self.rules)

    @property
    def fields(self) -> frozenset[str]:
        """The names of all fields that they look at."""
        return frozenset(rule.comparison.field for rule in self.rules)

    @cached_property
    def keeps(self) -> Test:
        """The function that tells whether a document is kept. It never raises."""
        # A statement a rule, as expressions nested one in the other are limited by Python's own parser.
        code = Code()
        for rule in self._deciding:
            condition = code.condition(rule.comparison)
            code.lines.append(f"if {condition}: return {rule.policy is Policy.INCLUDE}")
        code.lines.append("return True")
        return code.function()

    @cached_property
    def predicate(self) -> Predicate:
        """What every kept document matches, and in most cases no other: as much as a source may push down."""
        turns = [(policy, list(rules)) for policy, rules in groupby(self._deciding, key=lambda rule: rule.policy)]
        found: Predicate = ALWAYS
        for policy, rules in reversed(turns[:MOST_TURNS]):
            comparisons = [rule.comparison for rule in rules]
            if policy is Policy.INCLUDE:
                found = Or((*comparisons, found)) if found != ALWAYS else ALWAYS
            else:
                found = conjunction(*(Not(one) for one in comparisons), found)
        return found

    @cached_property
    def _deciding(self) -> tuple[Rule, ...]:
        """The rules without those at the end that include what would be included anyway."""
        last = max((place for place, rule in enumerate(self.rules) if rule.policy is Policy.EXCLUDE), default=-1)
        return self.rules[: last + 1]
