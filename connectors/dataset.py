"""A dataset: a table, a collection, a file of rows; and the ids of the documents that its rows become."""

import hashlib
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

Row = dict[str, Any]
Key = tuple[Any, ...]
LONGEST_ID: Final = 400
"""Bytes of an id; what would be longer ends in a hash instead. An engine takes 512."""
MOST_BYTES: Final = 4
"""Bytes of a character in UTF-8."""
_LARGE: Final = 10**18
_PLAIN: Final = re.compile(r"[^\W\d_][^/%\":\ud800-\udfff]*")
_RESERVED: Final = ("null", "true", "false", "nan", "inf", "infinity")
_LONGEST_RESERVED: Final = max(map(len, _RESERVED))


@dataclass(frozen=True)
class Dataset:
    """A set of rows of one kind that a source has.

    `schema` is the JSON Schema of a row; `primary_key` names the columns that tell rows apart, in the order in which
    they are read, and is empty where a source tells them apart by something else; `cursor_field` is a column that only
    grows when a row changes; `rows` is a guess at their number.
    """

    name: str
    group: str | None = None
    schema: Mapping[str, Any] = field(default_factory=dict, hash=False)
    primary_key: tuple[str, ...] = ()
    cursor_field: str | None = None
    rows: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, as the schema has them."""
        return tuple(self.schema.get("properties", ()))

    def columns_behind(self, fields: Collection[str]) -> Sequence[str] | None:
        """Return the columns that these fields of a document are made of, or are in; None for all that there are.

        A column may have got underscores as a field, and others decide how many, so those that differ by them are too.
        A document has a `_timestamp` of another column, so that is always among them.
        """
        if not fields:
            return ()
        if not self.columns:  # as nobody says which there are
            return None
        paths = [name.split(".") for name in fields]
        named = {".".join(path[:length]) for path in paths for length in range(1, len(path) + 1)}
        named |= {"_timestamp", self.cursor_field or "_timestamp"}
        stems = {name.rstrip("_") for name in named}
        return [name for name in self.columns if name.rstrip("_") in stems]

    def key_of(self, row: Mapping[str, Any]) -> Key:
        """Return the values of a row's primary key."""
        return tuple([row[name] for name in self.primary_key])


def apart(row: Row, taken: Collection[str]) -> Row:
    """Return a row without columns of these names: such a one has an underscore more, or as many as it takes."""
    if row.keys().isdisjoint(taken):
        return row
    found: Row = {}
    for name, value in row.items():
        free = name
        while free in taken or free in found or (free != name and free in row):
            free += "_"
        found[free] = value
    return found


def content_of(row: Row) -> str:
    """Return what stands for all that a row holds, in the id of one that has no key."""
    return f"row-{hashlib.blake2b(repr(row).encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def document_id(dataset: str, key: Sequence[object]) -> str:
    """Return the id of the document of a row: readable, and another one for every other key of whatever types.

    An instant has the same id in every time zone. Numbers that are equal may have the same, others never have.
    """
    readable = "/".join([_beginning(dataset), *map(_part, key)])
    if len(readable) <= LONGEST_ID // MOST_BYTES:
        return readable
    raw = readable.encode()
    if len(raw) <= LONGEST_ID:
        return readable
    digest = hashlib.blake2b(raw, digest_size=20).hexdigest()
    return f"{raw[: LONGEST_ID - 50].decode('utf-8', 'ignore')}%#{digest}"


@lru_cache(maxsize=1_024)
def _beginning(dataset: str) -> str:
    return _escaped(dataset)


def _part(value: object) -> str:
    """Return one value of a key: numbers as they are, texts too unless they could be taken for something else."""
    if type(value) is int and -_LARGE < value < _LARGE:  # as most are
        return str(value)
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return _number(value)
        case str():
            return str(value) if _is_plain(value) else f'"{_escaped(value)}"'
        case bytes() | bytearray() | memoryview():
            return f"bytes:{bytes(value).hex()}"
        case date() | time():
            return _moment(value)
        case UUID():
            return f"uuid:{value}"
    return f'{type(value).__name__}:"{_escaped(str(value))}"'


def _is_plain(text: str) -> bool:
    """Return whether a text needs no quotes: it looks like no value of another type, and nothing in it is escaped."""
    if _PLAIN.fullmatch(text) is None:
        return False
    return len(text) > _LONGEST_RESERVED or text.casefold() not in _RESERVED


def _number(value: float | Decimal) -> str:
    """Return a number. A decimal says that it is one, unless it is whole: 0.1 is not what the float 0.1 stands for."""
    if isinstance(value, int):
        return str(Decimal(value))  # which has no limit of digits
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else f"float:{value}"
    if value.is_finite() and value.adjusted() < LONGEST_ID and value == value.to_integral_value():
        return "0" if value.is_zero() else f"{value.to_integral_value():f}"
    return f"decimal:{value}"


def _moment(value: date | time) -> str:
    """Return a date or a time; an instant in UTC, so that it is the same in every zone."""
    if not isinstance(value, datetime):
        return f"{'date' if isinstance(value, date) else 'time'}:{value.isoformat()}"
    try:
        instant = value.astimezone(UTC) if value.utcoffset() is not None else value
    except OverflowError:  # in the first or last hours of the calendar
        instant = value
    return f"datetime:{instant.isoformat()}"


def _escaped(text: str) -> str:
    """Return a text in which `/`, `%` and `"` are escaped, and what can't be UTF-8."""
    escaped = re.sub(r'[/%"]', lambda match: f"%{ord(match[0]):02X}", text)
    return re.sub("[\ud800-\udfff]", lambda match: f"%u{ord(match[0]):04X}", escaped)
