"""The storage of sources in the embedded engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.config import EngineSettings, StorageSettings
from connectors.engine import Engine, open_engine
from connectors.storage import Backend
from connectors.storages.opening import open_backend
from tests.contracts.storage_contract import StorageContract


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with open_engine(EngineSettings(data=tmp_path / "data")) as opened:
        yield opened


@pytest.fixture
async def backend(engine: Engine) -> AsyncIterator[Backend]:
    async with open_backend(StorageSettings(), engine) as opened:
        yield opened


class TestEmbeddedStorage(StorageContract):
    pass
