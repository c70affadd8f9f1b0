"""Sources for measuring daemons: one that waits rather than computes, and one that is walked each time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Upsert
from connectors.fields import Field, Fields
from connectors.source import BaseDataSource, Token, Yielded

WAIT_S: Final = 2.0
DOCUMENTS: Final = 100
FOLLOWED_EVERY_S: Final = 0.005


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


class FollowedDataSource(BaseDataSource):
    """A file of lines, each an id and a number, that is followed as it grows."""

    name = "Followed"
    service_type = "followed"
    fields = Fields(Field("path", "File"))
    incremental_sync_enabled = True

    async def ping(self) -> None:
        """Reach nothing."""

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Compare the size."""
        del filtering
        now = {"at": len(self._read(0))}
        return token != now, now

    def cursor_of(self, token: Token) -> Cursor | None:
        """Return the same."""
        return dict(token)

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        """Yield the last line of each id."""
        del filtering
        last = dict(line.split() for line in self._read(0).decode().splitlines())
        for doc_id, number in last.items():
            yield {"_id": doc_id, "number": int(number)}, None

    async def get_docs_incrementally(
        self, sync_cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Change]:
        """Yield the lines behind a cursor."""
        del filtering
        for change in self._told(int(sync_cursor["at"]) if sync_cursor is not None else 0):
            yield change

    async def get_docs_live(self, sync_cursor: Cursor, filtering: Filter | None = None) -> AsyncIterator[Change]:
        """Yield them, and those that come."""
        del filtering
        at = int(sync_cursor["at"])
        while True:
            for change in self._told(at):
                if isinstance(change, Checkpoint):
                    at = int(change.cursor["at"])
                yield change
            await asyncio.sleep(FOLLOWED_EVERY_S)

    def _told(self, at: int) -> Iterator[Change]:
        for line in self._read(at).splitlines(keepends=True):
            if line.endswith(b"\n"):
                at += len(line)
                doc_id, number = line.decode().split()
                yield Upsert({"_id": doc_id, "number": int(number)})
        yield Checkpoint({"at": at})

    def _read(self, at: int) -> bytes:
        with Path(self.configuration["path"]).open("rb") as file:
            file.seek(at)
            return file.read()
