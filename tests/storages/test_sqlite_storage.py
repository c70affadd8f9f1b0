"""The storage of sources in a SQLite file: the contract, and what becomes of it when processes die."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.storage import Backend
from connectors.storages.sqlite import open_sqlite
from tests.contracts.storage_contract import StorageContract


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with open_sqlite(tmp_path / "deep" / "storage.db") as opened:
        yield opened


class TestSqliteStorage(StorageContract):
    pass
