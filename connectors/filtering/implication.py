"""Implication: whether every document that one comparison matches is surely matched by another one too."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from connectors.literal import MOST_DIGITS, Literal, Operator, checks_of
from connectors.predicate import Comparison

_ORDERED: Final = frozenset({Operator.GREATER, Operator.GREATER_OR_EQUAL, Operator.LESS, Operator.LESS_OR_EQUAL})
_INCLUSIVE: Final[Mapping[Operator, Operator]] = {
    Operator.GREATER: Operator.GREATER_OR_EQUAL,
    Operator.GREATER_OR_EQUAL: Operator.GREATER_OR_EQUAL,
    Operator.LESS: Operator.LESS_OR_EQUAL,
    Operator.LESS_OR_EQUAL: Operator.LESS_OR_EQUAL,
}
_COMPARED: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.GREATER: lambda a, b: bool(a > b),
    Operator.GREATER_OR_EQUAL: lambda a, b: bool(a >= b),
    Operator.LESS: lambda a, b: bool(a < b),
    Operator.LESS_OR_EQUAL: lambda a, b: bool(a <= b),
}


def implies(narrow: Comparison, wide: Comparison) -> bool:
    """Return whether whatever matches the narrow comparison surely matches the wide one. False where in doubt.

    Fields hold values of any type, and a literal compares differently with each of them: as a text, a number, a flag
    or an instant. So it is sure only when it holds for all of them.
    """
    if narrow.field != wide.field:
        return False
    if narrow == wide:
        return True
    if narrow.operator is Operator.EQUALS:
        return _equality_implies(narrow.literal, wide)
    if narrow.operator in _ORDERED and wide.operator in _ORDERED:
        return _order_implies(narrow, wide)
    return _text_implies(narrow, wide)


def _text_implies(narrow: Comparison, wide: Comparison) -> bool:
    within, text = wide.literal.text, narrow.literal.text
    match wide.operator, narrow.operator:
        case Operator.STARTS_WITH, Operator.STARTS_WITH:
            return text.startswith(within)
        case Operator.ENDS_WITH, Operator.ENDS_WITH:
            return text.endswith(within)
        case Operator.CONTAINS, Operator.CONTAINS | Operator.STARTS_WITH | Operator.ENDS_WITH:
            return within in text
    return False


def _equality_implies(literal: Literal, wide: Comparison) -> bool:
    """Try the other comparison on whatever equals the literal: one value of each type stands for all of them.

    But one number has many texts (5, 5.0), and so has one instant.
    """
    several_texts = literal.number is not None or literal.instant is not None
    if several_texts and wide.operator not in _ORDERED:
        return False
    if literal.number is not None and literal.number.adjusted() >= MOST_DIGITS:
        return False
    checks = checks_of(wide.operator, wide.literal)
    return all(checks[type(value)](value) for value in _equal_values(literal))


def _equal_values(literal: Literal) -> Iterator[object]:
    yield literal.text
    if literal.flag is not None:
        yield literal.flag
    if literal.number is not None:
        yield literal.number
        yield float(literal.number)
        if literal.number == literal.number.to_integral_value():
            yield int(literal.number)
    if literal.instant is not None:
        yield literal.instant


def _order_implies(narrow: Comparison, wide: Comparison) -> bool:
    """Compare the bounds as everything that they are: both have to be the same kinds of things."""
    if _INCLUSIVE[narrow.operator] is not _INCLUSIVE[wide.operator]:
        return False
    inner, outer = narrow.literal, wide.literal
    pairs: list[tuple[Any, Any]] = [(inner.text, outer.text), (inner.number, outer.number)]
    pairs.append((inner.instant, outer.instant))
    if inner.number is not None and outer.number is not None:
        pairs.append((float(inner.number), float(outer.number)))  # as which floats are compared
    # A bound that is excluded itself lies within one that excludes it too.
    bounded = narrow.operator is _INCLUSIVE[narrow.operator]
    compare = _COMPARED[wide.operator if bounded else _INCLUSIVE[wide.operator]]
    return all((a is None and b is None) or (a is not None and b is not None and compare(a, b)) for a, b in pairs)
