"""The end of a job that nobody runs: what its document and its connector say of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors import logger
from connectors.aio.clock import Clock
from connectors.errors import Conflict, JobCanceled, JobError
from connectors.store.connectors import ConnectorStore
from connectors.store.job import ACTIVE, JobStatus, SyncJob
from connectors.store.jobs import JobStore
from connectors.store.sync_state import JobType
from connectors.sync.outcome import Outcome
from connectors.sync.report import SyncReport

log = logger.get(__name__)
_BEGUN = ACTIVE | {JobStatus.SUSPENDED}


@dataclass(frozen=True)
class JobEnds:
    """Ends jobs in the state in which they were found, and leaves alone what anybody has touched since."""

    jobs: JobStore
    connectors: ConnectorStore
    clock: Clock

    async def suspend(self, job: SyncJob, told: Mapping[str, Any]) -> bool:
        """Give a job back to whoever takes it up; `told` is what its metadata says then. False if it was touched."""
        changes = {"status": JobStatus.SUSPENDED, "metadata": {**job.metadata, **told}}
        if not await self._change(job, changes):
            return False
        if (outcome := await self._outcome(job)) is not None:
            await outcome.abandoned(_report(job, self.clock))
        return True

    async def cancel(self, job: SyncJob, why: str, *, told: Mapping[str, Any] | None = None) -> bool:
        """Say that a job was canceled, and why. False if it was touched."""
        now = self.clock.now()
        changes: dict[str, Any] = {"status": JobStatus.CANCELED, "error": why, "completed_at": now, "canceled_at": now}
        return await self._end(job, {**changes, "metadata": {**job.metadata, **(told or {})}}, JobCanceled(why))

    async def fail(self, job: SyncJob, why: str, *, told: Mapping[str, Any] | None = None) -> bool:
        """Say that a job ended in an error. False if it was touched."""
        error = JobError(why)
        changes = {"status": JobStatus.ERROR, "error": f"JobError: {why}", "completed_at": self.clock.now()}
        return await self._end(job, {**changes, "metadata": {**job.metadata, **(told or {})}}, error)

    async def _end(self, job: SyncJob, changes: Mapping[str, Any], error: JobError) -> bool:
        if not await self._change(job, changes):
            return False
        await self.tell(job, error)
        return True

    async def tell(self, job: SyncJob, error: JobError) -> None:
        """Tell the connector of a job that was begun, as it was before, how it ended."""
        if (outcome := await self._outcome(job)) is not None:
            await outcome.failed(_report(job, self.clock), error)

    async def _outcome(self, job: SyncJob) -> Outcome | None:
        """Return what tells the connector of a job that was begun; None where there is nobody to tell, or nothing."""
        if job.connector_id is None or job.status not in _BEGUN:
            return None
        connector = await self.connectors.get(job.connector_id)
        if connector is None or connector.deleted:
            return None
        return Outcome(self.connectors, connector.id, self.clock)

    async def _change(self, job: SyncJob, changes: Mapping[str, Any]) -> bool:
        """Write over exactly the revision that was found; who was first is asked of nobody else."""
        is_ours = False

        def changed(found: SyncJob) -> Mapping[str, Any] | None:
            nonlocal is_ours
            is_ours = found.revision == job.revision
            return changes if is_ours else None

        try:
            await self.jobs.change(job.id, changed)
        except Conflict as error:
            log.info("A job was gone before it could be ended.", job=job.id, why=str(error))
            return False
        return is_ours


def _report(job: SyncJob, clock: Clock) -> SyncReport:
    """Return what is known of the sync of a job."""
    report = SyncReport(job.job_type or JobType.FULL, "", clock.now())
    report.created, report.deleted = counts_of(job)
    return report


def counts_of(job: SyncJob) -> tuple[int, int]:
    """Return how many documents a job says that it indexed, and deleted."""
    found = (job.document.get(name) for name in ("indexed_document_count", "deleted_document_count"))
    indexed, deleted = (one if isinstance(one, int) else 0 for one in found)
    return indexed, deleted
