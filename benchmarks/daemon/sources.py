"""Sources for measuring daemons: one that waits rather than computes, and one that is walked each time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from connectors.byoc import Filter
from connectors.source import BaseDataSource, Yielded

WAIT_S: Final = 2.0
DOCUMENTS: Final = 100


class WalkedDataSource(BaseDataSource):
    """Some documents, of which it can't be told whether any has changed."""

    name = "Walked"
    service_type = "walked"

    async def ping(self) -> None:
        """Reach nothing."""

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        """Yield the same documents each time."""
        del filtering
        for number in range(DOCUMENTS):
            yield {"_id": str(number), "text": "A document."}, None


class WaitingDataSource(WalkedDataSource):
    """One document, which takes a while to come, as from a slow server."""

    name = "Waiting"
    service_type = "waiting"

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        """Wait, and yield it."""
        del filtering
        await asyncio.sleep(WAIT_S)
        yield {"_id": "1", "text": "A document."}, None
