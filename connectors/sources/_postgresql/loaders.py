"""Loaders: what the driver makes of values, for one connection. None of them fails, whatever a column holds.

Days that are in no calendar of the years 1 to 9999, such as `infinity`, stay the texts that they are.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final, Protocol

from psycopg import AsyncConnection
from psycopg.adapt import Loader
from psycopg.postgres import types
from psycopg.types import TypeInfo
from psycopg.types.hstore import register_hstore
from psycopg.types.string import StrDumperUnknown, TextLoader

from connectors.sources._postgresql.values import json_of
from connectors.sources._sql.garbled import ESCAPING
from connectors.sources._sql.row import size_of
from connectors.sources._sql.session import ResultColumn, Values

OTHER_TYPES: Final = """
SELECT t.oid, t.typname, t.typarray, t.typdelim::text
FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
WHERE t.typarray <> 0 AND t.oid >= 16384 AND (t.typrelid = 0 OR c.relkind = 'c')"""
"""Types that somebody has added, and what lists of them are: the driver knows the others."""
_AS_THEY_ARE: Final = (
    *("time", "timetz", "interval", "uuid", "inet", "cidr", "json", "jsonb", "record"),
    *("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"),
    *("int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange"),
)
"""Types whose values stay as the server writes them."""
_ANY_OTHER: Final = 0
"""Stands for all types that have no loader of their own."""
_FIXED: Final = frozenset(
    types[name].oid
    for name in (
        *("bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric"),
        *("date", "timestamp", "timestamptz"),
    )
)
"""Types whose values are about as long as each other."""
_JSON: Final = frozenset(oid for name in ("json", "jsonb") for oid in (types[name].oid, types[name].array_oid))
_ROW_BYTES: Final = 8
"""Bytes of a row, and of each such value in it."""


class _Described(Protocol):
    """What the driver says of a column."""

    @property
    def name(self) -> str: ...

    @property
    def type_code(self) -> int: ...


class _DayLoader(Loader):
    def load(self, data: bytes | bytearray | memoryview) -> date | str:
        text = str(data, "ascii")
        try:
            return date.fromisoformat(text)
        except ValueError:
            return text


class _MomentLoader(Loader):
    def load(self, data: bytes | bytearray | memoryview) -> datetime | str:
        text = str(data, "ascii")
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return text


class _UnpaddedLoader(Loader):
    """Leaves out what fills a text of a fixed length up: such blanks mean nothing."""

    def load(self, data: bytes | bytearray | memoryview) -> str:
        return str(data, "utf-8").rstrip(" ")


class _EscapingLoader(Loader):
    """Reads texts of a database that does not know their encoding, and so keeps whatever comes."""

    def load(self, data: bytes | bytearray | memoryview) -> str:
        return str(data, "utf-8", ESCAPING)


class _EscapingUnpaddedLoader(_EscapingLoader):
    def load(self, data: bytes | bytearray | memoryview) -> str:
        return super().load(data).rstrip(" ")


class _EscapingDumper(StrDumperUnknown):
    """Writes what was read so, as a key that others are behind has to be."""

    def dump(self, obj: str) -> Any:  # noqa: ANN401 - as the driver has it
        try:
            return super().dump(obj)
        except UnicodeEncodeError:
            return obj.encode("utf-8", ESCAPING)


def register(connection: AsyncConnection[Any]) -> None:
    """Have a connection make what documents hold of the types that every server has."""
    adapters = connection.adapters
    for name in _AS_THEY_ARE:
        adapters.register_loader(name, TextLoader)
    adapters.register_loader("date", _DayLoader)
    adapters.register_loader("timestamp", _MomentLoader)
    adapters.register_loader("timestamptz", _MomentLoader)
    adapters.register_loader("bpchar", _UnpaddedLoader)


def register_escaping(connection: AsyncConnection[Any]) -> None:
    """Have a connection, for which `register` was called, read and write texts that may be none in UTF-8."""
    adapters = connection.adapters
    for name in (*_AS_THEY_ARE, "text", "varchar", "name", '"char"', _ANY_OTHER):
        adapters.register_loader(name, _EscapingLoader)
    adapters.register_loader("bpchar", _EscapingUnpaddedLoader)
    adapters.register_dumper(str, _EscapingDumper)


def register_others(connection: AsyncConnection[Any], others: Iterable[Values]) -> None:
    """Have a connection make lists of what are lists of other types, and objects of hstore."""
    for oid, name, array_oid, delimiter in others:
        info = TypeInfo(name, oid, array_oid, delimiter=delimiter)
        if name == "hstore":
            register_hstore(info, connection)
        else:
            info.register(connection)


class Columns:
    """The columns of a result."""

    def __init__(self, described: Sequence[_Described]) -> None:
        self.columns = [ResultColumn(one.name, json_of if one.type_code in _JSON else None) for one in described]
        self._long = [place for place, one in enumerate(described) if one.type_code not in _FIXED]
        self._fixed_bytes = _ROW_BYTES * (1 + len(described))

    def size_of(self, rows: Sequence[Values]) -> int:
        """Return about how many bytes rows are: libpq does not tell, and their texts are what makes the difference."""
        return size_of(rows, self._long, self._fixed_bytes)
