"""Sources for measuring daemons: one that waits rather than computes, and one that is walked each time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor
from connectors.source import BaseDataSource, Token, Yielded

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


class QuietDataSource(WalkedDataSource):
    """The same documents, of which it tells that they change, as it happens: they never do."""

    name = "Quiet"
    service_type = "quiet"
    incremental_sync_enabled = True

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Return that nothing has."""
        del filtering
        return token is None, {"at": 0}

    def cursor_of(self, token: Token) -> Cursor | None:
        """Return the only cursor that there is."""
        return dict(token)

    async def get_docs_incrementally(
        self, sync_cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Change]:
        """Yield nothing but the cursor."""
        del sync_cursor, filtering
        yield Checkpoint({"at": 0})

    async def get_docs_live(self, sync_cursor: Cursor, filtering: Filter | None = None) -> AsyncIterator[Change]:
        """Wait for ever, as one who reads from a socket."""
        del filtering
        await asyncio.Event().wait()
        yield Checkpoint(sync_cursor)


class WaitingDataSource(WalkedDataSource):
    """One document, which takes a while to come, as from a slow server."""

    name = "Waiting"
    service_type = "waiting"

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        """Wait, and yield it."""
        del filtering
        await asyncio.sleep(WAIT_S)
        yield {"_id": "1", "text": "A document."}, None
