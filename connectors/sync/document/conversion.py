"""Conversions: what a value that JSON lacks becomes, one way for each type. docs/documents.md lists them for people."""

import re
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson

Conversion = Callable[[Any], object]
OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
"""Dates pass through us because orjson rounds an offset to minutes, dataclasses because it does not sort them."""
WORDS: Final = (
    UUID,
    PurePath,
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
"""Types whose values are written as one word: their `str()`."""
LARGEST_EXPONENT: Final = 308
"""A number of 10 to a higher power is infinite to every reader that reads floats, and refused by engines."""
LARGEST_BITS: Final = 1_024
"""The same for integers."""
LONGEST_NUMBER: Final = 1_000
"""Characters of a number; Elasticsearch's parser takes no longer one."""
_MICROSECOND: Final = timedelta(microseconds=1)
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_UNITS_OF_DAYS: Final = frozenset({"Y", "M", "W", "D"})
_UNITS_OF_NO_LENGTH: Final = frozenset({"Y", "M", "generic"})


class Unconvertible(Exception):
    """A value has no form in JSON; the text is the end of a sentence that names its field, and never shows the value.

    `path` is where it stands, from the inside out: whoever passes it on appends a step.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []


def convert(value: Any) -> object:  # noqa: ANN401 - whatever a source yields
    """Return what stands for a value that is no plain JSON: a plain value, or parts that may be converted in turn.

    It keeps nothing, and reads only what can be read again: an iterator can't. Raises `Unconvertible`.
    """
    return _known(type(value))(value)


def _conversion_of(kind: type) -> Conversion:
    for known, conversion in _CONVERSIONS:
        if issubclass(kind, known):
            return conversion
    if is_dataclass(kind):
        return _fields
    # The types of BSON, by their names: that driver is one that most installations lack.
    names = {one.__name__ for one in kind.__mro__}
    if "ObjectId" in names:
        return str
    return _decimal_of if "Decimal128" in names else _refused


def word_of(value: Any) -> str | None:  # noqa: ANN401 - whatever a source yields
    """Return the text of a value that is one word by nature: an id, an address, a path. None for others."""
    conversion = _known(type(value))
    return str(value) if conversion is str else None


def clean(text: str) -> str:
    """Return a text as it can be UTF-8: halves of surrogate pairs are joined, and one that is alone becomes U+FFFD."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole(number: int) -> object:
    """Return an integer; one that needs more than 64 bits is written with all its digits."""
    if -(2**63) <= number < 2**64:
        return number
    if number.bit_length() > LARGEST_BITS:  # before anything is made of the digits, of which there may be millions
        raise Unconvertible("is a number too large for any engine")
    return _decimal(Decimal(number))


def in_order(parts: Iterable[object]) -> list[object]:
    """Return plain values in the order of their bytes: sets have none that stays from one process to the next."""
    return sorted(parts, key=_encoded)


def type_name(kind: type) -> str:
    """Return the name of a type as messages show it."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _encoded(value: object) -> bytes:
    return orjson.dumps(value, None, OPTIONS)


def _refused(value: object) -> object:
    raise Unconvertible(f"is of the type {type_name(type(value))}, which has no form in JSON")


def _decimal(value: Decimal) -> object:
    if not value.is_finite():
        return None
    text = str(value)
    if len(text) > LONGEST_NUMBER or value.adjusted() > LARGEST_EXPONENT:
        raise Unconvertible("is a number too large or too long for any engine")
    if value.adjusted() == LARGEST_EXPONENT and float(value) in {float("inf"), float("-inf")}:
        raise Unconvertible("is a number too large for any engine")
    return orjson.Fragment(text)


def _instant(value: datetime) -> object:
    zone = value.tzinfo
    if (zone is None or zone is UTC) and type(value) is datetime:
        return orjson.Fragment(orjson.dumps(value, None, orjson.OPT_NAIVE_UTC))
    if value != value:  # noqa: PLR0124 - pandas has an instant that is none, which equals nothing
        return None
    offset = value.utcoffset()
    if offset is None:
        value = value.replace(tzinfo=UTC)
    elif offset % timedelta(minutes=1):  # a local mean time, which ISO 8601 has no offset for
        try:
            value = value.astimezone(UTC)
        except OverflowError:
            raise Unconvertible("is an instant before the first or after the last year") from None
    return datetime.isoformat(value)


def _duration(value: timedelta) -> object:
    microseconds = value // _MICROSECOND
    seconds, rest = divmod(abs(microseconds), 1_000_000)
    return orjson.Fragment(f"{'-' if microseconds < 0 else ''}{seconds}.{rest:06}")


def _base64(value: bytes | bytearray | memoryview) -> str:
    return b64encode(bytes(value)).decode()


def _set(value: set[object] | frozenset[object]) -> object:
    if not _SCALARS.issuperset(map(type, value)):
        raise Unconvertible("is a set whose parts have to be converted before it is sorted")
    return in_order(value)


def _fields(value: Any) -> dict[str, object]:  # noqa: ANN401 - any dataclass
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _decimal_of(value: Any) -> object:  # noqa: ANN401 - bson.Decimal128
    return value.to_decimal()


def _numpy_instant(value: np.datetime64) -> object:
    found = value.item()
    if not isinstance(found, int):
        return found
    unit = np.datetime_data(value.dtype)[0]  # finer than Python's, or beyond its years
    return f"{value}" if unit in _UNITS_OF_DAYS else f"{value}+00:00"


def _numpy_duration(value: np.timedelta64) -> object:
    if np.datetime_data(value.dtype)[0] in _UNITS_OF_NO_LENGTH and not np.isnat(value):
        raise Unconvertible("is a number of months or years, which have no length")
    found = value.astype("timedelta64[us]").item()
    return None if found is None else _duration(found) if isinstance(found, timedelta) else _refused(value)


def _numpy_scalar(value: np.generic) -> object:
    found: object = value.item()
    return _refused(value) if isinstance(found, np.generic) else found  # of more bits than Python's own


def _numpy_array(value: "np.ndarray[Any, Any]") -> object:
    if value.dtype.kind in "mM" and value.ndim:
        return list(value)  # tolist() would make bare numbers of instants
    found: object = value[()] if value.dtype.kind in "mM" else value.tolist()
    return found


_CONVERSIONS: Final[tuple[tuple[type | tuple[type, ...], Conversion], ...]] = (
    (Enum, lambda value: value.value),
    (datetime, _instant),
    (date, date.isoformat),
    (time, time.isoformat),
    (timedelta, _duration),
    (Decimal, _decimal),
    (WORDS, str),
    ((bytes, bytearray, memoryview), _base64),
    ((set, frozenset), _set),
    ((list, tuple, deque), list),
    (np.datetime64, _numpy_instant),
    (np.timedelta64, _numpy_duration),
    (np.generic, _numpy_scalar),
    (np.ndarray, _numpy_array),
    (float, float.__float__),
    (Mapping, dict),
)
"""In this order: what is of two types is converted as the first."""
_known: Final[Callable[[type], Conversion]] = lru_cache(maxsize=1_024)(_conversion_of)
"""What converts the values of a type. Types are few, but some drivers make one for each query."""
