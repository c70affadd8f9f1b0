"""Loaders: what the driver makes of values, for one connection. None of them fails, whatever a column holds."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from psycopg import AsyncConnection
from psycopg.adapt import Loader
from psycopg.types import TypeInfo
from psycopg.types.hstore import register_hstore
from psycopg.types.string import TextLoader

from connectors.sources._postgresql.values import day_of, json_of, moment_of, unpadded
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
_FIXED: Final = (
    "bool",
    "int2",
    "int4",
    "int8",
    "oid",
    "float4",
    "float8",
    "numeric",
    "date",
    "timestamp",
    "timestamptz",
)
"""Types whose values are about as long as each other."""
_ROW_BYTES: Final = 8
"""Bytes of a row, and of each such value in it."""


class _Described(Protocol):
    """What the driver says of a column."""

    @property
    def name(self) -> str: ...

    @property
    def type_code(self) -> int: ...


def _loader(make: Callable[[str], Any]) -> type[Loader]:
    class Made(Loader):
        def load(self, data: bytes | bytearray | memoryview) -> Any:  # noqa: ANN401 - whatever it makes
            return make(str(data, "utf-8"))

    return Made


def register(connection: AsyncConnection[Any]) -> None:
    """Have a connection make what documents hold of the types that every server has."""
    adapters = connection.adapters
    for name in _AS_THEY_ARE:
        adapters.register_loader(name, TextLoader)
    adapters.register_loader("date", _loader(day_of))
    adapters.register_loader("timestamp", _loader(moment_of))
    adapters.register_loader("timestamptz", _loader(moment_of))
    adapters.register_loader("bpchar", _loader(unpadded))


def register_others(connection: AsyncConnection[Any], types: Iterable[Values]) -> None:
    """Have a connection make lists of what are lists of other types, and objects of hstore."""
    for oid, name, array_oid, delimiter in types:
        info = TypeInfo(name, oid, array_oid, delimiter=delimiter)
        if name == "hstore":
            register_hstore(info, connection)
        else:
            info.register(connection)


class Columns:
    """The columns of a result."""

    def __init__(self, connection: AsyncConnection[Any], described: Sequence[_Described]) -> None:
        oids = connection.adapters.types
        json_oids = {oid for name in ("json", "jsonb") for oid in (oids[name].oid, oids[name].array_oid)}
        fixed = {oids[name].oid for name in _FIXED}
        self.columns = [ResultColumn(one.name, json_of if one.type_code in json_oids else None) for one in described]
        self._long = [place for place, one in enumerate(described) if one.type_code not in fixed]
        self._fixed_bytes = _ROW_BYTES * (1 + len(described))

    def size_of(self, rows: Sequence[Values]) -> int:
        """Return about how many bytes rows are: libpq does not tell, and their texts are what makes the difference."""
        size = self._fixed_bytes * len(rows)
        for place in self._long:
            for row in rows:
                value = row[place]
                if type(value) is str or type(value) is bytes:
                    size += len(value)
                elif value is not None:
                    size += len(repr(value))
        return size
