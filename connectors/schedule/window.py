"""Windows: at which times of the day and the week syncs that are due may begin, by the clocks of a time zone."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final, Self

from connectors.errors import ConfigurationError
from connectors.schedule.zone import CALM, Zone, offset_at, turned_between
from connectors.wording import shown

_DAYS: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_DAY: Final = timedelta(days=1)
_HORIZON: Final = timedelta(days=16)
"""A window opens each week, but where a zone leaves out its day."""
_TEXT: Final = re.compile(r"(?:(?P<days>[A-Za-z -]*[A-Za-z]) +)?(?P<begin>\d\d?:\d\d) *- *(?P<end>\d\d?:\d\d)")
_FORM: Final = "Write it like '22:00-06:00', 'SAT SUN 00:00-24:00' or 'MON-FRI 19:30-23:00'."


@dataclass(frozen=True)
class Window:
    """From one time to another on some days of the week, those on which it begins."""

    days: frozenset[int]
    """0 is Monday."""
    begin: timedelta
    end: timedelta
    """Both since midnight of the day on which it begins; the end may lie on the next one."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the window that a text says. Raises a `ValueError` that says what is wrong with it."""
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise ValueError(_FORM)
        begin, end = _since_midnight(found["begin"], latest=_DAY), _since_midnight(found["end"], latest=_DAY)
        if begin in (end, _DAY):
            raise ValueError("It has no length. Write 00:00-24:00 for a day.")
        return cls(_days(found["days"]), begin, end if end > begin else end + _DAY)

    def holds(self, shown_at: datetime) -> bool:
        """Return whether it is open when clocks show a moment."""
        midnight = datetime.combine(shown_at.date(), time())
        return any(
            day.weekday() in self.days and self.begin <= shown_at - day < self.end
            for day in (midnight, midnight - _DAY)
        )


@dataclass(frozen=True)
class Windows:
    """Some windows; without any, every moment is as good as another.

    What counts is what the clocks show. So one that begins in an hour that is left out opens when that is over, and one
    in an hour that comes twice is open twice.
    """

    windows: tuple[Window, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Return the windows that these texts say. Raises one `ConfigurationError` that names every fault."""
        found, faults = list[Window](), list[str]()
        for text in texts:
            try:
                found.append(Window.parse(text))
            except ValueError as error:
                faults.append(f"The window {shown(text)} can't be used. {error}")
        if faults:
            raise ConfigurationError(" ".join(faults), field="windows")
        return cls(tuple(found))

    def __bool__(self) -> bool:
        return bool(self.windows)

    def are_open(self, instant: datetime, zone: Zone = UTC) -> bool:
        """Return whether syncs may begin at an instant."""
        shown_at = instant.astimezone(zone).replace(tzinfo=None, fold=0)
        return not self.windows or any(one.holds(shown_at) for one in self.windows)

    def open_from(self, instant: datetime, zone: Zone = UTC) -> datetime:
        """Return the first instant at which syncs may begin, this one or a later one."""
        if self.are_open(instant, zone):
            return instant
        return min(one for one in self._openings(instant, zone) if one > instant and self.are_open(one, zone))

    def _openings(self, instant: datetime, zone: Zone) -> Iterator[datetime]:
        """Yield the instants after another at which one may open: at its beginning, or when clocks are turned."""
        start = instant.astimezone(UTC).replace(microsecond=0)
        midnight = datetime.combine(start.astimezone(zone).date(), time()) - _DAY
        for number in range(_HORIZON // _DAY + 2):
            for one in self.windows:
                moment = midnight + number * _DAY + one.begin
                for fold in (0, 1):
                    yield moment.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        for number in range(_HORIZON // CALM + 1):
            here, there = start + number * CALM, start + (number + 1) * CALM
            if offset_at(here, zone) != offset_at(there, zone):
                yield turned_between(here, there, zone)


def _since_midnight(text: str, *, latest: timedelta) -> timedelta:
    hours, minutes = map(int, text.split(":"))
    found = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or found > latest:
        raise ValueError(f"There is no time {text}.")
    return found


def _days(text: str | None) -> frozenset[int]:
    """Return the days that are named, by themselves or from one to the other; all where none is."""
    if text is None:
        return frozenset(range(len(_DAYS)))
    found = set[int]()
    for part in re.sub(r" *- *", "-", text).split():
        names = part.upper().split("-")
        unknown = [name for name in names if name not in _DAYS]
        if unknown or len(names) > 2:
            raise ValueError(f"There is no day {shown(unknown[0] if unknown else part)}. Known: {', '.join(_DAYS)}.")
        first, last = _DAYS.index(names[0]), _DAYS.index(names[-1])
        found.update((first + number) % len(_DAYS) for number in range((last - first) % len(_DAYS) + 1))
    return frozenset(found)
