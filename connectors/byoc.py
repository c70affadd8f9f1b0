"""The filter: the sync rules of a connector, as a source sees them."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from connectors.errors import ConfigurationError
from connectors.filtering.rules import Rules
from connectors.filtering.snippet import advanced_rules_of
from connectors.filtering.validation import AdvancedRules
from connectors.predicate import Predicate
from connectors.wording import shown


class Filter:
    """What `get_docs` is given: advanced rules for the source, and basic rules that the framework applies itself.

    It is made of what a job document holds as its filtering: `{"rules": [...], "advanced_snippet": {"value": ...}}`.
    """

    def __init__(self, wire: Mapping[str, Any] | None = None) -> None:
        if wire is not None and not isinstance(wire, Mapping):
            raise ConfigurationError(f"The filtering is {shown(wire)}, not an object.", field="filtering")
        self._wire = wire or {}

    def has_advanced_rules(self) -> bool:
        """Return whether there are advanced rules."""
        return bool(self.get_advanced_rules())

    def get_advanced_rules(self) -> AdvancedRules:
        """Return the advanced rules, an object or a list as their source has it; an empty object without any.

        Raises a `ConfigurationError` for what is neither.
        """
        return advanced_rules_of(self._wire)

    @cached_property
    def basic_rules(self) -> Rules:
        """The basic rules. Raises a `ConfigurationError` for what validation refuses."""
        rules = self._wire.get("rules")
        return Rules() if rules is None else Rules.of(rules)

    @property
    def where(self) -> Predicate:
        """What documents have to match to be kept. A source may fetch less by it; the framework checks it again."""
        return self.basic_rules.predicate

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields that basic rules look at: what a document has to have for them to decide about it."""
        return self.basic_rules.fields

    def __repr__(self) -> str:
        try:
            count, advanced = len(self.basic_rules.rules), self.has_advanced_rules()
        except ConfigurationError:
            return "Filter(not valid)"
        return f"Filter({count} basic rules, advanced rules: {advanced})"
