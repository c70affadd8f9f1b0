"""The embedded engine has to answer what every other engine answers."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from connectors.engine.embedded.engine import EmbeddedEngine
from tests.contracts.engine_contract import EngineContract
from tests.contracts.wire import Answer, Wire


class DirectWire:
    """The wire straight into the engine, in the same process."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine

    async def __call__(self, method: str, target: str, body: object = None) -> Answer:
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        status, content = self._engine.handle(method, target, raw)
        return Answer(status, msgspec.json.decode(content) if content else None, {})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    one = EmbeddedEngine(Path(tmp_path_factory.mktemp("embedded")))
    yield one
    one.close()


@pytest.fixture
def wire(engine: EmbeddedEngine) -> Wire:
    return DirectWire(engine)


class TestEmbedded(EngineContract):
    lacks = frozenset({"close", "ingest", "painless"})
