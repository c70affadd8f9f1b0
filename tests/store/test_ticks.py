"""Ticks: each makes one job, whoever sees it first, and counts from when its schedule was as it is."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connectors.engine import Engine
from connectors.store.state import StateStore
from connectors.store.ticks import SchedulesRecord, SeenSchedule, TickRecord, Ticks

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def state(engine: Engine) -> StateStore:
    return await StateStore.open(engine)


def tick(connector: str = "c", schedule: str = "full", instant: datetime = NOON) -> TickRecord:
    return TickRecord(connector=connector, schedule=schedule, instant=instant, job="j")


async def test_a_tick_is_given_to_all_until_one_has_made_its_job_and_to_nobody_then(state: StateStore) -> None:
    ticks = Ticks(state)
    claims = await asyncio.gather(*(ticks.claim(tick()) for _ in range(5)))
    assert {one.value for one in claims if one is not None} == {tick()}
    assert None not in claims
    first, *others = [one for one in claims if one is not None]
    await ticks.done(first)
    assert await ticks.claim(tick()) is None
    for one in others:
        await ticks.done(one)
    assert [one.value.done async for one in ticks.of("c")] == [True]


async def test_ticks_of_other_connectors_schedules_and_instants_are_others(state: StateStore) -> None:
    ticks = Ticks(state)
    different = [tick(), tick("d"), tick(schedule="incremental"), tick(instant=NOON + timedelta(microseconds=1))]
    for one in different:
        claim = await ticks.claim(one)
        assert claim is not None
        await ticks.done(claim)
    assert [await ticks.claim(one) for one in different] == [None] * 4


async def test_a_schedule_counts_since_it_has_its_form(state: StateStore) -> None:
    ticks = Ticks(state)
    assert await ticks.since("c", {"full": "hourly"}, NOON) == {"full": NOON}
    assert await ticks.since("c", {"full": "hourly", "incremental": "often"}, NOON + HOUR) == {
        "full": NOON,
        "incremental": NOON + HOUR,
    }
    assert await ticks.since("c", {"full": "daily", "incremental": "often"}, NOON + 2 * HOUR) == {
        "full": NOON + 2 * HOUR,
        "incremental": NOON + HOUR,
    }


async def test_a_schedule_that_was_switched_off_begins_anew(state: StateStore) -> None:
    ticks = Ticks(state)
    await ticks.since("c", {"full": "hourly"}, NOON)
    assert await ticks.since("c", {}, NOON + HOUR) == {}
    assert await ticks.since("c", {"full": "hourly"}, NOON + 2 * HOUR) == {"full": NOON + 2 * HOUR}


async def test_nothing_is_written_while_nothing_changes(state: StateStore) -> None:
    ticks = Ticks(state)
    assert await ticks.since("d", {}, NOON) == {}
    assert await state.read(SchedulesRecord.key_of("d"), SchedulesRecord) is None
    await ticks.since("c", {"full": "hourly"}, NOON)
    before = await state.read(SchedulesRecord.key_of("c"), SchedulesRecord)
    await ticks.since("c", {"full": "hourly"}, NOON + HOUR)
    assert await state.read(SchedulesRecord.key_of("c"), SchedulesRecord) == before


async def make(ticks: Ticks, *records: TickRecord) -> None:
    for one in records:
        claim = await ticks.claim(one)
        assert claim is not None
        await ticks.done(claim)


async def test_old_ticks_are_forgotten_unless_their_job_is_still_to_be_made(state: StateStore) -> None:
    ticks = Ticks(state)
    assert await ticks.claim(tick(instant=NOON + HOUR)) is not None
    await make(ticks, *(tick(instant=NOON + number * HOUR) for number in (3, 0, 2)))
    assert await ticks.forget_before("c", NOON + 3 * HOUR) == 2
    assert {one.value.instant async for one in ticks.of("c")} == {NOON + HOUR, NOON + 3 * HOUR}


async def test_the_newest_tick_of_each_schedule_is_never_forgotten(state: StateStore) -> None:
    ticks = Ticks(state)
    await make(ticks, *(tick(instant=NOON + number * HOUR) for number in (1, 4, 0, 2)))
    await make(ticks, tick(schedule="incremental"), tick("d"))
    for forgotten in (2, 1, 0):
        assert await ticks.forget_before("c", NOON + 9 * HOUR, most=2) == forgotten
    left = {(one.value.schedule, one.value.instant) async for one in ticks.of("c")}
    assert left == {("full", NOON + 4 * HOUR), ("incremental", NOON)}


async def test_what_was_seen_of_schedules_is_told_of_all_connectors(state: StateStore) -> None:
    ticks = Ticks(state)
    assert await ticks.seen() == {}
    await ticks.since("c", {"full": "hourly"}, NOON)
    await ticks.since("d", {"full": "daily", "incremental": "hourly"}, NOON + HOUR)
    hourly, daily = SeenSchedule(form="hourly", since=NOON), SeenSchedule(form="daily", since=NOON + HOUR)
    later = SeenSchedule(form="hourly", since=NOON + HOUR)
    assert await ticks.seen() == {"c": {"full": hourly}, "d": {"full": daily, "incremental": later}}
