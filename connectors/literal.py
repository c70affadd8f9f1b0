"""Literals: what a person wrote into a rule, and how a value of a document compares with it."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from connectors.pattern import InvalidPattern, Pattern

Check = Callable[[Any], bool]
"""Whether a value of a document compares as wanted. Never raises: what can't be compared does not match."""
MOST_DIGITS: Final = 400
_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0", ""})


class Operator(StrEnum):
    """How a value is compared with a literal."""

    EQUALS = "equals"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    REGEX = "regex"
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    LESS = "<"
    LESS_OR_EQUAL = "<="


_ORDERED: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.EQUALS: operator.eq,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
}
_WITHIN: Final[Mapping[Operator, Callable[[str], Callable[[str], bool]]]] = {
    Operator.CONTAINS: lambda wanted: lambda text: wanted in text,
    Operator.STARTS_WITH: lambda wanted: lambda text: text.startswith(wanted),
    Operator.ENDS_WITH: lambda wanted: lambda text: text.endswith(wanted),
}
_PLAIN_START: Final = re.compile(r"\^?(?P<text>[A-Za-z0-9_/:,;=@ -]*)(?:\Z|[.\[]|\((?!\?)|\\[^QE])")
"""Letters, and what begins another part: behind anything else may stand that the last letter need not be there."""
SEVERAL: Final = (list, tuple, set, frozenset)
"""What counts as several values."""


@dataclass(frozen=True)
class Literal:
    """A text, and what it is beside that: a number, a flag, an instant, a pattern; None where it is no such thing."""

    text: str

    @cached_property
    def number(self) -> Decimal | None:
        """The number that it is, exact however long."""
        return number_of(self.text)

    @cached_property
    def flag(self) -> bool | None:
        """Whether it says yes or no."""
        word = self.text.strip().casefold()
        return True if word in _TRUE else False if word in _FALSE else None

    @cached_property
    def instant(self) -> datetime | None:
        """The instant that it is."""
        return instant_of(self.text)

    @cached_property
    def pattern(self) -> Pattern | None:
        """The regular expression that it is."""
        try:
            return Pattern(self.text)
        except InvalidPattern:
            return None


def number_of(text: str) -> Decimal | None:
    """Return the number that a text is. None for what is none."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def instant_of(value: object) -> datetime | None:
    """Return the instant of a date, a time or a text of one; without a zone it is one in UTC. None for what is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def text_of(value: object) -> str | None:
    """Return a value as a person would write it; None for what has parts of its own, and for nothing."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(Decimal(value))  # which has no limit of digits
        case float() | Decimal() | UUID():
            return str(value)
        case date():
            return value.isoformat()
        case None | bytes() | bytearray() | memoryview() | Mapping():
            return None
    return str(value)


class Checks(dict[type, Check]):
    """The checks of one comparison by the type of a value: types are few, and are looked up faster than told apart.

    `checks[type(value)](value)` is whether a value compares as wanted, and for several values whether one of them does.
    """

    def __init__(self, common: Mapping[type, Check], others: Check) -> None:
        super().__init__({**common, type(None): _never})
        self._kinds: dict[type, Check] = {**common, **dict.fromkeys(SEVERAL, self._several)}
        self._others = others

    def __missing__(self, kind: type) -> Check:
        found = next((check for known, check in self._kinds.items() if issubclass(kind, known)), self._others)
        self[kind] = found
        return found

    def _several(self, values: Any) -> bool:  # noqa: ANN401 - one of these types
        return any(self[type(value)](value) for value in values if not isinstance(value, SEVERAL))


def check_of(how: Operator, literal: Literal) -> Check:
    """Return the function that compares values with a literal; several values match when one of them does."""
    checks = checks_of(how, literal)
    return lambda value: checks[type(value)](value)


def checks_of(how: Operator, literal: Literal) -> Checks:
    """Return the same as a check for each type of value, for whoever compares often."""
    if how in _WITHIN:
        return _text_checks(_WITHIN[how](literal.text))
    if how is Operator.REGEX:
        return _text_checks(_never if literal.pattern is None else _pattern_check(literal.pattern))
    compare = _ORDERED[how]
    text = _text_check(how, literal)
    common: dict[type, Check] = {
        bool: _flag_check(how, literal.flag),
        int: _never if literal.number is None else _whole_check(compare, literal.number),
        float: _never if literal.number is None else _float_check(compare, literal.number),
        str: text,
        datetime: _never if literal.instant is None else _instant_check(compare, literal.instant),
    }
    return Checks(common, _other_check(compare, literal, text))


def _never(_: object) -> bool:
    return False


def _text_checks(compare: Callable[[str], bool]) -> Checks:
    """Compare every value as the text that a person would write."""

    def check(value: object) -> bool:
        text = text_of(value)
        return text is not None and compare(text)

    return Checks({str: compare}, check)


def _pattern_check(pattern: Pattern) -> Callable[[str], bool]:
    """Look at the letters that a pattern begins with first: that is ten times as fast, and most texts lack them."""
    matches, prefix = pattern.matches, _prefix_of(pattern.text)
    return (lambda text: text.startswith(prefix) and matches(text)) if prefix else matches


def _prefix_of(pattern: str) -> str:
    """Return what every text that matches begins with, as far as that is plain to see."""
    start = _PLAIN_START.match(pattern)
    return "" if start is None or "|" in pattern else start["text"]


def _text_check(how: Operator, literal: Literal) -> Check:
    """Compare texts: for equality as they are, in order as numbers or instants where both are such."""
    compare, wanted = _ORDERED[how], literal.text
    if how is Operator.EQUALS:
        return lambda value: value == wanted
    number, instant = literal.number, literal.instant
    if number is None and instant is None:
        return lambda value: compare(value, wanted)

    def check(value: str) -> bool:
        other_number = number_of(value) if number is not None else None
        if other_number is not None:
            return compare(other_number, number)
        other_instant = instant_of(value) if instant is not None else None
        return compare(value, wanted) if other_instant is None else compare(other_instant, instant)

    return check


def _flag_check(how: Operator, flag: bool | None) -> Check:  # noqa: FBT001 - it is the value
    return (lambda value: value is flag) if how is Operator.EQUALS and flag is not None else _never


def _whole_check(compare: Callable[[Any, Any], bool], number: Decimal) -> Check:
    # As a whole number where it is one of a sensible size: that is exact as well, and faster.
    if number.adjusted() < MOST_DIGITS and number == number.to_integral_value():
        whole = int(number)
        return lambda value: compare(value, whole)
    return lambda value: compare(value, number)


def _float_check(compare: Callable[[Any, Any], bool], number: Decimal) -> Check:
    # As a float 0.1 is 0.1, and not the number next to it that a float stands for.
    near = float(number)
    return lambda value: not math.isnan(value) and compare(value, near)


def _instant_check(compare: Callable[[Any, Any], bool], instant: datetime) -> Check:
    def check(value: datetime) -> bool:
        return compare(value if value.tzinfo is not None else value.replace(tzinfo=UTC), instant)

    return check


def _other_check(compare: Callable[[Any, Any], bool], literal: Literal, text_check: Check) -> Check:
    """Compare values of rarer types: as numbers, as instants, or as the text that a person would write."""

    def check(value: object) -> bool:
        match value:
            case Decimal():
                return literal.number is not None and value.is_finite() and compare(value, literal.number)
            case date():
                instant = instant_of(value)
                return literal.instant is not None and instant is not None and compare(instant, literal.instant)
        text = text_of(value)
        return text is not None and text_check(text)

    return check
