"""Real engines: the conformance suite on the wire, and the contract of the named operations on top of it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from connectors.engine import Engine, open_engine
from connectors.engine.bulk import index_line
from connectors.engine.flavor import Flavor
from connectors.engine.scan import Walk
from connectors.settings import EngineSettings
from tests.contracts.engine_contract import EngineContract
from tests.contracts.operations_contract import OperationsContract
from tests.contracts.wire import Wire
from tests.engine.real import Node, node, wire_to

pytestmark = [pytest.mark.real_engine, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Start the engine that `--engine` names, once for all tests here."""
    with node(request.config.getoption("--engine")) as one:
        yield one


@pytest.fixture
def flavor(running: Node) -> Flavor:
    return Flavor(running.name)


@pytest.fixture
async def wire(running: Node, flavor: Flavor) -> AsyncIterator[Wire]:
    async with wire_to(running.url, flavor) as opened:
        yield opened


@pytest.fixture
async def engine(running: Node) -> AsyncIterator[Engine]:
    async with open_engine(EngineSettings(host=running.url)) as opened:
        yield opened


@pytest.mark.real_engine("elasticsearch")
class TestElasticsearch(EngineContract):
    pass


@pytest.mark.real_engine("opensearch")
class TestOpenSearch(EngineContract):
    scan_style = "per_shard"


class TestOperations(OperationsContract):
    async def test_the_engine_is_recognised(self, engine: Engine, flavor: Flavor) -> None:
        assert engine.info.flavor is flavor

    async def test_a_pipeline_that_was_put_exists_under_its_own_name_alone(
        self, engine: Engine, wire: Wire, index: str
    ) -> None:
        await wire("PUT", f"/_ingest/pipeline/{index}", {"processors": []})
        names = [index, f"{index}*", f"{index},{index}", f"{index}-2"]
        assert [await engine.indices.pipeline_exists(name) for name in names] == [True, False, False, False]
        await wire("DELETE", f"/_ingest/pipeline/{index}")


class TestRestart:
    """A node that dies: nothing acknowledged is lost, and the stamp tells."""

    async def test_what_was_acknowledged_survives_and_the_stamp_tells_of_another_primary(self, running: Node) -> None:
        async with open_engine(EngineSettings(host=running.url)) as engine:
            await engine.indices.create("restart", settings={"number_of_shards": 2, "number_of_replicas": 0})
            body = b"".join(index_line(f"d{n}") + b'{"n":%d}\n' % n for n in range(500))
            await engine.data.bulk("restart", body, operations=500)
            before = await engine.indices.stamp("restart")
        running.stop(kill=True)
        running.start()
        async with open_engine(EngineSettings(host=running.url)) as engine:
            await engine.data.refresh("restart")
            found = {hit.id async for page in engine.data.scan(Walk("restart")) for hit in page}
            after = await engine.indices.stamp("restart")
            await engine.indices.delete("restart")
        assert found == {f"d{n}" for n in range(500)}
        assert before is not None
        assert after is not None
        assert after.uuid == before.uuid
        assert after.advance_since(before) is None
