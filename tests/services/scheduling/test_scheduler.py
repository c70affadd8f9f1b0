"""The scheduler: each tick makes one job, and what is wrong with one connector holds up no other."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.aio.clock import SystemClock
from connectors.engine import open_engine
from connectors.errors import EngineUnreachable
from connectors.registry import Registry
from connectors.schedule import Windows, delay_of
from connectors.services.desk import Desk
from connectors.services.monitoring.pulse import Pulse
from connectors.services.scheduling.roster import Roster
from connectors.services.scheduling.scheduler import Scheduler
from connectors.services.scheduling.timings import LAST_SCHEDULED
from connectors.settings import EngineSettings
from connectors.store.connectors import ConnectorStore
from connectors.store.job import JobStatus, SyncJob, Trigger
from connectors.store.jobs import JobStore, scheduled_id
from connectors.store.lenient import instant_of
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.store.ticks import TickRecord, Ticks

START = datetime(2026, 1, 1, 11, 30, tzinfo=UTC)
HOURLY = {"enabled": True, "interval": "0 0 * * * ?"}
HOUR = timedelta(hours=1)
FULL = JobType.FULL


class Watch(SystemClock):
    """A clock that stands where a test has put it."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment


@dataclass
class Office:
    """An engine with its stores, and as many schedulers as a test wants."""

    desk: Desk
    watch: Watch

    def scheduler(self, **settings: Any) -> Scheduler:
        """Return one of a daemon that has just started."""
        return Scheduler(self.desk, Roster(self.desk.connectors, self.watch), self.watch, UTC, **settings)

    async def connect(self, name: str = "c", **document: Any) -> None:
        """Create a connector that is due each hour."""
        usual = {"service_type": "directory", "index_name": name, "status": "connected", "scheduling": {"full": HOURLY}}
        await self.desk.connectors.create(name, {**usual, **document})

    async def jobs(self, name: str = "c") -> list[SyncJob]:
        """Return the jobs of a connector, the oldest first."""
        return (await self.desk.jobs.of_connector(name))[::-1]

    async def scheduled(self, name: str = "c", job_type: JobType = FULL) -> datetime | None:
        """Return which tick a connector says that it was scheduled for last."""
        found = await self.desk.connectors.get(name)
        assert found is not None
        return instant_of(found.document.get(LAST_SCHEDULED[job_type]))


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(EngineSettings(data=tmp_path / "data")))
        watch = Watch()
        connectors, jobs = await ConnectorStore.open(engine), await JobStore.open(engine, watch)
        yield Office(Desk(connectors, jobs, Ticks(await StateStore.open(engine, watch)), Registry()), watch)


async def test_a_tick_makes_one_job_at_its_time_and_the_connector_says_so(office: Office) -> None:
    await office.connect()
    scheduler = office.scheduler()
    await scheduler.look()
    assert await office.jobs() == []
    office.watch.moment = START + HOUR
    for _ in range(3):
        await scheduler.look()
    (job,) = await office.jobs()
    noon = START + HOUR / 2
    assert (job.id, job.status, job.trigger) == (
        scheduled_id("c", FULL, noon),
        JobStatus.PENDING,
        Trigger.SCHEDULED,
    )
    assert (job.job_type, job.connector_id, job.document["connector"]["index_name"]) == (FULL, "c", "c")
    assert await office.scheduled() == noon


async def test_ticks_before_a_connector_was_seen_do_not_count(office: Office) -> None:
    scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + 3 * HOUR
    await office.connect(last_sync_scheduled_at=None)
    await scheduler.look()
    assert await office.jobs() == []


async def test_many_daemons_make_one_job_of_a_tick(office: Office) -> None:
    await office.connect()
    schedulers = [office.scheduler() for _ in range(4)]
    for scheduler in schedulers:
        await scheduler.look()
    for hours in range(1, 4):
        office.watch.moment = START + hours * HOUR
        await asyncio.gather(*(scheduler.look() for scheduler in schedulers))
        for job in await office.jobs():
            await office.desk.jobs.change(job.id, lambda _: {"status": JobStatus.COMPLETED})
    assert len(await office.jobs()) == 3


async def test_a_daemon_that_was_down_catches_up_once(office: Office) -> None:
    await office.connect()
    await office.scheduler().look()
    office.watch.moment = START + 5 * HOUR
    await office.scheduler().look()
    assert [job.id for job in await office.jobs()] == [scheduled_id("c", FULL, START + 4.5 * HOUR)]
    office.watch.moment += HOUR / 4
    await office.scheduler().look()
    assert len(await office.jobs()) == 1


async def test_the_job_of_a_tick_that_another_daemon_did_not_finish_is_made(office: Office) -> None:
    await office.connect()
    await office.scheduler().look()
    noon = START + HOUR / 2
    job_id = scheduled_id("c", FULL, noon)
    await office.desk.ticks.claim(TickRecord(connector="c", schedule="full", instant=noon, job=job_id))
    office.watch.moment = START + HOUR
    await office.scheduler().look()
    assert [job.id for job in await office.jobs()] == [job_id]


async def test_a_tick_whose_job_was_made_and_removed_makes_no_other(office: Office) -> None:
    await office.connect()
    await office.scheduler().look()
    noon = START + HOUR / 2
    tick = TickRecord(connector="c", schedule="full", instant=noon, job=scheduled_id("c", FULL, noon))
    claimed = await office.desk.ticks.claim(tick)
    assert claimed is not None
    await office.desk.ticks.done(claimed)
    office.watch.moment = START + HOUR
    await office.scheduler().look()
    assert (await office.jobs(), await office.scheduled()) == ([], noon)


async def test_while_a_job_waits_a_tick_makes_no_other(office: Office) -> None:
    await office.connect()
    scheduler = office.scheduler()
    await scheduler.look()
    for hours in (1, 2):
        office.watch.moment = START + hours * HOUR
        await scheduler.look()
    (job,) = await office.jobs()
    assert await office.scheduled() == START + 1.5 * HOUR
    await office.desk.jobs.change(job.id, lambda _: {"status": JobStatus.IN_PROGRESS})
    office.watch.moment = START + 3 * HOUR
    await scheduler.look()
    assert len(await office.jobs()) == 2


async def test_another_schedule_counts_from_when_it_was_seen(office: Office) -> None:
    await office.connect()
    scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + HOUR / 4
    daily = {"full": {"enabled": True, "interval": "0 0 11 * * ?"}}
    await office.desk.connectors.update("c", lambda _: {"scheduling": daily})
    await scheduler.look()
    office.watch.moment = START + 12 * HOUR
    await scheduler.look()
    assert await office.jobs() == []
    office.watch.moment = START + 24 * HOUR
    await scheduler.look()
    assert [job.id for job in await office.jobs()] == [scheduled_id("c", FULL, START + 23.5 * HOUR)]


@pytest.mark.parametrize("hours", [-2, 2])
async def test_a_clock_that_is_set_makes_each_tick_once(office: Office, hours: int) -> None:
    await office.connect()
    scheduler = office.scheduler()
    await scheduler.look()
    for offset in (1.0, 1.0 + hours, 1.25 + hours, 1.5, 2.0, 3.0):
        office.watch.moment = START + offset * HOUR
        await scheduler.look()
        for job in await office.jobs():
            await office.desk.jobs.change(job.id, lambda _: {"status": JobStatus.COMPLETED})
    ticks = [one.value.instant async for one in office.desk.ticks.of("c")]
    assert len(ticks) == len(set(ticks)) == len(await office.jobs())
    assert START + 2.5 * HOUR in ticks


async def test_a_time_that_lies_far_in_the_future_is_not_believed(office: Office) -> None:
    await office.connect(last_sync_scheduled_at="2036-01-01T00:00:00Z")
    scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + HOUR
    await scheduler.look()
    assert len(await office.jobs()) == 1
    assert await office.scheduled() == START + HOUR / 2


async def test_a_schedule_that_was_seen_by_a_clock_far_ahead_counts_again_from_now(office: Office) -> None:
    await office.connect()
    office.watch.moment = START + timedelta(days=3_650)
    await office.scheduler().look()
    office.watch.moment = START
    scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + HOUR
    await scheduler.look()
    await office.scheduler().look()
    assert [job.id for job in await office.jobs()] == [scheduled_id("c", FULL, START + HOUR / 2)]


async def test_two_daemons_whose_clocks_differ_do_not_correct_each_other_again_and_again(office: Office) -> None:
    await office.connect()
    ahead = Office(office.desk, Watch())
    schedulers = [office.scheduler(), ahead.scheduler()]
    revisions = []
    for _ in range(4):
        for scheduler in schedulers:
            await scheduler.look()
        office.watch.moment, ahead.watch.moment = START + HOUR, START + 3 * HOUR
        found = await office.desk.connectors.get("c")
        assert found is not None
        revisions.append(found.revision)
    assert len(await office.jobs()) == 1  # the second tick found the first one's job still waiting
    assert revisions[1] != revisions[0]
    assert revisions[1] == revisions[2] == revisions[3]


@pytest.mark.parametrize("interval", ["every hour", "0 0 0 30 2 ?", "0 0 0 1 1 ? 1999", None, 5])
async def test_a_schedule_that_is_wrong_is_told_once_and_holds_up_nobody(office: Office, interval: object) -> None:
    await office.connect("bad", scheduling={"full": {"enabled": True, "interval": interval}})
    await office.connect()
    scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + HOUR
    await scheduler.look()
    assert len(await office.jobs()) == 1
    bad = await office.desk.connectors.get("bad")
    assert bad is not None
    assert bad.status == "error"
    assert bad.error is not None
    assert bad.error.startswith("scheduling.full.interval: The schedule ")
    revision = bad.revision
    await scheduler.look()
    await scheduler.look()
    again = await office.desk.connectors.get("bad")
    assert again is not None
    assert (again.revision, await office.jobs("bad")) == (revision, [])


@pytest.mark.parametrize("document", [{"status": "created"}, {"status": "needs_configuration"}, {"status": None}])
async def test_a_connector_that_waits_for_a_person_is_never_due(office: Office, document: dict[str, Any]) -> None:
    await office.connect(**document)
    scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + HOUR
    await scheduler.look()
    assert await office.jobs() == []
    await office.desk.connectors.update("c", lambda _: {"status": "configured"})
    await scheduler.look()
    office.watch.moment = START + 2 * HOUR
    await scheduler.look()
    assert [job.id for job in await office.jobs()] == [scheduled_id("c", FULL, START + 1.5 * HOUR)]


@pytest.mark.parametrize("deleting", ["mark", "remove"])
async def test_a_connector_that_is_deleted_is_due_no_more(office: Office, deleting: str) -> None:
    await office.connect()
    scheduler = office.scheduler()
    await scheduler.look()
    if deleting == "mark":
        await office.desk.connectors.update("c", lambda _: {"deleted": True})
    else:
        await office.desk.connectors._operations.delete(".elastic-connectors", "c")
        scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + HOUR
    await scheduler.look()
    assert await office.jobs() == []


@pytest.mark.parametrize(
    ("job_type", "feature"),
    [(JobType.INCREMENTAL, "incremental_sync"), (JobType.ACCESS_CONTROL, "document_level_security")],
)
async def test_what_a_source_can_not_do_is_never_due(office: Office, job_type: JobType, feature: str) -> None:
    scheduling = {str(job_type): HOURLY}
    await office.connect("can", scheduling=scheduling, features={feature: {"enabled": True}})
    await office.connect("not", scheduling=scheduling, features={feature: {"enabled": False}})
    await office.connect("says-nothing", scheduling=scheduling)
    scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + HOUR
    await scheduler.look()
    assert [one.job_type for one in await office.jobs("can")] == [job_type]
    assert await office.jobs("not") == await office.jobs("says-nothing") == []
    assert await office.scheduled("can", job_type) == START + HOUR / 2


async def test_jitter_puts_off_the_job_and_not_its_tick(office: Office) -> None:
    await office.connect()
    scheduler = office.scheduler(jitter=timedelta(minutes=20))
    await scheduler.look()
    made_at = None
    for minutes in range(25, 61):
        office.watch.moment = START + timedelta(minutes=minutes)
        await scheduler.look()
        if await office.jobs() and made_at is None:
            made_at = minutes
    assert made_at is not None
    assert 30 < made_at <= 51
    assert await office.scheduled() == START + HOUR / 2


async def test_no_secret_gets_into_a_job(office: Office) -> None:
    configuration = {"directory": {"value": "/srv"}, "password": {"value": "hunter2"}}
    await office.connect(configuration=configuration)
    scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + HOUR
    await scheduler.look()
    (job,) = await office.jobs()
    assert job.document["connector"]["configuration"] == {
        "directory": {"value": "/srv"},
        "password": {"value": None, "default_value": None},
    }


async def test_the_last_tick_of_a_schedule_that_then_fires_no_more_is_due(office: Office) -> None:
    await office.connect(scheduling={"full": {"enabled": True, "interval": "0 0 12 1 1 ? 2026"}})
    scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + HOUR
    for _ in range(2):
        await scheduler.look()
    assert [job.id for job in await office.jobs()] == [scheduled_id("c", FULL, START + HOUR / 2)]
    found = await office.desk.connectors.get("c")
    assert found is not None
    assert found.error is not None
    assert "does not fire after 2026-01-01" in found.error


async def test_it_looks_once_each_second_just_after_that_has_begun(office: Office) -> None:
    looked: list[datetime] = []

    class Enough(Exception):
        pass

    class Passing(Watch):
        async def sleep(self, seconds: float) -> None:
            looked.append(self.moment)
            if len(looked) == 4:
                raise Enough
            self.moment += timedelta(seconds=seconds)

    office.watch = Passing()
    office.watch.moment = START + timedelta(milliseconds=700)
    with pytest.raises(Enough):
        await office.scheduler(behind_s=0.05).run()
    assert looked == [START + timedelta(milliseconds=ms) for ms in (700, 1_050, 2_050, 3_050)]


@pytest.mark.parametrize("where", ["service", "connector"])
async def test_ticks_outside_of_the_windows_wait_and_make_one_job_when_one_opens(office: Office, where: str) -> None:
    texts = ["14:15-14:20", "20:00-24:00"]
    is_own = where == "connector"
    await office.connect(sync={"windows": texts} if is_own else {})
    scheduler = office.scheduler(windows=Windows.parse(["1:00-2:00"] if is_own else texts))
    made: list[tuple[timedelta, datetime | None]] = []
    for minutes in range(0, 12 * 60, 5):
        office.watch.moment = START + timedelta(minutes=minutes)
        await scheduler.look()
        for job in await office.jobs():
            if job.status is JobStatus.PENDING:
                made.append((timedelta(minutes=minutes), await office.scheduled()))
                await office.desk.jobs.change(job.id, lambda _: {"status": JobStatus.COMPLETED})
    assert made == [
        (2.75 * HOUR, START + 2.5 * HOUR),  # at 14:15, that of 14:00
        *((hours * HOUR, START + hours * HOUR) for hours in (8.5, 9.5, 10.5, 11.5)),
    ]


async def test_windows_that_can_not_be_read_keep_no_sync_from_telling_that(office: Office) -> None:
    await office.connect(sync={"windows": ["at night"]})
    scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + HOUR
    await scheduler.look()
    assert len(await office.jobs()) == 1


async def test_how_late_a_tick_became_a_job_is_told_without_its_jitter(office: Office) -> None:
    made: list[tuple[JobType, float]] = []
    for name in ("c", "d"):
        await office.connect(name)
    jitter = timedelta(minutes=20)
    scheduler = office.scheduler(jitter=jitter, made=lambda job_type, delay_s: made.append((job_type, delay_s)))
    await scheduler.look()
    office.watch.moment = START + HOUR
    for _ in range(2):
        await scheduler.look()
    half_an_hour = HOUR.total_seconds() / 2
    delays = [delay_of(name, jitter).total_seconds() for name in ("c", "d")]
    assert sorted(made) == sorted((FULL, half_an_hour - delay_s) for delay_s in delays)


async def test_a_look_that_came_through_is_noted(office: Office) -> None:
    scheduler = office.scheduler(pulse=Pulse(office.watch))
    running = asyncio.create_task(scheduler.run())
    async with asyncio.timeout(20):
        while scheduler.pulse.looked_at is None:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    assert scheduler.pulse.began_at <= scheduler.pulse.looked_at


async def test_a_connector_of_which_a_look_failed_is_looked_at_again(office: Office) -> None:
    class Away(Ticks):
        is_away = True

        async def since(self, connector: str, forms: Mapping[str, str], now: datetime) -> Mapping[str, datetime]:
            if self.is_away and connector == "bad":
                raise EngineUnreachable("The engine is away.")
            return await super().since(connector, forms, now)

    ticks = Away(office.desk.ticks._state)
    office.desk = replace(office.desk, ticks=ticks)
    await office.connect("bad")
    await office.connect()
    scheduler = office.scheduler()
    await scheduler.look()
    ticks.is_away = False
    await scheduler.look()
    office.watch.moment = START + HOUR
    await scheduler.look()
    assert (len(await office.jobs()), len(await office.jobs("bad"))) == (1, 1)
