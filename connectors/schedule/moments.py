"""Moments: the dates and times of a schedule as calendar and clock show them, without any zone."""

from bisect import bisect_left
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from connectors.schedule.days import Days, Month

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Times:
    """Times of a day: each hour with each minute with each second, all in order."""

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    def first(self) -> time:
        """Return the earliest."""
        return time(self.hours[0], self.minutes[0], self.seconds[0])

    def after(self, moment: time) -> time | None:
        """Return the first one later than a time of the same day."""
        place = bisect_left(self.hours, moment.hour)
        if place < len(self.hours) and self.hours[place] == moment.hour:
            if within := self._after_in_hour(moment.minute, moment.second):
                return time(moment.hour, *within)
            place += 1
        return time(self.hours[place], self.minutes[0], self.seconds[0]) if place < len(self.hours) else None

    def _after_in_hour(self, minute: int, second: int) -> tuple[int, int] | None:
        place = bisect_left(self.minutes, minute)
        if place < len(self.minutes) and self.minutes[place] == minute:
            later = bisect_left(self.seconds, second + 1)
            if later < len(self.seconds):
                return minute, self.seconds[later]
            place += 1
        return (self.minutes[place], self.seconds[0]) if place < len(self.minutes) else None


@dataclass(frozen=True)
class Dates:
    """Dates: some days of some months of some years, all in order."""

    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def first_from(self, start: date) -> date | None:
        """Return the first one that is not earlier than a date."""
        for year in self.years[bisect_left(self.years, start.year) :]:
            from_month = start.month if year == start.year else 1
            for month in self.months[bisect_left(self.months, from_month) :]:
                first, length = monthrange(year, month)
                days = self.days.within(Month(length, first))
                place = bisect_left(days, start.day) if (year, month) == (start.year, start.month) else 0
                if place < len(days):
                    return date(year, month, days[place])
        return None


@dataclass(frozen=True)
class Moments:
    """Each of the times on each of the dates."""

    dates: Dates
    times: Times

    def after(self, moment: datetime) -> datetime | None:
        """Return the first one later than a moment; neither has a zone."""
        if not self.times.hours:
            return None
        today = moment.date()
        day = self.dates.first_from(today)
        if day == today:
            later = self.times.after(moment.time())
            if later is not None:
                return datetime.combine(today, later)
            day = self.dates.first_from(today + _DAY)
        return None if day is None else datetime.combine(day, self.times.first())
