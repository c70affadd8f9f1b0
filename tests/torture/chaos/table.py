"""The table: what the syncs of a history read, with a log of its changes, and what each of them has read of it."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, NamedTuple

from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Delete, Failed, Upsert
from connectors.download import Download
from connectors.source import BaseDataSource, Token, Yielded
from tests.torture.chaos.network import Line, Network

ANCHOR = "d0"
"""A row that stays: of a source that yields nothing, deletions are held."""
PADDING = " " * (600 * 1024)
"""What makes two documents a chunk of a walk, and costs an engine next to nothing."""


class Value(NamedTuple):
    """What a row holds: a part that is metadata, and one that is content where documents have any."""

    meta: int
    text: str


@dataclass
class Table:
    """Rows that somebody changes; those of `unreadable` can't be read just now."""

    chance: random.Random
    ids: list[str]
    with_content: bool
    with_long_rows: bool
    rows: dict[str, Value] = field(default_factory=dict)
    changes: list[tuple[str, Value | None]] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._put(ANCHOR)

    def change(self) -> None:
        """Change one row, or remove it."""
        doc_id = self.chance.choice(self.ids)
        if doc_id in self.rows and doc_id != ANCHOR and self.chance.random() < 0.5:
            del self.rows[doc_id]
            self.changes.append((doc_id, None))
        else:
            self._put(doc_id)

    def _put(self, doc_id: str) -> None:
        self.rows[doc_id] = Value(self.chance.randrange(2), f"text {self.chance.randrange(2)}")
        self.changes.append((doc_id, self.rows[doc_id]))

    def order(self) -> list[str]:
        """Return the ids as a walk comes by them: now and then one comes again."""
        found = []
        for place, doc_id in enumerate(self.ids):
            found.append(doc_id)
            if self.chance.random() < 0.1:
                found.append(self.ids[self.chance.randrange(place + 1)])
        return found

    def yielded(self, doc_id: str, value: Value) -> dict[str, Any] | tuple[dict[str, Any], Download]:
        """Return a row as a source yields it: some with content, that some know the version of."""
        number = self.ids.index(doc_id)
        document: dict[str, Any] = {"_id": doc_id, "meta": value.meta}
        if self.with_long_rows and number % 2:
            document["padding"] = PADDING
        if not self.with_content or number % 3 == 0:
            return document | {"text": value.text}
        return document, Download(partial(_content, value.text), value.text if number % 3 == 1 else None)


async def _content(text: str) -> Mapping[str, Any]:
    return {"text": text}


@dataclass
class Reading:
    """What one sync has read in its last walk: None for an id that is not in the source, unless it was there before."""

    values: dict[str, Value | None] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    yielded: int = 0
    asked: dict[str, Value] = field(default_factory=dict)
    """The rows when it was asked whether anything had changed."""
    resumed: bool = False
    whole: bool = False
    """Whether it came from the beginning to the end."""
    deleted: set[str] = field(default_factory=set)
    """Of which an incremental sync was told that they are gone, whatever it was told of them then."""
    reached: int = 0
    """Up to where an incremental sync read the log."""

    def begin(self) -> None:
        """Forget what was read: the walk begins anew."""
        self.values.clear()
        self.failed.clear()
        self.deleted.clear()
        self.resumed = self.whole = False


class TableSource(BaseDataSource):
    """Reads the table. `source_of` makes the subclass for one process."""

    name = "Table"
    service_type = "table"
    table: ClassVar[Table]
    reading: ClassVar[Reading]
    network: ClassVar[Network]
    line: ClassVar[Line]
    told: ClassVar[Counter[str]]

    async def ping(self) -> None:
        """Find it there."""

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Tell by the length of the log."""
        await self.network.turn(self.line)
        now = len(self.table.changes)
        self.reading.asked = dict(self.table.rows)
        return token is None or token["changes"] != now, {"changes": now}

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        """Yield the rows, each as it is when its turn comes."""
        self.reading.begin()
        for doc_id in self.table.order():
            if (found := await self._read(doc_id)) is not None:
                yield found
        self.reading.whole = True

    async def get_docs_incrementally(
        self, sync_cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Change]:
        """Yield what the log says since a cursor, to its end."""
        table, reading = self.table, self.reading
        reading.begin()
        place = 0 if sync_cursor is None else sync_cursor["changes"]
        while place < len(table.changes):
            await self.network.turn(self.line)
            doc_id, value = table.changes[place]
            place += 1
            reading.values[doc_id] = value
            if value is None:
                reading.deleted.add(doc_id)
                yield Delete(doc_id)
            else:
                reading.yielded += 1
                yielded = table.yielded(doc_id, value)
                yield Upsert(*yielded) if isinstance(yielded, tuple) else Upsert(yielded)
            yield Checkpoint({"changes": place})
        reading.reached = place

    async def _read(self, doc_id: str) -> Yielded | None:
        await self.network.turn(self.line)
        table, reading = self.table, self.reading
        value = table.rows.get(doc_id)
        if value is None:
            reading.values.setdefault(doc_id, None)
            return None
        reading.yielded += 1
        if doc_id in table.unreadable:
            reading.failed.add(doc_id)
            return Failed(doc_id, "It can't be read just now.")
        reading.values[doc_id] = value
        return table.yielded(doc_id, value)


class ResumableSource(TableSource):
    """Reads the table in the order of its ids, and goes on behind any of them."""

    async def get_docs_from(
        self, cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Yielded | Checkpoint]:
        """Yield the rows behind a cursor."""
        self.reading.begin()
        self.reading.resumed = cursor is not None
        if cursor is not None:
            self.told["walks that were resumed"] += 1
        for doc_id in self.table.ids:
            if cursor is None or doc_id > cursor["id"]:
                if (found := await self._read(doc_id)) is not None:
                    yield found
                yield Checkpoint({"id": doc_id})
        self.reading.whole = cursor is None
