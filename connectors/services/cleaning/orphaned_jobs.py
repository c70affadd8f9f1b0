"""Orphaned jobs: those that somebody should run, or runs, of a connector that there is no more."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.services.cleaning.job_ends import JobEnds
from connectors.services.scheduling.roster import Roster
from connectors.store.connectors import ConnectorStore
from connectors.store.job import JobStatus, SyncJob
from connectors.store.jobs import JobStore

log = logger.get(__name__)
WHY: Final = "The connector was deleted."
GRACE_S: Final = 30.0
"""How long whoever runs such a job has to end it in good order."""


@dataclass
class OrphanedJobs:
    """Ends the jobs of connectors that are gone: canceled if they only wait, else in an error, a little later."""

    name: ClassVar[str] = "orphaned jobs"
    every_s: ClassVar[float] = 10.0

    jobs: JobStore
    connectors: ConnectorStore
    roster: Roster
    ends: JobEnds
    clock: Clock
    _active_since: dict[str, float] = field(default_factory=dict)

    async def look(self) -> bool:
        """Look at all open jobs; only those whose connector the roster does not have cost anything."""
        for job in await self._orphans(await self.jobs.waiting()):
            if await self.ends.cancel(job, WHY):
                log.info("A job of a connector that is gone is canceled.", job=job.id, connector=job.connector_id)
        now, active = self.clock.monotonic(), await self._orphans(await self.jobs.active())
        self._active_since = {one.id: self._active_since.get(one.id, now) for one in active}
        for job in active:
            if now - self._active_since[job.id] < GRACE_S:
                continue
            end = self.ends.cancel if job.status is JobStatus.CANCELING else self.ends.fail
            if await end(job, WHY):
                log.info("A job of a connector that is gone is ended.", job=job.id, connector=job.connector_id)
        return True

    async def _orphans(self, jobs: Iterable[SyncJob]) -> list[SyncJob]:
        known: dict[str | None, bool] = {None: False}
        orphans = []
        for job in jobs:
            name = job.connector_id
            if name not in known:
                known[name] = name is not None and await is_there(name, self.roster, self.connectors)
            if not known[name]:
                orphans.append(job)
        return orphans


async def is_there(connector_id: str, roster: Roster, connectors: ConnectorStore) -> bool:
    """Return whether there is a connector: the roster may be behind, and then the engine decides."""
    if connector_id in roster.connectors:
        return True
    found = await connectors.get(connector_id)
    return found is not None and not found.deleted
