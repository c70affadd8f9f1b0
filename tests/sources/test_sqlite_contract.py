"""SQLite: what every source promises, with tables of every kind of key."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigurationError, ConnectorsError
from connectors.sources.sqlite import SQLiteDataSource
from connectors.testing.source_contract import Broken, SourceContract
from tests.sources.pages import PAGES

Settings = Mapping[str, object]
TABLES = """
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, born TEXT, height REAL, photo BLOB, [odd "name"] ANY);
    CREATE TABLE visits (who INTEGER, place TEXT COLLATE NOCASE, n, PRIMARY KEY (place, who)) WITHOUT ROWID;
    CREATE TABLE notes (text);
"""


def database(path: Path, people: int) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(TABLES)
        rows = (person(number) for number in range(people))
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", rows)
        visits = [(1, "Rome", 1), (2, "Rome", 2.5), (1, "Oslo", "1"), (3, "40 %", None)]
        connection.executemany("INSERT INTO visits VALUES (?, ?, ?)", visits)
        connection.executemany("INSERT INTO notes VALUES (?)", [("one",), (2,), (None,)])
    return path


def person(number: int) -> tuple[Any, ...]:
    born = f"{1900 + number % 100}-01-{1 + number % 28:02}"
    return number, f"Person {number}", born, number / 8, bytes([number % 256]), (None, number, "x")[number % 3]


def written(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


class TestSQLite(SourceContract):
    source = SQLiteDataSource
    pages = PAGES
    valid_rules = (
        [{"tables": ["people"], "query": "SELECT * FROM people WHERE id > 5;"}],
        [{"tables": ["visits"], "query": "SELECT place FROM visits UNION ALL SELECT text FROM notes"}],
        {"few.db": {"people": "WITH p AS (SELECT id FROM people) SELECT * FROM p"}},
    )
    invalid_rules = (
        [{"tables": ["people"]}],
        [{"tables": ["nobody"], "query": "SELECT 1"}],
        [{"tables": ["people"], "query": "SELECT x FROM people"}],
        [{"tables": ["people"], "query": "SELECT id FROM people", "id_columns": ["name"]}],
        [{"tables": ["people"], "query": "DELETE FROM people"}],
    )

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return {"database": str(database(tmp_path / "few.db", 12)), "page_size": 5, "cursor_columns": "born"}

    @pytest.fixture
    def many(self, tmp_path: Path) -> Settings:
        return {"database": str(database(tmp_path / "many.db", 10_000))}

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> tuple[Settings, type[ConnectorsError]]:
        return {"database": str(tmp_path / "missing.db")}, ConfigurationError

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Broken:
        path = database(tmp_path / "broken.db", 5_000)
        dropped = "DROP TABLE visits"
        return Broken({"database": str(path), "page_size": 100}, after_first=lambda: written(path, dropped))

    @pytest.fixture
    def removal(self, settings: Settings) -> Callable[[], object]:
        path = Path(str(settings["database"]))
        return lambda: written(path, "DELETE FROM people WHERE id = 4")

    @pytest.fixture
    def change(self, settings: Settings) -> Callable[[], object]:
        path = Path(str(settings["database"]))
        return lambda: written(path, "UPDATE people SET name = 'Nobody', born = '1999-12-31' WHERE id = 3")
