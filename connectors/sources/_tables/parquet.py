"""Parquet: a file of columns with types of their own."""

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from connectors.errors import ConfigurationError, SourceError
from connectors.sources._tables.format import BATCH_BYTES, BATCH_ROWS, Numbered, Steps, Survey, Unreadable
from connectors.sources._tables.snapshot import Snapshot

Arrow = Any
"""What pyarrow makes, which has no types for others."""
_BUFFER: Final = 1024 * 1024
_SCHEMAS: Final[Mapping[str, Mapping[str, str]]] = {
    "is_boolean": {"type": "boolean"},
    "is_integer": {"type": "integer"},
    "is_floating": {"type": "number"},
    "is_decimal": {"type": "number"},
    "is_date": {"type": "string", "format": "date"},
    "is_timestamp": {"type": "string", "format": "date-time"},
    "is_time": {"type": "string", "format": "time"},
    "is_duration": {"type": "string", "format": "duration"},
    "is_binary": {"type": "string", "contentEncoding": "base64"},
    "is_large_binary": {"type": "string", "contentEncoding": "base64"},
    "is_binary_view": {"type": "string", "contentEncoding": "base64"},
    "is_fixed_size_binary": {"type": "string", "contentEncoding": "base64"},
    "is_struct": {"type": "object"},
    "is_map": {"type": "object"},
    "is_list": {"type": "array"},
    "is_large_list": {"type": "array"},
    "is_list_view": {"type": "array"},
    "is_fixed_size_list": {"type": "array"},
    "is_null": {"type": "null"},
}


class Parquet:
    """Reads Parquet. A row's number is its place, from 1.

    Values are what the file's types make of them: decimals are exact, a map is an object, and of a time only
    microseconds are kept. A row with what Python has no value for (a year after 9999) can't be read.
    """

    @cached_property
    def pyarrow(self) -> Arrow:
        """The driver. Raises a `ConfigurationError` with the way to install it."""
        try:
            import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - everything else works without it
            import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError:
            hint = "Run: pip install 'connectors[tabular_files]'"
            raise ConfigurationError(
                "Parquet files are read with pyarrow, which is missing.", field="path", hint=hint
            ) from None
        return pa

    def survey(self, file: Snapshot) -> Steps:
        """Read what the file says of itself."""
        opened = self._opened(file)
        names = opened.schema_arrow.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SourceError(f"{file.name!r} has two columns of the name {twice!r}.", hint="Rename one of them.")
        yield []
        columns = {column.name: self._schema(column.type, column.nullable) for column in opened.schema_arrow}
        return Survey(columns, opened.metadata.num_rows)

    def batches(
        self, file: Snapshot, survey: Survey, columns: Collection[str] | None, after: int
    ) -> Iterator[list[Numbered]]:
        """Yield the rows behind a place. Groups of rows before it and columns that nobody wants are not read."""
        opened = self._opened(file)
        wanted = [name for name in survey.columns if columns is None or name in columns]
        number = 0
        for place in range(opened.num_row_groups):
            group = opened.metadata.row_group(place)
            if number + group.num_rows <= after:
                number += group.num_rows
                continue
            options = {"row_groups": [place], "columns": wanted, "use_threads": False}
            for batch in self._read(file, opened, _batch_rows(group), options):
                rows = self._rows(batch, wanted)
                yield [pair for pair in enumerate(rows, number + 1) if pair[0] > after]
                number += batch.num_rows

    def _opened(self, file: Snapshot) -> Arrow:
        pyarrow = self.pyarrow
        try:
            return pyarrow.parquet.ParquetFile(
                file.content(), buffer_size=_BUFFER, pre_buffer=False, coerce_int96_timestamp_unit="us"
            )
        except pyarrow.ArrowException as error:
            raise _broken(file, error) from error

    def _read(self, file: Snapshot, opened: Arrow, rows: int, options: Mapping[str, Any]) -> Iterator[Arrow]:
        try:
            yield from opened.iter_batches(rows, **options)
        except self.pyarrow.ArrowException as error:
            raise _broken(file, error) from error

    def _rows(self, batch: Arrow, wanted: Collection[str]) -> list[Any]:
        """Return the rows of a batch: all at once, or one by one where some of them have values that can't be had."""
        if not wanted:
            return [{} for _ in range(batch.num_rows)]
        try:
            columns = [self._values(batch.column(name)) for name in wanted]
        except (ValueError, OverflowError, KeyError) as error:
            if batch.num_rows == 1:
                return [Unreadable(f"has a value that can't be read ({error})")]
            return [row for place in range(batch.num_rows) for row in self._rows(batch.slice(place, 1), wanted)]
        return [dict(zip(wanted, values, strict=True)) for values in zip(*columns, strict=True)]

    def _values(self, column: Arrow) -> list[Any]:
        kind = self._coarse(column.type)
        exact = column if kind == column.type else column.cast(kind, safe=False)
        values: list[Any] = exact.to_pylist(maps_as_pydicts="strict")
        return values

    def _coarse(self, kind: Arrow) -> Arrow:
        """Return a type without nanoseconds, which Python's times do not have."""
        pa, types = self.pyarrow, self.pyarrow.types
        if getattr(kind, "unit", None) == "ns":
            if types.is_timestamp(kind):
                return pa.timestamp("us", kind.tz)
            return pa.time64("us") if types.is_time(kind) else pa.duration("us")
        if types.is_struct(kind):
            return pa.struct([part.with_type(self._coarse(part.type)) for part in kind])
        if types.is_map(kind):
            return pa.map_(self._coarse(kind.key_type), self._coarse(kind.item_type))
        if types.is_list(kind) or types.is_large_list(kind):
            part = kind.value_field.with_type(self._coarse(kind.value_type))
            return pa.list_(part) if types.is_list(kind) else pa.large_list(part)
        return kind

    def _schema(self, kind: Arrow, nullable: bool) -> Mapping[str, Any]:  # noqa: FBT001 - as the file says it
        types = self.pyarrow.types
        inner = kind.value_type if types.is_dictionary(kind) else kind
        schema = next(
            (found for is_one, found in _SCHEMAS.items() if getattr(types, is_one)(inner)), {"type": "string"}
        )
        return {**schema, "type": [schema["type"], "null"]} if nullable and schema["type"] != "null" else schema


def _batch_rows(group: Arrow) -> int:
    """Return how many rows of a group, as large as they are on average, are a batch."""
    fitting: int = group.num_rows * BATCH_BYTES // max(group.total_byte_size, 1)
    return max(1, min(BATCH_ROWS, fitting))


def _broken(file: Snapshot, error: Exception) -> SourceError:
    return SourceError(f"{file.name!r} can't be read as Parquet: {error}.", hint="Write it again, or take it away.")
