"""The roster: the connectors that there are, kept up to date by asking for what has changed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from connectors.aio.clock import Clock
from connectors.store.connector import Connector
from connectors.store.connectors import ConnectorStore

if TYPE_CHECKING:
    from connectors.engine.records import Revision

WHOLE_EVERY: Final = timedelta(seconds=60)
"""How often it is asked for all of them: then it is noticed which are gone, and an index that was made anew."""


class Roster:
    """Knows every connector that is not deleted, as it was when `look` was last called.

    A look asks which write each connector stems from that was written of late, now and then that of all of them; only
    those that are other than before are read.
    """

    def __init__(self, store: ConnectorStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._connectors: dict[str, Connector] = {}
        self._revisions: dict[str, Revision] = {}
        """Of all connectors, deleted ones too."""
        self._since = -1
        self._whole_at: float | None = None

    @property
    def connectors(self) -> Mapping[str, Connector]:
        """The connectors by their ids."""
        return self._connectors

    async def look(self) -> set[str]:
        """Return the ids of the connectors that are new, other than before or gone. Raises an `EngineError`."""
        now = self._clock.monotonic()
        recent = None
        if self._whole_at is not None and now - self._whole_at < WHOLE_EVERY.total_seconds():
            recent = await self._store.revisions_since(self._since)
        found = recent if recent is not None else await self._store.revisions()
        other = {name for name, revision in found.items() if self._revisions.get(name) != revision}
        gone = self._revisions.keys() - found.keys() if recent is None else set[str]()
        changed = await self._take(other, gone) if other or gone else set[str]()
        # Not by what was read afterwards: much may have been written in between that was not found.
        self._since = max((one.seq_no for one in found.values()), default=-1 if recent is None else self._since)
        if recent is None:
            self._whole_at = now
        return changed

    async def _take(self, other: set[str], gone: set[str]) -> set[str]:
        """Read connectors that are other than before, forget those that are gone, and return which are concerned."""
        read = {one.id: one for one in await self._store.get_many(other)}
        known, connectors = self._connectors, dict(self._connectors)
        for name in other | gone:
            connectors.pop(name, None)
            self._revisions.pop(name, None)
            if (one := read.get(name)) is not None:
                self._revisions[name] = one.revision
                if not one.deleted:
                    connectors[name] = one
        self._connectors = connectors
        return {name for name in other | gone if name in known or name in connectors}
