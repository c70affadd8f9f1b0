"""The scheduler: makes one job for each tick of a schedule that is due, however many daemons look."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.errors import ConnectorsError
from connectors.schedule import Timetable, delay_of, due
from connectors.schedule.zone import Zone
from connectors.services.desk import Desk
from connectors.services.monitoring.pulse import Pulse
from connectors.services.scheduling.roster import Roster
from connectors.services.scheduling.timings import LAST_SCHEDULED, Timing, Timings, timings_of
from connectors.store.connector import Connector
from connectors.store.job import WAITING, Trigger
from connectors.store.jobs import scheduled_id
from connectors.store.lenient import instant_of
from connectors.store.snapshot import snapshot_of
from connectors.store.sync_state import JobType
from connectors.store.ticks import TickRecord

log = logger.get(__name__)
LOOK_EVERY_S: Final = 1.0
"""How soon a connector that somebody changed counts."""
SET: Final = timedelta(seconds=30)
"""A look that comes so much later than the one before, or earlier at all, means that the clock was set."""


@dataclass
class _Watched:
    """What is known of the schedules of one connector."""

    timings: Timings
    since: dict[str, datetime]
    wake_at: datetime | None = None


@dataclass
class Scheduler:
    """Looks which connectors are due, and makes their jobs.

    - A tick is a record that one daemon creates, and any of them finishes: its job, whose id follows from it, and what
      the connector says of when it was scheduled last. So a tick makes one job, whoever is killed in between.
    - Missed ticks make one job. While a job of the same type waits already, a tick makes no other.
    - A schedule that is wrong makes nothing; its connector says why, once.

    What fails for one connector is logged, and looked at again with the next look; others are not held up by it.
    """

    desk: Desk
    roster: Roster
    clock: Clock
    zone: Zone
    jitter: timedelta = timedelta()
    pulse: Pulse = field(default_factory=Pulse)
    made: Callable[[JobType, float], None] = lambda _job_type, _delay_s: None
    """Is called for each job that a tick has made, with how many seconds after it was due."""
    _watched: dict[str, _Watched] = field(default_factory=dict)
    _looked_at: datetime | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.pulse.began()
            try:
                await self.look()
                self.pulse.looked()
            except ConnectorsError as error:
                log.warning("The schedules could not be looked at.", why=str(error))
            await self.clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Make the jobs that are due now. Raises an `EngineError` when the connectors can't be read."""
        changed = await self.roster.look()
        now = self.clock.now()
        was_set = self._looked_at is None or not timedelta() <= now - self._looked_at < SET
        self._looked_at = now
        for gone in self._watched.keys() - self.roster.connectors.keys():
            del self._watched[gone]
        for connector_id, connector in list(self.roster.connectors.items()):
            known = self._watched.get(connector_id)
            if was_set or connector_id in changed or known is None or _is_over(known.wake_at, now):
                try:
                    await self._look_at(connector, now)
                except ConnectorsError as error:
                    self._watched.pop(connector_id, None)
                    log.warning("A connector could not be scheduled.", connector=connector_id, why=str(error))

    async def _look_at(self, connector: Connector, now: datetime) -> None:
        timings = timings_of(connector, now, self.zone)
        known = self._watched.get(connector.id)
        if known is None or known.timings != timings:
            forms = {str(one.job_type): one.form for one in timings.timings}
            known = _Watched(timings, dict(await self.desk.ticks.since(connector.id, forms, now)))
            await self._tell_faults(connector, timings)
        wakes = [await self._look_at_one(connector, timing, known.since, now) for timing in timings.timings]
        known.wake_at = min((one for one in wakes if one is not None), default=None)
        self._watched[connector.id] = known

    async def _look_at_one(
        self, connector: Connector, timing: Timing, since: dict[str, datetime], now: datetime
    ) -> datetime | None:
        name = str(timing.job_type)
        last = instant_of(connector.document.get(LAST_SCHEDULED[timing.job_type]))
        timetable = Timetable(timing.schedule, self.zone, delay_of(connector.id, self.jitter))
        found = due(timetable, last=last, since=since.get(name, now), now=now)
        if found.ignored_last is not None:
            log.warning("A time in the future is ignored.", connector=connector.id, last_scheduled_at=str(last))
        if found.ignored_since is not None:
            await self.desk.ticks.begin_anew(connector.id, name, now)
            since[name] = now
        if found.tick is not None:
            await self._make(connector, timing.job_type, found.tick)
        return found.wake_at

    async def _make(self, connector: Connector, job_type: JobType, instant: datetime) -> None:
        """See to it that a tick has its job, and that the connector says so."""
        job_id = scheduled_id(connector.id, job_type, instant)
        tick = TickRecord(connector=connector.id, schedule=str(job_type), instant=instant, job=job_id)
        claimed = await self.desk.ticks.claim(tick)
        if claimed is not None:
            if not await self._waits(connector.id, job_type, job_id):
                snapshot = snapshot_of(connector, job_type, self.desk.registry)
                job = await self.desk.jobs.create(job_id, snapshot, job_type, Trigger.SCHEDULED)
                due_at = instant + delay_of(connector.id, self.jitter)
                self.made(job_type, ((job.created_at or due_at) - due_at).total_seconds())
                log.info("A sync is due.", connector=connector.id, job_type=str(job_type), job=job_id)
            await self.desk.ticks.done(claimed)
        await self.desk.connectors.update(connector.id, lambda found: _scheduled(found, job_type, instant))

    async def _waits(self, connector_id: str, job_type: JobType, job_id: str) -> bool:
        """Return whether another job does what this one would."""
        jobs = await self.desk.jobs.of_connector(connector_id)
        return any(one.status in WAITING and one.job_type is job_type and one.id != job_id for one in jobs)

    async def _tell_faults(self, connector: Connector, timings: Timings) -> None:
        if timings.faults:
            text = " ".join(timings.faults)
            await self.desk.connectors.update(connector.id, lambda _: {"status": "error", "error": text})


def _is_over(wake_at: datetime | None, now: datetime) -> bool:
    return wake_at is not None and wake_at <= now


def _scheduled(found: Connector, job_type: JobType, instant: datetime) -> Mapping[str, Any]:
    """Return that a tick was scheduled, unless the connector says so already."""
    name = LAST_SCHEDULED[job_type]
    last = instant_of(found.document.get(name))
    return {} if last is not None and last == instant else {name: instant}
