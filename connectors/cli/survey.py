"""A survey: how all connectors of an engine stand, asked with a handful of requests however many there are."""

from collections import defaultdict
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from connectors.aio.clock import SystemClock
from connectors.cli.standing import NO_SIGN, Rhythm, Run, Standing, Trouble, schedules_of
from connectors.cli.wording import counted, in_short
from connectors.engine import Engine
from connectors.errors import RecordUnreadable
from connectors.schedule import Windows, zone_of
from connectors.settings import Settings
from connectors.store.connectors import ConnectorStore
from connectors.store.dead_letters import DeadLetters
from connectors.store.held import HeldSet, HeldSets
from connectors.store.job import ACTIVE, WAITING, SyncJob
from connectors.store.jobs import JobStore
from connectors.store.lenient import instant_of
from connectors.store.state import StateStore
from connectors.store.targets import TargetRecord
from connectors.store.ticks import Ticks
from connectors.sync.owner.instance import Instance

T = TypeVar("T")
UNATTENDED: Final = timedelta(minutes=2)
"""How long something may be due, or wait while nothing runs, before a person should look why."""
DAEMON_GONE: Final = timedelta(minutes=10)
"""A daemon shows every five minutes that it is there."""


@dataclass(frozen=True)
class Survey:
    """How all connectors stand, those first that need a person, then those that do something."""

    engine: str
    rhythm: Rhythm
    standings: Sequence[Standing]
    running: int
    waiting: int
    waiting_since: datetime | None
    daemon_seen_at: datetime | None
    """When a daemon showed last that it is there; None for never."""
    unread: Sequence[str] = ()
    """What of the shared state could not be read, and why: so much is not known of any connector."""

    @property
    def in_need(self) -> list[Standing]:
        """The connectors that need a person."""
        return [one for one in self.standings if one.troubles]

    @property
    def daemon(self) -> str:
        """Whether a daemon looks after the connectors, in words."""
        if self.daemon_seen_at is None:
            return "No daemon has looked after them yet"
        ago = in_short(self.rhythm.now - self.daemon_seen_at)
        return f"A daemon looked after them {ago} ago" if self._is_attended else f"No daemon has been there for {ago}"

    @property
    def troubles(self) -> list[Trouble]:
        """What needs a person and is about no connector in particular."""
        return [*(Trouble("record", text) for text in self.unread), *self._undone()]

    def _undone(self) -> Iterator[Trouble]:
        """Yield that what a daemon should do is not done, if that is so."""
        now, undone = self.rhythm.now, list[str]()
        coming = [one for standing in self.standings for one in standing.coming]
        late = [now - one.due_since for one in coming if one.due_since is not None]
        if late and (max(late) > UNATTENDED or not self._is_attended):
            undone.append(f"{counted(len(late), 'schedule')} made a sync due, the first {in_short(max(late))} ago")
        elif coming and not self._is_attended:
            undone.append("schedules are switched on")
        if self.waiting_since is not None and not self.running and now - self.waiting_since > UNATTENDED:
            what = counted(self.waiting, "sync waits", "syncs wait")
            undone.append(f"{what}, the longest for {in_short(now - self.waiting_since)}, and none is run")
        if undone:
            yield Trouble("daemon", f"{self.daemon}, and {', and '.join(undone)}.", "connectors run")

    @property
    def _is_attended(self) -> bool:
        return self.daemon_seen_at is not None and self.rhythm.now - self.daemon_seen_at < DAEMON_GONE


async def survey(engine: Engine, settings: Settings) -> Survey:
    """Ask an engine how all of its connectors stand. Raises a `ConfigurationError` or an `EngineError`."""
    rhythm = Rhythm(
        now=SystemClock().now(),
        zone=zone_of(settings.service.timezone),
        jitter=timedelta(seconds=settings.service.jitter_s),
        lease_timeout=timedelta(seconds=settings.sync.heartbeat_timeout_s),
        windows=Windows.parse(settings.service.windows),
    )
    connectors, jobs = await ConnectorStore.open(engine), await JobStore.open(engine)
    state, letters = await StateStore.open(engine), await DeadLetters.open(engine)
    running, active = await jobs.overview(ACTIVE)
    waiting, longest = await jobs.overview(WAITING)
    unread: list[str] = []
    seen = await _read(Ticks(state).seen(), {}, unread)
    held = _by_connector(await _read(HeldSets(state).waiting(), [], unread))
    without_job = await _read(_without_job(state, {job.id for job in (*active, *longest)}, rhythm), {}, unread)
    number_of_letters = await letters.numbers()
    runs, waits = _runs(active, rhythm.now), _runs(longest, rhythm.now)
    standings = []
    async with aclosing(connectors.overview()) as found:
        async for one in found:
            coming, faults = schedules_of(one, rhythm, seen.get(one.id, {}))
            standing = Standing(
                one,
                rhythm,
                coming,
                faults,
                running=[*runs.get(one.id, []), *without_job.get(one.id, [])],
                waiting=waits.get(one.id, []),
                held=held.get(one.id, []),
                letters=number_of_letters[one.id],
            )
            standings.append(standing)
    return Survey(
        engine=str(engine.info),
        rhythm=rhythm,
        standings=sorted(standings, key=_place),
        running=running + sum(map(len, without_job.values())),
        waiting=waiting,
        waiting_since=min((job.created_at for job in longest if job.created_at), default=None),
        daemon_seen_at=_daemon_seen_at(standings, active),
        unread=unread,
    )


async def _read(reading: Awaitable[T], otherwise: T, unread: list[str]) -> T:
    """Return what was read; where a record is damaged, or of a newer version, note that instead of showing nothing."""
    try:
        return await reading
    except RecordUnreadable as error:
        unread.append(str(error))
        return otherwise


async def _without_job(state: StateStore, jobs: set[str], rhythm: Rhythm) -> dict[str, list[Run]]:
    """Return the syncs that have an index and are no job, by their connectors; one that was killed has it for a while.

    An index does not say since when it is anybody's, but when its owner showed last that it is alive.
    """
    found = defaultdict[str, list[Run]](list)
    async with aclosing(state.find(TargetRecord)) as records:
        async for one in records:
            record, seen_at = one.value, instant_of(one.stored.get("updated_at"))
            if record.owner is None or record.connector is None or record.run in jobs:
                continue
            process = Instance.of(record.owner)
            is_silent = seen_at is None or rhythm.now - seen_at > NO_SIGN * rhythm.lease_timeout
            if not is_silent and not (process is not None and process.is_gone):
                found[record.connector].append(Run.without_job(record.owner, seen_at))
    return found


def _runs(jobs: Sequence[SyncJob], now: datetime) -> dict[str, list[Run]]:
    found = defaultdict[str, list[Run]](list)
    for job in jobs:
        if job.connector_id is not None:
            found[job.connector_id].append(Run.of(job, now))
    return found


def _by_connector(held: Sequence[HeldSet]) -> dict[str, list[HeldSet]]:
    found = defaultdict[str, list[HeldSet]](list)
    for one in held:
        found[one.connector].append(one)
    return found


def _daemon_seen_at(standings: Sequence[Standing], active: Sequence[SyncJob]) -> datetime | None:
    moments = [instant_of(one.connector.document.get("last_seen")) for one in standings]
    moments += [job.last_seen for job in active]
    return max((moment for moment in moments if moment is not None), default=None)


def _place(standing: Standing) -> tuple[int, datetime, str]:
    """Return what orders the connectors: what needs a person, what runs, what waits, and then by their ids."""
    kind = 0 if standing.troubles else 1 if standing.running else 2 if standing.waiting else 3
    runs = [*standing.running, *standing.waiting] if kind in {1, 2} else []
    since = min((run.since for run in runs if run.since is not None), default=datetime.min.replace(tzinfo=UTC))
    return kind, since, standing.connector.id
