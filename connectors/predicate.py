"""Predicates: the one expression tree that rules, cursors, queries and privacy requests compile to."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.literal import Literal, Operator, check_of

Document = Mapping[str, Any]
Test = Callable[[Document], bool]
DEEPEST: Final = 50
"""How deep a predicate may be nested: each level is one of Python's own when it is compiled."""


@dataclass(frozen=True)
class Comparison:
    """A field compared with a literal. A field of several values matches when one of them does."""

    field: str
    operator: Operator
    literal: Literal


@dataclass(frozen=True)
class And:
    """Every part; all of no parts is always true."""

    parts: tuple["Predicate", ...] = ()


@dataclass(frozen=True)
class Or:
    """At least one part; one of no parts is never true."""

    parts: tuple["Predicate", ...] = ()


@dataclass(frozen=True)
class Not:
    """What does not match, which is also what lacks the field or can't be compared."""

    part: "Predicate"


Predicate = Comparison | And | Or | Not
ALWAYS: Final = And()
NEVER: Final = Or()


def values_at(document: Document, field: str) -> Iterator[Any]:
    """Yield what a document has under a field: under that very name, or else in the objects that its dots lead to."""
    if field in document:
        yield document[field]
    elif "." in field:
        yield from _values_below(document, field.split("."))


def _values_below(value: object, path: list[str]) -> Iterator[Any]:
    if not path:
        yield value
    elif isinstance(value, Mapping):
        if path[0] in value:
            yield from _values_below(value[path[0]], path[1:])
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _values_below(one, path)


def matches(predicate: Predicate, document: Document) -> bool:
    """Return whether a document matches, the plain way: it says what `compiled` has to do faster."""
    match predicate:
        case And(parts):
            return all(matches(part, document) for part in parts)
        case Or(parts):
            return any(matches(part, document) for part in parts)
        case Not(part):
            return not matches(part, document)
        case Comparison(field, how, literal):
            check = check_of(how, literal)
            return any(check(value) for value in values_at(document, field))


def compiled(predicate: Predicate) -> Test:
    """Return one function that tells whether a document matches. Raises a `ValueError` for what is nested too deep."""
    checks: list[Test] = []
    condition = _condition(predicate, checks, 0)
    names = {f"t{place}": check for place, check in enumerate(checks)}
    # The text has nothing in it but `and`, `or`, `not`, parentheses and names that were made here.
    found: Test = eval(f"lambda document: {condition}", names)  # noqa: S307
    return found


def _condition(predicate: Predicate, checks: list[Test], depth: int) -> str:
    if depth > DEEPEST:
        raise ValueError(f"A predicate may be nested {DEEPEST} levels deep at the most.")
    match predicate:
        case And(parts):
            return _joined(" and ", [_condition(part, checks, depth + 1) for part in parts]) or "True"
        case Or(parts):
            return _joined(" or ", [_condition(part, checks, depth + 1) for part in parts]) or "False"
        case Not(part):
            return f"(not {_condition(part, checks, depth + 1)})"
        case Comparison():
            checks.append(_test_of(predicate))
            return f"t{len(checks) - 1}(document)"


def _joined(word: str, conditions: list[str]) -> str:
    return f"({word.join(conditions)})" if conditions else ""


def _test_of(comparison: Comparison) -> Test:
    field, check = comparison.field, check_of(comparison.operator, comparison.literal)
    if "." not in field:
        # None is what is not there as well: it matches nothing.
        return lambda document: check(document.get(field))
    return lambda document: any(check(value) for value in values_at(document, field))
