"""What is due: the latest tick that was missed, once, and when to look again."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.schedule import Due, Schedule, Timetable, delay_of, due

DAILY = Timetable(Schedule.parse("0 0 2 * * ?"))
FIVE_SECONDS = Timetable(Schedule.parse("0/5 * * * * ?"))
ONCE = Timetable(Schedule.parse("0 0 2 3 3 ? 2026"))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def march(day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "since", "now", "expected"),
    [
        # Never synced: ticks count from when the schedule was first seen, and none before is made up for.
        (None, march(1, 12), march(1, 12), Due(None, march(2, 2))),
        (None, march(1, 12), march(2, 1, 59, 59), Due(None, march(2, 2))),
        (None, march(1, 12), march(2, 2), Due(march(2, 2), march(3, 2))),
        (None, march(1, 2), march(1, 2), Due(None, march(2, 2))),
        # Synced at the last tick, or before several ticks.
        (march(2, 2), march(1), march(2, 2), Due(None, march(3, 2))),
        (march(2, 2), march(1), march(3, 1), Due(None, march(3, 2))),
        (march(2, 2), march(1), march(3, 2, 0, 1), Due(march(3, 2), march(4, 2))),
        (march(2, 2), march(1), march(9, 1), Due(march(8, 2), march(9, 2))),
        # Seen anew after the last tick: disabled and enabled, or changed.
        (march(2, 2), march(5, 12), march(6, 1), Due(None, march(6, 2))),
        (march(2, 2), march(5, 12), march(6, 2), Due(march(6, 2), march(7, 2))),
        # Made by somebody whose clock is ahead: the coming tick is known, so that it isn't made twice.
        (march(3, 2), march(1), march(3, 1, 59), Due(None, march(4, 2))),
        (march(3, 2), march(1), march(3, 2), Due(None, march(4, 2))),
        # More than one interval ahead: no tick was missed by that.
        (march(3, 2, 0, 1), march(1, 12), march(3, 1, 59), Due(march(2, 2), march(3, 2), march(3, 2, 0, 1))),
        (march(30), march(1, 12), march(1, 13), Due(None, march(2, 2), march(30))),
        (None, march(30), march(2, 3), Due(None, march(3, 2), None, march(30))),
        (march(1, 2), march(30), march(2, 3), Due(march(2, 2), march(3, 2), None, march(30))),
        (march(29), march(30), march(2, 3), Due(None, march(3, 2), march(29), march(30))),
        (None, march(2, 2), march(2, 1), Due(None, march(3, 2))),
    ],
)
def test_the_latest_tick_that_was_missed_is_due_once(
    last: datetime | None, since: datetime, now: datetime, expected: Due
) -> None:
    assert due(DAILY, last=last, since=since, now=now) == expected


def test_nothing_is_due_of_what_is_disabled() -> None:
    assert due(None, last=None, since=LONG_AGO, now=march(1)) == Due()


def test_what_fires_no_more_is_caught_up_once_and_then_is_never_looked_at_again() -> None:
    assert due(ONCE, last=None, since=LONG_AGO, now=march(3, 1)) == Due(None, march(3, 2))
    assert due(ONCE, last=march(3, 2), since=LONG_AGO, now=march(3, 1)) == Due()
    assert due(ONCE, last=None, since=LONG_AGO, now=march(9)) == Due(march(3, 2), None)
    assert due(ONCE, last=march(3, 2), since=LONG_AGO, now=march(9)) == Due()
    assert due(ONCE, last=march(10), since=LONG_AGO, now=march(9)) == Due(march(3, 2), None, march(10))


def test_years_of_missed_ticks_are_one_job() -> None:
    now = march(1, 12, 0, 3)
    assert due(FIVE_SECONDS, last=None, since=LONG_AGO, now=now) == Due(march(1, 12), march(1, 12, 0, 5))


def test_a_tick_is_that_of_the_zone() -> None:
    berlin = Timetable(DAILY.schedule, ZoneInfo("Europe/Berlin"))
    assert due(berlin, last=None, since=march(29), now=march(29, 12)) == Due(march(29, 1), march(30, 0))


def test_a_delay_puts_off_the_job_and_leaves_its_tick() -> None:
    late = Timetable(DAILY.schedule, delay=timedelta(minutes=10))
    assert due(late, last=march(1, 2), since=LONG_AGO, now=march(2, 2, 9, 59)) == Due(None, march(2, 2, 10))
    assert due(late, last=march(1, 2), since=LONG_AGO, now=march(2, 2, 10)) == Due(march(2, 2), march(3, 2, 10))
    assert due(late, last=march(2, 2), since=LONG_AGO, now=march(2, 2, 10)) == Due(None, march(3, 2, 10))
    # Another daemon without the delay made it already.
    assert due(late, last=march(2, 2), since=LONG_AGO, now=march(2, 2, 5)) == Due(None, march(3, 2, 10))


EXPRESSIONS = ["0 0 2 * * ?", "0/5 * * * * ?", "0 0 0/6 ? * MON-FRI", "0 30 1,2 * * ?", "0 * 9 L * ?", "0 0 0 30 2 ?"]
ZONES = [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")]


@given(
    st.sampled_from(EXPRESSIONS),
    st.sampled_from(ZONES),
    st.sampled_from([timedelta(0), timedelta(seconds=7), timedelta(hours=7)]),
    st.lists(st.integers(0, 200_000), min_size=1, max_size=20),
    st.integers(0, 600),
)
def test_whoever_looks_whenever_makes_each_tick_at_most_once_and_none_too_early(
    text: str, zone: ZoneInfo, delay: timedelta, pauses: list[int], day: int
) -> None:
    timetable = Timetable(Schedule.parse(text), zone, delay)
    now = since = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day)
    last, ticks = None, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        found = due(timetable, last=last, since=since, now=now)
        assert (found.ignored_last, found.ignored_since) == (None, None)
        assert found.wake_at is None or found.wake_at > now
        if found.tick is not None:
            assert found.tick + delay <= now
            ticks.append(found.tick)
            last = found.tick
        again = due(timetable, last=last, since=since, now=now)
        assert again == Due(None, found.wake_at)
        following = timetable.schedule.next_after(last or since, zone)
        assert following is None or following + delay == found.wake_at
    assert all(earlier < later for earlier, later in pairwise([since, *ticks]))


@given(st.text(st.characters(exclude_categories=())), st.timedeltas(timedelta(0), timedelta(days=1)))
def test_the_delay_of_a_connector_is_bounded_and_stays(connector_id: str, most: timedelta) -> None:
    delay = delay_of(connector_id, most)
    assert timedelta(0) <= delay <= most
    assert delay == delay_of(connector_id, most)
    assert delay.microseconds == 0


def test_delays_are_spread_over_all_of_the_time() -> None:
    delays = {delay_of(f"connector-{number}", timedelta(seconds=9)).seconds for number in range(200)}
    assert delays == set(range(10))


def test_a_delay_is_the_same_in_any_process() -> None:
    assert delay_of("a", timedelta(hours=1)) == timedelta(seconds=913)
