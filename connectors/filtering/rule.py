"""A basic rule: include or exclude the documents whose field compares with a value."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from connectors.errors import ConfigurationError
from connectors.literal import Literal, Operator
from connectors.pattern import InvalidPattern, Pattern
from connectors.predicate import Comparison
from connectors.wording import nearest, shortened, shown

DEFAULT_ID: Final = "DEFAULT"
"""The rule that every set has and that decides nothing: what no other rule decides is included."""
_TEXTS: Final[Mapping[str, str]] = {
    "id": "an id, by which messages name it",
    "policy": "a policy: include or exclude",
    "field": "a field to look at",
    "rule": 'an operator (its "rule"), such as equals or starts_with',
    "value": "a value to compare with",
}
"""What a rule consists of beside its order, and what to say where it is missing."""
_ANY_LINE: Final = re.compile(r"(\(\?s\))?[\^(]*\.\*\??[)$]*")
LONGEST_REASON: Final = 200


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
    def of(cls, wire: object) -> "Rule":
        """Return a rule of a connector document. Raises a `ConfigurationError` for one that has faults."""
        found = list(faults(wire))
        if found or not isinstance(wire, Mapping):
            raise ConfigurationError("\n".join(f"{named(wire)} {fault}" for fault in found), field="filtering")
        comparison = Comparison(wire["field"], Operator(wire["rule"].casefold()), Literal(wire["value"]))
        return cls(wire["id"], Policy(wire["policy"].casefold()), comparison, wire["order"])


def is_default(wire: object) -> bool:
    """Return whether a rule of a connector document is the one that every set has."""
    return isinstance(wire, Mapping) and wire.get("id") == DEFAULT_ID


def id_of(wire: object) -> str | None:
    """Return the id of a rule of a connector document. None where it has none that can be used."""
    found = wire.get("id") if isinstance(wire, Mapping) else None
    return found if isinstance(found, str) and found else None


def named(wire: object) -> str:
    """Return how a sentence about a rule begins."""
    own = id_of(wire)
    return f"The rule {shown(own)}" if own is not None else "The rule without an id"


def order_of(wire: Mapping[str, Any]) -> float:
    """Return the order of a rule of a connector document. Without one it comes last."""
    order = wire.get("order")
    return order if isinstance(order, int | float) and not any(_faults_of_order(order)) else math.inf


def faults(wire: object) -> Iterator[str]:
    """Yield everything that is wrong with a rule of a connector document, as the end of a sentence that names it."""
    if not isinstance(wire, Mapping):
        yield f"is {shown(wire)}, not an object."
        return
    texts = {}
    for name, needed in _TEXTS.items():
        value = wire.get(name)
        if value is None or value == "":
            yield f"needs {needed}."
        elif not isinstance(value, str):
            yield f"has {shown(value)} as its {name}, which is no text."
        else:
            texts[name] = value
    yield from _unknown("policy", texts.get("policy"), Policy)
    yield from _unknown("operator", texts.get("rule"), Operator)
    if texts.get("rule", "").casefold() == Operator.REGEX and "value" in texts:
        yield from _faults_of_pattern(texts["value"])
    yield from _faults_of_order(wire.get("order"))


def _unknown(what: str, name: str | None, known: type[Policy | Operator]) -> Iterator[str]:
    names = [str(one.value) for one in known]
    if name is not None and name.casefold() not in names:
        yield f"has the {what} {shown(name)}, which does not exist. {nearest(name, names)}"


def _faults_of_order(order: Any) -> Iterator[str]:  # noqa: ANN401 - whatever stands there
    if order is None:
        yield "needs an order, the number by which rules are sorted."
    elif isinstance(order, bool) or not isinstance(order, int | float):
        yield f"has {shown(order)} as its order, which is no number."
    elif isinstance(order, float) and not math.isfinite(order):
        yield f"has {shown(order)} as its order, by which nothing can be sorted."


def _faults_of_pattern(text: str) -> Iterator[str]:
    try:
        Pattern(text)
    except InvalidPattern as error:
        reason = shortened(str(error), LONGEST_REASON)
        hint = "Write it in the syntax of RE2, which has neither look-around nor back-references."
        yield f"has the expression {shown(text)}, which can't be used: {reason}. {hint}"
        return
    if _matches_everything(text):
        hint = "Say which texts are meant; what no rule matches is included anyway."
        yield f"has the expression {shown(text)}, which matches every text. {hint}"


def _matches_everything(text: str) -> bool:
    """Return whether an expression matches whatever a text begins with.

    It does when it matches nothing at the start, whatever follows: all that an assertion can tell apart there is the
    end, the end of a line, a letter, and anything else.
    """
    if _ANY_LINE.fullmatch(text):
        return True
    try:
        return all(Pattern(f"(?:{text}){follows}", whole=True).matches(follows) for follows in ("", "\n", "a", "-"))
    except InvalidPattern:
        return False  # it ends within a quotation (`\Q`), or is too large with one character more
