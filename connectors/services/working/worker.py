"""The worker: looks for jobs that wait, gives them to its crew, and finds out which of them kill processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.aio.tasks import Tasks
from connectors.errors import Conflict, ConnectorsError
from connectors.services.desk import Desk
from connectors.services.monitoring.job_tally import JobTally
from connectors.services.monitoring.metrics import Metrics
from connectors.services.monitoring.pulse import Pulse
from connectors.services.working.crew import Crew, Death
from connectors.services.working.messages import Begin
from connectors.services.working.turns import Lane, Places, next_jobs
from connectors.store.job import ACTIVE, JobStatus, SyncJob
from connectors.store.sync_state import JobType

log = logger.get(__name__)
LOOK_EVERY_S: Final = 0.5
"""How soon a job that somebody wants is begun."""
MOST_DEATHS: Final = 3
"""So often may the process of a job die while it runs nothing else."""


@dataclass(frozen=True)
class WorkLimits:
    """How much a daemon works on at once, and how patient it is with its processes."""

    processes: int = 2
    places: Places = Places()
    silent_after_s: float = 60.0
    stop_within_s: float = 30.0


class Worker:
    """Runs the jobs of all connectors, in worker processes, as many at once as there are places.

    - Of the jobs that wait, every connector's gets its turn. A process claims a job itself: of all daemons one gets it.
    - A process that dies takes down the jobs in it, and nothing else. Each of them is begun again, alone in a process,
      as any of them may have been the reason; and only deaths while alone are held against a job. After three of them
      it ends in error.
    """

    def __init__(
        self,
        desk: Desk,
        command: Sequence[str],
        limits: WorkLimits,
        clock: Clock,
        *,
        tally: JobTally | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self._desk = desk
        self._limits = limits
        self._clock = clock
        self._tally = tally or JobTally(Metrics(), (), clock)
        self._pulse = pulse or Pulse(clock)
        self._last_turns: dict[Lane, int] = {}
        self._turn = 0
        self.crew = Crew(
            command,
            limits.processes,
            died=self._died,
            told=self._tally.heard,
            silent_after_s=limits.silent_after_s,
            stop_within_s=limits.stop_within_s,
            clock=clock,
        )

    def adopt(self, limits: WorkLimits, begin: Begin | None, *, renew: bool) -> None:
        """Work within these limits from now on, with processes that begin with that.

        With `renew` those that there are retire: what they run goes on, and they are given nothing more.
        """
        self._limits = limits
        self.crew.silent_after_s, self.crew.stop_within_s = limits.silent_after_s, limits.stop_within_s
        self.crew.change(limits.processes, begin, renew=renew)

    async def run(self) -> None:
        """Work until cancelled; then the jobs that run here are suspended."""
        async with Tasks("worker") as tasks:
            tasks.start(self.crew.run(), name="crew")
            tasks.start(self._look_again(), name="jobs")

    async def _look_again(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            self._pulse.began()
            try:
                await self.look()
                self._pulse.looked()
            except ConnectorsError as error:
                log.warning("It could not be found out which jobs wait.", why=str(error))

    async def look(self) -> None:
        """Give out the jobs that may be begun now. Raises an `EngineError`."""
        known = await self._desk.jobs.open_jobs()
        self._tally.known(known)
        for job in next_jobs(known, self.crew.jobs, self._limits.places, self._last_turns):
            self._turn += 1
            self._last_turns[Lane.of(job)] = self._turn
            self._tally.given(job)
            self.crew.give(job.id, alone=job.metadata.get("alone") is True)

    async def _died(self, death: Death) -> None:
        self._tally.died(death.jobs)
        for job_id in sorted(death.jobs):
            try:
                job = await self._desk.jobs.change(job_id, lambda job: _after(death, job, self._clock.now()))
                if job.status is JobStatus.ERROR and job.connector_id is not None:
                    await self._desk.connectors.update(job.connector_id, lambda _, job=job: _told(job))  # type: ignore[misc]
            except Conflict:
                continue  # it was deleted
            except ConnectorsError as error:
                log.warning("It could not be told that the process of a job died.", job=job_id, why=str(error))


def _after(death: Death, job: SyncJob, now: datetime) -> Mapping[str, Any] | None:
    """Return what becomes of a job whose process died; nothing if the process had not claimed it."""
    if job.status not in ACTIVE or death.instance is None or job.metadata.get("instance") != death.instance:
        return None
    if job.status is JobStatus.CANCELING:
        return {"status": JobStatus.CANCELED, "completed_at": now, "canceled_at": now}
    before = job.metadata.get("deaths")
    deaths = (before if isinstance(before, int) else 0) + death.alone
    metadata = {**job.metadata, "alone": True, "deaths": deaths}
    if deaths < MOST_DEATHS:
        return {"status": JobStatus.SUSPENDED, "metadata": metadata}
    error = (
        f"The process that ran it died {deaths} times while it ran nothing else, the last time with the code "
        f"{death.code}. Something that it reads kills it."
    )
    return {"status": JobStatus.ERROR, "metadata": metadata, "error": error, "completed_at": now}


def _told(job: SyncJob) -> Mapping[str, Any]:
    """Return what a connector says of a job that ended in error without having said so itself."""
    prefix = "last_access_control_sync" if job.job_type is JobType.ACCESS_CONTROL else "last_sync"
    return {"status": "error", "error": job.error, f"{prefix}_status": "error", f"{prefix}_error": job.error}
