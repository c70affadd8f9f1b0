"""The contract suite of a source of a SQL database: what it is asked, whichever database it is."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import ClassVar

import pytest

from connectors.errors import AccessDenied, ConnectorsError
from connectors.testing.source_contract import Broken, SourceContract
from tests.sources.pages import PAGES
from tests.sources.sql_store import Store

Settings = Mapping[str, object]
Making = Callable[[], AbstractContextManager[Store]]
"""Provides a new database."""


class SQLContract(SourceContract):
    """Asks for a `database`, for others that are made by `making`, and for how one is filled."""

    pages = PAGES
    valid_rules = (
        [{"tables": ["people"], "query": "SELECT * FROM people WHERE id > 5;"}],
        [
            {
                "tables": ["people", "visits"],
                "query": "WITH v AS (SELECT who, COUNT(*) AS n FROM visits GROUP BY who) -- all of them\n"
                "SELECT p.id, v.* FROM people p JOIN v ON v.who = p.id",
                "id_columns": ["id"],
            },
            {"tables": ["visits"], "query": "(SELECT place FROM visits) UNION ALL SELECT word FROM words"},
        ],
    )
    invalid_rules = (
        [{"tables": ["people"]}],
        [{"tables": [], "query": "SELECT 1"}],
        [{"tables": ["nobody"], "query": "SELECT 1"}],
        [{"tables": ["people"], "query": "SELECT nothing FROM people"}],
        [{"tables": ["people"], "query": "SELECT id FROM people", "id_columns": ["name"]}],
        [{"tables": ["people"], "query": "SELECT 1; SELECT 2"}],
        [{"tables": ["people"], "query": "DELETE FROM people"}],
        [{"tables": ["people"], "query": "SELECT * FROM people FOR UPDATE"}],
        [{"tables": ["people"], "query": "SELECT FROM WHERE"}],
        {"another_database": {"people": "SELECT * FROM people"}},
    )
    most_predicates: ClassVar[int] = 1_500

    @abstractmethod
    def filled(self, database: Store, people: int) -> Settings:
        """Make the tables `people`, `visits` and `words`, and return the settings of a source that reads them."""

    @pytest.fixture
    def settings(self, database: Store) -> Settings:
        return {**self.filled(database, 12), "max_connections": 1}

    @pytest.fixture
    def removal(self, database: Store) -> Callable[[], Awaitable[object]]:
        return lambda: database.run("DELETE FROM people WHERE id = 4")

    @pytest.fixture
    def many(self, making: Making) -> Iterator[Settings]:
        with making() as database:
            yield {**self.filled(database, 10_000), "fetch_size": 5_000}

    @pytest.fixture
    def unreachable(self, database: Store) -> tuple[Settings, type[ConnectorsError]]:
        return {**database.settings, "password": "not the password"}, AccessDenied

    @pytest.fixture
    def broken(self, making: Making) -> Iterator[Broken]:
        with making() as database:
            settings = {**self.filled(database, 5_000), "snapshot_max_s": 0, "fetch_size": 100}
            yield Broken(settings, after_first=lambda: database.run("DROP TABLE visits, words, people"))
