"""Tables: files of rows, and what each format of them has to offer."""

from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from connectors.dataset import Row
from connectors.sources._tables.snapshot import Snapshot

LONGEST_ROW: Final = 16 * 1024 * 1024
"""Bytes, or characters of what is decoded first, of one row. A longer one is not read."""
BATCH_ROWS: Final = 1_000
BATCH_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class Unreadable:
    """A row that is there and can't be parsed; the reason is the end of a sentence."""

    reason: str


Numbered = tuple[int, Row | Unreadable]
"""A row with what tells its place in the file, which grows from row to row."""
Steps = Generator[list[Any], None, "Survey"]
"""Work that pauses now and then, with an empty batch each time, and returns what it has found."""


@dataclass(frozen=True)
class Survey:
    """What one pass over a file has found: the JSON Schema of each column by its name, and the number of rows.

    `readers` are the columns whose texts stand for something else, each with what makes it of such a text.
    """

    columns: Mapping[str, Mapping[str, Any]]
    rows: int
    readers: Mapping[str, Any] = field(default_factory=dict)


class Format(Protocol):
    """How files of one format are read. Everything blocks, in small steps."""

    def survey(self, file: Snapshot) -> Steps:
        """Go over a file once and say what is in it."""
        ...

    def batches(
        self, file: Snapshot, survey: Survey, columns: Collection[str] | None, after: int
    ) -> Iterator[list[Numbered]]:
        """Yield the rows whose numbers are greater than one, with these columns or all, in the order of the file.

        A batch is empty now and then, so that whoever waits for it can leave.
        """
        ...
