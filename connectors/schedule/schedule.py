"""Schedules: a Quartz expression, and the instants at which it fires."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from connectors.errors import ConfigurationError
from connectors.schedule.days import EVERY_DAY, Days, days_of_month, days_of_week
from connectors.schedule.moments import Dates, Moments, Times
from connectors.schedule.part import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOUR,
    MINUTE,
    MONTH,
    PARTS,
    SECOND,
    YEAR,
    Item,
    Part,
    Unreadable,
    numbers_of,
)
from connectors.schedule.walk import Walk
from connectors.schedule.zone import CALM, Zone, offset_at
from connectors.wording import shown

T = TypeVar("T")
LONGEST: Final = 1_000
"""Characters of a schedule: a list of all years is shorter."""
_ANY_DAY: Final = frozenset({"*", "?"})
_SECOND: Final = timedelta(seconds=1)
_START: Final = datetime(YEAR.first, 1, 1, tzinfo=UTC) - CALM
_END: Final = datetime(YEAR.last + 1, 1, 1, tzinfo=UTC) + CALM
"""No zone has a date of these years before the one or after the other."""


@dataclass(frozen=True)
class Schedule:
    """A Quartz expression: second, minute, hour, day of the month, month, day of the week and, if wanted, year.

    `running` are the moments whose hour a wildcard or a step made, `fixed` those whose hour was named, by itself or in
    a range. A moment can be both. Without a year it fires until the end of 2099, the last year there is here.
    """

    text: str
    every: Moments = field(repr=False, compare=False)
    running: Moments = field(repr=False, compare=False)
    fixed: Moments = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: object, *, setting: str = "interval") -> "Schedule":
        """Return the schedule that a text says. Raises one `ConfigurationError` that names every fault in it."""
        if not isinstance(text, str):
            raise ConfigurationError(f"The schedule is {shown(text)}, not a text.", field=setting)
        try:
            return _Reading(text).schedule()
        except Unreadable as error:
            raise ConfigurationError(f"The schedule {shown(text)} can't be used. {error}", field=setting) from None

    def check(self, now: datetime, zone: Zone = UTC, *, setting: str = "interval") -> None:
        """Raise a `ConfigurationError` if it does not fire any more, or never does."""
        if self.next_after(now, zone) is not None:
            return
        if self.next_after(_START, zone) is None:
            fault, hint = "never fires", "No year that it names has such a day."
        else:
            fault, hint = f"does not fire after {now:%Y-%m-%d}", "Leave the year out, or name years to come."
        raise ConfigurationError(f"The schedule {shown(self.text)} {fault}.", field=setting, hint=hint)

    def next_after(self, instant: datetime, zone: Zone = UTC) -> datetime | None:
        """Return the first instant after another at which it fires, in UTC. None if there is none.

        It fires when the clocks of the zone show one of its moments. Where they are turned this holds:

        - Turned back, they show some moments twice. A running one fires both times, a fixed one the first time.
        - Turned forward, they skip some moments. A running one is left out. Fixed ones fire together, once, at the
          first instant after the gap, whatever its date: that is so as well for a gap of half an hour, one at
          midnight, and a whole day that a zone has left out.

        Raises a `ValueError` for an instant without a zone. Takes some microseconds, and for what never fires at most
        some milliseconds.
        """
        if instant.tzinfo is None:
            raise ValueError("The instant has no time zone.")
        if instant >= _END:
            return None
        walk = Walk.begun(max(instant, _START), zone)
        while True:
            if walk.leaves_out(self.fixed):
                return walk.here
            found = walk.next_of(self.every, self.running)
            fires = _END if found is None else walk.instant_of(found)
            horizon = min(fires, walk.here + CALM)
            if offset_at(horizon, zone) != walk.offset:
                walk = walk.turned(horizon)
            elif found is None or fires == horizon:
                return None if found is None else fires
            else:
                # Nothing fires before, wherever clocks are turned, so look again from not far ahead of it.
                walk = Walk.begun(fires - CALM, zone)

    def last_between(self, after: datetime, until: datetime, zone: Zone = UTC) -> datetime | None:
        """Return the last instant after one and not after another at which it fires. None if there is none.

        It halves the time in between, so that it takes about as long for many instants as for few.
        """
        found = self.next_after(after, zone)
        if found is None or found > until:
            return None
        end = until
        while found < end:
            middle = found + (end - found) // 2 // _SECOND * _SECOND
            later = self.next_after(middle, zone)
            if later is not None and later <= until:
                found = later
            else:
                end = middle
        return found


class _Reading:
    """A text that is being read, and all that was found wrong in it."""

    def __init__(self, text: str) -> None:
        """Take it apart. Raises `Unreadable` for what does not have as many parts as a schedule."""
        if len(text) > LONGEST:
            raise Unreadable(f"It has {len(text)} characters, and at most {LONGEST} are read.")
        parts = text.split()
        if len(parts) not in {len(PARTS) - 1, len(PARTS)}:
            raise Unreadable(_miscounted(parts))
        self._written = dict(zip(PARTS, [*parts, "*"], strict=False))
        self._text = " ".join(parts)
        self._faults: list[str] = []

    def schedule(self) -> Schedule:
        """Return the schedule. Raises one `Unreadable` that names every fault."""
        seconds, minutes, hours = self._read(SECOND), self._read(MINUTE), self._read(HOUR)
        of_month, months, of_week = self._days(DAY_OF_MONTH), self._read(MONTH), self._days(DAY_OF_WEEK)
        years = self._read(YEAR)
        if of_month and of_week:
            self._refuse_both_days()
        if self._faults:
            raise Unreadable(" ".join(self._faults))
        dates = Dates(of_month or of_week or EVERY_DAY, numbers_of(months), numbers_of(years))

        def at(chosen: Iterable[Item]) -> Moments:
            return Moments(dates, Times(numbers_of(chosen), numbers_of(minutes), numbers_of(seconds)))

        running, fixed = (item for item in hours if item.stepped), (item for item in hours if not item.stepped)
        return Schedule(self._text, every=at(hours), running=at(running), fixed=at(fixed))

    def _read(self, part: Part) -> tuple[Item, ...]:
        return self._unless_faulty(part.read, part) or ()

    def _days(self, part: Part) -> Days | None:
        """Return the days that are meant; None where any may be, or where that can't be read."""
        read = days_of_month if part is DAY_OF_MONTH else days_of_week
        return None if self._written[part] in _ANY_DAY else self._unless_faulty(read, part)

    def _unless_faulty(self, read: Callable[[str], T], part: Part) -> T | None:
        try:
            return read(self._written[part])
        except Unreadable as error:
            self._faults.append(str(error))
            return None

    def _refuse_both_days(self) -> None:
        instead = " or ".join(shown(self._with(part, "?")) for part in (DAY_OF_WEEK, DAY_OF_MONTH))
        self._faults.append(
            "The day of the month and the day of the week are both given, and Quartz has no meaning for that; give one "
            f"and write ? for the other: {instead}."
        )

    def _with(self, part: Part, text: str) -> str:
        parts = {**self._written, part: text}.values()
        return " ".join(list(parts)[: len(self._text.split())])


def _miscounted(parts: Sequence[str]) -> str:
    """Return what to say of a text that does not have as many parts as a schedule."""
    names = ", ".join(part.name for part in PARTS[:-1])
    number = "1 part" if len(parts) == 1 else f"{len(parts)} parts"
    fault = f"It has {number}, and needs 6 or 7: {names} and, if wanted, {YEAR.name}."
    unix = " Unix cron has no seconds: put 0 in front, ? for the day that does not matter, and count days from SUN = 1."
    return fault + unix if len(parts) == len(PARTS) - 2 else fault
