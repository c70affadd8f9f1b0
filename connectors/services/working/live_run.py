"""A live run: what is other about running the job of a live sync, which ends only when it is asked to."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from connectors import logger
from connectors.errors import EngineError, JobError
from connectors.services.working.job_end import End
from connectors.services.working.job_record import JobRecord
from connectors.services.working.live_watch import LiveWatch
from connectors.store.connector import Connector
from connectors.store.job import ENDED, JobStatus, SyncJob
from connectors.store.jobs import JobStore, following_id
from connectors.store.lenient import instant_of
from connectors.store.live import LIVE
from connectors.store.sync_state import JobType
from connectors.sync.ending import Ending, Why
from connectors.sync.outcome import Outcome
from connectors.sync.report import SyncReport
from connectors.sync.workplace import Workplace

log = logger.get(__name__)
BEATS: Final = 2
"""How often a live sync says that it is alive within the time after which it would be taken for lost: there are many
that have nothing else to say."""
LOOK_EACH: Final = 10
"""Every so many times it looks by itself whether it is to end, too."""
AGAIN_S: Final = 2.0
"""How soon it says so again when that failed."""
ALONE_FOR: Final = timedelta(minutes=10)
"""How long a live sync whose process died has one of its own, before it is trusted with others again."""
FULL_FIRST: Final = "full_first"
"""Where its metadata says which full sync it waits for."""


@dataclass
class LiveRun:
    """Runs beside a live sync, for the job that it is.

    - It looks whether the sync is to end when that is `wanted`, which the daemon says that has seen a reason; and, as
      nothing is certain to be said, now and then.
    - A live sync that can't begin without a full one has that made, once, and waits behind it. When it can't begin
      after that either, it ends in error.
    """

    place: Workplace
    jobs: JobStore
    job: SyncJob
    record: JobRecord
    ending: Ending = field(default_factory=Ending)
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _waits_for: str | None = None
    """The job of a full sync that has to come first."""

    async def beat(self, connector: Connector, report: SyncReport) -> None:
        """Say that the job is alive until cancelled. Raises `JobCanceled` when somebody wants that, and `JobLost`."""
        clock, every_s = self.place.clock, self.place.limits.lease_timeout_s / BEATS
        watch = LiveWatch(self.jobs, self.place.connectors, self.record, connector, self.ending)
        report.caught_up_at = self._caught_up_before
        said_at, beats = clock.monotonic() - every_s, 0
        while True:
            await self._wait(max(0.0, said_at + every_s - clock.monotonic()))
            is_wanted, is_due = self.wanted.is_set(), clock.monotonic() - said_at >= every_s
            self.wanted.clear()
            try:
                if is_wanted or (is_due and beats % LOOK_EACH == 0):
                    await watch.look()
                if is_due:
                    self._note(report)
                    await self.record.beat(report)
                    said_at, beats = clock.monotonic(), beats + 1
                    self._rejoin(report)
            except EngineError as error:
                log.warning("The engine could not be told that a job is alive.", job=self.job.id, why=str(error))
                await clock.sleep(AGAIN_S)

    async def end(self, outcome: Outcome, report: SyncReport) -> End:
        """Return how a sync ends that was asked to, and tell its connector."""
        why = self.ending.why
        if why is not Why.FULL_FIRST:
            report.caught_up_at = report.behind_since or self.place.clock.now()
        if why is Why.OFF:
            await outcome.completed(report)
            return End(JobStatus.COMPLETED, report.error)
        if why is not Why.FULL_FIRST:
            await outcome.suspended(report)
            return End(JobStatus.SUSPENDED)
        former = self.job.metadata.get(FULL_FIRST)
        if await self._is_full_sync_open():
            self._waits_for = former
        elif former is None:
            # Another one each time that this job needs one, which may be twice in a year.
            self._waits_for = following_id(self.job.id, str(self.job.metadata.get("claim")))
            await outcome.suspended(report)
            return End(JobStatus.SUSPENDED, followed_because=LIVE, following=self._waits_for)
        else:
            error = JobError(
                f"The full sync that has to come first did not come to a good end: it is the job {former}."
            )
            await outcome.failed(report, error)
            return End(JobStatus.ERROR, f"JobError: {error}")
        await outcome.suspended(report)
        return End(JobStatus.SUSPENDED)

    def close(self, end: End, report: SyncReport) -> None:
        """Have the report say until when the index is as the source was."""
        self._note(report)
        report.phase = str(end.status)

    def told(self, end: End) -> Mapping[str, Any]:
        """Return what the metadata of the job says besides."""
        told: dict[str, Any] = {FULL_FIRST: self._waits_for}
        if end.status is JobStatus.SUSPENDED and self.ending.why is Why.CHANGED:
            told |= {"alone": False, "deaths": 0}
        return told

    @property
    def _caught_up_before(self) -> Any:  # noqa: ANN401 - whatever the metadata holds becomes a moment or none
        found = self.job.metadata.get("sync")
        return instant_of(found.get("caught_up_at")) if isinstance(found, Mapping) else None

    def _note(self, report: SyncReport) -> None:
        """Have the report say until when the index is as the source was, if that is now."""
        if report.phase == LIVE:
            report.caught_up_at = report.behind_since or self.place.clock.now()

    async def _is_full_sync_open(self) -> bool:
        others = await self.jobs.of_connector(self.job.connector_id or "")
        return any(one.status not in ENDED and one.job_type is JobType.FULL for one in others)

    def _rejoin(self, report: SyncReport) -> None:
        """Have a sync begun anew among others that had a process of its own, and did well in that for a while."""
        if self.job.metadata.get("alone") is True and self.place.clock.now() - report.started_at > ALONE_FOR:
            self.ending.ask(Why.CHANGED)

    async def _wait(self, seconds: float) -> None:
        """Return when it is wanted to look, or the time is over."""
        tasks = [asyncio.ensure_future(self.place.clock.sleep(seconds)), asyncio.ensure_future(self.wanted.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
