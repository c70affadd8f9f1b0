"""The embedded engine beside Elasticsearch: the same random mappings, documents and searches, and the same answers.

A seed that fails makes the same searches again, as a long round of tests/torture/test_same_answers.py does:
`--rounds=1 --first-seed=<seed>`.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from connectors.engine.embedded.engine import EmbeddedEngine
from connectors.engine.flavor import Flavor
from tests.engine.embedded.differential.rounds import SEARCHES, Engines, Round
from tests.engine.embedded.test_conformance import DirectWire
from tests.engine.real import Node, node, wire_to

pytestmark = [pytest.mark.real_engine("elasticsearch"), pytest.mark.timeout(120)]
MAPPINGS = 40


@pytest.fixture(scope="module")
def running() -> Iterator[Node]:
    with node("elasticsearch") as one:
        yield one


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    one = EmbeddedEngine(Path(tmp_path_factory.mktemp("embedded")))
    yield one
    one.close()


@pytest.fixture
async def engines(running: Node, embedded: EmbeddedEngine) -> AsyncIterator[Engines]:
    async with wire_to(running.url, Flavor.ELASTICSEARCH) as theirs:
        yield Engines(DirectWire(embedded), theirs)


@pytest.mark.parametrize("seed", range(MAPPINGS))
async def test_random_searches_are_answered_alike(engines: Engines, seed: int) -> None:
    done = Round(engines, seed)
    await done.run()
    assert not done.problems, "\n".join(done.problems[:5])
    assert done.asked >= SEARCHES
    assert done.found or not done.documents
