"""Serializable: what a document may consist of, and how two of them are told apart."""

from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Final
from uuid import UUID

DEEPEST: Final = 50
"""How deep objects and lists may be nested."""
_SCALARS: Final = (str, int, float, bool, date, time, Decimal, UUID, bytes, bytearray, memoryview)
_SEVERAL: Final = (list, tuple, set, frozenset)


def faults_of(value: object, at: str = "", depth: int = 0) -> Iterator[str]:
    """Yield what of a value can't be written into an index, each as a sentence that says where it stands.

    What can: the types of JSON, dates and times, decimals, UUIDs, bytes, tuples and sets.
    """
    match value:
        case _ if depth > DEEPEST:
            yield f"{at} is nested deeper than {DEEPEST} levels, or in itself."
        case str():
            if not is_unicode(value):
                yield f"{at} holds half a character (a lone surrogate): decode what was read with errors='replace'."
        case Mapping():
            for name, inner in value.items():
                if not isinstance(name, str) or not is_unicode(name):
                    yield f"{at or 'The document'} has the key {name!r}: keys are texts."
                else:
                    yield from faults_of(inner, f"{at}.{name}" if at else name, depth + 1)
        case list() | tuple() | set() | frozenset():
            for place, inner in enumerate(value):
                yield from faults_of(inner, f"{at}[{place}]", depth + 1)
        case _ if value is not None and not isinstance(value, _SCALARS):
            yield f"{at} is of the type {type(value).__name__}: make a text, a number, a list or an object of it."


def is_unicode(text: str) -> bool:
    """Return whether a text can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def canonical(value: object) -> object:
    """Return what is equal for equal values only: NaN is itself, True is not 1, and the order of keys says nothing."""
    if isinstance(value, Mapping):
        return frozenset((name, canonical(inner)) for name, inner in value.items())
    if isinstance(value, set | frozenset):
        return ("set", frozenset(canonical(inner) for inner in value))
    if isinstance(value, _SEVERAL):
        return tuple(canonical(inner) for inner in value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return (type(value).__name__, repr(value))
