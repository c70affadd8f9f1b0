"""Parquet: values are of the types that the file has."""

import os
import tracemalloc
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa  # type: ignore[import-untyped]  # there are no stubs
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from connectors.changes import Failed
from tests.sources.tables import (
    ROUNDS,
    Rows,
    dataset_of,
    fault_of,
    rows_of,
    schema_of,
    source_of,
    written,
)


@ROUNDS
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "i": st.none() | st.integers(-(2**63), 2**63 - 1),
                "f": st.none() | st.floats(allow_nan=False),
                "s": st.none() | st.text(st.characters(codec="utf-8"), max_size=9),
                "b": st.none() | st.binary(max_size=9),
                "t": st.none() | st.datetimes(),
                "l": st.none() | st.lists(st.none() | st.booleans(), max_size=3),
            }
        ),
        max_size=9,
    )
)
async def test_any_rows_of_parquet_come_back(tmp_path: Path, rows: Rows) -> None:
    kinds = {"i": pa.int64(), "f": pa.float64(), "s": pa.string(), "b": pa.binary(), "t": pa.timestamp("us")}
    schema = pa.schema([*kinds.items(), ("l", pa.list_(pa.bool_()))])
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "a.parquet", row_group_size=4)
    found = await rows_of(tmp_path / "a.parquet")
    assert found == [{**row, "row": number} for number, row in enumerate(rows, 1)]


def table(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


async def test_every_type_has_its_values_and_its_schema(tmp_path: Path) -> None:
    moment = datetime(2024, 2, 29, 10, 0, 0, 123456)  # noqa: DTZ001 - a column without a zone
    own = UUID("01853edf-2feb-454c-9a07-e19d3fbee675")
    nested = pa.struct([("x", pa.int64()), ("at", pa.list_(pa.timestamp("ns")))])
    given = {
        "decimal": (pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)), Decimal("1.50"), "number"),
        "unsigned": (pa.array([2**64 - 1, None], pa.uint64()), 2**64 - 1, "integer"),
        "half": (pa.array([1.5, None], pa.float16()), 1.5, "number"),
        "flag": (pa.array([True, None]), True, "boolean"),
        "day": (pa.array([date(2024, 2, 29), None]), date(2024, 2, 29), "date"),
        "time": (pa.array([1_001, None], pa.time64("ns")), time(0, 0, 0, 1), "time"),
        "nanoseconds": (pa.array([1_001, None], pa.timestamp("ns")), datetime(1970, 1, 1, 0, 0, 0, 1), "date-time"),  # noqa: DTZ001
        "zoned": (pa.array([moment, None], pa.timestamp("us", "UTC")), moment.replace(tzinfo=UTC), "date-time"),
        "duration": (pa.array([1_001, None], pa.duration("ns")), timedelta(microseconds=1), "duration"),
        "bytes": (pa.array([b"\xff", None]), b"\xff", "string"),
        "fixed": (pa.array([b"ab", None], pa.binary(2)), b"ab", "string"),
        "nothing": (pa.nulls(2), None, "null"),
        "struct": (pa.array([{"x": 1, "at": [moment]}, None], nested), {"x": 1, "at": [moment]}, "object"),
        "map": (pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.timestamp("ns"))), {"a": EPOCH}, "object"),
        "list": (pa.array([[1, None], None]), [1, None], "array"),
        "large": (pa.array([[1, None], None], pa.large_list(pa.duration("ns"))), [timedelta(0), None], "array"),
        "words": (pa.array(["a", None]).dictionary_encode(), "a", "string"),
        "uuid": (pa.array([own.bytes, None], pa.uuid()), own, "string"),
    }
    path = table(tmp_path / "a.parquet", {name: array for name, (array, _, _) in given.items()})
    first, second = await rows_of(path)
    assert first == {"row": 1, **{name: value for name, (_, value, _) in given.items()}}
    assert second == {"row": 2, **dict.fromkeys(given)}
    schemas = await schema_of(path)
    kinds = {name: schema.get("format", schema["type"]) for name, schema in schemas.items() if name in given}
    assert kinds == {name: kind if kind in FORMATS else [kind, "null"] for name, (_, _, kind) in given.items()}


EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
FORMATS = {"date", "time", "date-time", "duration", "null"}


async def test_a_value_that_python_does_not_have_is_one_row_that_failed(tmp_path: Path) -> None:
    far = pa.array([0, 10**18, 1], pa.timestamp("us"))
    found = await rows_of(table(tmp_path / "a.parquet", {"at": far}))
    reason = "Row 2 of 'a.parquet' has a value that can't be read (date value out of range)."
    assert [found[0]["row"], found[1], found[2]["row"]] == [1, Failed("a.parquet/2", reason), 3]


async def test_two_equal_keys_of_a_map_are_one_row_that_failed(tmp_path: Path) -> None:
    maps = pa.array([[("a", 1), ("a", 2)], [("a", 3)]], pa.map_(pa.string(), pa.int64()))
    failed, row = await rows_of(table(tmp_path / "a.parquet", {"m": maps}))
    assert (failed.id, row) == ("a.parquet/1", {"m": {"a": 3}, "row": 2})


async def test_a_column_whose_name_has_a_dot_is_not_one_within_another(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"a.b": [1], "a": [{"b": 2, "c": 3}], "": [4]})
    source = source_of(path)
    dataset = await dataset_of(source)
    assert [row async for row in source.read(dataset, ["a.b"])] == [{"row": 1, "a.b": 1}]
    assert [row async for row in source.read(dataset, ["a", ""])] == [{"row": 1, "a": {"b": 2, "c": 3}, "": 4}]


async def test_two_columns_of_the_same_name_are_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "a.parquet")
    assert "two columns" in await fault_of(tmp_path / "a.parquet")


async def test_a_file_that_is_cut_off_or_damaged_is_an_error(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"a": [str(number) * 50 for number in range(9_999)]}, compression="snappy")
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[:-100], whole[:1_000] + b"\xff" * 5_000 + whole[6_000:]):
        await fault_of(written(path, content))


async def test_rows_of_any_size_are_read_in_small_batches(tmp_path: Path) -> None:
    rows = [{"id": number, "text": os.urandom(500_000)} for number in range(100)]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, use_dictionary=False, data_page_size=1_000_000, write_batch_size=1)
    del rows
    source = source_of(path)
    dataset = await dataset_of(source)
    tracemalloc.start()
    try:
        sizes = [len(row["text"]) async for row in source.read(dataset) if isinstance(row, dict)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (sizes, peak < 10_000_000) == ([500_000] * 100, True)
