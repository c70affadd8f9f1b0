"""Parts: what one place of a schedule may say, such as its hours, and the numbers that it stands for."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.wording import shown

_VALUE: Final = r"[0-9]+|[A-Za-z]+"
_ITEM: Final = re.compile(rf"(?:\*|(?P<start>{_VALUE})(?:-(?P<end>{_VALUE}))?)?(?:/(?P<step>[0-9]+))?")


class Unreadable(ValueError):
    """A part does not say what it may say; the text is a whole sentence about it."""


@dataclass(frozen=True)
class Item:
    """One item of a list: numbers, and whether a wildcard or a step made them instead of naming them."""

    numbers: tuple[int, ...]
    stepped: bool


@dataclass(frozen=True)
class Part:
    """One place of a schedule: its name, the numbers from `first` to `last`, and words for them where there are such.

    A range that ends before it begins goes on from the first number, as 22-2 does among hours; years do not repeat.
    """

    name: str
    first: int
    last: int
    most_step: int
    words: tuple[str, ...] = ()
    repeats: bool = True
    also: str = ""
    """What may be written besides, as the end of a sentence."""

    def read(self, text: str) -> tuple[Item, ...]:
        """Return the items of a list. Raises `Unreadable`."""
        return tuple(self.item(one) for one in items_of(text, self))

    def item(self, text: str) -> Item:
        """Return what one item stands for. Raises `Unreadable`."""
        found = _ITEM.fullmatch(text)
        if found is None or not text:
            raise self.unreadable(text)
        start, end, step = found["start"], found["end"], self._step(text, found["step"])
        first = self.first if start is None else self.number(start, text)
        if end is not None:
            return Item(self._range(first, self.number(end, text), step or 1, text), stepped=step is not None)
        if start is not None and step is None:
            return Item((first,), stepped=False)
        return Item(tuple(range(first, self.last + 1, step or 1)), stepped=True)

    def number(self, text: str, item: str) -> int:
        """Return the number that digits or a word stand for in an item. Raises `Unreadable`."""
        if text.upper() in self.words:
            return self.words.index(text.upper()) + self.first
        if not text.isdecimal():
            raise self.unreadable(item)
        number = int(text)
        if not self.first <= number <= self.last:
            raise self.refused(item, f"is not {self.bounds}.")
        return number

    @property
    def bounds(self) -> str:
        """Which numbers there are, and which words."""
        words = f", or {self.words[0]} to {self.words[-1]}" if self.words else ""
        return f"from {self.first} to {self.last}{words}"

    def refused(self, item: str, why: str) -> Unreadable:
        """Return the error that says what is wrong with an item."""
        return Unreadable(f"The {self.name} {shown(item)} {why}")

    def unreadable(self, item: str) -> Unreadable:
        """Return the error that says what an item may be."""
        forms = f"*, a number ({self.bounds}), a range such as {self.first}-{self.first + 2}, a step such as "
        forms += f"{self.first}/2{self.also}, or a list of these with commas and no spaces"
        return self.refused(item, f"can't be read; it may be {forms}.")

    def _step(self, item: str, digits: str | None) -> int | None:
        step = None if digits is None else int(digits)
        if step is not None and not 1 <= step <= self.most_step:
            raise self.refused(item, f"has the step {shown(step)}, which is not from 1 to {self.most_step}.")
        return step

    def _range(self, first: int, last: int, step: int, item: str) -> tuple[int, ...]:
        if last >= first:
            return tuple(range(first, last + 1, step))
        if not self.repeats:
            raise self.refused(item, "ends before it begins.")
        count = self.last - self.first + 1
        return tuple((number - self.first) % count + self.first for number in range(first, last + count + 1, step))


def items_of(text: str, part: Part) -> Iterator[str]:
    """Yield the items of a list. Raises `Unreadable` for one that is empty, or that means no particular day."""
    for item in text.split(","):
        if not item:
            raise part.refused(text, "has a comma with nothing before or after it.")
        if item == "?":
            raise part.refused(text, "holds ?, which stands only for a whole day of the month or of the week.")
        yield item


def numbers_of(items: Iterable[Item]) -> tuple[int, ...]:
    """Return the numbers of some items, each once and in order."""
    return tuple(sorted({number for item in items for number in item.numbers}))


_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
SECOND: Final = Part("second", 0, 59, 59)
MINUTE: Final = Part("minute", 0, 59, 59)
HOUR: Final = Part("hour", 0, 23, 23)
DAY_OF_MONTH: Final = Part("day of the month", 1, 31, 31, also=", ?, L, L-3, LW, 15W")
MONTH: Final = Part("month", 1, 12, 12, _MONTHS)
DAY_OF_WEEK: Final = Part("day of the week", 1, 7, 7, _WEEKDAYS, also=", ?, L, 6L, FRIL, 6#3, FRI#3")
YEAR: Final = Part("year", 1970, 2099, 129, repeats=False)
PARTS: Final[Sequence[Part]] = (SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR)
"""The parts of a schedule in their order; the last may be left out."""
