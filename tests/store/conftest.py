"""What the tests of the store share: an engine of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.engine import Engine, open_engine
from connectors.settings import EngineSettings


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with open_engine(EngineSettings(data=tmp_path / "data")) as opened:
        yield opened
