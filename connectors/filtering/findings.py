"""Findings: what validators say about a set of rules, gathered until it can be told."""

from typing import Final

from connectors.filtering.validation import FilteringValidation, RuleError
from connectors.wording import shortened

BASIC_RULES: Final = "rules"
"""The id of what is wrong with the basic rules and with no single one of them."""
LONGEST_ID: Final = 1_000
LONGEST_MESSAGE: Final = 2_000


class Findings:
    """Gathers messages by the id of what they are about, each once and in their order."""

    def __init__(self) -> None:
        self._messages: dict[str, dict[str, None]] = {}

    def add(self, rule_id: str, message: str) -> None:
        """Add a message. What could not be stored in a connector document is replaced, and too much is cut."""
        messages = self._messages.setdefault(shortened(rule_id, LONGEST_ID), {})
        messages[shortened(message, LONGEST_MESSAGE)] = None

    def validation(self) -> FilteringValidation:
        """Return them as what a connector document says of the rules."""
        return FilteringValidation(tuple(RuleError((own,), tuple(found)) for own, found in self._messages.items()))
