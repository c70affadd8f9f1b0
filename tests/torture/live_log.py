"""A source that is a file to which lines are added, told as it happens: documents, and ids of those that are gone."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Delete, Document, Upsert
from connectors.fields import Field, Fields
from connectors.source import BaseDataSource, Token, Yielded

LOOK_EVERY_S: Final = 0.02
LIVE_SOURCES: Final = {"live_log": "tests.torture.live_log:LiveLogDataSource"}


class LiveLog:
    """The file, as a test writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def put(self, doc_id: str, **fields: Any) -> None:
        """Add that a document is new or different."""
        self._add({"_id": doc_id, **fields})

    def delete(self, doc_id: str) -> None:
        """Add that a document is gone."""
        self._add({"_id": doc_id, "!gone": True})

    def documents(self) -> dict[str, Document]:
        """Return what there is when all of it has happened."""
        return _documents(self.path.read_bytes())

    def _add(self, line: dict[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(json.dumps(line).encode() + b"\n")


class LiveLogDataSource(BaseDataSource):
    """The lines of a file."""

    name = "Live log"
    service_type = "live_log"
    fields = Fields(Field("path", "File"), Field("note", "Shapes nothing", required=False, default=""))
    incremental_sync_enabled = True

    async def ping(self) -> None:
        """Reach the file."""
        self._read(0)

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Compare the size."""
        del filtering
        now = {"at": len(self._read(0))}
        return token != now, now

    def cursor_of(self, token: Token) -> Cursor | None:
        """Return the same as a cursor."""
        return dict(token)

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        """Yield what there is."""
        del filtering
        for one in _documents(self._read(0)).values():
            yield one, None

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
            await asyncio.sleep(LOOK_EVERY_S)

    def _told(self, at: int) -> Iterator[Change]:
        for line in self._read(at).splitlines(keepends=True):
            if not line.endswith(b"\n"):
                return
            at += len(line)
            found = json.loads(line)
            yield Delete(found["_id"]) if "!gone" in found else Upsert(found)
            yield Checkpoint({"at": at})

    def _read(self, at: int) -> bytes:
        with Path(self.configuration["path"]).open("rb") as file:
            file.seek(at)
            return file.read()


def _documents(content: bytes) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for line in content.splitlines(keepends=True):
        if line.endswith(b"\n"):
            one = json.loads(line)
            if "!gone" in one:
                found.pop(one["_id"], None)
            else:
                found[one["_id"]] = one
    return found
