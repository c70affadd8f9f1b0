"""Predicates as queries of MongoDB: conditions that are true of every document that matches, and of few others.

A literal is compared with values of many types, each in its way. Numbers, texts, flags and instants are compared by the
database; of the types that a text stands for here it is only asked whether a value is of such a one.
"""

import re
from decimal import Decimal
from typing import Any, Final

from bson.objectid import ObjectId

from connectors.literal import Literal, Operator
from connectors.predicate import And, Comparison, Not, Or, Predicate

Query = dict[str, Any]
DEEPEST: Final = 40
"""How deep a predicate may be nested to be translated."""
UNKNOWN: Final = frozenset({"_id", "_id_", "id", "_timestamp", "dataset", "database", "collection"})
"""Fields that a document may have of us: nothing is known of them there."""
_MADE: Final = (
    "binData",
    "timestamp",
    "regex",
    "javascript",
    "javascriptWithScope",
    "symbol",
    "dbPointer",
    "minKey",
    "maxKey",
    "decimal",
)
"""Types whose values become others here, or are compared more exactly."""
_DIGITS: Final = re.compile(r"[0-9a-f]{24}")
_EXACT: Final = 2**53
_SLACK: Final = 1e-9
"""How much wider, in parts of it, a bound of numbers is: databases round decimals in ways of their own."""
_LARGEST: Final = 300
"""The exponent of the largest number that is compared there."""
_UPWARDS: Final = {Operator.GREATER, Operator.GREATER_OR_EQUAL}
_ORDERED: Final = {*_UPWARDS, Operator.LESS, Operator.LESS_OR_EQUAL}
_ALL: Final[Query] = {}
_NONE: Final[Query] = {"$nor": [{}]}


def query_of(where: Predicate) -> Query:
    """Return what is true of every document that matches; an empty query where nothing can be said."""
    return _bound(where, upper=True, depth=0)


def _bound(where: Predicate, *, upper: bool, depth: int) -> Query:
    """Return the upper bound of a predicate, or what is true of none but what matches."""
    if depth > DEEPEST:
        return _undecided(upper=upper)
    match where:
        case And(parts):
            return _all_of([_bound(one, upper=upper, depth=depth + 1) for one in parts])
        case Or(parts):
            return _any_of([_bound(one, upper=upper, depth=depth + 1) for one in parts])
        case Not(part):
            found = _bound(part, upper=not upper, depth=depth + 1)
            return _ALL if found == _NONE else _NONE if found == _ALL else {"$nor": [found]}
        case Comparison(field, how, literal):
            if not field or "." in field or "$" in field or "\0" in field or field in UNKNOWN:
                return _undecided(upper=upper)
            return _compared(field, how, literal, upper=upper)


def _compared(field: str, how: Operator, literal: Literal, *, upper: bool) -> Query:
    if not _is_unicode(literal.text):
        return _undecided(upper=upper)
    if how is Operator.EQUALS:
        values = _equals(literal, upper=upper)
        found = {field: {"$in": values}}
        return {"$or": [found, {field: {"$type": [*_MADE, "date"]}}]} if upper else found
    if how in _ORDERED and upper:
        parts: list[Query] = [{field: {"$type": ["string", "objectId", "date", *_MADE]}}]
        number = literal.number
        if number is not None and abs(number.adjusted()) > _LARGEST:
            return _ALL
        if number is not None:
            parts.append({field: {"$gte" if how in _UPWARDS else "$lte": _wider(number, up=how not in _UPWARDS)}})
        return {"$or": parts}
    return _undecided(upper=upper)


def _equals(literal: Literal, *, upper: bool) -> list[object]:
    """Return values that are equal to a literal; all that are of the types that are compared, for the upper bound."""
    text, number = literal.text, literal.number
    values: list[object] = [text]
    if _DIGITS.fullmatch(text):
        values.append(ObjectId(text))
    if literal.flag is not None:
        values.append(literal.flag)
    if number is None or abs(number.adjusted()) > _LARGEST:
        return values
    whole = number == number.to_integral_value()
    if whole and abs(number) <= _EXACT:
        values.append(int(number))
    elif upper:
        values.append(float(number))
        if whole and -(2**63) <= number < 2**63:
            values.append(int(number))
    return values


def _wider(number: Decimal, *, up: bool) -> float:
    """Return a bound that is wider than a number."""
    near = float(number)
    slack = abs(near) * _SLACK + 1e-300
    return near + slack if up else near - slack


def _all_of(parts: list[Query]) -> Query:
    if _NONE in parts:
        return _NONE
    left = [one for one in parts if one != _ALL]
    return left[0] if len(left) == 1 else {"$and": left} if left else _ALL


def _any_of(parts: list[Query]) -> Query:
    if _ALL in parts:
        return _ALL
    left = [one for one in parts if one != _NONE]
    return left[0] if len(left) == 1 else {"$or": left} if left else _NONE


def _undecided(*, upper: bool) -> Query:
    return _ALL if upper else _NONE


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
