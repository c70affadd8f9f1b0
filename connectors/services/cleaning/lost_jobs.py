"""Lost jobs: those that somebody has begun, and of whom nothing is heard any more."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.engine.records import Revision
from connectors.errors import RecordUnreadable
from connectors.services.cleaning.job_ends import JobEnds, counts_of
from connectors.store.job import JobStatus, SyncJob
from connectors.store.jobs import JobStore
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType, SyncState
from connectors.sync.owner.instance import Instance

log = logger.get(__name__)
MOST_IN_VAIN: Final = 3
"""How often in a row a job may be lost without anything to show for it, and is gone on with all the same."""
_PARTS: Final = 4


@dataclass
class _Watched:
    """The state in which a job was seen, and for how long so far."""

    revision: Revision
    waited_s: float = 0.0


@dataclass
class LostJobs:
    """Gives back the jobs of who is gone, so that others take them up; those that are to be canceled are.

    - Who is certainly gone is a process of this machine that has ended. Of any other, the job's document has to stand
      still for `timeout_s` of this observer's own clock, as whoever runs it writes to it several times within that.
    - Time in which nobody looked counts little: the one who runs the job may have stood still as well.
    - A job that is lost again and again without having done anything in between ends in an error.
    """

    name: ClassVar[str] = "lost jobs"
    every_s: ClassVar[float] = 0.0

    jobs: JobStore
    state: StateStore
    ends: JobEnds
    clock: Clock
    timeout_s: float = 60.0
    _watched: dict[str, _Watched] = field(default_factory=dict)
    _looked_at: float | None = None

    async def look(self) -> bool:
        """Look at every job that somebody has begun. Raises what is wrong with the engine.

        When that is that they can't be read, it waits anew.
        """
        now = self.clock.monotonic()
        gap_s = now - self._looked_at if self._looked_at is not None else 0.0
        before, self._watched = self._watched, {}
        active = await self.jobs.active()
        self._watched = {one.id: self._seen(one, before.get(one.id), gap_s) for one in active}
        self._looked_at = now
        for job in active:
            if self._is_gone(job) or self._watched[job.id].waited_s >= self.timeout_s:
                await self._take(job)
        return True

    def _seen(self, job: SyncJob, before: _Watched | None, gap_s: float) -> _Watched:
        if before is None or before.revision != job.revision:
            return _Watched(job.revision)
        return _Watched(job.revision, before.waited_s + min(gap_s, self.timeout_s / _PARTS))

    def _is_gone(self, job: SyncJob) -> bool:
        text = job.metadata.get("instance")
        instance = Instance.of(text) if isinstance(text, str) else None
        return instance is not None and instance.is_gone

    async def _take(self, job: SyncJob) -> None:
        if job.status is JobStatus.CANCELING:
            if await self.ends.cancel(job, "Somebody asked for it to be canceled, and whoever ran it is gone."):
                log.info("A job that nobody runs any more is canceled.", job=job.id, connector=job.connector_id)
            return
        lost, done = _number(job, "lost") + 1, await self._done(job)
        # What was done stays told until more is: the same as at the last loss is nothing new.
        has_progressed = done is not None and done != job.metadata.get("done_when_lost")
        in_vain = 0 if has_progressed else _number(job, "lost_in_vain") + 1
        told: dict[str, Any] = {"lost": lost, "lost_in_vain": in_vain, "done_when_lost": done}
        if self._is_gone(job):
            told["alone"] = True  # it may be what its process died of
        if in_vain > MOST_IN_VAIN:
            why = f"Whoever ran the job was gone {in_vain} times in a row before anything was done."
            if await self.ends.fail(job, why, told=told):
                log.warning("A job was lost too often.", job=job.id, connector=job.connector_id, times=lost)
        elif await self.ends.suspend(job, told):
            log.warning("A job is given back, as whoever ran it is gone.", job=job.id, connector=job.connector_id)

    async def _done(self, job: SyncJob) -> str | None:
        """Return what a job has to show: documents, or a checkpoint of a walk that changed none. None for nothing."""
        counts, saved_at = counts_of(job), None
        if job.connector_id is not None:
            job_type = JobType.ACCESS_CONTROL if job.job_type is JobType.ACCESS_CONTROL else JobType.FULL
            with suppress(RecordUnreadable):
                found = await self.state.read(SyncState.key_of(job.connector_id, job_type), SyncState)
                if found is not None and found.value.checkpoint is not None:
                    saved_at = found.value.checkpoint.saved_at.isoformat()
        return f"{counts[0]} {counts[1]} {saved_at}" if any(counts) or saved_at is not None else None


def _number(job: SyncJob, name: str) -> int:
    found = job.metadata.get(name)
    return found if isinstance(found, int) else 0
