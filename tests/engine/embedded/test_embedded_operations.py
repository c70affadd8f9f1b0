"""The named operations over the embedded engine, served as `connectors engine serve` serves it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.engine import Engine, open_engine
from connectors.engine.embedded.desk import desk_of
from connectors.engine.embedded.server import key_of, serving
from connectors.engine.flavor import Flavor
from connectors.errors import EngineDenied
from connectors.secret import Secret
from connectors.settings import EngineSettings
from tests.contracts.operations_contract import OperationsContract


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[EngineSettings]:
    key = key_of(tmp_path / "data")
    async with desk_of(tmp_path / "data") as desk, serving(desk, host="127.0.0.1", port=0, key=key) as server:
        yield EngineSettings(host=server.url, api_key=key)


@pytest.fixture
async def engine(settings: EngineSettings) -> AsyncIterator[Engine]:
    async with open_engine(settings) as opened:
        yield opened


class TestEmbedded(OperationsContract):
    async def test_the_engine_is_recognised(self, engine: Engine) -> None:
        assert engine.info.flavor is Flavor.EMBEDDED
        assert str(engine.info) == f"The embedded engine, at {engine.info.where}"


async def test_without_the_key_nobody_is_let_in(settings: EngineSettings) -> None:
    for key in (None, Secret("wrong")):
        with pytest.raises(EngineDenied, match="missing or wrong API key"):
            async with open_engine(EngineSettings(host=settings.host, api_key=key, attempts=1)):
                pass
