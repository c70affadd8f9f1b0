"""Predicates: the one expression tree that rules, cursors, queries and privacy requests compile to."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.literal import SEVERAL, Literal, Operator, check_of, checks_of

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


def fields_in(predicate: Predicate) -> set[str]:
    """Return the names of all fields that a predicate looks at."""
    match predicate:
        case And(parts) | Or(parts):
            return set().union(*map(fields_in, parts))
        case Not(part):
            return fields_in(part)
        case Comparison(field=name):
            return {name}


def conjunction(*parts: Predicate) -> Predicate:
    """Return one predicate that every part is true of, as flat as can be."""
    flat: list[Predicate] = []
    for part in parts:
        flat += part.parts if isinstance(part, And) else (part,)
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def without(predicate: Predicate, fields: Collection[str], *, true: bool = True) -> Predicate:
    """Return a predicate that does not look at these fields, and matches all that the given one matches.

    It is as if a comparison of them came out `true`; below a `Not` the other way round.
    """
    match predicate:
        case And(parts):
            return And(tuple(without(part, fields, true=true) for part in parts))
        case Or(parts):
            return Or(tuple(without(part, fields, true=true) for part in parts))
        case Not(part):
            return Not(without(part, fields, true=not true))
        case Comparison(field):
            unknown = field in fields or field.partition(".")[0] in fields
            return predicate if not unknown else ALWAYS if true else NEVER


def compiled(predicate: Predicate) -> Test:
    """Return one function that tells whether a document matches. Raises a `ValueError` for what is nested too deep."""
    code = Code()
    condition = _condition(predicate, code, 0)
    code.lines.append(f"return {condition}")
    return code.function()


class Code:
    """The lines of a function of a `document`: nothing is in them but Python's own words and names made here."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[str, Any] = {}
        self._read: dict[str, str] = {}

    def condition(self, comparison: Comparison) -> str:
        """Return the text of a condition, and add a line that reads its field unless there is one.

        As all comparisons with a field share what was read, a long list of rules looks each field up once.
        """
        number = self._read.get(comparison.field) or self._reading(comparison.field)
        checks = f"c{len(self._names)}"
        self._names[checks] = checks_of(comparison.operator, comparison.literal)
        # None is what is not there as well: it matches nothing.
        return f"(v{number} is not None and {checks}[t{number}](v{number}))"

    def function(self) -> Test:
        """Return the function that has these lines."""
        lines = ["def function(document):", "get = document.get", *self.lines]
        exec("\n ".join(lines), self._names)  # noqa: S102 - see above
        function: Test = self._names["function"]
        return function

    def _reading(self, field: str) -> str:
        number = self._read[field] = str(len(self._read))
        if "." in field:
            self._names[f"r{number}"] = _reader(field)
            self.lines.append(f"v{number} = r{number}(document)")
        else:
            self._names[f"f{number}"] = field
            self.lines.append(f"v{number} = get(f{number})")
        self.lines.append(f"t{number} = v{number}.__class__")
        return number


def _reader(field: str) -> Callable[[Document], Any]:
    """Return what reads the value of a field with dots: several as one flat list, and None where there is none."""
    path = field.split(".")

    def read(document: Document) -> object:
        value: Any = document
        if field in document:
            return document[field]
        for name in path:
            if type(value) is not dict:
                return _flat(values_at(document, field))
            if name not in value:
                return None
            value = value[name]
        return value

    return read


def _flat(values: Iterable[object]) -> list[object]:
    """Return values and the parts of those that are several; what is nested deeper matches nothing anyway."""
    return [part for value in values for part in (value if isinstance(value, SEVERAL) else (value,))]


def _condition(predicate: Predicate, code: Code, depth: int) -> str:
    if depth > DEEPEST:
        raise ValueError(f"A predicate may be nested {DEEPEST} levels deep at the most.")
    match predicate:
        case And(parts):
            return _joined(" and ", [_condition(part, code, depth + 1) for part in parts]) or "True"
        case Or(parts):
            return _joined(" or ", [_condition(part, code, depth + 1) for part in parts]) or "False"
        case Not(part):
            return f"(not {_condition(part, code, depth + 1)})"
        case Comparison():
            return code.condition(predicate)


def _joined(word: str, conditions: list[str]) -> str:
    return f"({word.join(conditions)})" if conditions else ""
