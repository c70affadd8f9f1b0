"""A standing: how one connector is, what it does now, when it is due, and what of it needs a person."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connectors.cli.wording import counted, in_short
from connectors.schedule import Timetable, Windows, delay_of, due
from connectors.schedule.zone import Zone
from connectors.services.scheduling.timings import LAST_SCHEDULED, READY, Timing, timings_of
from connectors.store.connector import DOMAIN, Connector, ConnectorStatus
from connectors.store.held import HeldSet
from connectors.store.job import JobStatus, SyncJob
from connectors.store.lenient import instant_of
from connectors.store.live import is_live, lag_of
from connectors.store.sync_state import JobType
from connectors.store.ticks import SeenSchedule
from connectors.sync.owner.instance import Instance

NO_SIGN: Final = 3
"""Of a sync that showed no sign of life for so many times the limit of its lease, nobody took notice."""
_LACKING: Final[Mapping[ConnectorStatus | None, str]] = {
    None: "Its status says nothing, so it is never synced by a schedule.",
    ConnectorStatus.CREATED: "Nobody has configured it yet.",
    ConnectorStatus.NEEDS_CONFIGURATION: "It lacks settings.",
}


@dataclass(frozen=True)
class Rhythm:
    """What decides when schedules are due, and by when a sync has to show that it is alive."""

    now: datetime
    zone: Zone
    jitter: timedelta
    lease_timeout: timedelta
    windows: Windows = Windows()
    """When syncs may begin of connectors that say nothing of it."""


@dataclass(frozen=True)
class Trouble:
    """Something that a person has to look at, and the command to begin with, where there is one."""

    kind: str
    text: str
    command: str | None = None


@dataclass(frozen=True)
class Coming:
    """When a schedule that is enabled makes a sync due: next, and since when one is that nobody has made a job for.

    Since when one of a custom schedule is stands in its ticks alone, of which there are too many to look through.
    """

    job_type: JobType
    interval: str
    at: datetime | None
    due_since: datetime | None
    custom: str | None = None
    """The key of the custom schedule that it is of, if it is of one."""


@dataclass(frozen=True)
class Run:
    """A sync that runs or waits: a job, or one that somebody began without one."""

    job: str | None
    job_type: JobType | None
    status: str
    since: datetime | None
    seen_at: datetime | None
    where: str | None
    phase: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    """Documents that were read so far, those that are expected, indexed and deleted; what is known of it."""
    is_live: bool = False
    lag: timedelta | None = None
    """Of a live sync: for how long the index has been behind the source, where that is known."""

    @classmethod
    def of(cls, job: SyncJob, now: datetime) -> "Run":
        """Return what a job says of itself."""
        begun = job.status in {JobStatus.IN_PROGRESS, JobStatus.CANCELING}
        report = job.metadata.get("sync")
        told = report if isinstance(report, Mapping) else {}
        found = {
            "read": told.get("walked"),
            "expected": told.get("expected"),
            "indexed": job.document.get("indexed_document_count"),
            "deleted": job.document.get("deleted_document_count"),
        }
        return cls(
            job=job.id,
            job_type=job.job_type,
            status=str(job.status),
            since=job.started_at if begun else job.created_at,
            seen_at=job.last_seen,
            where=job.worker_hostname if begun else None,
            phase=str(told["phase"]) if begun and told.get("phase") else None,
            counts={name: number for name, number in found.items() if isinstance(number, int)} if begun else {},
            is_live=is_live(job),
            lag=lag_of(job, now) if is_live(job) else None,
        )

    @classmethod
    def without_job(cls, owner: str, seen_at: datetime | None) -> "Run":
        """Return what the owner of an index comes to, who runs no job."""
        process = Instance.of(owner)
        return cls(None, None, "in_progress", None, seen_at, process.name if process is not None else owner)


@dataclass(frozen=True)
class Standing:
    """How one connector stands."""

    connector: Connector
    rhythm: Rhythm
    coming: Sequence[Coming] = ()
    faults: Sequence[str] = ()
    """What is wrong with its schedules."""
    running: Sequence[Run] = ()
    waiting: Sequence[Run] = ()
    held: Sequence[HeldSet] = ()
    letters: int = 0

    @property
    def held_deletions(self) -> int:
        """How many documents wait for a word on whether they are to be deleted."""
        return sum(one.number for one in self.held)

    @property
    def troubles(self) -> list[Trouble]:
        """What of it needs a person, what is worst first."""
        return [*self._of_connector(), *self._of_syncs(), *self._of_documents()]

    def _of_connector(self) -> Iterator[Trouble]:
        own, error = self.connector.id, self.connector.error
        if self.connector.service_type is None:
            yield Trouble("source", "It does not say which source it reads.", f"connectors show {own}")
        if error is not None:
            yield Trouble("error", error, f"connectors check {own}")
        elif self.connector.status is ConnectorStatus.ERROR:
            yield Trouble("error", "It is in error, and does not say why.", f"connectors check {own}")
        if self.connector.status not in READY:
            yield Trouble("settings", _LACKING[self.connector.status], f"connectors show {own}")
        for fault in self.faults:
            if fault not in (error or ""):
                where, kind, _ = fault.split(".", 2)  # as in scheduling.full.interval, which it begins with
                option = f"set {own} --{kind.replace('_', '-')} CRON" if where == "scheduling" else f"show {own}"
                yield Trouble("schedule", fault, f"connectors {option}")
        if _has_invalid_draft(self.connector):
            text = "Its edited sync rules are not valid, so those before them are in use."
            yield Trouble("rules", text, f"connectors rules show {own}")

    def _of_syncs(self) -> Iterator[Trouble]:
        own, document = self.connector.id, self.connector.document
        for prefix, what in (("last_sync", "sync"), ("last_access_control_sync", "access-control sync")):
            status, error = document.get(f"{prefix}_status"), document.get(f"{prefix}_error")
            if status == "error" and (error is None or error != self.connector.error):
                yield Trouble("sync", f"The last {what} failed: {error or 'it does not say why'}", _again(own, what))
            elif status == "completed" and error and not self.letters and not self.held:
                yield Trouble("sync", f"Of the last {what}: {error}", _again(own, what))
        for run in self.running:
            silent = self.rhythm.now - run.seen_at if run.seen_at is not None else None
            if run.job is not None and silent is not None and silent > NO_SIGN * self.rhythm.lease_timeout:
                where = f" on {run.where}" if run.where else ""
                text = f"A sync{where} has shown no sign of life for {in_short(silent)}, and no daemon took it over."
                yield Trouble("lost", text, f"connectors job show {run.job}")

    def _of_documents(self) -> Iterator[Trouble]:
        own = self.connector.id
        if self.held:
            since = in_short(self.rhythm.now - self.held[0].created_at)
            text = f"{counted(self.held_deletions, 'deletion')} held back for {since}: {self.held[0].reason}"
            yield Trouble("held_deletions", text, f"connectors deletes list {own}")
        if self.letters:
            text = f"{counted(self.letters, 'dead letter')} of documents that could not be indexed."
            yield Trouble("dead_letters", text, f"connectors dead-letters list {own}")


def schedules_of(
    connector: Connector, rhythm: Rhythm, seen: Mapping[str, SeenSchedule]
) -> tuple[Sequence[Coming], Sequence[str]]:
    """Return when the syncs of a connector come, as daemons have seen its schedules, and what is wrong with others."""
    timings = timings_of(connector, rhythm.now, rhythm.zone)
    return [_coming(connector, timing, rhythm, seen) for timing in timings.timings], timings.faults


def _coming(connector: Connector, timing: Timing, rhythm: Rhythm, seen: Mapping[str, SeenSchedule]) -> Coming:
    """Return when a schedule is due by the scheduler's own rule; one that no daemon has seen counts from now on."""
    windows = timing.windows if timing.windows is not None else rhythm.windows
    timetable = Timetable(timing.schedule, rhythm.zone, delay_of(connector.id, rhythm.jitter), windows)
    since, last, custom = rhythm.now, None, timing.custom
    if custom is None:
        noted = seen.get(str(timing.job_type))
        since = noted.since if noted is not None and noted.form == timing.form else rhythm.now
        last = instant_of(connector.document.get(LAST_SCHEDULED[timing.job_type]))
    found = due(timetable, last=last, since=since, now=rhythm.now)
    due_since = found.tick + timetable.delay if found.tick is not None else None
    return Coming(
        job_type=timing.job_type,
        interval=timing.form,
        at=_within(windows, found.wake_at, rhythm.zone),
        due_since=_within(windows, due_since, rhythm.zone),
        custom=custom.key if custom is not None else None,
    )


def _within(windows: Windows, instant: datetime | None, zone: Zone) -> datetime | None:
    """Return when a window is open first from an instant on."""
    return windows.open_from(instant, zone) if instant is not None else None


def _has_invalid_draft(connector: Connector) -> bool:
    found = connector.document.get("filtering")
    for element in found if isinstance(found, list) else [found]:
        if isinstance(element, Mapping) and element.get("domain", DOMAIN) == DOMAIN:
            match element:
                case {"draft": {"validation": {"state": "invalid"}}}:
                    return True
            return False
    return False


def _again(connector_id: str, what: str) -> str:
    return f"connectors sync {connector_id}{'' if what == 'sync' else ' --access-control'}"
