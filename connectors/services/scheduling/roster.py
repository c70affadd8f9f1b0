"""The roster: the connectors that there are, kept up to date by asking for what has changed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from connectors.aio.clock import Clock
from connectors.store.connector import Connector
from connectors.store.connectors import ConnectorStore

WHOLE_EVERY: Final = timedelta(seconds=60)
"""How often all of them are read: then it is noticed which are gone, and an index that was made anew."""


class Roster:
    """Knows every connector that is not deleted, as it was when `look` was last called.

    A look is one small search for what has changed; now and then it reads all of them.
    """

    def __init__(self, store: ConnectorStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._connectors: dict[str, Connector] = {}
        self._whole_at: float | None = None

    @property
    def connectors(self) -> Mapping[str, Connector]:
        """The connectors by their ids."""
        return self._connectors

    async def look(self) -> set[str]:
        """Return the ids of the connectors that are new, other than before or gone. Raises an `EngineError`."""
        now = self._clock.monotonic()
        if self._whole_at is None or now - self._whole_at >= WHOLE_EVERY.total_seconds():
            found = {one.id: one async for one in self._store.all()}
            self._whole_at = now
            return self._become(found)
        since = max((one.revision.seq_no for one in self._connectors.values()), default=-1)
        changed = await self._store.changed_since(since)
        if changed is None:
            self._whole_at = None
            return await self.look()
        return self._become({**self._connectors, **{one.id: one for one in changed}})

    def _become(self, found: Mapping[str, Connector]) -> set[str]:
        before = self._connectors
        self._connectors = {name: one for name, one in found.items() if not one.deleted}
        return {
            name
            for name in before.keys() | self._connectors.keys()
            if _revision(before, name) != _revision(self._connectors, name)
        }


def _revision(among: Mapping[str, Connector], name: str) -> object:
    return among[name].revision if name in among else None
