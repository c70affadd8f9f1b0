"""The store on real engines: the same contracts as on the embedded one."""

from collections.abc import AsyncIterator, Iterator

import pytest

from connectors.engine import Engine, open_engine
from connectors.settings import EngineSettings
from connectors.storage import Backend
from connectors.storages.engine import EngineBackend
from connectors.store.state import StateStore
from tests.contracts.storage_contract import StorageContract
from tests.engine.real import Node, node
from tests.store.connectors_contract import ConnectorsContract
from tests.store.jobs_contract import JobsContract
from tests.store.letters_contract import LettersContract
from tests.store.state_contract import StateContract

pytestmark = [pytest.mark.real_engine, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Start the engine that `--engine` names, once for all tests here."""
    with node(request.config.getoption("--engine")) as one:
        yield one


@pytest.fixture
async def engine(running: Node) -> AsyncIterator[Engine]:
    async with open_engine(EngineSettings(host=running.url)) as opened:
        yield opened


class TestState(StateContract):
    pass


class TestConnectors(ConnectorsContract):
    pass


class TestLetters(LettersContract):
    pass


class TestJobs(JobsContract):
    pass


class TestStorage(StorageContract):
    @pytest.fixture
    async def backend(self, engine: Engine) -> Backend:
        return EngineBackend(await StateStore.open(engine))
