"""What the tests of tabular files share: sources of real files, and what comes out of them."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # there are no stubs
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, settings

from connectors.dataset import Dataset
from connectors.errors import SourceError
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.sources.tabular_files import TabularFilesDataSource

Rows = list[Any]
LATER_NS = 10**19
ROUNDS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def source_of(path: Path, **values: object) -> TabularFilesDataSource:
    configuration = Configuration(TabularFilesDataSource.fields, {"path": str(path), **values}, Grants(None))
    return TabularFilesDataSource(configuration, now_ns=lambda: LATER_NS)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


async def dataset_of(source: TabularFilesDataSource) -> Dataset:
    [dataset] = await source.datasets()
    return dataset


async def rows_of(path: Path, **values: object) -> Rows:
    source = source_of(path, **values)
    return [row async for row in source.read(await dataset_of(source))]


async def schema_of(path: Path, **values: object) -> dict[str, Any]:
    return dict((await dataset_of(source_of(path, **values))).schema["properties"])


async def fault_of(path: Path, **values: object) -> str:
    with pytest.raises(SourceError) as caught:
        await rows_of(path, **values)
    assert path.name in str(caught.value)
    return str(caught.value)


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def table_of(path: Path, rows: Rows) -> None:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=700)
