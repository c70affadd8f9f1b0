"""What the tests of the engine client share."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from connectors.aio.clock import SystemClock
from connectors.engine import Engine, open_engine
from connectors.settings import EngineSettings
from tests.engine.stub import Reply, Stub, greeting


class Impatient(SystemClock):
    """Notes every pause and takes none, so that retries against a real socket take no time."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return super().now()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def clock() -> Impatient:
    return Impatient()


Opened = Callable[..., AbstractAsyncContextManager[tuple[Engine, Stub]]]


@pytest.fixture
def opened(clock: Impatient) -> Opened:
    """Open an engine over a stub that greets and then follows the given script."""

    @asynccontextmanager
    async def open_(*script: Reply, greets: Reply | None = None, **settings: Any) -> AsyncIterator[tuple[Engine, Stub]]:
        async with Stub(greets or greeting(), *script) as stub:
            values = {"attempts": 3, "control_timeout_s": 5.0, "data_timeout_s": 5.0, **settings}
            async with open_engine(EngineSettings(host=stub.url, **values), clock) as engine:
                yield engine, stub

    return open_
