"""The scheduler: makes one job for each tick of a schedule that is due, however many daemons look."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.errors import ConnectorsError
from connectors.schedule import Timetable, Windows, delay_of, due
from connectors.schedule.zone import Zone
from connectors.services.desk import Desk
from connectors.services.monitoring.pulse import Pulse
from connectors.services.scheduling.roster import Roster
from connectors.services.scheduling.timings import LAST_SCHEDULED, Timing, Timings, timings_of
from connectors.store.connector import Connector
from connectors.store.custom_schedule import METADATA, customized, schedule_key
from connectors.store.job import ENDED, WAITING, Trigger
from connectors.store.jobs import scheduled_id
from connectors.store.lenient import instant_of
from connectors.store.live import is_live
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
    made: dict[str, datetime] = field(default_factory=dict)
    """The last ticks of custom schedules, of which the connector says nothing."""
    wake_at: datetime | None = None


@dataclass
class Scheduler:
    """Looks which connectors are due, and makes their jobs.

    - A tick is a record that one daemon creates, and any of them finishes: its job, whose id follows from it, and what
      the connector says of when it was scheduled last. So a tick makes one job, whoever is killed in between.
    - Missed ticks make one job. While a job of the same type waits already, a tick makes no other; a job of a custom
      schedule counts for that schedule alone.
    - A tick outside of the windows waits until one opens.
    - A schedule that is wrong makes nothing; its connector says why, once.

    What fails for one connector is logged, and looked at again with the next look; others are not held up by it.
    """

    desk: Desk
    roster: Roster
    clock: Clock
    zone: Zone
    jitter: timedelta = timedelta()
    windows: Windows = Windows()
    """When syncs may begin of connectors that say nothing of it."""
    behind_s: float = field(default_factory=lambda: random.uniform(0.005, 0.1))  # noqa: S311 - no secret
    """How long after a second it looks: another time than most other daemons, so that few want the same at once."""
    pulse: Pulse = field(default_factory=Pulse)
    made: Callable[[JobType, float], None] = lambda _job_type, _delay_s: None
    """Is called for each job that a tick has made, with how many seconds after it was due."""
    _watched: dict[str, _Watched] = field(default_factory=dict)
    _looked_at: datetime | None = None
    _wake_at: datetime | None = None
    """When the first of all connectors has to be looked at."""
    _is_any_left: bool = False
    """Whether there are some that have to be looked at again, as that failed."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.pulse.look(self.look, "The schedules could not be looked at.")
            await self.clock.sleep(self._until_next_s())

    def _until_next_s(self) -> float:
        """Return how long it is until just after the next whole second, which is when ticks are."""
        return LOOK_EVERY_S - self.clock.now().microsecond / 1e6 + self.behind_s

    async def look(self) -> None:
        """Make the jobs that are due now. Raises an `EngineError` when the connectors can't be read."""
        changed = await self.roster.look()
        now = self.clock.now()
        was_set = self._looked_at is None or not timedelta() <= now - self._looked_at < SET
        self._looked_at = now
        if not (was_set or changed or self._is_any_left or _is_over(self._wake_at, now)):
            return
        self._is_any_left = True  # until this look has come to its end
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
        self._is_any_left = len(self._watched) < len(self.roster.connectors)
        self._wake_at = min((one.wake_at for one in self._watched.values() if one.wake_at is not None), default=None)

    async def _look_at(self, connector: Connector, now: datetime) -> None:
        timings = timings_of(connector, now, self.zone)
        known = self._watched.get(connector.id)
        if known is None or known.timings != timings:
            forms = {one.name: one.form for one in timings.timings}
            known = _Watched(timings, dict(await self.desk.ticks.since(connector.id, forms, now)))
            await self._tell_faults(connector, timings)
        wakes = [await self._look_at_one(connector, timing, known, now) for timing in timings.timings]
        known.wake_at = min((one for one in wakes if one is not None), default=None)
        self._watched[connector.id] = known

    async def _look_at_one(
        self, connector: Connector, timing: Timing, known: _Watched, now: datetime
    ) -> datetime | None:
        name, since = timing.name, known.since
        last = known.made.get(name)
        if timing.custom is None:
            last = instant_of(connector.document.get(LAST_SCHEDULED[timing.job_type]))
        windows = timing.windows if timing.windows is not None else self.windows
        timetable = Timetable(timing.schedule, self.zone, delay_of(connector.id, self.jitter), windows)
        found = due(timetable, last=last, since=since.get(name, now), now=now)
        if found.ignored_last is not None:
            log.warning("A time in the future is ignored.", connector=connector.id, last_scheduled_at=str(last))
        if found.ignored_since is not None:
            await self.desk.ticks.begin_anew(connector.id, name, now)
            since[name] = now
        if found.tick is not None:
            await self._make(connector, timing, found.tick)
            known.made[name] = found.tick
        return found.wake_at

    async def _make(self, connector: Connector, timing: Timing, instant: datetime) -> None:
        """See to it that a tick has its job, and that the connector says so."""
        job_type, custom = timing.job_type, timing.custom
        job_id = scheduled_id(connector.id, timing.name, instant)
        tick = TickRecord(connector=connector.id, schedule=timing.name, instant=instant, job=job_id)
        claimed = await self.desk.ticks.claim(tick)
        if claimed is not None:
            if not await self._waits(connector.id, timing, job_id):
                shaped = connector if custom is None else customized(connector, custom)
                snapshot = snapshot_of(shaped, job_type, self.desk.registry)
                metadata = None if custom is None else {METADATA: custom.key}
                job = await self.desk.jobs.create(job_id, snapshot, job_type, Trigger.SCHEDULED, metadata=metadata)
                due_at = instant + delay_of(connector.id, self.jitter)
                self.made(job_type, ((job.created_at or due_at) - due_at).total_seconds())
                log.info("A sync is due.", connector=connector.id, schedule=timing.name, job=job_id)
            await self.desk.ticks.done(claimed)
        if custom is None:
            is_new = claimed is not None
            await self.desk.connectors.update(
                connector.id, lambda found: _scheduled(found, job_type, instant, is_new=is_new)
            )

    async def _waits(self, connector_id: str, timing: Timing, job_id: str) -> bool:
        """Return whether another job does what this one would: one of the same schedule, or wanted by somebody."""
        key = timing.custom.key if timing.custom is not None else None
        return any(
            (one.status in WAITING or (is_live(one) and one.status not in ENDED))
            and one.job_type is timing.job_type
            and schedule_key(one) == key
            and one.id != job_id
            for one in await self.desk.jobs.of_connector(connector_id)
        )

    async def _tell_faults(self, connector: Connector, timings: Timings) -> None:
        if timings.faults:
            text = " ".join(timings.faults)
            await self.desk.connectors.update(connector.id, lambda _: {"status": "error", "error": text})


def _is_over(wake_at: datetime | None, now: datetime) -> bool:
    return wake_at is not None and wake_at <= now


def _scheduled(found: Connector, job_type: JobType, instant: datetime, *, is_new: bool) -> Mapping[str, Any]:
    """Return that a tick was scheduled, unless the connector says so already.

    Of one that had its job before, nothing is said where the connector names a later one: a daemon whose clock is ahead
    wrote that, and two that corrected each other would never come to an end.
    """
    name = LAST_SCHEDULED[job_type]
    last = instant_of(found.document.get(name))
    if last is not None and (last == instant or (last > instant and not is_new)):
        return {}
    return {name: instant}
