"""The history: what is old goes, a bounded part at a time, and the last of each sort stays."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from connectors.services.cleaning.history import ASKED_AT_ONCE, AT_ONCE, JobHistory, TickHistory
from connectors.services.scheduling.roster import Roster
from connectors.store.ticks import TickRecord, Ticks
from tests.services.yard import Yard

DAY = timedelta(days=1)
HOUR_S = 3_600.0


async def ended(yard: Yard, days: float, status: str = "completed", /, **fields: Any) -> str:
    """Write a job that ended so many days ago."""
    at = (yard.watch.moment - days * DAY).isoformat()
    return await yard.job(status, created_at=at, completed_at=at, **fields)


async def history(yard: Yard) -> JobHistory:
    roster = Roster(yard.shelf.connectors, yard.watch)
    await roster.look()
    return JobHistory(yard.jobs, yard.shelf.connectors, roster, yard.watch)


async def test_old_jobs_go_and_the_last_of_each_connector_and_type_stays(yard: Yard) -> None:
    await yard.connect("c")
    await yard.connect("d")
    gone = [
        await ended(yard, 31),
        await ended(yard, 400, "error"),
        await ended(yard, 32, of="d"),
        await ended(yard, 300, "canceled", of="d", job_type="incremental"),
    ]
    kept = [
        await ended(yard, 29),
        await ended(yard, 31, of="d"),
        await ended(yard, 299, of="d", job_type="incremental"),
        await ended(yard, 500, of="d", job_type="access_control"),
        await yard.job("in_progress", created_at="2020-01-01T00:00:00Z"),
        await yard.job("pending", created_at="2020-01-01T00:00:00Z"),
    ]
    await yard.look(yard.janitor(), seconds=20)
    assert await yard.all_jobs() == set(kept)
    assert not set(gone) & set(kept)


async def test_how_long_jobs_are_kept_can_be_said(yard: Yard) -> None:
    await yard.connect()
    old, _ = await ended(yard, 3), await ended(yard, 1)
    await yard.look(yard.janitor(), seconds=20)
    assert old in await yard.all_jobs()
    await yard.look(yard.janitor(retention=2 * DAY), seconds=20)
    assert old not in await yard.all_jobs()


async def test_of_jobs_that_ended_at_once_one_stays_whoever_looks(yard: Yard) -> None:
    await yard.connect()
    jobs = [await ended(yard, 40, own=f"j{number}") for number in range(20)]
    janitors = [yard.janitor() for _ in range(4)]
    for _ in range(3):
        await asyncio.gather(*(janitor.look() for janitor in janitors))
        yard.watch.seconds += HOUR_S
    assert await yard.all_jobs() == {max(jobs)}


async def test_nothing_stays_of_a_connector_that_is_gone(yard: Yard) -> None:
    await yard.connect("deleted", deleted=True)
    for of in ("gone", "deleted", None):
        await ended(yard, 31, of=of)
        await ended(yard, 32, of=of)
    await yard.look(yard.janitor(), seconds=20)
    assert await yard.all_jobs() == set()


async def test_a_look_removes_no_more_than_a_bounded_number(yard: Yard) -> None:
    await yard.connect()
    for _ in range(AT_ONCE + 50):
        await ended(yard, 40)
    one, counts = await history(yard), []
    while not await one.look():
        counts.append(len(await yard.all_jobs()))
    assert counts == [50, 1]


async def test_whether_the_last_one_is_the_last_is_asked_a_few_at_a_time(yard: Yard) -> None:
    names = [f"c{number}" for number in range(ASKED_AT_ONCE + 1)]
    for name in names:
        await yard.connect(name)
        await ended(yard, 40, of=name)
        await ended(yard, 1, of=name)
    one, counts = await history(yard), []
    while not await one.look():
        counts.append(len(await yard.all_jobs()))
    assert counts == [2 * len(names), len(names) + 1]
    assert len(await yard.all_jobs()) == len(names)


async def make(yard: Yard, connector: str, days: float, schedule: str = "full") -> None:
    ticks = Ticks(yard.shelf.state)
    instant = yard.watch.moment - days * DAY
    claimed = await ticks.claim(TickRecord(connector=connector, schedule=schedule, instant=instant, job="j"))
    assert claimed is not None
    await ticks.done(claimed)


async def ticks_of(yard: Yard, connector: str) -> set[tuple[str, float]]:
    found = [one.value async for one in Ticks(yard.shelf.state).of(connector)]
    return {(one.schedule, (yard.watch.moment - one.instant) / DAY) for one in found}


async def test_old_ticks_go_and_the_last_of_each_schedule_stays(yard: Yard) -> None:
    for name in ("c", "d"):
        await yard.connect(name)
        for days in (31, 29, 400, 32):
            await make(yard, name, days)
    await make(yard, "c", 500, "incremental")
    await make(yard, "c", 501, "incremental")
    roster = Roster(yard.shelf.connectors, yard.watch)
    await roster.look()
    assert await TickHistory(Ticks(yard.shelf.state), roster, yard.watch).look()
    assert await ticks_of(yard, "c") == {("full", 29), ("incremental", 500)}
    assert await ticks_of(yard, "d") == {("full", 29)}


async def test_ticks_that_can_not_be_read_hold_up_no_other_connector(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("c", "d"):
        await yard.connect(name)
        await make(yard, name, 50)
        await make(yard, name, 40)
    key = TickRecord.key_for("c", "full", (yard.watch.moment - 50 * DAY).isoformat())
    stored = await yard.engine.control.get(".elastic-connectors-state-v1", key)
    assert stored is not None
    await yard.engine.control.put(".elastic-connectors-state-v1", key, {**stored.source, "format": 99})
    roster = Roster(yard.shelf.connectors, yard.watch)
    await roster.look()
    assert await TickHistory(Ticks(yard.shelf.state), roster, yard.watch).look()
    assert await ticks_of(yard, "d") == {("full", 40)}
    assert caplog.text.count("Ticks could not be read") == 1


async def test_a_look_forgets_no_more_ticks_than_a_bounded_number(yard: Yard) -> None:
    for name in ("c", "d"):
        await yard.connect(name)
        for number in range(AT_ONCE * 3 // 4):
            await make(yard, name, 40 + number)
    roster = Roster(yard.shelf.connectors, yard.watch)
    await roster.look()
    one, looks = TickHistory(Ticks(yard.shelf.state), roster, yard.watch), 1
    while not await one.look():
        looks += 1
    assert looks == 2
    assert await ticks_of(yard, "c") == await ticks_of(yard, "d") == {("full", 40)}
