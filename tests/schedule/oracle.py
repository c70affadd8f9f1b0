"""What a schedule means, told the slow way: random expressions that come with a naive judgement of every moment.

Nothing of the package under test is used here. An expression is made together with what it means, so none is parsed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from hypothesis import strategies as st

from connectors.schedule.zone import Zone

DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)
MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True)
class Item:
    """One item of a list: its text, the numbers or dates that it means, and whether a wildcard or step made them."""

    text: str
    means: Callable[[int], bool] = lambda number: False
    means_date: Callable[[date], bool] = lambda day: False
    running: bool = False


@dataclass(frozen=True)
class Expression:
    """An expression, and what is meant by its parts."""

    seconds: Sequence[Item]
    minutes: Sequence[Item]
    hours: Sequence[Item]
    days_of_month: Sequence[Item]
    months: Sequence[Item]
    days_of_week: Sequence[Item]
    years: Sequence[Item]

    @property
    def text(self) -> str:
        parts = (self.seconds, self.minutes, self.hours, self.days_of_month, self.months, self.days_of_week, self.years)
        return " ".join(",".join(item.text for item in part) for part in parts).strip()

    def means_date(self, day: date) -> bool:
        return (
            anything(self.years, day.year)
            and anything(self.months, day.month)
            and any(item.means_date(day) for item in self.days_of_month)
            and any(item.means_date(day) for item in self.days_of_week)
        )

    def means_time(self, moment: datetime, *, running: bool | None = None) -> bool:
        hours = [item for item in self.hours if running is None or item.running is running]
        return (
            anything(hours, moment.hour)
            and anything(self.minutes, moment.minute)
            and anything(self.seconds, moment.second)
        )

    def means(self, moment: datetime, *, running: bool | None = None) -> bool:
        return self.means_time(moment, running=running) and self.means_date(moment.date())


def anything(items: Sequence[Item], number: int) -> bool:
    return any(item.means(number) for item in items)


def first_by_seconds(expression: Expression, instant: datetime, zone: Zone, seconds: int) -> datetime | None:
    """Look at every second of real time, and at what clocks leave out before it."""
    here = instant.replace(microsecond=0)
    shown = here.astimezone(zone)
    for _ in range(seconds):
        here += SECOND
        before, shown = shown, here.astimezone(zone)
        left_out = before.replace(tzinfo=None, fold=0) + SECOND
        while left_out < shown.replace(tzinfo=None, fold=0):
            if expression.means(left_out, running=False):
                return here
            left_out += SECOND
        if expression.means(shown, running=True if shown.fold else None):
            return here
    return None


def first_by_days(expression: Expression, instant: datetime, zone: Zone, days: int) -> datetime | None:
    """Look at every time of every date that local calendars have, also of those that the zone leaves out."""
    start = instant.astimezone(zone).date() - 2 * DAY
    found: datetime | None = None
    for number in range(days):
        day = start + number * DAY
        if found is not None and day > found.astimezone(zone).date() + 2 * DAY:
            break
        if expression.means_date(day):
            later = (one for one in instants_of(expression, day, zone) if one > instant)
            found = min([*later, *([found] if found else [])], default=None)
    return found


def instants_of(expression: Expression, day: date, zone: Zone) -> Iterator[datetime]:
    for hour in range(24):
        for minute in (one for one in range(60) if anything(expression.minutes, one)):
            for second in (one for one in range(60) if anything(expression.seconds, one)):
                moment = datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001 - what clocks show
                yield from instants_showing(expression, moment, zone)


def instants_showing(expression: Expression, moment: datetime, zone: Zone) -> Iterator[datetime]:
    fixed, running = (expression.means_time(moment, running=one) for one in (False, True))
    if not fixed and not running:
        return
    first, second = (moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None, fold=0) != moment:
        if fixed:
            yield end_of_gap(second, zone)
        return
    yield first
    if running:
        yield second


def end_of_gap(before: datetime, zone: Zone) -> datetime:
    offset = before.astimezone(zone).utcoffset()
    for step in (timedelta(minutes=1), SECOND):
        while (before + step).astimezone(zone).utcoffset() == offset:
            before += step
    return before + SECOND


def numbers(
    first: int,
    last: int,
    words: Sequence[str] = (),
    *,
    most_step: int,
    repeats: bool = True,
    number: st.SearchStrategy[int] | None = None,
) -> st.SearchStrategy[Item]:
    """Make items that mean numbers: wildcards, single ones, ranges, steps."""
    count = last - first + 1
    number = st.integers(first, last) if number is None else number
    step = st.integers(1, min(most_step, 20)) | st.just(most_step)

    def text(value: int, form: int) -> str:
        word = words[value - first] if words else ""
        return {1: word.lower(), 2: word.title(), 3: word}.get(form) or f"{value:0{1 + form % 2}d}"

    form = st.integers(0, 3)
    written = st.builds(lambda value, form: (value, text(value, form)), number, form)

    def span(start: tuple[int, str], end: tuple[int, str]) -> Item:
        a, b = (start, end) if repeats or start[0] <= end[0] else (end, start)
        inside = (
            (lambda value: a[0] <= value <= b[0]) if a[0] <= b[0] else (lambda value: value >= a[0] or value <= b[0])
        )
        return Item(f"{a[1]}-{b[1]}", inside)

    def stepped_span(start: tuple[int, str], end: tuple[int, str], step: int) -> Item:
        a, b = (start, end) if repeats or start[0] <= end[0] else (end, start)
        reached = {first + (a[0] - first + n) % count for n in range(0, (b[0] - a[0]) % count + 1, step)}
        return Item(f"{a[1]}-{b[1]}/{step}", lambda value: value in reached, running=True)

    def stepped(start: tuple[int, str], step: int) -> Item:
        return Item(
            f"{start[1]}/{step}", lambda value: value >= start[0] and (value - start[0]) % step == 0, running=True
        )

    def wild(step: int, text: str) -> Item:
        return Item(f"{text}/{step}", lambda value: (value - first) % step == 0, running=True)

    return st.one_of(
        st.just(Item("*", lambda value: True, running=True)),
        written.map(lambda one: single(*one)),
        written.map(lambda one: single(*one)),
        st.builds(span, written, written),
        st.builds(stepped_span, written, written, step),
        st.builds(stepped, written, step),
        st.builds(wild, step, st.sampled_from(["*", ""])),
    )


def single(number: int, text: str) -> Item:
    return Item(text, lambda value: value == number)


def of_month(item: Item) -> Item:
    return Item(item.text, means_date=lambda day: item.means(day.day))


def of_week(item: Item) -> Item:
    return Item(item.text, means_date=lambda day: item.means(weekday(day)))


def weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def length(day: date) -> int:
    return next(number for number in (31, 30, 29, 28) if (day.replace(day=1) + (number - 1) * DAY).month == day.month)


def nearest(day: date, wanted: int) -> bool:
    if not 1 <= wanted <= length(day):
        return False
    workdays = [number for number in range(1, length(day) + 1) if day.replace(day=number).isoweekday() <= 5]
    return day.day == min(workdays, key=lambda number: abs(number - wanted))


def back(days: int, case: str) -> Item:
    text = f"L-{days}" if days else "L"
    return Item(text.lower() if case else text, means_date=lambda day: day.day == length(day) - days)


def near(wanted: int) -> Item:
    return Item(f"{wanted}W", means_date=lambda day: nearest(day, wanted))


def near_back(days: int) -> Item:
    return Item(f"L-{days}W" if days else "LW", means_date=lambda day: nearest(day, length(day) - days))


def last_of_week(wanted: int, text: str) -> Item:
    return Item(f"{text}L", means_date=lambda day: weekday(day) == wanted and (day + 7 * DAY).month != day.month)


def nth_of_week(wanted: int, text: str, nth: int) -> Item:
    return Item(f"{text}#{nth}", means_date=lambda day: weekday(day) == wanted and (day.day + 6) // 7 == nth)


ANY_DAY: Final = st.sampled_from([[Item("*", means_date=lambda day: True)], [Item("?", means_date=lambda day: True)]])
ALWAYS: Final = Item("*", lambda number: True)
DAY_NAMED: Final = st.integers(1, 7).flatmap(
    lambda day: st.tuples(st.just(day), st.sampled_from([str(day), WEEKDAYS[day - 1], WEEKDAYS[day - 1].lower()]))
)


def lists(item: st.SearchStrategy[Item]) -> st.SearchStrategy[list[Item]]:
    return st.lists(item, min_size=1, max_size=3)


DAYS_OF_MONTH: Final = lists(
    st.one_of(
        numbers(1, 31, most_step=31).map(of_month).filter(lambda item: item.text != "*"),
        st.builds(back, st.integers(0, 30), st.sampled_from(["", "lower"])),
        st.integers(1, 31).map(near),
        st.integers(0, 30).map(near_back),
    )
)
DAYS_OF_WEEK: Final = lists(
    st.one_of(
        numbers(1, 7, WEEKDAYS, most_step=7).map(of_week).filter(lambda item: item.text != "*"),
        st.just(Item("L", means_date=lambda day: day.isoweekday() == 6)),
        DAY_NAMED.map(lambda named: last_of_week(*named)),
        st.builds(lambda named, nth: nth_of_week(named[0], named[1], nth), DAY_NAMED, st.integers(1, 5)),
    )
)
DAYS: Final = st.one_of(
    st.tuples(ANY_DAY, ANY_DAY), st.tuples(DAYS_OF_MONTH, ANY_DAY), st.tuples(ANY_DAY, DAYS_OF_WEEK)
)
EVERY: Final = st.just([Item("", lambda number: True)])
YEARS: Final = st.one_of(
    EVERY,
    EVERY,
    lists(numbers(1970, 2099, most_step=129, repeats=False)),
)
HOURS: Final = lists(numbers(0, 23, most_step=23))
SIXTY: Final = numbers(0, 59, most_step=59)


def expressions(
    seconds: st.SearchStrategy[list[Item]],
    minutes: st.SearchStrategy[list[Item]],
    days: st.SearchStrategy[tuple[list[Item], list[Item]]] = DAYS,
    months: st.SearchStrategy[list[Item]] = st.just([ALWAYS]) | lists(numbers(1, 12, MONTHS, most_step=12)),  # noqa: B008
    years: st.SearchStrategy[list[Item]] = YEARS,
    hours: st.SearchStrategy[list[Item]] = HOURS,
) -> st.SearchStrategy[Expression]:
    return st.builds(
        lambda second, minute, hour, day, month, year: Expression(second, minute, hour, day[0], month, day[1], year),
        seconds,
        minutes,
        hours,
        days,
        months,
        years,
    )
