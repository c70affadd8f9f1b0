"""Custom schedules: each makes jobs of its own, which stand for no other's."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.engine import open_engine
from connectors.registry import Registry
from connectors.services.desk import Desk
from connectors.services.scheduling.timings import timings_of
from connectors.settings import EngineSettings
from connectors.store.connectors import ConnectorStore
from connectors.store.custom_schedule import schedule_key
from connectors.store.job import JobStatus, SyncJob, Trigger
from connectors.store.jobs import JobStore, scheduled_id
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.store.ticks import Ticks
from tests.services.scheduling.test_scheduler import HOUR, HOURLY, START, Office, Watch

QUARTERLY = "0 0/15 * * * ?"
CONFIGURATION = {
    "directory": {"value": "/srv/all", "type": "str", "sensitive": False},
    "password": {"value": "hunter2", "type": "str", "sensitive": True},
}
QUARTER = HOUR / 4


def custom(**fields: Any) -> dict[str, Any]:
    """Return a custom schedule as Kibana writes one."""
    given = {"directory": {"label": "Directory", "value": "/srv/hot"}, "password": {"label": "", "value": "hunter3"}}
    usual = {
        "configuration_overrides": given,
        "enabled": True,
        "interval": QUARTERLY,
        "last_synced": None,
        "name": "Hot",
    }
    return {**usual, **fields}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(EngineSettings(data=tmp_path / "data")))
        watch = Watch()
        connectors, jobs = await ConnectorStore.open(engine), await JobStore.open(engine, watch)
        yield Office(Desk(connectors, jobs, Ticks(await StateStore.open(engine, watch)), Registry()), watch)


async def connect(office: Office, scheduling: dict[str, Any] | None = None, **schedules: Any) -> None:
    await office.connect(configuration=CONFIGURATION, scheduling=scheduling or {}, custom_scheduling=schedules)


async def made(office: Office) -> list[tuple[str | None, str]]:
    """Return of which schedules there are jobs, and which these are."""
    return [(schedule_key(job), job.id) for job in await office.jobs()]


async def look_at(office: Office, moment: datetime, times: int = 2) -> None:
    office.watch.moment = moment
    scheduler = office.scheduler()
    for _ in range(times):
        await scheduler.look()


async def finish(office: Office) -> None:
    for job in await office.jobs():
        await office.desk.jobs.change(job.id, lambda _: {"status": JobStatus.COMPLETED})


async def test_a_tick_makes_one_job_that_says_of_which_schedule_it_is(office: Office) -> None:
    await connect(office, hot=custom())
    scheduler = office.scheduler()
    await scheduler.look()
    office.watch.moment = START + QUARTER
    for _ in range(3):
        await scheduler.look()
    (job,) = await office.jobs()
    assert job.id == scheduled_id("c", "custom:hot", START + QUARTER)
    assert (job.job_type, job.trigger, schedule_key(job)) == (JobType.FULL, Trigger.SCHEDULED, "hot")
    assert await office.scheduled() is None


async def test_its_job_shows_the_other_settings_but_nothing_secret(office: Office) -> None:
    await connect(office, hot=custom())
    await look_at(office, START)
    await look_at(office, START + QUARTER)
    (job,) = await office.jobs()
    told = job.document["connector"]["configuration"]
    assert (told["directory"]["value"], told["password"]["value"]) == ("/srv/hot", None)
    assert "hunter" not in str(job.document)


async def test_daemons_that_were_down_or_look_at_once_make_one_job_of_it(office: Office) -> None:
    await connect(office, hot=custom())
    await look_at(office, START)
    await look_at(office, START + 5.1 * QUARTER)
    assert await made(office) == [("hot", scheduled_id("c", "custom:hot", START + 5 * QUARTER))]
    await finish(office)
    await look_at(office, START + 5.2 * QUARTER)
    assert len(await made(office)) == 1


async def test_a_job_of_one_schedule_that_waits_is_not_one_of_another(office: Office) -> None:
    await connect(office, {"full": HOURLY}, hot=custom(), cold=custom(), full=custom(configuration_overrides={}))
    scheduler = office.scheduler()
    await scheduler.look()
    for quarters in (1, 2, 3):
        office.watch.moment = START + quarters * QUARTER
        await scheduler.look()
    found: list[SyncJob] = await office.jobs()
    assert sorted(str(schedule_key(job)) for job in found) == ["None", "cold", "full", "hot"]
    assert len({job.id for job in found}) == 4


async def test_it_is_never_due_while_it_is_off_or_the_connector_waits_for_a_person(office: Office) -> None:
    await connect(office, hot=custom(enabled=False))
    await office.connect("d", status="created", configuration=CONFIGURATION, custom_scheduling={"hot": custom()})
    await look_at(office, START)
    await look_at(office, START + HOUR)
    assert (await office.jobs(), await office.jobs("d")) == ([], [])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"interval": "often"}, "custom_scheduling.hot.interval: The schedule 'often' can't be used."),
        (
            {"configuration_overrides": {"directry": {"value": "/srv"}}},
            "custom_scheduling.hot.configuration_overrides: The connector has no such settings: 'directry'. Known: dir",
        ),
        (
            {"configuration_overrides": {"directory": {"label": "Directory"}}},
            "custom_scheduling.hot.configuration_overrides: It does not say which values these have: 'directory'.",
        ),
        (
            {"configuration_overrides": ["/srv"]},
            "custom_scheduling.hot.configuration_overrides: It is list, not an object that gives settings other",
        ),
    ],
)
async def test_what_is_wrong_with_it_is_told_and_it_makes_nothing(
    office: Office, change: dict[str, Any], told: str
) -> None:
    await connect(office, {"full": HOURLY}, hot=custom(**change))
    await look_at(office, START)
    found = await office.desk.connectors.get("c")
    assert found is not None
    assert found.status == "error"
    assert found.error is not None
    assert found.error.startswith(told)
    await look_at(office, START + HOUR)
    assert [key for key, _ in await made(office)] == [None]


async def test_when_it_was_synced_last_makes_no_other_schedule_of_it(office: Office) -> None:
    await connect(office, hot=custom())
    found = await office.desk.connectors.get("c")
    assert found is not None
    later = await office.desk.connectors.update(
        "c", lambda _: {"custom_scheduling": {"hot": custom(last_synced="2026-01-01T00:00:00Z")}}
    )
    other = await office.desk.connectors.update("c", lambda _: {"custom_scheduling": {"hot": custom(name="Other")}})
    one, two, three = (timings_of(each, START, office.scheduler().zone) for each in (found, later, other))
    assert one == two != three
