"""Predicates: the one expression tree that rules, cursors, queries and privacy requests compile to."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.literal import Check, Literal, Operator, check_of

Document = Mapping[str, Any]
Test = Callable[[Document], bool]
Names = dict[str, Any]
"""What a text that is compiled refers to."""
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


def conjunction(*parts: Predicate) -> Predicate:
    """Return one predicate that every part is true of, as flat as can be."""
    flat: list[Predicate] = []
    for part in parts:
        flat += part.parts if isinstance(part, And) else (part,)
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def compiled(predicate: Predicate) -> Test:
    """Return one function that tells whether a document matches. Raises a `ValueError` for what is nested too deep."""
    names: Names = {}
    # The text has nothing in it but `and`, `or`, `not`, parentheses and names that were made here.
    exec(f"def matches(document):\n get = document.get\n return {_condition(predicate, names, 0)}", names)  # noqa: S102
    found: Test = names["matches"]
    return found


def call_of(comparison: Comparison, names: Names) -> str:
    """Return the text of a call that tells whether a document matches, and add what it calls to the names.

    It stands in a function that has the `document` and its `get`.
    """
    number = len(names)
    check = check_of(comparison.operator, comparison.literal)
    if "." in comparison.field:
        names[f"v{number}"] = _within(comparison.field, check)
        return f"v{number}(document)"
    # None is what is not there as well: it matches nothing.
    names |= {f"c{number}": check, f"f{number}": comparison.field}
    return f"c{number}(get(f{number}))"


def _condition(predicate: Predicate, names: Names, depth: int) -> str:
    if depth > DEEPEST:
        raise ValueError(f"A predicate may be nested {DEEPEST} levels deep at the most.")
    match predicate:
        case And(parts):
            return _joined(" and ", [_condition(part, names, depth + 1) for part in parts]) or "True"
        case Or(parts):
            return _joined(" or ", [_condition(part, names, depth + 1) for part in parts]) or "False"
        case Not(part):
            return f"(not {_condition(part, names, depth + 1)})"
        case Comparison():
            return call_of(predicate, names)


def _joined(word: str, conditions: list[str]) -> str:
    return f"({word.join(conditions)})" if conditions else ""


def _within(field: str, check: Check) -> Test:
    return lambda document: any(check(value) for value in values_at(document, field))
