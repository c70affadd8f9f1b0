"""Databases on disk, those who write them, and the source that reads them: what the tests of SQLite share."""

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, ClassVar

import apsw

from connectors.changes import Failed
from connectors.dataset import Dataset
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.literal import Literal, Operator
from connectors.predicate import Comparison
from connectors.sources._files.settled import SETTLED_NS
from connectors.sources.sqlite import SQLiteDataSource

Row = dict[str, Any]


class Later(SQLiteDataSource):
    """A source some seconds later, when what was written has settled; and one that waits for nobody."""

    busy_s: ClassVar[float] = 0.05
    now_ns: ClassVar[Callable[[], int]] = lambda: time.time_ns() + 2 * SETTLED_NS


# Writers use the library that the source uses: locks of one process count only within one library. What was written is
# read by another one, while nobody else does.


def made(path: Path, script: str, *inserts: tuple[str, Sequence[Sequence[object]]]) -> Path:
    with closing(writer_of(path)) as writer:
        writer.execute(script).fetchall()
        for text, rows in inserts:
            with writer:
                writer.executemany(text, rows)
    return path


def writer_of(path: Path) -> apsw.Connection:
    writer = apsw.Connection(str(path))
    writer.execute("PRAGMA synchronous = OFF")
    return writer


def execute(path: Path, script: str) -> None:
    with closing(writer_of(path)) as writer:
        writer.execute(script).fetchall()


def source(path: Path, kind: type[SQLiteDataSource] = SQLiteDataSource, **given: object) -> SQLiteDataSource:
    configuration = Configuration(kind.fields, {"database": str(path), **given}, Grants(allowed_paths=(path.parent,)))
    configuration.check()
    return kind(configuration)


@asynccontextmanager
async def opened(
    path: Path, kind: type[SQLiteDataSource] = SQLiteDataSource, **given: object
) -> AsyncIterator[tuple[SQLiteDataSource, dict[str, Dataset]]]:
    async with source(path, kind, **given) as one:
        yield one, {dataset.name: dataset for dataset in await one.datasets()}


async def rows_of(one: SQLiteDataSource, dataset: Dataset, **given: Any) -> list[Row | Failed]:
    return [row async for row in one.read(dataset, **given)]


async def walked(path: Path, table: str = "t", **given: Any) -> list[Row | Failed]:
    async with opened(path, **given) as (one, datasets):
        return await rows_of(one, datasets[table])


def selected(path: Path, text: str) -> list[Row]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(text)]


def numbers(rows: Sequence[Row | Failed], name: str = "id") -> list[Any]:
    return [row[name] if isinstance(row, dict) else row for row in rows]


def is_so(field: str, how: Operator, text: str) -> Comparison:
    return Comparison(field, how, Literal(text))


WAL = "PRAGMA journal_mode = WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, v)"
DELETE = "CREATE TABLE t(id INTEGER PRIMARY KEY, v)"
ROWS = ("INSERT INTO t VALUES(?, ?)", [(number, "x" * 500) for number in range(100)])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
