"""A shop: a small database that changes at random, and what an index should hold of it at any moment."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.torture.oracle import Content, expected

TABLES = ("items", "people")


class Shop:
    """A database of two tables, for the source `sqlite`; every value that is written is a new one."""

    service_type = "sqlite"

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self._random = random.Random(f"shop {seed}")
        self._made = 0
        with self._opened() as database:
            database.execute("PRAGMA journal_mode=WAL")
            for table in TABLES:
                database.execute(f"CREATE TABLE {table} (number INTEGER PRIMARY KEY, name TEXT, value REAL, note TEXT)")

    @property
    def configuration(self) -> dict[str, object]:
        """The settings of a connector that reads it, in pages as small as the shop is."""
        return {"database": str(self.path), "page_size": 40}

    def stock(self, count: int) -> None:
        """Insert so many rows, the most of them into the first table."""
        with self._opened() as database:
            for _ in range(count):
                self._insert(database)

    def change(self, *, inserts: int = 0, updates: int = 0, deletes: int = 0, renames: int = 0) -> None:
        """Change so many rows; one that is renamed has another key, and so another id."""
        with self._opened() as database:
            for _ in range(updates):
                if (row := self._any(database)) is not None:
                    database.execute(
                        f"UPDATE {row[0]} SET name = ?, note = ? WHERE number = ?", (*self._words(), row[1])
                    )
            for _ in range(deletes):
                if (row := self._any(database)) is not None:
                    database.execute(f"DELETE FROM {row[0]} WHERE number = ?", row[1:])
            for _ in range(renames):
                if (row := self._any(database)) is not None:
                    database.execute(f"UPDATE {row[0]} SET number = ? WHERE number = ?", (self._key(), row[1]))
            for _ in range(inserts):
                self._insert(database)

    def documents(self) -> list[dict[str, Any]]:
        """Return every row as the document that it should be."""
        with self._opened() as database:
            return [
                {
                    "_id": f"{table}/{number}",
                    "id": f"{table}/{number}",
                    "dataset": table,
                    "number": number,
                    "name": name,
                    "value": value,
                    "note": note,
                }
                for table in TABLES
                for number, name, value, note in database.execute(f"SELECT number, name, value, note FROM {table}")
            ]

    def contents(self) -> dict[str, Content]:
        """Return what an index should hold of it now."""
        return expected(self.documents())

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=30)) as database, database:
            database.execute("PRAGMA synchronous=OFF")  # no power fails here
            yield database

    def _insert(self, database: sqlite3.Connection) -> None:
        table = TABLES[self._random.random() < 0.2]
        name, note = self._words()
        database.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", (self._key(), name, self._random.random(), note))

    def _any(self, database: sqlite3.Connection) -> tuple[str, int] | None:
        table = TABLES[self._random.random() < 0.2]
        found = database.execute(f"SELECT number FROM {table} ORDER BY number").fetchall()
        return (table, self._random.choice(found)[0]) if found else None

    def _key(self) -> int:
        return self._random.randrange(2**40)

    def _words(self) -> tuple[str, str]:
        self._made += 1
        return f"name {self._made} ü", "note " * self._random.randrange(8)
