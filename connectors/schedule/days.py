"""Days: which days of a month a schedule means, whatever way it says so."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

from connectors.schedule.part import DAY_OF_MONTH, DAY_OF_WEEK, items_of

_FROM_LAST: Final = re.compile(r"L(?:-(?P<back>[0-9]+))?(?P<near>W)?", re.IGNORECASE)
_NEAR: Final = re.compile(r"(?P<day>[0-9]+)W", re.IGNORECASE)
_LAST_OF_WEEK: Final = re.compile(r"(?P<day>[0-9]+|[a-z]{3})L", re.IGNORECASE)
_NTH_OF_WEEK: Final = re.compile(r"(?P<day>[^#]*)#(?P<nth>.*)")
_MOST_BACK: Final = 30
_SATURDAY: Final = 5
_SUNDAY: Final = 6


@dataclass(frozen=True)
class Month:
    """All that tells the days of one month from those of another: how many there are, and what the first is.

    Weekdays are counted as Python counts them, from Monday = 0.
    """

    length: int
    first: int

    def weekday(self, day: int) -> int:
        """Return the weekday of a day."""
        return (self.first + day - 1) % 7

    def nth(self, weekday: int, nth: int) -> int:
        """Return the first, second and so on of the days with a weekday; it may lie behind the month's end."""
        return 1 + (weekday - self.first) % 7 + 7 * (nth - 1)

    def nearest(self, day: int) -> int:
        """Return the day from Monday to Friday that is nearest to a day, within the month."""
        weekday = self.weekday(day)
        if weekday == _SATURDAY:
            return day - 1 if day > 1 else day + 2
        if weekday == _SUNDAY:
            return day + 1 if day < self.length else day - 2
        return day


class Rule(Protocol):
    """One way to say which days."""

    def within(self, month: Month) -> Iterator[int]:
        """Yield the days that it means in a month, in any order; those that a month lacks may be among them."""
        ...


@dataclass(frozen=True)
class OfMonth:
    """Days by their numbers, and with `near` the nearest days from Monday to Friday instead."""

    numbers: tuple[int, ...]
    near: bool = False

    def within(self, month: Month) -> Iterator[int]:
        """Yield the days that the month has."""
        for day in self.numbers:
            if day <= month.length:
                yield month.nearest(day) if self.near else day


@dataclass(frozen=True)
class FromLast:
    """So many days before the last one, and with `near` the nearest day from Monday to Friday instead."""

    back: int
    near: bool = False

    def within(self, month: Month) -> Iterator[int]:
        """Yield that day, if the month is long enough."""
        return OfMonth((month.length - self.back,) if self.back < month.length else (), self.near).within(month)


@dataclass(frozen=True)
class OfWeek:
    """All days of some weekdays."""

    weekdays: tuple[int, ...]

    def within(self, month: Month) -> Iterator[int]:
        """Yield four or five days for each."""
        for weekday in self.weekdays:
            yield from range(month.nth(weekday, 1), month.length + 1, 7)


@dataclass(frozen=True)
class LastOfWeek:
    """The last day with a weekday."""

    weekday: int

    def within(self, month: Month) -> Iterator[int]:
        """Yield the one day."""
        yield max(OfWeek((self.weekday,)).within(month))


@dataclass(frozen=True)
class NthOfWeek:
    """The first to fifth day with a weekday."""

    weekday: int
    nth: int

    def within(self, month: Month) -> Iterator[int]:
        """Yield the one day; a fifth may lie behind the month's end."""
        yield month.nth(self.weekday, self.nth)


@dataclass(frozen=True)
class Days:
    """Days of a month: those that one rule or another means."""

    rules: tuple[Rule, ...]

    def within(self, month: Month) -> tuple[int, ...]:
        """Return the days in order."""
        found = self._known.get(month)
        if found is None:
            days = {day for rule in self.rules for day in rule.within(month) if day <= month.length}
            found = self._known[month] = tuple(sorted(days))
        return found

    @cached_property
    def _known(self) -> dict[Month, tuple[int, ...]]:
        """What was asked already: there are only 28 different months."""
        return {}


EVERY_DAY: Final = Days((OfMonth(tuple(range(1, 32))),))


def days_of_month(text: str) -> Days:
    """Return the days that a day of the month stands for. Raises `Unreadable`."""
    return Days(tuple(_rule_of_month(item) for item in items_of(text, DAY_OF_MONTH)))


def days_of_week(text: str) -> Days:
    """Return the days that a day of the week stands for. Raises `Unreadable`."""
    return Days(tuple(_rule_of_week(item) for item in items_of(text, DAY_OF_WEEK)))


def _rule_of_month(item: str) -> Rule:
    if last := _FROM_LAST.fullmatch(item):
        back = int(last["back"] or 0)
        if back > _MOST_BACK:
            raise DAY_OF_MONTH.refused(item, f"goes back {back} days from the last; at most {_MOST_BACK} are possible.")
        return FromLast(back, near=bool(last["near"]))
    if near := _NEAR.fullmatch(item):
        return OfMonth((DAY_OF_MONTH.number(near["day"], item),), near=True)
    return OfMonth(DAY_OF_MONTH.item(item).numbers)


def _rule_of_week(item: str) -> Rule:
    if item.upper() == "L":
        return OfWeek((_weekday(DAY_OF_WEEK.last),))
    if last := _LAST_OF_WEEK.fullmatch(item):
        return LastOfWeek(_weekday(DAY_OF_WEEK.number(last["day"], item)))
    if nth := _NTH_OF_WEEK.fullmatch(item):
        if nth["nth"] not in {"1", "2", "3", "4", "5"}:
            raise DAY_OF_WEEK.refused(item, "needs a number from 1 to 5 behind its #.")
        return NthOfWeek(_weekday(DAY_OF_WEEK.number(nth["day"], item)), int(nth["nth"]))
    return OfWeek(tuple(map(_weekday, DAY_OF_WEEK.item(item).numbers)))


def _weekday(number: int) -> int:
    """Return the weekday that a schedule counts from SUN = 1."""
    return (number + 5) % 7
