"""The record of a running job: its document, which only who claimed it writes to."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from connectors.aio.clock import Clock
from connectors.engine.operations import Refresh
from connectors.errors import Conflict, JobLost
from connectors.store.job import ACTIVE, JobStatus, SyncJob
from connectors.store.jobs import JobStore
from connectors.sync.outcome import fitting
from connectors.sync.report import SyncReport

MIB: Final = 2**20


class JobRecord:
    """Says in the document of a job how that comes on and how it ended.

    Every write looks whether the claim is still the one that it was made with. Raises `JobLost` where it is not, or the
    job is gone: then somebody else says what there is to say.
    """

    def __init__(self, jobs: JobStore, claimed: SyncJob, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._claim = claimed.metadata.get("claim")
        self.id = claimed.id
        self._last: SyncJob | None = claimed
        """The job as it was when it was last read or written here; None when that is not known."""

    async def look(self) -> SyncJob:
        """Return the job as it is now: somebody may want it to be canceled."""
        found = await self._jobs.get(self.id)
        if found is None:
            raise JobLost(f"The job {self.id} was deleted while it ran.")
        self._check(found)
        self._last = found
        return found

    async def beat(self, report: SyncReport) -> None:
        """Say that the job is alive, and how far it has come."""
        told = {"sync": report.wire()}
        await self._write({**_counts(report), "last_seen": self._clock.now()}, told, refresh="no")

    async def end(
        self, status: JobStatus, report: SyncReport, error: str | None, *, total: int | None, told: Mapping[str, Any]
    ) -> SyncJob:
        """Say how the job ended, or that it is to be gone on with; `told` is what its metadata says besides."""
        now = self._clock.now()
        changes: dict[str, Any] = {**_counts(report), "status": status, "error": fitting(error), "last_seen": now}
        if status is not JobStatus.SUSPENDED:
            changes["completed_at"] = now
        if status is JobStatus.CANCELED:
            changes["canceled_at"] = now
        if total is not None:
            changes["total_document_count"] = total
        return await self._write(changes, {"sync": report.wire(), **told})

    async def _write(
        self, changes: Mapping[str, Any], told: Mapping[str, Any] | None = None, *, refresh: Refresh = "now"
    ) -> SyncJob:
        def changed(found: SyncJob) -> Mapping[str, Any]:
            self._check(found)
            return {**changes, "metadata": {**found.metadata, **told}} if told else changes

        last, self._last = self._last, None
        if last is not None and (changes_of_last := changed(last)):
            with suppress(Conflict):
                self._last = await self._jobs.replace(last, changes_of_last, refresh=refresh)
                return self._last
        try:
            written = self._last = await self._jobs.change(self.id, changed, refresh=refresh)
        except Conflict:
            await self.look()  # which tells whether it is gone, or not ours
            raise
        return written

    def _check(self, found: SyncJob) -> None:
        if found.metadata.get("claim") != self._claim or found.status not in ACTIVE:
            raise JobLost(f"The job {self.id} is not this worker's any more.")


def _counts(report: SyncReport) -> dict[str, Any]:
    return {
        "indexed_document_count": report.created + report.updated,
        "indexed_document_volume": report.sent_bytes // MIB,
        "deleted_document_count": report.deleted,
    }
