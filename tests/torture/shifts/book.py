"""The book: sees every request at the engine, keeps what jobs and ticks there are, and what was promised of them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import msgspec

from connectors.schedule import Schedule
from connectors.schedule.zone import Zone
from connectors.services.scheduling.timings import LAST_SCHEDULED
from connectors.store.connectors import NAME as CONNECTORS
from connectors.store.job import ACTIVE, ENDED, WAITING, JobStatus, SyncJob, Trigger
from connectors.store.jobs import NAME as JOBS
from connectors.store.lenient import instant_of
from connectors.store.state import INDEX as STATE
from connectors.store.sync_state import JobType
from tests.torture.chaos.network import Line, Parcel
from tests.torture.chaos.promises import Broken

NOBODY: Final[Mapping[str, Any]] = {}
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Lane(NamedTuple):
    """What a connector does one job after the other in."""

    connector: str
    kind: str

    @classmethod
    def of(cls, connector: str, job_type: object) -> "Lane":
        """Return the lane of a job."""
        return cls(connector, "access control" if job_type == JobType.ACCESS_CONTROL else "content")


@dataclass
class Noted:
    """A job as it is now, and since when."""

    job: SyncJob
    lane: Lane
    since: float
    made_at: float
    claims: int = 0

    @property
    def holder(self) -> str:
        """Who has it."""
        return str(self.job.metadata.get("instance"))


@dataclass
class Limits:
    """How soon what was promised has to have happened, in virtual seconds, while a daemon works undisturbed."""

    given_back_s: float
    canceled_s: float
    begun_again_s: float
    """After the death of a process whose daemon lives."""
    tick_s: float


@dataclass
class Book:
    """Is told of each request that was carried out. Raises `Broken` for what may not be."""

    limits: Limits
    zone: Zone
    wall: Callable[[], datetime]
    """The right time."""
    told: Counter[str]
    tell: Callable[[str], None]
    right_clocks: bool = True
    """Whether all clocks are about right, so that nobody makes a tick that was long ago."""
    jobs: dict[str, Noted] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    """Of the jobs, in the order in which they ended."""
    connectors: dict[str, tuple[Mapping[str, Any], float]] = field(default_factory=dict)
    """The schedules of those that there are, and since when they are as they are."""
    ticks: dict[tuple[str, str], dict[datetime, str]] = field(default_factory=dict)
    """Of each connector and type, the job of each tick."""
    since: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    dead_at: dict[str, float] = field(default_factory=dict)
    noticed_by: dict[str, Callable[[], bool]] = field(default_factory=dict)
    """Of a process that was killed alone, whether its daemon lives on undisturbed."""
    lines: dict[str, Line] = field(default_factory=dict)
    passed_over: dict[Lane, Counter[Lane]] = field(default_factory=dict)
    most_passes: int = 1
    _scheduled: dict[tuple[str, str], Any] = field(default_factory=dict)
    _made: Counter[str] = field(default_factory=Counter)
    _waited_at: dict[tuple[str, str], float] = field(default_factory=dict)
    _walking: dict[Lane, list[tuple[Line, float]]] = field(default_factory=dict)
    _tick_made_at: dict[str, float] = field(default_factory=dict)

    # What happens in processes.

    def begins(self, instance: str, line: Line) -> None:
        """Learn of a process."""
        self.lines[instance] = line

    def dies(self, instance: str) -> None:
        """Learn that it is no more."""
        self.dead_at.setdefault(instance, _now())

    @contextmanager
    def walking(self, connector: str, kind: str, line: Line) -> Iterator[None]:
        """See that a process reads a source, which no other may at the same time that could still write."""
        lane, me = Lane(connector, kind), (line, _now())
        others = self._walking.setdefault(lane, [])
        for other, since in others:
            if not other.dead and other.held_until <= since:
                raise Broken(f"{line.name} and {other.name} read {lane} at the same time")
        others.append(me)
        self.told["walks"] += 1
        try:
            yield
        finally:
            others.remove(me)

    def disturbed(self) -> None:
        """Learn that something went wrong: whose turn it is may be uncertain for a moment."""
        self.passed_over.clear()

    # What is shown at the engine.

    def arrives(self, parcel: Parcel) -> None:
        """See the engine just before a request: nothing is to be seen there."""

    def arrived(self, parcel: Parcel, status: int, answer: bytes) -> None:
        """See what a request did."""
        if parcel.is_read or parcel.is_bulk or status >= 300:
            return
        _, index, *rest = parcel.path.split("/")
        if len(rest) != 2:  # it is about an index, not a document in it
            return
        doc_id = unquote(rest[1])
        document = None if parcel.request.method == "DELETE" else msgspec.json.decode(parcel.request.body or b"null")
        if index == JOBS:
            self._job(doc_id, document, is_new=msgspec.json.decode(answer).get("result") == "created")
        elif index == CONNECTORS:
            self._connector(doc_id, document)
        elif index == STATE.name and document is not None:
            record = document["record"]
            if document["kind"] == "tick":
                self._tick(record)
            elif document["kind"] == "schedules":
                before = self.since.get(record["connector"], {})
                seen = {name: _later(before.get(name), one) for name, one in record["seen"].items()}
                self.since[record["connector"]] = seen

    def _job(self, job_id: str, document: Mapping[str, Any] | None, *, is_new: bool) -> None:
        if document is None:
            self.jobs.pop(job_id, None)
            return
        job = SyncJob(job_id, document, None)  # type: ignore[arg-type]
        lane = Lane.of(job.connector_id or "", job.job_type)
        before = self.jobs.get(job_id)
        if is_new:
            self._is_made(job)
        noted = Noted(job, lane, _now(), before.made_at if before is not None else _now())
        if before is not None:
            noted.claims = before.claims
            if before.job.status == job.status and before.holder == noted.holder:
                noted.since = before.since
            if before.job.status in ENDED:
                raise Broken(f"job {job_id} was {before.job.status} and is written to: {job.status}")
            if before.job.status in WAITING:
                self._waited_at[_kind(before.job)] = _now()
        self.jobs[job_id] = noted
        if before is None or before.job.status != job.status:
            self.told[f"jobs: {job.status}"] += 1
            self.tell(f"job {job_id[:6]} of {lane} is {job.status} {job.error or ''}")
        if job.status in ENDED:
            self.ended.append(job_id)
        if job.status is JobStatus.IN_PROGRESS and (before is None or before.job.status in WAITING):
            noted.claims += 1
            self._is_begun(noted)

    def _is_made(self, job: SyncJob) -> None:
        self._made[job.id] += 1
        if self._made[job.id] > 1:
            raise Broken(f"the job {job.id} is made a second time")
        if job.trigger is Trigger.SCHEDULED:
            connector, job_type = _kind(job)
            if job.id not in self.ticks.get((connector, job_type), {}).values():
                raise Broken(f"the job {job.id} of {connector} is scheduled by no tick")
            self.told["jobs of ticks"] += 1

    def _is_begun(self, noted: Noted) -> None:
        """See to it that no lane has turn after turn while another one waits."""
        busy = [other for other in self.jobs.values() if other.job.status in ACTIVE and other.lane == noted.lane]
        if len(busy) > 1:
            raise Broken(f"{noted.job.id} is begun while {[one.job.id for one in busy]} of {noted.lane} run")
        self.passed_over.pop(noted.lane, None)
        for lane in self.waiting_lanes() - {noted.lane}:
            if lane.kind == noted.lane.kind:
                passes = self.passed_over.setdefault(lane, Counter())
                passes[noted.lane] += 1
                if passes[noted.lane] > self.most_passes:
                    raise Broken(f"{noted.lane} has its turn {passes[noted.lane]} times while {lane} waits")

    def waiting_lanes(self) -> set[Lane]:
        """Return those that have a job that could be begun."""
        busy = {one.lane for one in self.jobs.values() if one.job.status in ACTIVE}
        return {one.lane for one in self.jobs.values() if one.job.status in WAITING} - busy

    def _connector(self, name: str, document: Mapping[str, Any] | None) -> None:
        for key in LAST_SCHEDULED.values():
            if document is not None and document.get(key) != self._scheduled.get((name, key)):
                self._scheduled[(name, key)] = document.get(key)
                self.told["times that a connector was told of a tick"] += 1
        if document is None:
            self.connectors.pop(name, None)
            return
        schedules = document.get("scheduling") or NOBODY
        if name not in self.connectors or self.connectors[name][0] != schedules:
            self.connectors[name] = (schedules, _now())

    def _tick(self, record: Mapping[str, Any]) -> None:
        instant = instant_of(record["instant"])
        assert instant is not None
        key = (record["connector"], record["schedule"])
        known = self.ticks.setdefault(key, {})
        if instant not in known:
            known[instant] = record["job"]
            self._tick_made_at[record["job"]] = _now()
            self.told["ticks"] += 1
            self._is_no_old_tick(key, instant)
        if record["done"]:
            made_at = self._tick_made_at[record["job"]]
            waits = any(_kind(one.job) == key and one.job.status in WAITING for one in self.jobs.values())
            if not self._made[record["job"]] and not waits and self._waited_at.get(key, -1.0) < made_at:
                raise Broken(f"the tick {instant} of {key} is done, and has no job")

    def _is_no_old_tick(self, key: tuple[str, str], instant: datetime) -> None:
        """See to it that of several missed ticks one is caught up, the last."""
        schedule = self._schedule_of(key)
        if not self.right_clocks or schedule is None or _now() - self.connectors[key[0]][1] < self.limits.tick_s:
            return
        newer = schedule.last_between(instant, self.wall() - _seconds(self.limits.tick_s), self.zone)
        if newer is not None:
            raise Broken(f"the tick {instant} of {key} is made at {self.wall()}, and {newer} came after it")

    def _schedule_of(self, key: tuple[str, str]) -> Schedule | None:
        schedules, _ = self.connectors.get(key[0], (NOBODY, 0.0))
        one = schedules.get(key[1]) or {}
        return Schedule.parse(one["interval"]) if one.get("enabled") else None

    # What has to have happened by now.

    def check(self, steady_from: float) -> None:
        """See whether anything is overdue; `steady_from` is since when a daemon has worked undisturbed."""
        now = _now()
        for noted in self.jobs.values():
            self._check_job(noted, now, steady_from)
        for name, (schedules, changed_at) in self.connectors.items():
            for schedule in schedules:
                if now - max(steady_from, changed_at) >= self.limits.tick_s:
                    self._check_ticks((name, schedule))

    def _check_job(self, noted: Noted, now: float, steady_from: float) -> None:
        status, line = noted.job.status, self.lines.get(noted.holder)
        if status not in ACTIVE:
            return
        dead_at = self.dead_at.get(noted.holder)
        if dead_at is None:
            asked_s = now - max(noted.since, line.held_until if line is not None else 0.0)
            if status is JobStatus.CANCELING and asked_s > self.limits.canceled_s:
                raise Broken(f"{noted.job.id} of {noted.lane} is to be canceled since {noted.since}")
            return
        given_back_s = self.limits.given_back_s
        if noted.holder in self.noticed_by:
            if self.noticed_by[noted.holder]():
                given_back_s, steady_from = self.limits.begun_again_s, 0.0
            else:
                del self.noticed_by[noted.holder]  # it may be that nobody heard of it
        if now - max(dead_at, noted.since, steady_from) > given_back_s:
            raise Broken(
                f"nobody takes up {noted.job.id} of {noted.lane}, whose {noted.holder} is dead since {dead_at}"
            )

    def _check_ticks(self, key: tuple[str, str]) -> None:
        schedule = self._schedule_of(key)
        if schedule is None:
            return
        seen = self.since.get(key[0], NOBODY).get(key[1])
        if seen is None or seen["form"] != schedule.text:
            raise Broken(f"nobody has seen the schedule {schedule.text} of {key}")
        since = instant_of(seen["since"])
        assert since is not None
        due = schedule.last_between(since, self.wall() - _seconds(self.limits.tick_s), self.zone)
        if due is not None and max(self.ticks.get(key, {}), default=since) < due:
            raise Broken(
                f"the tick {due} of {key} is missed, the last one is {max(self.ticks.get(key, {}), default=0)}"
            )


def _kind(job: SyncJob) -> tuple[str, str]:
    return job.connector_id or "", str(job.job_type)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def _later(before: Mapping[str, Any] | None, seen: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return since when a schedule counts: a clock that is behind may say an earlier time, when no tick was due yet."""
    if before is None or before["form"] != seen["form"]:
        return seen
    return max(before, seen, key=lambda one: instant_of(one["since"]) or LONG_AGO)
