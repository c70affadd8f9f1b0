"""The contract of made-up sources, and the list of those that break it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio

from connectors.errors import AccessDenied, ConnectorsError, SourceUnreachable
from connectors.testing.source_contract import Broken, SourceContract
from tests.contracts.source.beads import BeadsDataSource, PebblesDataSource, RowsDataSource, World

Source = TypeVar("Source", bound=type[PebblesDataSource])
Settings = Mapping[str, object]
C = SourceContract
LONG_AGO_S = 1_000_000_000
KEY = "right: a key of some length"
EXPECTED: dict[str, set[str]] = {}
"""The names of the tests that have to fail, for the name of each source that breaks something."""
SOURCES: list[type[PebblesDataSource]] = [PebblesDataSource, BeadsDataSource, RowsDataSource]
OPENING = [test for name in dir(C) if name.startswith("test_") and iscoroutinefunction(test := getattr(C, name))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made-up")


class MadeUpContract(SourceContract):
    """The contract of a source of beads or pebbles."""

    valid_rules = ({"color": "green"},)
    invalid_rules = ({"color": 1},)
    pages = Path(__file__).parent / "pages"
    settle_limit_s = 0.3
    documents_of_many = 300
    spare_bytes = 100_000
    most_predicates = 90
    most_walks = 20

    @pytest.fixture
    def settings(self, folder: Path) -> Settings:
        settings = World(9).save(folder / "few", key=KEY)
        os.utime(folder / "few" / "world", (LONG_AGO_S, LONG_AGO_S))
        return settings

    @pytest.fixture
    def many(self, folder: Path) -> Settings:
        return World(300).save(folder / "many", key=KEY)

    @pytest.fixture
    def unreachable(self, settings: Settings) -> tuple[Settings, type[ConnectorsError]]:
        return {**settings, "key": "wrong, and as long as that"}, AccessDenied

    @pytest_asyncio.fixture  # as a fixture that starts a server would be
    async def broken(self, folder: Path) -> AsyncIterator[Broken]:  # type: ignore[override]  # pytest makes it a fixture
        settings = await asyncio.to_thread(World(9).save, folder / "broken", key=KEY)

        async def act() -> None:
            await asyncio.to_thread(World(9, bad=4).save, folder / "broken", key=KEY)

        yield Broken(settings, after_first=act, error=SourceUnreachable)

    @pytest.fixture
    def removal(self, folder: Path) -> Callable[[], object]:
        def act() -> None:
            world = World(*json.loads((folder / "few" / "world").read_text()))
            replace(world, number=world.number - 1).save(folder / "few", key=KEY)

        return act

    @pytest.fixture
    def change(self, folder: Path) -> Callable[[], object]:
        return lambda: World(9, coats=2).save(folder / "few", key=KEY)


def breaks(*tests: Callable[..., object]) -> Callable[[Source], Source]:
    """Say for which tests of the contract a source has to fail, which are all that it may fail for."""

    def said(source: Source) -> Source:
        SOURCES.append(source)
        EXPECTED[source.__name__] = {test.__name__ for test in tests}
        return source

    return said
