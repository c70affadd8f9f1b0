"""An engine with jobs and connectors whose times a test sets, and as many janitors as it wants."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from connectors.engine import Engine, open_engine
from connectors.services.cleaning.janitor import Janitor
from connectors.services.cleaning.remains import Shelf
from connectors.services.scheduling.roster import Roster
from connectors.settings import EngineSettings
from connectors.storages.engine import EngineBackend
from connectors.store.connectors import ConnectorStore
from connectors.store.dead_letters import DeadLetters
from connectors.store.job import JobStatus, SyncJob
from connectors.store.jobs import NAME, JobStore
from connectors.store.state import StateStore
from connectors.sync.owner.instance import Instance
from tests.services.kibana import connector
from tests.services.shop import Watch

STEP_S = 10.0
HERE = Instance.current()
GONE = replace(HERE, pid=2**22 + 1)
"""A process of this machine that there is not."""
ELSEWHERE = Instance("other-host", "another-boot/another-namespace", 1, "1")


@dataclass
class Yard:
    """The stores of an engine, and what belongs to a test of janitors."""

    engine: Engine
    shelf: Shelf
    watch: Watch

    @property
    def jobs(self) -> JobStore:
        """The store of jobs."""
        return self.shelf.jobs

    def janitor(self, **settings: Any) -> Janitor:
        """Return the janitor of a daemon that has just started, with the settings that a test wants."""
        return Janitor.of(self.shelf, self.roster(), self.watch, **settings)

    def roster(self) -> Roster:
        """Return a roster that has not looked yet."""
        return Roster(self.shelf.connectors, self.watch)

    async def connect(self, name: str = "c", /, **fields: Any) -> None:
        """Create a connector."""
        await self.shelf.connectors.create(name, connector(**fields))

    async def delete(self, name: str = "c") -> None:
        """Remove the document of a connector."""
        await self.engine.control.delete(".elastic-connectors", name)

    async def job(self, status: str, /, of: str | None = "c", *, own: str | None = None, **fields: Any) -> str:
        """Write a job as the protocol has it, and return its id."""
        now = self.watch.moment.isoformat()
        document = {
            "connector": {"id": of, "configuration": {}, "filtering": {}, "index_name": "search-shop"},
            "job_type": "full",
            "trigger_method": "on_demand",
            "status": status,
            "created_at": now,
            "started_at": now,
            "last_seen": now,
            "completed_at": now if status in {"completed", "error", "canceled"} else None,
            "canceled_at": None,
            "cancelation_requested_at": None,
            "error": None,
            "indexed_document_count": 0,
            "deleted_document_count": 0,
            "worker_hostname": "there",
            "metadata": {"claim": "their-claim", "instance": str(ELSEWHERE), "of_theirs": 1},
            "of_a_newer_version": {"a": [1]},
            **fields,
        }
        job_id = own or uuid4().hex
        await self.engine.control.put(NAME, job_id, document, refresh="now")
        return job_id

    async def known(self, job_id: str) -> SyncJob:
        """Return a job as it is stored."""
        found = await self.jobs.get(job_id)
        assert found is not None
        return found

    async def status(self, job_id: str) -> JobStatus | None:
        """Return the status of a job."""
        return (await self.known(job_id)).status

    async def all_jobs(self) -> set[str]:
        """Return the ids of all jobs."""
        return {one.id for one in await self.jobs.newest(most=10_000)}

    async def beat(self, job_id: str) -> None:
        """Let whoever runs a job say so."""
        await self.jobs.change(job_id, lambda _: {"last_seen": self.watch.moment})

    async def look(self, *janitors: Janitor, seconds: float, step_s: float = STEP_S) -> None:
        """Let these janitors look every few seconds for so long, the last time at the end of that."""
        until = self.watch.seconds + seconds
        while True:
            for janitor in janitors:
                await janitor.look()
            if self.watch.seconds >= until:
                return
            self.watch.seconds += min(step_s, until - self.watch.seconds)

    def pass_(self, by: timedelta) -> None:
        """Let time pass by both clocks."""
        self.watch.moment += by
        self.watch.seconds += by.total_seconds()


async def open_yard(stack: AsyncExitStack, folder: Path) -> Yard:
    """Return a yard in which nothing is."""
    engine = await stack.enter_async_context(open_engine(EngineSettings(data=folder / "data")))
    watch = Watch()
    state, jobs = await StateStore.open(engine, watch), await JobStore.open(engine, watch)
    letters, connectors = await DeadLetters.open(engine, watch), await ConnectorStore.open(engine)
    shelf = Shelf(state, letters, jobs, connectors, EngineBackend(state))
    return Yard(engine, shelf, watch)
