"""The storage of sources in a real Redis server: the contract, and what becomes of calls when it is away."""

from collections.abc import AsyncIterator, Iterator

import pytest

from connectors.storage import Backend
from connectors.storages.redis import open_redis
from fixtures.redis.server import MISSING, Server, is_installed, server
from tests.contracts.storage_contract import StorageContract

pytestmark = pytest.mark.skipif(not is_installed(), reason=MISSING)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with server() as one:
        yield one


@pytest.fixture
async def backend(running: Server) -> AsyncIterator[Backend]:
    async with open_redis(running.url, None, None) as opened:
        for connector in await opened.connectors():
            await opened.forget(connector)
        yield opened


class TestRedisStorage(StorageContract):
    pass
