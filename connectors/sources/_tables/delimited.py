"""CSV: a file of rows of texts, the first of which names the columns."""

import codecs
import csv
import io
import re
from bisect import bisect
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from connectors.dataset import Row
from connectors.errors import SourceError
from connectors.sources._tables.columns import Column, Reader
from connectors.sources._tables.format import BATCH_BYTES, BATCH_ROWS, LONGEST_ROW, Numbered, Steps, Survey, Unreadable
from connectors.sources._tables.snapshot import Snapshot

AUTO: Final = "auto"
DELIMITERS: Final = (",", ";", "\t", "|")
MOST_LINES: Final = 1_000
"""Lines of one row that can't be parsed: with a quote that is never closed, all that follow are in that row."""
_BOMS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_UNDECODED: Final = re.compile("[\udc80-\udcff]")  # what the codecs make of bytes that are none of theirs


@dataclass(frozen=True)
class Csv:
    """Reads CSV, or values that are separated by something else. A row's number is that of the line it begins in.

    The first row names the columns: one without a name is called after its place (`column_3`), and one whose name is
    taken already is too (`name_3`). An empty cell is None. Where a file has all columns of the key, these keep their
    texts: else one more row could turn the ids of all others from numbers into texts.
    """

    delimiter: str = AUTO
    encoding: str = "utf-8"
    key: Sequence[str] = ()

    def survey(self, file: Snapshot) -> Steps:
        """Go over all rows, and find out what the texts of each column stand for."""
        records = self._records(file)
        columns, rows = {name: Column() for name in records.names}, 0
        for batch in records.batches():
            for column, texts in zip(columns.values(), zip(*batch.cells, strict=True), strict=False):
                column.add(texts)
            rows += len(batch.cells)
            yield []
        keyed = set(self.key) if columns.keys() >= set(self.key) else set()
        readers = {name: column.reader for name, column in columns.items() if column.reader and name not in keyed}
        schemas = {name: column.text_schema if name in keyed else column.schema for name, column in columns.items()}
        return Survey(schemas, rows, readers)

    def batches(
        self, file: Snapshot, survey: Survey, columns: Collection[str] | None, after: int
    ) -> Iterator[list[Numbered]]:
        """Yield the rows behind a line."""
        records = self._records(file)
        wanted = [
            (place, name, survey.readers.get(name))
            for place, name in enumerate(records.names)
            if columns is None or name in columns
        ]
        for batch in records.batches():
            start = bisect(batch.numbers, after)
            rows = zip(batch.numbers[start:], _rows(batch.cells[start:], wanted), strict=True)
            faults = [fault for fault in batch.faults if fault[0] > after]
            yield sorted([*rows, *faults], key=itemgetter(0)) if faults else list(rows)

    def _records(self, file: Snapshot) -> "_Records":
        content = file.content()
        start = content.peek(4)
        encoding = next((name for bom, name in _BOMS.items() if start.startswith(bom)), self.encoding)
        text = io.TextIOWrapper(content, encoding, errors="surrogateescape", newline="")
        return _Records(file, _Lines(text), self.delimiter)


def _rows(cells: Sequence[Sequence[str]], wanted: Sequence[tuple[int, str, Reader | None]]) -> list[Row]:
    """Return rows, made of whole columns: most of the time goes into the values, and so is spent in a tight loop."""
    if not cells or not wanted:
        return [{} for _ in cells]
    names = [name for _, name, _ in wanted]
    texts = list(zip(*cells, strict=True))
    columns = [_values(texts[place], read) for place, _, read in wanted]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _values(texts: Sequence[str], read: Reader | None) -> list[Any]:
    if read is None:
        return [text or None for text in texts]
    return [read(text) if text else None for text in texts]


@dataclass(frozen=True)
class _Batch:
    """Some rows: the numbers and cells of those that are sound, and those that are not."""

    numbers: list[int] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    faults: list[Numbered] = field(default_factory=list)


class _Records:
    """The rows of one file behind the names of its columns."""

    def __init__(self, file: Snapshot, lines: "_Lines", delimiter: str) -> None:
        csv.field_size_limit(LONGEST_ROW)  # of the whole process; what is here is limited by the row
        self._file, self._lines = file, lines
        try:
            first = next((line for line in lines if line.strip()), "")
            self._reader = csv.reader(chain([first], lines), delimiter=_delimiter(first, delimiter), strict=True)
            self.names = _names(next(self._reader, []))
        except csv.Error as error:
            lines.fault = f"is no CSV ({error})"
        if lines.fault is not None:
            raise SourceError(f"The names of the columns of {file.name!r} can't be read: the line {lines.fault}.")

    def batches(self) -> Iterator[_Batch]:
        """Yield all rows. A row of several lines that can't be parsed is one for each line, as it may be many rows."""
        lines, batch, taken = self._lines, _Batch(), 0
        while True:
            first = lines.begin()
            try:
                cells, fault = next(self._reader, None), lines.fault
            except csv.Error as error:
                cells, fault = [], f"is no CSV ({error})"
            if cells is None:
                break
            if cells and fault is None and len(cells) != len(self.names):
                fault = f"has {len(cells)} cells instead of {len(self.names)}"
            if fault is not None:
                if not lines.has_end and self._file.has_grown:
                    break  # it is still being written
                batch.faults.extend(self._faults(first, fault))
            elif cells:
                batch.numbers.append(first)
                batch.cells.append(cells)
            taken += lines.size
            if len(batch.cells) + len(batch.faults) >= BATCH_ROWS or taken >= BATCH_BYTES:
                yield batch
                batch, taken = _Batch(), 0
        yield batch

    def _faults(self, first: int, fault: str) -> Iterator[Numbered]:
        last = self._lines.number
        if last - first >= MOST_LINES:
            message = (
                f"The row of {self._file.name!r} that begins in line {first:,} {fault}, and goes on to line {last:,}."
            )
            raise SourceError(message, hint="Look for a quote that is not closed.")
        yield from ((number, Unreadable(fault)) for number in range(first, last + 1))


class _Lines:
    """The lines of a text, counted, and what there is to say of those that were asked for since a row began."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.number = 0
        self.has_end = True
        self.begin()

    def begin(self) -> int:
        """Forget the row before, and return the number of the line that comes next."""
        self.fault: str | None = None
        self.size = 0
        return self.number + 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Return a line. Raises a `csv.Error` for a row that is too long, and again for each further part of a line."""
        line = self._text.readline(LONGEST_ROW)
        if not line:
            raise StopIteration
        is_rest = not self.has_end
        self.number += not is_rest
        self.size += len(line)
        self.has_end = line.endswith(("\n", "\r"))
        if is_rest or self.size >= LONGEST_ROW:
            raise csv.Error(f"longer than {LONGEST_ROW:,} characters")
        if not line.isascii() and _UNDECODED.search(line):
            self.fault = "holds bytes that are none of the file's encoding"
        return line


def _delimiter(first: str, given: str) -> str:
    """Return what separates the names of the columns: that of which there are the most, unless it was said."""
    if given != AUTO:
        return given
    return max(DELIMITERS, key=lambda one: len(next(csv.reader([first], delimiter=one))))


def _names(cells: Sequence[str]) -> list[str]:
    """Return the names of the columns, each another one, so that no value hides another."""
    names: list[str] = []
    for place, name in enumerate(cells, 1):
        free = name or f"column_{place}"
        while free in names or (free != name and free in cells):
            free = f"{free}_{place}"
        names.append(free)
    return names
