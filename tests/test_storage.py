"""The storage of sources in memory: for tests, and for sources that no connector has made."""

import pytest

from connectors.storage import Backend, MemoryBackend
from tests.contracts.storage_contract import StorageContract


@pytest.fixture
def backend() -> Backend:
    return MemoryBackend()


class TestMemoryStorage(StorageContract):
    pass
