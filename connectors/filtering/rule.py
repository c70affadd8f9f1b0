"""A basic rule: include or exclude the documents whose field compares with a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from connectors.errors import ConfigurationError
from connectors.literal import Literal, Operator
from connectors.predicate import Comparison

DEFAULT_ID: Final = "DEFAULT"
"""The rule that every set has and that decides nothing: what no other rule decides is included."""


class Policy(StrEnum):
    """What is done with the documents that a rule matches."""

    INCLUDE = "include"
    EXCLUDE = "exclude"


@dataclass(frozen=True)
class Rule:
    """One basic rule; the first in order that matches a document decides."""

    id: str
    policy: Policy
    comparison: Comparison
    order: float = 0

    @classmethod
    def of(cls, wire: Mapping[str, Any]) -> "Rule":
        """Return a rule of a connector document. Raises a `ConfigurationError` for one that validation refuses."""
        texts = {name: wire.get(name) for name in ("id", "policy", "field", "rule", "value")}
        for name, text in texts.items():
            if not isinstance(text, str) or not text:
                raise ConfigurationError(f"The rule {wire.get('id')!r} has no {name}.", field="filtering")
        try:
            policy, operator = Policy(str(texts["policy"]).casefold()), Operator(str(texts["rule"]).casefold())
        except ValueError as error:
            raise ConfigurationError(f"In the rule {texts['id']!r} {error}.", field="filtering") from None
        literal = Literal(str(texts["value"]))
        if operator is Operator.REGEX and literal.pattern is None:
            message = f"The rule {texts['id']!r} has no valid regular expression."
            raise ConfigurationError(message, field="filtering")
        order = wire.get("order", 0)
        if isinstance(order, bool) or not isinstance(order, int | float):
            raise ConfigurationError(f"The order of the rule {texts['id']!r} is no number.", field="filtering")
        return cls(str(texts["id"]), policy, Comparison(str(texts["field"]), operator, literal), order)


def is_default(wire: Mapping[str, Any]) -> bool:
    """Return whether a rule of a connector document is the one that every set has."""
    return wire.get("id") == DEFAULT_ID
