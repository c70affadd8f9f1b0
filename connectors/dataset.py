"""A dataset: a table, a collection, a file of rows; and the ids of the documents that its rows become."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

Row = dict[str, Any]
Key = tuple[Any, ...]
LONGEST_ID: Final = 400
"""Bytes of an id; what would be longer ends in a hash instead. An engine takes 512."""
_PLAIN: Final = re.compile(r"[^\W\d_][^/%\"]*")
_RESERVED: Final = ("null", "true", "false", "nan", "inf", "infinity")


@dataclass(frozen=True)
class Dataset:
    """A set of rows of one kind that a source has.

    `schema` is the JSON Schema of a row; `primary_key` names the columns that tell rows apart, in the order in which
    they are read; `cursor_field` is a column that only grows when a row changes; `rows` is a guess at their number.
    """

    name: str
    group: str | None = None
    schema: Mapping[str, Any] = field(default_factory=dict)
    primary_key: tuple[str, ...] = ()
    cursor_field: str | None = None
    rows: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, as the schema has them."""
        return tuple(self.schema.get("properties", ()))

    def key_of(self, row: Mapping[str, Any]) -> Key:
        """Return the values of a row's primary key."""
        return tuple(row[name] for name in self.primary_key)


def document_id(dataset: str, key: Sequence[object]) -> str:
    """Return the id of the document of a row: readable, and another one for every other key of whatever types."""
    readable = "/".join([_escaped(dataset), *(_part(value) for value in key)])
    raw = readable.encode("utf-8", "surrogatepass")
    if len(raw) <= LONGEST_ID:
        return readable
    start = raw[: LONGEST_ID - 50].decode("utf-8", "ignore")
    return f"{start}%#{hashlib.blake2b(raw, digest_size=20).hexdigest()}"


def _part(value: object) -> str:
    """Return one value of a key: numbers as they are, texts too unless they could be taken for something else."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(Decimal(value))
        case str():
            plain = _PLAIN.fullmatch(value) and value.casefold() not in _RESERVED and ":" not in value
            return value if plain else f'"{_escaped(value)}"'
        case bytes() | bytearray() | memoryview():
            return f"bytes:{bytes(value).hex()}"
        case float() | Decimal():
            return f"{type(value).__name__}:{value}" if value != value else str(value)  # noqa: PLR0124 - NaN
        case date() | time():
            return f"{type(value).__name__}:{value.isoformat()}"
        case UUID():
            return f"uuid:{value}"
    return f'{type(value).__name__}:"{_escaped(str(value))}"'


def _escaped(text: str) -> str:
    """Return a text in which `/`, `%` and `"` are escaped, and what can't be UTF-8."""
    escaped = re.sub(r'[/%"]', lambda match: f"%{ord(match[0]):02X}", text)
    return re.sub("[\ud800-\udfff]", lambda match: f"%u{ord(match[0]):04X}", escaped)
