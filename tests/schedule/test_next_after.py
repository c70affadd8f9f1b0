"""When a schedule fires next: what a slow and naive judgement of every moment says, in zones that turn their clocks."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.schedule import Schedule
from connectors.schedule.zone import Zone, offset_at
from tests.schedule.oracle import (
    ANY_DAY,
    EVERY,
    SIXTY,
    Expression,
    expressions,
    first_by_days,
    first_by_seconds,
    lists,
    numbers,
    single,
)

TURNS: Final = {
    "Europe/Berlin": ["2026-03-29T01:00", "2026-10-25T01:00"],
    "America/New_York": ["2026-03-08T07:00", "2026-11-01T06:00"],
    "Australia/Lord_Howe": ["2026-04-04T15:00", "2026-10-03T15:30"],  # by half an hour
    "America/Sao_Paulo": ["2018-02-18T02:00", "2018-11-04T03:00"],  # at midnight
    "America/Havana": ["2026-03-08T05:00", "2026-11-01T05:00"],  # at midnight, and back to it
    "Pacific/Apia": ["2011-12-30T10:00", "2012-04-01T14:00"],  # a day that was left out
    "Pacific/Kwajalein": ["1993-08-21T12:00"],
    "Pacific/Kiritimati": ["1994-12-31T10:00"],
    "Antarctica/Casey": ["2018-10-06T20:00", "2019-03-16T16:00"],  # by three hours
    "Antarctica/Vostok": ["1994-01-31T17:00", "1994-11-01T00:00"],  # by seven
    "Antarctica/Troll": ["2026-03-29T01:00", "2026-10-25T01:00"],  # by two
    "Europe/Dublin": ["2026-03-29T01:00", "2026-10-25T01:00"],  # whose winter time is the other one
    "Africa/Monrovia": ["1972-01-07T00:44:30"],  # by 44 minutes and 30 seconds
    "America/Recife": ["2000-10-08T03:00", "2000-10-15T02:00"],  # twice within a week
    "UTC": ["2026-03-29T01:00"],
}
PLACES: Final = [
    (zone, datetime.fromisoformat(turn).replace(tzinfo=UTC)) for zone, turns in TURNS.items() for turn in turns
]
Place = tuple[Zone, datetime]


def places(most: timedelta) -> st.SearchStrategy[Place]:
    """Make instants in zones, not far from where their clocks are turned."""
    return st.builds(
        lambda place, away: (ZoneInfo(place[0]), place[1] + away),
        st.sampled_from(PLACES),
        st.timedeltas(-most, most) | st.integers(-3, 3).map(lambda hours: timedelta(hours=hours)),
    )


def firing(text: str, start: str, count: int, zone: str = "UTC") -> list[datetime]:
    """Return the first instants after one, as clocks in the zone show them."""
    schedule, instant, local = Schedule.parse(text), datetime.fromisoformat(start).astimezone(UTC), ZoneInfo(zone)
    found = []
    for _ in range(count):
        following = schedule.next_after(instant, local)
        if following is None:
            break
        assert following > instant
        assert (following.tzinfo, following.microsecond) == (UTC, 0)
        found.append(following.astimezone(local))
        instant = following
    return found


FEW: Final = st.lists(st.integers(0, 59).map(lambda number: single(number, str(number))), min_size=1, max_size=2)


@settings(max_examples=300)
@given(expressions(seconds=FEW, minutes=FEW), places(timedelta(days=3)))
def test_it_fires_when_a_walk_through_all_dates_says_so(expression: Expression, place: Place) -> None:
    zone, instant = place
    days = 1_200
    found = Schedule.parse(expression.text).next_after(instant, zone)
    expected = first_by_days(expression, instant, zone, days)
    if found is None or found < instant + timedelta(days=days - 10):
        assert found == expected
    else:
        assert expected in (None, found)  # the walk ends about there


@st.composite
def at_turns(draw: st.DrawFn) -> tuple[Expression, Place]:
    """Make an instant just before clocks are turned, and an expression with the hours that they show around it."""
    name, turn = draw(st.sampled_from(PLACES))
    zone = ZoneInfo(name)
    minutes = draw(st.integers(-90, 60))
    shown = [(turn + timedelta(hours=away)).astimezone(zone).hour for away in range(-2, 3)]
    hour = st.sampled_from([*shown, *((one + 1) % 24 for one in shown)])
    hours = st.lists(numbers(0, 23, most_step=23, number=hour), min_size=1, max_size=2)
    expression = draw(expressions(seconds=FEW, minutes=FEW, days=st.tuples(ANY_DAY, ANY_DAY), hours=hours, years=EVERY))
    return expression, (zone, turn + timedelta(minutes=minutes, seconds=draw(st.floats(-2, 2))))


@settings(max_examples=150)
@given(at_turns())
def test_where_clocks_are_turned_it_fires_when_a_walk_through_all_dates_says_so(made: tuple[Expression, Place]) -> None:
    expression, (zone, instant) = made
    found = Schedule.parse(expression.text).next_after(instant, zone)
    assert found == first_by_days(expression, instant, zone, 400)


@settings(max_examples=120)
@given(
    expressions(seconds=lists(SIXTY), minutes=lists(SIXTY), days=st.tuples(ANY_DAY, ANY_DAY)),
    places(timedelta(hours=4)),
)
def test_it_fires_when_a_walk_through_all_seconds_says_so(expression: Expression, place: Place) -> None:
    zone, instant = place
    seconds = 5_000
    found = Schedule.parse(expression.text).next_after(instant, zone)
    expected = first_by_seconds(expression, instant, zone, seconds)
    if found is not None and found <= instant + timedelta(seconds=seconds - 1):
        assert found == expected
    else:
        assert expected in (None, found)


@settings(max_examples=150)
@given(
    expressions(seconds=FEW, minutes=FEW), places(timedelta(days=3)), st.timedeltas(timedelta(0), timedelta(days=40))
)
def test_the_last_one_between_is_the_one_that_none_follows(
    expression: Expression, place: Place, long: timedelta
) -> None:
    zone, start = place
    schedule, end = Schedule.parse(expression.text), start + long
    last, following = None, schedule.next_after(start, zone)
    while following is not None and following <= end:
        last, following = following, schedule.next_after(following, zone)
    assert schedule.last_between(start, end, zone) == last


@given(places(timedelta(days=3)))
def test_what_runs_every_second_misses_none(place: Place) -> None:
    zone, instant = place
    assert Schedule.parse("* * * * * ?").next_after(instant, zone) == instant.replace(microsecond=0) + timedelta(
        seconds=1
    )


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        # The examples of Quartz's own documentation.
        ("0 0 12 * * ?", "2026-03-01T12:00Z", ["2026-03-02T12:00", "2026-03-03T12:00"]),
        ("0 15 10 ? * *", "2026-03-01T10:14:59.999Z", ["2026-03-01T10:15", "2026-03-02T10:15"]),
        ("0 15 10 * * ? 2005", "2005-12-30T10:15Z", ["2005-12-31T10:15"]),
        ("0 * 14 * * ?", "2026-03-01T14:58Z", ["2026-03-01T14:59", "2026-03-02T14:00"]),
        ("0 0/5 14 * * ?", "2026-03-01T14:50Z", ["2026-03-01T14:55", "2026-03-02T14:00"]),
        ("0 0/5 14,18 * * ?", "2026-03-01T14:55Z", ["2026-03-01T18:00", "2026-03-01T18:05"]),
        ("0 0-5 14 * * ?", "2026-03-01T14:04Z", ["2026-03-01T14:05", "2026-03-02T14:00"]),
        ("0 10,44 14 ? 3 WED", "2026-03-01T00:00Z", ["2026-03-04T14:10", "2026-03-04T14:44", "2026-03-11T14:10"]),
        ("0 15 10 ? * MON-FRI", "2026-03-05T10:15Z", ["2026-03-06T10:15", "2026-03-09T10:15"]),
        ("0 15 10 15 * ?", "2026-03-01T00:00Z", ["2026-03-15T10:15", "2026-04-15T10:15"]),
        ("0 15 10 L * ?", "2026-01-31T10:15Z", ["2026-02-28T10:15", "2026-03-31T10:15"]),
        ("0 15 10 L-2 * ?", "2026-02-01T00:00Z", ["2026-02-26T10:15", "2026-03-29T10:15"]),
        ("0 15 10 ? * 6L", "2026-02-01T00:00Z", ["2026-02-27T10:15", "2026-03-27T10:15"]),
        ("0 15 10 ? * 6L 2002-2005", "2005-11-26T00:00Z", ["2005-12-30T10:15"]),
        ("0 15 10 ? * 6#3", "2026-02-01T00:00Z", ["2026-02-20T10:15", "2026-03-20T10:15"]),
        ("0 0 12 1/5 * ?", "2026-02-26T12:00Z", ["2026-03-01T12:00", "2026-03-06T12:00"]),
        ("0 11 11 11 11 ?", "2026-03-01T00:00Z", ["2026-11-11T11:11", "2027-11-11T11:11"]),
        # A Saturday, a Sunday, a Saturday at the beginning of a month, a Sunday at its end.
        ("0 0 0 15W * ?", "2026-08-01T00:00Z", ["2026-08-14T00:00"]),
        ("0 0 0 15W * ?", "2026-11-01T00:00Z", ["2026-11-16T00:00"]),
        ("0 0 0 1W * ?", "2026-07-31T00:00Z", ["2026-08-03T00:00"]),
        ("0 0 0 31W * ?", "2026-05-01T00:00Z", ["2026-05-29T00:00", "2026-07-31T00:00"]),
        ("0 0 0 31W * ?", "2027-04-01T00:00Z", ["2027-05-31T00:00"]),  # 1 May is a Saturday
        ("0 0 0 LW * ?", "2026-05-01T00:00Z", ["2026-05-29T00:00"]),
        ("0 0 0 L-3W * ?", "2026-02-01T00:00Z", ["2026-02-25T00:00"]),
        ("0 0 0 L-30 * ?", "2026-02-01T00:00Z", ["2026-03-01T00:00", "2026-05-01T00:00"]),
        ("0 0 0 1,L,15W 2 ?", "2026-01-01T00:00Z", ["2026-02-01T00:00", "2026-02-16T00:00", "2026-02-28T00:00"]),
        ("0 0 0 ? * 2#5", "2026-03-01T00:00Z", ["2026-03-30T00:00", "2026-06-29T00:00"]),
        ("0 0 0 ? * L", "2026-03-01T00:00Z", ["2026-03-07T00:00"]),
        ("0 0 0 ? * 1", "2026-03-02T00:00Z", ["2026-03-08T00:00"]),
        ("0 0 0 ? * 2-6", "2026-03-06T00:00Z", ["2026-03-09T00:00"]),
        # Ranges that go on from the beginning.
        ("0 0 0 ? * fri-Mon", "2026-03-02T00:00Z", ["2026-03-06T00:00", "2026-03-07T00:00", "2026-03-08T00:00"]),
        ("0 0 22-2 * * ?", "2026-03-01T02:00Z", ["2026-03-01T22:00", "2026-03-01T23:00", "2026-03-02T00:00"]),
        ("0 0 22-2/2 * * ?", "2026-03-01T03:00Z", ["2026-03-01T22:00", "2026-03-02T00:00", "2026-03-02T02:00"]),
        ("0 0 0 1 NOV-FEB ?", "2026-02-01T00:00Z", ["2026-11-01T00:00", "2026-12-01T00:00", "2027-01-01T00:00"]),
        ("0 0 0 30-2 * ?", "2026-03-02T00:00Z", ["2026-03-30T00:00", "2026-03-31T00:00", "2026-04-01T00:00"]),
        ("50-10/10 0 0 1 1 ?", "2026-01-01T00:00Z", ["2026-01-01T00:00:10", "2026-01-01T00:00:50"]),
        # Both days free, and one or the other.
        ("0 0 2 * * *", "2026-03-01T02:00Z", ["2026-03-02T02:00"]),
        ("0 0 2 ? * ?", "2026-03-01T02:00Z", ["2026-03-02T02:00"]),
        ("0 0 2 15 * *", "2026-03-01T02:00Z", ["2026-03-15T02:00"]),
        ("0 0 2 * * MON", "2026-03-01T02:00Z", ["2026-03-02T02:00", "2026-03-09T02:00"]),
        # What is rare, what is over, and what never is.
        ("0 0 0 29 2 ?", "2096-03-01T00:00Z", []),
        ("0 0 0 29 2 ?", "2024-02-29T00:00Z", ["2028-02-29T00:00"]),
        ("0 0 0 ? 2 1#5", "2026-01-01T00:00Z", ["2032-02-29T00:00", "2060-02-29T00:00", "2088-02-29T00:00"]),
        ("59 59 23 31 12 ? 2099", "2026-01-01T00:00Z", ["2099-12-31T23:59:59"]),
        ("0 0 0 1 1 ? 1970", "1969-12-31T23:59:59Z", ["1970-01-01T00:00"]),
        ("0 0 0 30 2 ?", "2026-01-01T00:00Z", []),
        ("0 0 0 31 4,6,9,11 ?", "2026-01-01T00:00Z", []),
        ("0 0 0 1 1 ? 2020-2025", "2025-01-01T00:00Z", []),
    ],
)
def test_it_fires_as_quartz_does(text: str, start: str, expected: list[str]) -> None:
    assert firing(text, start, max(len(expected), 1)) == [datetime.fromisoformat(f"{one}Z") for one in expected]


@pytest.mark.parametrize(
    ("zone", "text", "start", "expected"),
    [
        # Turned forward, from 2 to 3: a fixed time at the end of the gap, a running one left out.
        ("Europe/Berlin", "0 30 2 * * ?", "2026-03-28T12:00Z", ["26-03-29 03:00+0200", "26-03-30 02:30+0200"]),
        ("Europe/Berlin", "0 30 2 * * ?", "2026-03-29T00:59:58.7Z", ["26-03-29 03:00+0200", "26-03-30 02:30+0200"]),
        ("Europe/Berlin", "59 59 2 * * ?", "2026-03-28T12:00Z", ["26-03-29 03:00+0200", "26-03-30 02:59:59+0200"]),
        ("Europe/Berlin", "59 59 1 29 3 ?", "2026-03-28T12:00Z", ["26-03-29 01:59:59+0100", "27-03-29 01:59:59+0200"]),
        ("Europe/Berlin", "0 0 2,3 * * ?", "2026-03-28T12:00Z", ["26-03-29 03:00+0200", "26-03-30 02:00+0200"]),
        ("Europe/Berlin", "0 0/20 2 * * ?", "2026-03-28T12:00Z", ["26-03-29 03:00+0200", "26-03-30 02:00+0200"]),
        ("Europe/Berlin", "0 30 * * * ?", "2026-03-29T00:00Z", ["26-03-29 01:30+0100", "26-03-29 03:30+0200"]),
        ("Europe/Berlin", "0 0 0/2 * * ?", "2026-03-29T00:00Z", ["26-03-29 04:00+0200"]),
        ("Europe/Berlin", "0 30 2 29 3 ?", "2026-03-28T12:00Z", ["26-03-29 03:00+0200"]),
        # Turned back, from 3 to 2: a fixed time once, a running one in both passes.
        ("Europe/Berlin", "0 30 2 * * ?", "2026-10-24T12:00Z", ["26-10-25 02:30+0200", "26-10-26 02:30+0100"]),
        ("Europe/Berlin", "0 30 2-4 * * ?", "2026-10-24T12:00Z", ["26-10-25 02:30+0200", "26-10-25 03:30+0100"]),
        ("Europe/Berlin", "0 30 * * * ?", "2026-10-25T00:00Z", ["26-10-25 02:30+0200", "26-10-25 02:30+0100"]),
        ("Europe/Berlin", "0 0 2/4 * * ?", "2026-10-24T22:00Z", ["26-10-25 02:00+0200", "26-10-25 02:00+0100"]),
        ("Europe/Berlin", "0 0 2/4,2 * * ?", "2026-10-24T22:00Z", ["26-10-25 02:00+0200", "26-10-25 02:00+0100"]),
        ("Europe/Berlin", "59 59 2/1 * * ?", "2026-10-25T00:30Z", ["26-10-25 02:59:59+0200", "26-10-25 02:59:59+0100"]),
        ("Europe/Berlin", "0 0 3 * * ?", "2026-10-25T00:30Z", ["26-10-25 03:00+0100", "26-10-26 03:00+0100"]),
        ("Europe/Berlin", "0 0 2-4/2 * * ?", "2026-10-24T22:00Z", ["26-10-25 02:00+0200", "26-10-25 02:00+0100"]),
        ("Europe/Berlin", "0 30 2 25 10 ?", "2026-10-25T00:45Z", ["27-10-25 02:30+0200"]),
        ("Europe/Berlin", "0 30 2 * * ?", "2026-10-25T01:15Z", ["26-10-26 02:30+0100"]),
        ("Europe/Berlin", "0 30 * * * ? 2026", "2026-10-25T01:15Z", ["26-10-25 02:30+0100"]),
        # By half an hour.
        ("Australia/Lord_Howe", "0 15 2 * * ?", "2026-10-03T12:00Z", ["26-10-04 02:30+1100"]),
        ("Australia/Lord_Howe", "0 0/15 2 * * ?", "2026-10-03T12:00Z", ["26-10-04 02:30+1100", "26-10-04 02:45+1100"]),
        ("Australia/Lord_Howe", "0 45 1 * * ?", "2026-04-04T12:00Z", ["26-04-05 01:45+1100", "26-04-06 01:45+1030"]),
        ("Australia/Lord_Howe", "0 45 * * * ?", "2026-04-04T14:00Z", ["26-04-05 01:45+1100", "26-04-05 01:45+1030"]),
        # At midnight: the day begins at 1, and ends twice.
        ("America/Sao_Paulo", "0 0 0 * * ?", "2018-11-03T12:00Z", ["18-11-04 01:00-0200", "18-11-05 00:00-0200"]),
        ("America/Sao_Paulo", "0 30 23 * * ?", "2018-02-17T12:00Z", ["18-02-17 23:30-0200", "18-02-18 23:30-0300"]),
        ("America/Sao_Paulo", "0 30 23/1 * * ?", "2018-02-17T12:00Z", ["18-02-17 23:30-0200", "18-02-17 23:30-0300"]),
        # A day that was left out.
        ("Pacific/Apia", "0 0 9 * * ?", "2011-12-29T20:00Z", ["11-12-31 00:00+1400", "11-12-31 09:00+1400"]),
        ("Pacific/Apia", "0 0 9 30 * ?", "2011-12-29T20:00Z", ["11-12-31 00:00+1400", "12-01-30 09:00+1400"]),
        ("Pacific/Apia", "0 0 * ? * FRI", "2011-12-29T20:00Z", ["12-01-06 00:00+1400"]),
        ("Pacific/Apia", "0 0 23 30 12 ?", "2011-12-20T20:00Z", ["11-12-31 00:00+1400"]),
        ("Pacific/Apia", "0 0 9 30 12 ? 2011", "2011-12-29T20:00Z", ["11-12-31 00:00+1400"]),
    ],
)
def test_where_clocks_are_turned_it_fires_as_promised(zone: str, text: str, start: str, expected: list[str]) -> None:
    found = [f"{one:%y-%m-%d %H:%M:%S%z}" for one in firing(text, start, len(expected), zone)]
    assert [one.replace(":00+", "+").replace(":00-", "-") for one in found] == expected


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=14))])))
@example(datetime.min.replace(tzinfo=timezone(timedelta(hours=14))))
@example(datetime.max.replace(tzinfo=timezone(-timedelta(hours=14))))
def test_any_instant_may_be_asked_for(instant: datetime) -> None:
    for zone in (UTC, ZoneInfo("Europe/Berlin")):
        found = Schedule.parse("0 0 2 * * ?").next_after(instant, zone)
        assert found is None or found > instant
        assert (found is None) is (instant >= datetime(2099, 12, 31, 2, tzinfo=zone))


def test_an_instant_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="The instant has no time zone"):
        Schedule.parse("0 0 2 * * ?").next_after(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("zone", sorted(TURNS))
def test_clocks_are_turned_once_in_two_days_at_most(zone: str) -> None:
    """It is what a walk relies on; these are the zones that turn them most, and most often."""
    start, local = datetime(1970, 1, 1, tzinfo=UTC), ZoneInfo(zone)
    offsets = [offset_at(start + timedelta(hours=12 * number), local) for number in range(2 * 365 * 130)]
    turns = [number for number, (one, other) in enumerate(pairwise(offsets)) if one != other]
    assert all(later - earlier > 4 for earlier, later in pairwise(turns))
    assert all(abs(one - other) <= timedelta(days=1) for one, other in pairwise(offsets))
