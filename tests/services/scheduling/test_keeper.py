"""The keeper: one live sync of each connector that is to have one, whatever became of those before it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.engine import open_engine
from connectors.errors import Conflict
from connectors.registry import Registry
from connectors.services.desk import Desk
from connectors.services.scheduling.keeper import Keeper
from connectors.services.scheduling.roster import Roster
from connectors.settings import EngineSettings
from connectors.store.connectors import ConnectorStore
from connectors.store.job import ENDED, JobStatus, SyncJob, Trigger
from connectors.store.jobs import JobStore
from connectors.store.live import is_live, wants_live
from connectors.store.record import Versioned
from connectors.store.snapshot import snapshot_of
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.store.ticks import Ticks
from tests.services.shop import Watch
from tests.torture.live_log import LIVE_SOURCES

SCHEDULED = {"full": {"enabled": True, "interval": "0 0 0 * * ?"}}


@dataclass
class Office:
    """An engine, and as many keepers as a test wants."""

    desk: Desk
    state: StateStore
    watch: Watch
    told: list[str] = field(default_factory=list)

    def keeper(self, state: StateStore | None = None) -> Keeper:
        """Return the keeper of a daemon that has just started, with a roster that looks when it does."""
        return Keeper(
            self.desk, state or self.state, Roster(self.desk.connectors, self.watch), self.watch, self._jobs, self._tell
        )

    async def look(self, *keepers: Keeper) -> None:
        """Let them look."""
        self._open = await self.desk.jobs.open_jobs()
        for keeper in keepers:
            await keeper.roster.look()
            await keeper.look()

    async def connect(self, name: str = "c", /, **fields: Any) -> None:
        """Create a connector that is to be live."""
        usual = {"service_type": "live_log", "status": "connected", "scheduling": SCHEDULED, "sync": {"live": True}}
        await self.desk.connectors.create(name, {**usual, **fields})

    async def change(self, **fields: Any) -> None:
        """Change the connector."""
        await self.desk.connectors.update("c", lambda _: fields)

    async def jobs(self) -> list[SyncJob]:
        """Return its jobs, the oldest first."""
        return sorted(await self.desk.jobs.of_connector("c"), key=lambda one: str(one.created_at))

    async def lives(self) -> list[SyncJob]:
        """Return those that are live syncs."""
        return [one for one in await self.jobs() if is_live(one)]

    async def follow(self, job: SyncJob, because: str) -> None:
        """Have a full sync follow a job, and come to a good end."""
        connector = await self.desk.connectors.get("c")
        assert connector is not None
        snapshot, told = (
            snapshot_of(connector, JobType.FULL, self.desk.registry),
            {"follows": job.id, "because": because},
        )
        made = await self.desk.jobs.create(uuid4().hex, snapshot, JobType.FULL, Trigger.ON_DEMAND, metadata=told)
        await self.desk.jobs.change(
            made.id, lambda _: {"status": JobStatus.COMPLETED, "completed_at": self.watch.moment}
        )

    async def set(self, status: JobStatus, *, ran: timedelta = timedelta()) -> SyncJob:
        """Say that the last job has this status now, and ran for so long if that is an end."""
        [*_, job] = [one for one in await self.jobs() if one.status not in ENDED]
        now = self.watch.moment
        ended = {"started_at": now - ran, "completed_at": now} if status in ENDED else {}
        return await self.desk.jobs.change(job.id, lambda _: {"status": status, **ended})

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.watch.moment += timedelta(seconds=seconds)
        self.watch.seconds += seconds

    def _jobs(self) -> list[SyncJob]:
        return self._open

    def _tell(self, job: str) -> None:
        self.told.append(job)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_engine(EngineSettings(data=tmp_path / "data")) as engine, AsyncExitStack():
        watch = Watch()
        state, jobs = await StateStore.open(engine, watch), await JobStore.open(engine, watch)
        desk = Desk(await ConnectorStore.open(engine), jobs, Ticks(state), Registry(LIVE_SOURCES))
        yield Office(desk, state, watch)


async def test_a_connector_has_one_live_sync_however_many_daemons_look(office: Office) -> None:
    await office.connect()
    keepers = [office.keeper() for _ in range(3)]
    for _ in range(3):
        await office.look(*keepers)
        office.pass_(20)
    (job,) = await office.jobs()
    assert is_live(job)
    assert job.status is JobStatus.PENDING


@pytest.mark.parametrize(
    "fields",
    [
        {"sync": {"live": False}},
        {"sync": {}},
        {"sync": {"live": True, "shared_index": True}},
        {"scheduling": {"full": {"enabled": False, "interval": "0 0 0 * * ?"}}},
        {"status": "needs_configuration"},
        {"deleted": True},
    ],
)
async def test_a_connector_that_is_not_to_be_live_has_none(office: Office, fields: dict[str, Any]) -> None:
    await office.connect(**fields)
    await office.look(office.keeper())
    assert await office.jobs() == []


class Dying(StateStore):
    """A state store of a daemon that dies right after it has written the record."""

    async def create(self, key: str, value: Any) -> Versioned[Any]:
        await super().create(key, value)
        raise Conflict("The daemon is dead.")


async def test_a_record_without_its_job_has_it_made_by_any_daemon(office: Office) -> None:
    await office.connect()
    dying = Dying(office.state._operations, office.watch)
    await office.look(office.keeper(dying))
    assert await office.jobs() == []
    await office.look(office.keeper())
    assert len(await office.jobs()) == 1


async def test_after_errors_it_is_begun_anew_after_pauses_that_grow(office: Office) -> None:
    await office.connect()
    keeper = office.keeper()
    await office.look(keeper)
    for number, pause_s in enumerate((60, 120, 240, 480, 960, 1_920, 3_600, 3_600), 1):
        await office.set(JobStatus.ERROR, ran=timedelta(seconds=10))
        office.pass_(pause_s - 1)
        await office.look(keeper, office.keeper())
        assert len(await office.jobs()) == number
        office.pass_(2)
        await office.look(keeper)
        assert len(await office.jobs()) == number + 1


@pytest.mark.parametrize(("because", "pauses_s"), [("expired", (0, 120, 240)), ("live", (60, 120, 240))])
async def test_one_that_a_full_sync_follows_is_begun_at_once_but_not_again_and_again(
    office: Office, because: str, pauses_s: tuple[int, ...]
) -> None:
    await office.connect()
    keeper = office.keeper()
    await office.look(keeper)
    for number, pause_s in enumerate(pauses_s, 1):
        office.pass_(10)
        job = await office.set(JobStatus.ERROR, ran=timedelta(seconds=10))
        await office.follow(job, because)
        if pause_s:
            office.pass_(pause_s - 1)
            await office.look(keeper, office.keeper())
            assert len(await office.lives()) == number
            office.pass_(2)
        await office.look(keeper)
        assert len(await office.lives()) == number + 1


async def test_one_that_ran_for_long_counts_as_no_failure(office: Office) -> None:
    await office.connect()
    keeper = office.keeper()
    await office.look(keeper)
    for number in range(1, 4):
        await office.set(JobStatus.ERROR, ran=timedelta(hours=2))
        office.pass_(61)
        await office.look(keeper)
        assert len(await office.jobs()) == number + 1


@pytest.mark.parametrize("status", [JobStatus.ERROR, JobStatus.CANCELED])
async def test_a_change_of_the_connector_has_it_begun_anew_at_once(office: Office, status: JobStatus) -> None:
    await office.connect()
    keeper = office.keeper()
    await office.look(keeper)
    await office.set(status)
    await office.look(keeper)
    assert len(await office.jobs()) == 1
    await office.change(configuration={"path": {"value": "/other"}})
    await office.look(keeper)
    assert len(await office.jobs()) == 2
    await office.set(status)
    await office.change(last_synced="2026-01-01T00:00:00+00:00")
    await office.look(keeper)
    assert len(await office.jobs()) == 2


async def test_one_that_a_person_canceled_is_begun_anew_after_an_hour(office: Office) -> None:
    await office.connect()
    keeper = office.keeper()
    await office.look(keeper)
    await office.set(JobStatus.CANCELED)
    office.pass_(3_590)
    await office.look(keeper)
    assert len(await office.jobs()) == 1
    office.pass_(20)
    await office.look(keeper)
    assert len(await office.jobs()) == 2


async def test_one_that_was_switched_off_and_on_is_begun_at_once(office: Office) -> None:
    await office.connect()
    keeper = office.keeper()
    await office.look(keeper)
    await office.set(JobStatus.SUSPENDED)
    await office.change(sync={"live": False})
    await office.look(keeper)
    (ended,) = await office.jobs()
    assert (ended.status, ended.completed_at) == (JobStatus.COMPLETED, office.watch.moment)
    await office.change(sync={"live": True})
    await office.look(keeper)
    assert len(await office.jobs()) == 2


async def test_one_that_runs_is_told_when_its_connector_is_other(office: Office) -> None:
    await office.connect()
    keeper = office.keeper()
    await office.look(keeper)
    job = await office.set(JobStatus.IN_PROGRESS)
    await office.look(keeper)
    await office.change(sync_cursor={"at": 1}, last_synced="2026-01-01T00:00:00+00:00")
    await office.look(keeper)
    assert office.told == []
    await office.change(filtering={"rules": []})
    await office.look(keeper)
    assert office.told == [job.id]
    await office.look(keeper)
    assert office.told == [job.id]
    await office.change(sync={"live": False})
    await office.look(keeper)
    assert office.told == [job.id] * 2


async def test_one_whose_connector_is_gone_is_told_too(office: Office) -> None:
    await office.connect()
    keeper = office.keeper()
    await office.look(keeper)
    job = await office.set(JobStatus.IN_PROGRESS)
    await office.change(deleted=True)
    await office.look(keeper)
    assert office.told == [job.id]


async def test_a_connector_whose_settings_can_not_be_read_is_not_live(office: Office) -> None:
    await office.connect(sync={"live": True, "of_a_newer_version": 1})
    found = await office.desk.connectors.get("c")
    assert found is not None
    assert not wants_live(found)
    assert wants_live(replace(found, document={**found.document, "sync": {"live": True}}))
