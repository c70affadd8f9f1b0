"""JSON Lines: a file with one JSON object a line."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, TypedDict

import msgspec

from connectors.dataset import Row
from connectors.sources._tables.columns import DATE, DATE_TIME, Kind
from connectors.sources._tables.format import BATCH_BYTES, BATCH_ROWS, LONGEST_ROW, Numbered, Steps, Survey, Unreadable
from connectors.sources._tables.snapshot import Snapshot

MOST_COLUMNS: Final = 10_000
"""Names that a schema holds: a file whose objects have keys of their own, each, may have any number of them."""
_BOM: Final = b"\xef\xbb\xbf"
_MOST_SHAPES: Final = 10_000
_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}


class JsonLines:
    """Reads JSON Lines, which are UTF-8. A row's number is that of its line, from 1; lines of nothing are left out.

    Values are what JSON says they are: whole numbers are exact however large, the last of several equal names counts,
    and what JSON does not have (NaN) can't be read.
    """

    def survey(self, file: Snapshot) -> Steps:
        """Go over all rows."""
        shapes, count = _Shapes(), 0
        for batch in self.batches(file, Survey({}, 0), None, 0):
            rows = [row for _, row in batch if not isinstance(row, Unreadable)]
            shapes.add(rows)
            count += len(rows)
            yield []
        return Survey(shapes.schemas(), count)

    def batches(
        self,
        file: Snapshot,
        survey: Survey,
        columns: Collection[str] | None,
        after: int,
    ) -> Iterator[list[Numbered]]:
        """Yield the rows behind a line."""
        decode = _decoder(columns).decode
        batch: list[Numbered] = []
        taken = count = 0
        for number, line in _lines(file.content()):
            taken, count = taken + len(line), count + 1
            if len(line) > LONGEST_ROW and number > after:
                batch.append((number, Unreadable(f"is longer than {LONGEST_ROW:,} bytes")))
            elif number > after and line and not line.isspace():
                try:
                    batch.append((number, decode(line)))
                except (ValueError, RecursionError) as error:
                    if not line.endswith(b"\n") and file.has_grown:
                        break  # it is still being written
                    batch.append((number, Unreadable(_reason(error))))
            if count >= BATCH_ROWS or taken >= BATCH_BYTES or not line:
                yield batch
                batch, taken, count = [], 0, 0
        yield batch


def _lines(content: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines with their numbers: of one that is too long its beginning, then nothing for each further part."""
    number, is_inside = 0, False
    while line := content.readline(LONGEST_ROW + 1):
        if is_inside:
            yield number, b""
        else:
            number += 1
            yield number, (line.removeprefix(_BOM) or b"\n") if number == 1 else line
        is_inside = not line.endswith(b"\n")


def _decoder(columns: Collection[str] | None) -> "msgspec.json.Decoder[Row]":
    """Return a decoder of rows, which passes over what is not among the columns without making anything of it."""
    if columns is None:
        return msgspec.json.Decoder(dict[str, Any])
    return msgspec.json.Decoder(TypedDict("Row", dict.fromkeys(columns, Any), total=False))  # type: ignore[operator]


def _reason(error: Exception) -> str:
    return "is nested too deep" if isinstance(error, RecursionError) else f"is no JSON object in UTF-8 ({error})"


class _Shapes:
    """Collects the types of all values by the names of their columns.

    Rows of one file have few shapes (names and types), so that looking closer at each new one is enough. What texts
    stand for is looked at in each row, as long as there are columns whose texts may be dates.
    """

    def __init__(self) -> None:
        self._types: dict[str, set[type]] = {}
        self._dates: dict[str, Kind] = {}
        self._seen: set[tuple[Any, ...]] = set()

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            shape = (*row, *map(type, row.values()))
            if shape not in self._seen:
                self._look_at(row)
                if len(self._seen) >= _MOST_SHAPES:
                    self._seen.clear()
                self._seen.add(shape)
        for name, kind in tuple(self._dates.items()):
            if not kind.fits([text for row in rows if isinstance(text := row.get(name), str)]):
                del self._dates[name]

    def _look_at(self, row: Row) -> None:
        for name, value in row.items():
            if name not in self._types and len(self._types) >= MOST_COLUMNS:
                continue
            types = self._types.setdefault(name, set())
            if isinstance(value, str) and str not in types:
                self._dates.update((name, kind) for kind in (DATE, DATE_TIME) if kind.fits([value]))
            types.add(type(value))

    def schemas(self) -> dict[str, Mapping[str, Any]]:
        return {name: self._schema(name, types) for name, types in self._types.items()}

    def _schema(self, name: str, types: set[type]) -> Mapping[str, Any]:
        """Return the schema of a column: the types of its values, of which a number may be a whole one."""
        known = [word for kind, word in _TYPES.items() if kind in types and not (kind is int and float in types)]
        words = [*known, *(["null"] if type(None) in types else [])]
        formats = self._dates[name].schema if name in self._dates else {}
        return {**formats, "type": words[0] if len(words) == 1 else words}
