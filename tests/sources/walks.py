"""Walks of databases: what the tests of their sources share, whichever database it is."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from connectors.aio.clock import SystemClock
from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.row_walk import closing_walk
from connectors.sources._sql.source import SQLDataSource

Row = dict[str, Any]
SEVERAL_MOMENTS = (
    "The database was not read as it was at one moment, but at several: a snapshot lasts 900 s at most "
    "(snapshot_max_s), and no longer than its connection."
)


class Ahead(SystemClock):
    """A clock that can be set ahead, and waits for nothing."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await super().sleep(0)


async def walked(source: SQLDataSource, filtering: Filter | None = None) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the documents of a walk, all of which can be read."""
    async with closing_walk(source.get_docs(filtering)) as found:
        async for one in found:
            document = one[0] if isinstance(one, tuple) else one
            assert isinstance(document, dict)
            yield document


def ids(rows: Sequence[Row | Failed], name: str = "id") -> list[Any]:
    """Return a column of rows."""
    return [row[name] if isinstance(row, dict) else row for row in rows]
