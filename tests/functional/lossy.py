"""A source with the worst fault that there is: it leaves something out and says nothing."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from connectors.changes import Failed
from connectors.dataset import Dataset, Key, Row
from connectors.predicate import ALWAYS, Predicate
from connectors.sources.sqlite import SQLiteDataSource

LOST: Final = 1_000
"""One row of so many."""


class LossySQLiteDataSource(SQLiteDataSource):
    """Reads SQLite, but for every so many-th row of a table."""

    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row | Failed]:
        """Yield most rows."""
        count = 0
        async for row in super().read(dataset, columns, where, after, limit):
            count += 1
            if count % LOST:
                yield row
