"""A works with connectors that are to be live, and what a test wants to know of them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from connectors.registry import Registry
from connectors.store.job import ENDED, JobStatus, SyncJob
from connectors.store.live import is_live
from tests.services.works import PATIENCE_S, Works, until, works
from tests.torture.live_log import LIVE_SOURCES, LiveLog
from tests.torture.oracle import expected

NEVER = "0 0 0 1 1 ? 2099"
SCHEDULED = {"full": {"enabled": True, "interval": NEVER}}


class LiveWorks:
    """A works whose connectors read logs."""

    def __init__(self, of: Works) -> None:
        self.of = of
        self.logs: dict[str, LiveLog] = {}

    async def connect(self, name: str, **document: Any) -> LiveLog:
        """Create a connector that is to be live, and return its log."""
        log = self.logs[name] = LiveLog(self.of.folder / f"{name}.log")
        usual: Mapping[str, Any] = {
            "service_type": "live_log",
            "index_name": name,
            "status": "connected",
            "configuration": {"path": {"value": str(log.path), "sensitive": False}, "note": {"value": ""}},
            "scheduling": SCHEDULED,
            "sync": {"live": True},
        }
        await self.of.desk.connectors.create(name, {**usual, **document})
        return log

    async def change(self, name: str, **fields: Any) -> None:
        """Change fields of a connector."""
        await self.of.desk.connectors.update(name, lambda _: fields)

    async def jobs(self, name: str) -> list[SyncJob]:
        """Return the jobs of a connector, the oldest first."""
        return list(reversed(await self.of.desk.jobs.of_connector(name)))

    async def live(self, name: str) -> SyncJob | None:
        """Return the live sync of a connector that has not ended."""
        found = [one for one in await self.jobs(name) if is_live(one) and one.status not in ENDED]
        assert len(found) <= 1
        return found[0] if found else None

    async def is_equal(self, name: str) -> bool:
        """Return whether the index holds what the log says, document for document."""
        if not await self.of.engine.indices.exists(name):
            return False
        wanted = [{"id": doc_id, **one} for doc_id, one in self.logs[name].documents().items()]
        return not await self.of.differs(name, expected(wanted))

    async def equal(self, name: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until it does."""
        await until(lambda: self.is_equal(name), patience_s)

    async def lives(self, name: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until the live sync of a connector runs."""

        async def is_so() -> bool:
            job = await self.live(name)
            report = job.metadata.get("sync") if job is not None else None
            is_running = job is not None and job.status is JobStatus.IN_PROGRESS
            return is_running and isinstance(report, Mapping) and report.get("phase") == "live"

        await until(is_so, patience_s)


@asynccontextmanager
async def live_works(folder: Path, **settings: Any) -> AsyncIterator[LiveWorks]:
    """Provide one."""
    sync = {"ledgers": str(folder / "ledgers"), "heartbeat_timeout_s": 3.0, "live_round_s": 1.0}
    usual = {"sources": LIVE_SOURCES, "sync": {**sync, "checkpoint_every_s": 0.2}}
    async with works(folder, **{**usual, **settings}) as found:
        found.desk = type(found.desk)(found.desk.connectors, found.desk.jobs, found.desk.ticks, Registry(LIVE_SOURCES))
        yield LiveWorks(found)
