"""The keeper: sees to it that every connector that is to have a live sync has one, however many daemons look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connectors import logger
from connectors.aio.clock import Clock
from connectors.aio.retry import RetryPolicy
from connectors.engine.records import Revision
from connectors.errors import Conflict
from connectors.services.desk import Desk
from connectors.services.monitoring.pulse import Pulse
from connectors.services.scheduling.roster import Roster
from connectors.store.connector import Connector
from connectors.store.job import ENDED, WAITING, JobStatus, SyncJob, Trigger
from connectors.store.live import LIVE, METADATA, LiveRecord, basis_of, is_live, wants_live
from connectors.store.record import Versioned
from connectors.store.snapshot import snapshot_of
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType

log = logger.get(__name__)
LOOK_EVERY_S: Final = 1.0
PAUSES: Final = RetryPolicy(first_pause_s=60.0, longest_pause_s=3_600.0)
"""How long after a live sync that ended in error the next one is begun."""
AFTER_CANCELED_S: Final = 3_600.0
STEADY: Final = timedelta(hours=1)
"""A live sync that ran for so long did well, however it ended."""
LOOKED_FOR_AGAIN_S: Final = 10.0
"""When it is looked again for a job that is there and was not found a moment ago."""


@dataclass
class _Known:
    """A connector as it was when it was looked at."""

    revision: Revision
    wanted: bool
    basis: str
    wake_at: datetime | None = None


@dataclass
class Keeper:
    """Makes the jobs of live syncs, and says to those that run here when they have to look at their connector.

    - The record of a connector says which job is its live sync. Who changes it, by compare-and-set, makes the job; and
      whoever finds it without the job does that as well, as the id follows from the record.
    - One that ended in error is begun anew after a pause, which grows with each that does not run for long; one that
      somebody has canceled after an hour; both at once when the connector is changed.
    - One that ended because a full sync has to follow, as its cursor expired, is begun anew at once, behind that; after
      a pause if the one before did not run for long either.
    - One that nobody has begun yet and nobody wants any more is ended here; one that runs ends itself.
    """

    desk: Desk
    state: StateStore
    roster: Roster
    clock: Clock
    jobs: Callable[[], Sequence[SyncJob] | None]
    """Returns the jobs that have not ended, as they were a moment ago; None when that is not known yet."""
    tell: Callable[[str], None]
    """Has a job that runs here look at its connector; any other is left alone."""
    pulse: Pulse = field(default_factory=Pulse)
    _known: dict[str, _Known] = field(default_factory=dict)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.pulse.look(self.look, "It could not be looked after the live syncs.")
            await self.clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Look once. Raises an `EngineError`."""
        jobs = self.jobs()
        if jobs is None:
            return
        connectors = self.roster.connectors
        running = {job.connector_id: job for job in jobs if is_live(job)}
        for name in self._known.keys() - connectors.keys():
            del self._known[name]
        for name, connector in list(connectors.items()):
            known, is_other = self._look_at(connector)
            job = running.pop(name, None)
            if job is not None and not known.wanted:
                await self._end(job)
            elif job is not None and is_other:
                self.tell(job.id)
            elif job is None and known.wanted and (known.wake_at is None or known.wake_at <= self.clock.now()):
                await self._begin(connector, known)
        for job in running.values():
            await self._end(job)

    def _look_at(self, connector: Connector) -> tuple[_Known, bool]:
        """Return what is known of a connector, and whether it is other than a moment ago."""
        before = self._known.get(connector.id)
        if before is not None and before.revision == connector.revision:
            return before, False
        basis = basis_of(connector)
        if before is not None and before.basis == basis:
            before.revision = connector.revision
            return before, False
        self._known[connector.id] = known = _Known(connector.revision, wants_live(connector), basis)
        return known, True

    async def _end(self, job: SyncJob) -> None:
        """See to it that a job ends that nobody wants any more."""
        if job.status not in WAITING:
            self.tell(job.id)
            return
        ended = {"status": JobStatus.COMPLETED, "completed_at": self.clock.now(), "error": None}
        try:
            await self.desk.jobs.change(job.id, lambda found: ended if found.status in WAITING else None)
        except Conflict as error:
            log.info("A live sync was gone before it could be ended.", job=job.id, why=str(error))

    async def _begin(self, connector: Connector, known: _Known) -> None:
        """See to it that a connector has the job of its live sync, if it is time for that."""
        key, now = LiveRecord.key_of(connector.id), self.clock.now()
        found = await self.state.read(key, LiveRecord)
        job = await self.desk.jobs.get(found.value.job) if found is not None else None
        if job is not None and job.status not in ENDED:
            known.wake_at = now + timedelta(seconds=LOOKED_FOR_AGAIN_S)
            return
        record = LiveRecord(connector=connector.id, basis=known.basis)
        if found is not None:
            is_followed = job is not None and await self._is_followed(job)
            record, known.wake_at = _next(found.value, job, known.basis, is_followed=is_followed)
            if known.wake_at is not None and known.wake_at > now:
                return
        try:
            await self._write(key, found, record)
        except Conflict:
            return  # another daemon was first, and makes the job
        snapshot = snapshot_of(connector, JobType.INCREMENTAL, self.desk.registry)
        await self.desk.jobs.create(record.job, snapshot, JobType.INCREMENTAL, Trigger.ON_DEMAND, metadata=METADATA)
        known.wake_at = now + timedelta(seconds=LOOKED_FOR_AGAIN_S)
        log.info("A live sync is to begin.", connector=connector.id, job=record.job)

    async def _is_followed(self, job: SyncJob) -> bool:
        """Return whether a full sync was made that puts right why a job ended. What one waited for before does not."""
        others = await self.desk.jobs.of_connector(job.connector_id or "")
        return any(one.metadata.get("follows") == job.id and one.metadata.get("because") != LIVE for one in others)

    async def _write(self, key: str, found: Versioned[LiveRecord] | None, record: LiveRecord) -> None:
        if found is None:
            await self.state.create(key, record)
        elif found.value != record:
            await self.state.replace(key, found, record)


def _next(
    record: LiveRecord, job: SyncJob | None, basis: str, *, is_followed: bool
) -> tuple[LiveRecord, datetime | None]:
    """Return the record of the job that comes after one that ended, or is gone, and when it may be begun."""
    if job is None:
        return record, None
    began, ended = job.started_at, job.completed_at
    is_other = basis != record.basis
    did_well = job.status is JobStatus.COMPLETED or (began is not None and ended is not None and ended - began > STEADY)
    failures = 0 if is_other or did_well else record.failures + 1
    following = msgspec.structs.replace(record, number=record.number + 1, failures=failures, basis=basis)
    if ended is None or is_other or job.status is JobStatus.COMPLETED:
        return following, None
    if job.status is JobStatus.CANCELED:
        return following, ended + timedelta(seconds=AFTER_CANCELED_S)
    if is_followed and failures <= 1:
        return following, None
    return following, ended + timedelta(seconds=PAUSES.pause_s(max(failures, 1), 1.0))
