"""Real engines: rounds of every torture of syncs, on a node of Elasticsearch or OpenSearch behind the proxy."""

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from connectors.engine import open_engine
from connectors.errors import IndexMissing
from connectors.settings import EngineSettings
from tests.engine.real import Node, node
from tests.torture import test_killed_syncs, test_lossy_syncs, test_replaced_indices, test_written_meanwhile

Round = Callable[[int, Path, str], Awaitable[Counter[str]]]
ROUNDS: dict[str, Round] = {
    "killed": test_killed_syncs.one_round,
    "lossy": test_lossy_syncs.one_round,
    "meddled with": test_replaced_indices.one_round,
    "rows that change": test_written_meanwhile.rows_round,
    "files that change": test_written_meanwhile.files_round,
}
MADE = ("docs-000001", ".elastic-connectors-v1", ".elastic-connectors-state-v1", ".elastic-connectors-dead-letters-v1")
pytestmark = [pytest.mark.real_engine, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Node]:
    with node(request.config.getoption("--engine")) as one:
        yield one


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ROUNDS)
async def test_a_round_goes_well_on_a_real_engine(name: str, seed: int, running: Node, tmp_path: Path) -> None:
    async with open_engine(EngineSettings(host=running.url)) as engine:
        for index in MADE:
            with contextlib.suppress(IndexMissing):
                await engine.indices.delete(index)
    await ROUNDS[name](seed, tmp_path, running.url)
