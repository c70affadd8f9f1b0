"""A works: a served embedded engine, scripted connectors in it, and settings with which processes find both."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from connectors.engine import Engine, open_engine
from connectors.engine.embedded.desk import desk_of
from connectors.engine.embedded.server import serving
from connectors.registry import Registry
from connectors.services.desk import Desk
from connectors.settings import EngineSettings
from connectors.store.connectors import ConnectorStore
from connectors.store.job import SyncJob, Trigger
from connectors.store.jobs import JobStore
from connectors.store.snapshot import snapshot_of
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.store.ticks import Ticks
from tests.torture.one_sync import SOURCES
from tests.torture.oracle import Content, Difference, actual, difference
from tests.torture.scripted import Step, written

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "connectors.services.working.process"]
PATIENCE_S = 40.0


async def until(true: Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S) -> None:
    """Wait until something holds that happens in other processes."""
    async with asyncio.timeout(patience_s):
        while not await true():  # noqa: ASYNC110 - nothing in this process tells when
            await asyncio.sleep(0.05)


@dataclass
class Works:
    """What tests of processes share."""

    engine: Engine
    desk: Desk
    folder: Path
    config: Path

    @property
    def command(self) -> list[str]:
        """What starts a worker process."""
        return [*COMMAND, str(self.config)]

    def script(self, name: str, steps: list[Step]) -> None:
        """Let the source of a connector do this from now on."""
        written(self.folder / f"{name}.script", steps)

    async def connect(self, name: str, steps: list[Step], **document: Any) -> None:
        """Create a connector, which writes to an index of its name."""
        self.script(name, steps)
        configuration = {"script": {"value": str(self.folder / f"{name}.script"), "sensitive": False}}
        usual = {"service_type": "scripted", "index_name": name, "status": "connected", "configuration": configuration}
        await self.desk.connectors.create(name, {**usual, **document})

    async def want(self, name: str, job_type: JobType = JobType.FULL) -> str:
        """Want a sync of a connector, and return the id of its job."""
        connector = await self.desk.connectors.get(name)
        assert connector is not None
        snapshot = snapshot_of(connector, job_type, self.desk.registry)
        return (await self.desk.jobs.create(uuid4().hex, snapshot, job_type, Trigger.ON_DEMAND)).id

    async def job(self, job_id: str) -> SyncJob:
        """Return a job as it is stored."""
        found = await self.desk.jobs.get(job_id)
        assert found is not None
        return found

    async def until(self, job_id: str, reached: Callable[[SyncJob], bool]) -> SyncJob:
        """Wait until a job is as a test wants it."""
        found = await self.job(job_id)

        async def is_reached() -> bool:
            nonlocal found
            found = await self.job(job_id)
            return reached(found)

        await until(is_reached)
        return found

    async def differs(self, name: str, wanted: dict[str, Content]) -> Difference:
        """Return how the index of a connector differs from what it should be."""
        return difference(wanted, await actual(self.engine, name, name))


@asynccontextmanager
async def works(folder: Path, **settings: Any) -> AsyncIterator[Works]:
    """Provide a works around an embedded engine of its own."""
    async with desk_of(folder / "data") as desk, serving(desk, host="127.0.0.1", port=0, key=None) as server:
        config = folder / "config.yml"
        usual = {
            "engine": {"host": server.url},
            "sources": SOURCES,
            "allowed_paths": [str(folder)],
            "sync": {"ledgers": str(folder / "ledgers"), "heartbeat_timeout_s": 3.0},
            "monitoring": {"port": None},
        }
        config.write_text(yaml.safe_dump({**usual, **settings}))
        async with open_engine(EngineSettings(host=server.url)) as engine:
            connectors, jobs = await ConnectorStore.open(engine), await JobStore.open(engine)
            stores = Desk(connectors, jobs, Ticks(await StateStore.open(engine)), Registry(SOURCES))
            yield Works(engine, stores, folder, config)
