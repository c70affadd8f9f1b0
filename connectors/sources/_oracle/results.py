"""Results: what the driver is to make of columns, how many rows of them it takes at once, and how large those are."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import oracledb

from connectors.sources._oracle.values import file_of, json_of, number_of, plain_of, unpadded
from connectors.sources._sql.form import Make
from connectors.sources._sql.row import size_of
from connectors.sources._sql.session import ResultColumn, Values
from connectors.sources._sql.single import single_of

FIRST_ROWS: Final = 32
"""Rows that come with the description of what they are, before that can be looked at."""
MOST_ROWS: Final = 1_000
AT_ONCE_BYTES: Final = 1024 * 1024
"""About how large the rows are that come at once, where that can be told."""
_LARGE_BYTES: Final = 128 * 1024
"""What a value is taken for that has no limit."""
_SMALL_BYTES: Final = 16
_ROW_BYTES: Final = 8
_WHOLE: Final[Mapping[oracledb.DbType, oracledb.DbType]] = {
    oracledb.DB_TYPE_CLOB: oracledb.DB_TYPE_LONG,
    oracledb.DB_TYPE_NCLOB: oracledb.DB_TYPE_LONG_NVARCHAR,
    oracledb.DB_TYPE_BLOB: oracledb.DB_TYPE_LONG_RAW,
}
"""What is returned as it is, and not by where it may be had."""
_MADE: Final[Mapping[oracledb.DbType, Make]] = {
    oracledb.DB_TYPE_NUMBER: number_of,
    oracledb.DB_TYPE_BINARY_FLOAT: single_of,
    oracledb.DB_TYPE_CHAR: unpadded,
    oracledb.DB_TYPE_NCHAR: unpadded,
    oracledb.DB_TYPE_BFILE: file_of,
    **dict.fromkeys((oracledb.DB_TYPE_JSON, oracledb.DB_TYPE_OBJECT, oracledb.DB_TYPE_VECTOR), plain_of),
    **dict.fromkeys((oracledb.DB_TYPE_INTERVAL_DS, oracledb.DB_TYPE_INTERVAL_YM), plain_of),
}
_SIZED: Final = frozenset(
    {
        oracledb.DB_TYPE_VARCHAR,
        oracledb.DB_TYPE_NVARCHAR,
        oracledb.DB_TYPE_CHAR,
        oracledb.DB_TYPE_NCHAR,
        oracledb.DB_TYPE_RAW,
    }
)
"""Types whose values are no larger than the description says."""
_FIXED: Final = frozenset(
    {
        oracledb.DB_TYPE_NUMBER,
        oracledb.DB_TYPE_BINARY_FLOAT,
        oracledb.DB_TYPE_BINARY_DOUBLE,
        oracledb.DB_TYPE_BOOLEAN,
        oracledb.DB_TYPE_DATE,
        oracledb.DB_TYPE_TIMESTAMP,
        oracledb.DB_TYPE_TIMESTAMP_LTZ,
        oracledb.DB_TYPE_TIMESTAMP_TZ,
        oracledb.DB_TYPE_INTERVAL_DS,
        oracledb.DB_TYPE_INTERVAL_YM,
        oracledb.DB_TYPE_ROWID,
    }
)
"""Types whose values are small, and about as large as each other."""
ZONED: Final = frozenset({oracledb.DB_TYPE_TIMESTAMP_TZ, oracledb.DB_TYPE_TIMESTAMP_LTZ})
"""Types of whose values the driver leaves the zone out."""


def fetched_as(cursor: oracledb.AsyncCursor, column: oracledb.FetchInfo) -> oracledb.Var | None:
    """Return what the driver is to make of a column's values; None for what it makes by itself.

    A NUMBER is exact: by itself the driver makes a float of one that has a fraction. Large objects come with their
    rows, and JSON as the text that it is.
    """
    kind = column.type_code
    if kind is oracledb.DB_TYPE_NUMBER:
        is_whole = bool(column.precision) and column.scale == 0
        return cursor.var(int if is_whole else Decimal, arraysize=cursor.arraysize)
    if column.is_oson and kind is not oracledb.DB_TYPE_JSON:
        return None
    if kind in _WHOLE:
        return cursor.var(_WHOLE[kind], arraysize=cursor.arraysize)
    if column.is_json and kind is oracledb.DB_TYPE_VARCHAR:
        return cursor.var(kind, size=column.display_size or 0, arraysize=cursor.arraysize)
    return None


def rows_at_once(columns: Sequence[oracledb.FetchInfo]) -> int:
    """Return how many rows are to come at once: as many as are not too large, however long their texts are."""
    widest = _ROW_BYTES + sum(map(_widest, columns))
    return max(1, min(MOST_ROWS, AT_ONCE_BYTES // widest))


class Columns:
    """The columns of a result; `made` has what is to be made of some, by their places, other than what they are."""

    def __init__(self, described: Sequence[oracledb.FetchInfo], made: Mapping[int, Make]) -> None:
        self.columns = [ResultColumn(one.name, made.get(place, _made_of(one))) for place, one in enumerate(described)]
        self._long = [place for place, one in enumerate(described) if one.type_code not in _FIXED]
        self._fixed_bytes = _ROW_BYTES * (1 + len(described))

    def size_of(self, rows: Sequence[Values]) -> int:
        """Return about how many bytes rows are: the driver does not tell, and texts are what makes the difference."""
        return size_of(rows, self._long, self._fixed_bytes)


def _made_of(column: oracledb.FetchInfo) -> Make | None:
    if column.type_code is not oracledb.DB_TYPE_JSON and (column.is_json or column.is_oson):
        return plain_of if column.is_oson else json_of
    return _MADE.get(column.type_code)


def _widest(column: oracledb.FetchInfo) -> int:
    if column.type_code in _SIZED:
        return max(_SMALL_BYTES, column.internal_size or column.display_size or 0)
    return _SMALL_BYTES if column.type_code in _FIXED else _LARGE_BYTES
