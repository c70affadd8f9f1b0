"""A stage: an engine with connectors, for as many daemons as are to be measured."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import yaml

from connectors.engine import Engine, open_engine
from connectors.registry import Registry
from connectors.services.engine_process import engine_process
from connectors.settings import EngineSettings
from connectors.store.connectors import ConnectorStore
from connectors.store.job import SyncJob, Trigger
from connectors.store.jobs import JobStore
from connectors.store.snapshot import snapshot_of
from connectors.store.sync_state import JobType

PATIENCE_S: Final = 600.0
SOURCES: Final = {
    "followed": "benchmarks.daemon.sources:FollowedDataSource",
    "quiet": "benchmarks.daemon.sources:QuietDataSource",
    "waiting": "benchmarks.daemon.sources:WaitingDataSource",
    "walked": "benchmarks.daemon.sources:WalkedDataSource",
}


@dataclass(frozen=True)
class Stage:
    """The engine that the daemons use, and the settings by which they find it."""

    engine: Engine
    connectors: ConnectorStore
    jobs: JobStore
    config: Path

    async def want(self, connector_id: str) -> str:
        """Write a job as Kibana does, and return its id."""
        connector = await self.connectors.get(connector_id)
        if connector is None:
            raise LookupError(connector_id)
        registry = Registry(SOURCES)
        snapshot = snapshot_of(connector, JobType.FULL, registry)
        return (await self.jobs.create(uuid4().hex, snapshot, JobType.FULL, Trigger.ON_DEMAND)).id

    async def ended(self, job_id: str) -> SyncJob:
        """Wait until a job has ended, and return it. Raises a `RuntimeError` for one that ended badly."""
        found: SyncJob | None = None

        async def is_over() -> bool:
            nonlocal found
            found = await self.jobs.get(job_id)
            return found is not None and found.completed_at is not None

        await until(is_over)
        if found is None or found.status != "completed":
            raise RuntimeError(f"The job {job_id} ended badly: {found.error if found else 'it is gone'}")
        return found


async def prepare(folder: Path, schedules: Sequence[Mapping[str, Any]], *, service_type: str = "directory") -> Path:
    """Write a connector for each of the schedules, and return the settings file."""
    config = written_settings(folder)
    async with open_engine(EngineSettings(data=folder / "data")) as engine:
        store = await ConnectorStore.open(engine)
        for number, scheduling in enumerate(schedules):
            await connect(store, folder, number, scheduling, service_type=service_type)
    return config


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """Have an engine in a process of its own, which no daemon has to start or end."""
    data, config = folder / "data", written_settings(folder)
    async with engine_process(data), open_engine(EngineSettings(data=data)) as engine:
        yield Stage(engine, await ConnectorStore.open(engine), await JobStore.open(engine), config)


async def connect(
    store: ConnectorStore,
    folder: Path,
    number: int,
    scheduling: Mapping[str, Any],
    *,
    service_type: str = "directory",
    **more: object,
) -> str:
    """Create a connector, which reads one file, or what its source makes up, and return its id."""
    read = {"directory": {"value": str(folder / "docs")}} if service_type == "directory" else {}
    name = f"connector-{number}"
    document = {
        "service_type": service_type,
        "index_name": f"index-{number}",
        "status": "connected",
        "configuration": read,
        "scheduling": scheduling,
        **more,
    }
    await store.create(name, document)
    return name


def schedule(interval: str) -> Mapping[str, Any]:
    """Return that full syncs are due at the times of an expression."""
    return {"full": {"enabled": True, "interval": interval}}


def written_settings(folder: Path, name: str = "config.yml") -> Path:
    """Write the settings of a daemon, and a file that connectors may read; return the former."""
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "page.txt").write_text("A page.")
    settings = {
        "engine": {"data": str(folder / "data")},
        "sync": {"ledgers": str(folder / "ledgers")},
        "allowed_paths": [str(folder / "docs")],
        "log": {"level": "warning"},
        "sources": SOURCES,
    }
    config = folder / name
    config.write_text(yaml.safe_dump(settings))
    return config


async def until(is_so: Callable[[], Awaitable[bool]], *, every_s: float = 0.01) -> None:
    """Wait until something holds that other processes do."""
    async with asyncio.timeout(PATIENCE_S):
        while not await is_so():  # noqa: ASYNC110 - nothing in this process tells when
            await asyncio.sleep(every_s)
