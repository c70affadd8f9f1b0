"""What a document costs that is read from files or tables, beside the barest loop that reads the same."""

import asyncio
import csv
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # there are no stubs
import pyarrow.parquet  # type: ignore[import-untyped]

from benchmarks.measure import Row, compare
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.source import BaseDataSource
from connectors.source_class import opened
from connectors.sources.directory import DirectoryDataSource
from connectors.sources.sqlite import SQLiteDataSource
from connectors.sources.tabular_files import TabularFilesDataSource

DOCUMENTS = 50_000
ROUNDS = 5
COLUMNS = ("id", "name", "city", "born", "height", "visits", "note")
Work = Callable[[], object]


def run() -> Iterator[tuple[str, list[Row]]]:
    """Yield what was compared, and seconds for all documents."""
    with tempfile.TemporaryDirectory(prefix="connectors-bench-") as place:
        folder = Path(place)
        for name, ways in (_files(folder), _database(folder), *_tables(folder)):
            yield name, compare(ways, rounds=ROUNDS)


def _row(number: int) -> tuple[int, str, str, str, float, int, str]:
    born = f"{1940 + number % 60}-01-{1 + number % 28:02}"
    return number, f"Person {number}", "Oslo", born, number / 8, number % 100, "x" * 120


def _files(folder: Path) -> tuple[str, Mapping[str, Work]]:
    root = folder / "files"
    for number in range(DOCUMENTS):
        path = root / str(number % 500) / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def bare() -> int:
        return sum(len([os.lstat(f"{top}/{name}") for name in names]) for top, _, names in os.walk(root))

    made = {"directory": str(root)}
    return "Files of a folder", {
        "os.walk and lstat": bare,
        "changed()": lambda: asyncio.run(_changed(DirectoryDataSource, made)),
        "get_docs()": lambda: asyncio.run(_walked(DirectoryDataSource, made)),
    }


def _database(folder: Path) -> tuple[str, Mapping[str, Work]]:
    path = folder / "people.db"
    with _connected(path) as connection, connection:
        connection.execute(f"CREATE TABLE people ({', '.join(('id INTEGER PRIMARY KEY', *COLUMNS[1:]))})")
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", map(_row, range(DOCUMENTS)))

    def bare() -> int:
        with _connected(path) as connection:
            return sum(1 for _ in connection.execute("SELECT * FROM people"))

    made = {"database": str(path)}
    return "Rows of SQLite", {
        "sqlite3, SELECT *": bare,
        "read()": lambda: asyncio.run(_read(SQLiteDataSource, made)),
        "get_docs()": lambda: asyncio.run(_walked(SQLiteDataSource, made)),
    }


def _tables(folder: Path) -> Iterator[tuple[str, Mapping[str, Work]]]:
    paths = [folder / f"people.{ending}" for ending in ("jsonl", "csv", "parquet")]
    rows = [dict(zip(COLUMNS, _row(number), strict=True)) for number in range(DOCUMENTS)]
    with paths[0].open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    with paths[1].open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    pa.parquet.write_table(pa.Table.from_pylist(rows), paths[2])
    bare: Mapping[str, Callable[[Path], int]] = {
        "json.loads of each line": lambda path: sum(1 for line in path.open("rb") if json.loads(line)),
        "csv.reader": lambda path: sum(1 for _ in csv.reader(path.open(newline=""))),
        "pyarrow, to_pylist()": lambda path: len(pa.parquet.read_table(path).to_pylist()),
    }
    titles = ("Rows of JSON Lines", "Rows of CSV", "Rows of Parquet")
    for title, path, (name, loop) in zip(titles, paths, bare.items(), strict=True):
        yield title, _ways(path, name, loop)


def _ways(path: Path, name: str, loop: Callable[[Path], int]) -> Mapping[str, Work]:
    made = {"path": str(path), "key": "id"}
    return {
        name: lambda: loop(path),
        "datasets()": lambda: asyncio.run(_listed(TabularFilesDataSource, made)),
        "get_docs(), which lists them first": lambda: asyncio.run(_walked(TabularFilesDataSource, made)),
    }


async def _walked(source: type[BaseDataSource], values: Mapping[str, object]) -> None:
    async with opened(_made(source, values)) as one:
        _expect(len([True async for _ in one.get_docs()]))


async def _read(source: type[BaseDataSource], values: Mapping[str, object]) -> None:
    async with opened(_made(source, values)) as one:
        [dataset] = await one.datasets()
        _expect(len([True async for _ in one.read(dataset)]))


async def _listed(source: type[BaseDataSource], values: Mapping[str, object]) -> None:
    async with opened(_made(source, values)) as one:
        [dataset] = await one.datasets()
        _expect(dataset.rows)


async def _changed(source: type[BaseDataSource], values: Mapping[str, object]) -> None:
    async with opened(_made(source, values)) as one:
        await one.changed(None)


def _made(source: type[BaseDataSource], values: Mapping[str, object]) -> BaseDataSource:
    return source(Configuration(source.fields, values, Grants(allowed_paths=None)))


def _expect(count: int) -> None:
    if count != DOCUMENTS:
        raise AssertionError(f"{count} documents came, and {DOCUMENTS} are there.")


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection
