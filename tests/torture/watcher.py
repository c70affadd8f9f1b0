"""A watcher: reads an index all the time while it is written to, and sees whether a document is ever missing."""

import asyncio
from collections.abc import Collection
from types import TracebackType
from typing import Self

from connectors.engine import Engine
from connectors.engine.scan import Walk
from connectors.errors import IndexMissing, ScanIncomplete


class Watcher:
    """Looks for these documents at every moment of a block, at the end of which `missing` names what was not there."""

    def __init__(self, engine: Engine, index: str, ids: Collection[str], *, every_s: float = 0.02) -> None:
        self.missing: set[str] = set()
        self.looks = 0
        self._engine = engine
        self._index = index
        self._ids = frozenset(ids)
        self._every_s = every_s

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch(), name="watcher")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task.done():
            self._task.result()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        data = self._engine.data
        while True:
            try:
                await data.refresh(self._index)
                found = {hit.id async for page in data.scan(Walk(self._index)) for hit in page}
            except (IndexMissing, ScanIncomplete):
                continue
            self.missing |= self._ids - found
            self.looks += 1
            await asyncio.sleep(self._every_s)
