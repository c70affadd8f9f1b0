"""Windows: whether one is open, and when the next one opens, whatever clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigurationError
from connectors.schedule import Schedule, Timetable, Windows, due
from connectors.schedule.window import Window

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    *map(ZoneInfo, ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")),
    *map(ZoneInfo, ("America/Havana", "Pacific/Apia", "Africa/Casablanca", "Asia/Tehran", "America/St_Johns")),
]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def monday(hour: int = 0, minute: int = 0, *, days: int = 0, zone: ZoneInfo | None = None) -> datetime:
    """Return a moment of the first Monday of 2026, or some days later."""
    return datetime(2026, 1, 5 + days, hour, minute, tzinfo=zone or UTC)


@pytest.mark.parametrize(
    ("text", "open_at", "closed_at"),
    [
        ("22:00-06:00", [(22, 0), (23, 59), (0, 0), (5, 59)], [(6, 0), (21, 59), (12, 0)]),
        ("9:30 - 17:00", [(9, 30), (16, 59)], [(9, 29), (17, 0), (0, 0)]),
        ("00:00-24:00", [(0, 0), (23, 59)], []),
        ("17:00-0:00", [(17, 0), (23, 59)], [(0, 0), (16, 59)]),
        ("mon-fri 8:00-9:00", [(8, 0)], [(7, 59), (9, 0)]),
        ("SUN 22:00-06:00", [(0, 0), (5, 59)], [(6, 0), (22, 0)]),
        ("SAT SUN 00:00-24:00", [], [(0, 0), (12, 0), (23, 59)]),
        ("FRI-MON 10:00-11:00", [(10, 0)], [(11, 0)]),
        ("TUE - THU  SUN 10:00-11:00", [], [(10, 0)]),
    ],
)
def test_a_window_is_open_from_its_beginning_until_before_its_end(
    text: str, open_at: list[tuple[int, int]], closed_at: list[tuple[int, int]]
) -> None:
    windows = Windows.parse([text])
    assert [at for at in open_at if not windows.are_open(monday(*at))] == []
    assert [at for at in closed_at if windows.are_open(monday(*at))] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Write it like '22:00-06:00', 'SAT SUN 00:00-24:00' or 'MON-FRI 19:30-23:00'."),
        ("at night", "Write it like"),
        ("22:00", "Write it like"),
        ("22-6", "Write it like"),
        ("MON,TUE 1:00-2:00", "Write it like"),
        ("25:00-26:00", "There is no time 25:00."),
        ("1:60-2:00", "There is no time 1:60."),
        ("1:00-24:01", "There is no time 24:01."),
        ("24:00-1:00", "It has no length. Write 00:00-24:00 for a day."),
        ("1:00-1:00", "It has no length."),
        ("MO 1:00-2:00", "There is no day 'MO'. Known: MON, TUE, WED, THU, FRI, SAT, SUN."),
        ("MON-TUE-WED 1:00-2:00", "There is no day 'MON-TUE-WED'."),
    ],
)
def test_what_is_no_window_is_told_with_what_to_write(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Windows.parse(["1:00-2:00", text])
    assert str(caught.value).startswith(f"The window {text!r} can't be used. {told}")
    assert caught.value.field == "windows"


def test_without_windows_every_moment_will_do() -> None:
    assert not Windows()
    assert Windows().are_open(monday())
    assert Windows().open_from(monday(3, 7)) == monday(3, 7)


@pytest.mark.parametrize(
    ("texts", "instant", "opens"),
    [
        (["22:00-06:00"], monday(12), monday(22)),
        (["22:00-06:00"], monday(23), monday(23)),
        (["22:00-06:00"], monday(6), monday(22)),
        (["SAT 10:00-11:00"], monday(12), monday(10, days=5)),
        (["MON 10:00-11:00"], monday(11), monday(10, days=7)),
        (["MON 10:00-11:00", "8:00-9:00"], monday(11), monday(8, days=1)),
    ],
)
def test_the_next_one_opens_at_its_beginning(texts: list[str], instant: datetime, opens: datetime) -> None:
    assert Windows.parse(texts).open_from(instant) == opens


@pytest.mark.parametrize(
    ("text", "instant", "opens"),
    [
        # Clocks go from 2:00 to 3:00 on March 29, and from 3:00 back to 2:00 on October 25.
        ("2:30-4:00", datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("2:10-2:50", datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 30, 0, 10, tzinfo=UTC)),
        ("2:10-2:50", datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 0, 10, tzinfo=UTC)),
        ("2:10-2:50", datetime(2026, 10, 25, 0, 55, tzinfo=UTC), datetime(2026, 10, 25, 1, 10, tzinfo=UTC)),
        ("1:00-2:30", datetime(2026, 10, 25, 0, 45, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ],
)
def test_what_clocks_show_counts_where_they_are_turned(text: str, instant: datetime, opens: datetime) -> None:
    assert Windows.parse([text]).open_from(instant, BERLIN) == opens


@st.composite
def some_windows(draw: st.DrawFn) -> Windows:
    found = []
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, 24 * 60 - 1))
        length = draw(st.integers(1, 24 * 60))
        days = draw(st.sets(st.integers(0, 6), min_size=1))
        found.append(Window(frozenset(days), begin * MINUTE, (begin + length) * MINUTE))
    return Windows(tuple(found))


INSTANTS = st.integers(0, 20 * 366 * 86_400).map(
    lambda seconds: datetime(2010, 1, 1, tzinfo=UTC) + timedelta(0, seconds)
)


@given(some_windows(), INSTANTS, st.sampled_from(ZONES))
def test_it_opens_at_the_first_instant_at_which_one_is_open(
    windows: Windows, instant: datetime, zone: ZoneInfo
) -> None:
    opens = windows.open_from(instant, zone)
    assert windows.are_open(opens, zone)
    if opens == instant:
        return
    assert opens > instant
    here = instant
    while here < opens:
        assert not windows.are_open(here, zone)
        here += max(7 * MINUTE, (opens - instant) / 300)
    assert not windows.are_open(opens - timedelta(seconds=1), zone) or opens - timedelta(seconds=1) < instant


@given(some_windows(), INSTANTS, st.sampled_from(ZONES), st.integers(0, 3 * 24 * 60))
def test_of_all_ticks_that_waited_one_is_due_when_a_window_opens(
    windows: Windows, last: datetime, zone: ZoneInfo, minutes: int
) -> None:
    schedule = Schedule.parse("0 0/20 * * * ?")
    timetable, now = Timetable(schedule, zone, windows=windows), last + minutes * MINUTE
    bare = due(Timetable(schedule, zone), last=last, since=last, now=now)
    found = due(timetable, last=last, since=last, now=now)
    if bare.tick is None or windows.are_open(now, zone):
        assert found == bare
        return
    assert found.tick is None
    assert found.wake_at == windows.open_from(now, zone)
    later = due(timetable, last=last, since=last, now=found.wake_at)
    assert later.tick == schedule.last_between(last, found.wake_at, zone)
    assert due(timetable, last=later.tick, since=last, now=found.wake_at).tick is None
