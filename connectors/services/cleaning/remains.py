"""Remains: what is still stored about connectors that were deleted."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import ClassVar, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.services.cleaning.orphaned_jobs import is_there
from connectors.services.scheduling.roster import Roster
from connectors.storage import Backend
from connectors.storages.engine import StoredValue
from connectors.store.connectors import ConnectorStore
from connectors.store.dead_letters import DeadLetters
from connectors.store.held import HeldChunk, HeldSet
from connectors.store.job import ACTIVE
from connectors.store.jobs import JobStore
from connectors.store.record import Record
from connectors.store.state import StateStore
from connectors.store.sync_state import SyncState
from connectors.store.ticks import SchedulesRecord, TickRecord

log = logger.get(__name__)
AFTER_S: Final = 86_400.0
"""How long a connector has to be gone: it may come back, from a backup for one."""
AT_ONCE: Final = 500
"""Records that are removed in one look."""
KINDS: Final[tuple[type[Record], ...]] = (HeldChunk, StoredValue, HeldSet, TickRecord, SchedulesRecord, SyncState)
"""In this order: a connector is found by the kinds at the end, so that whoever is interrupted finds it again."""
FOUND_BY: Final[tuple[type[Record], ...]] = (HeldSet, SchedulesRecord, SyncState)


@dataclass(frozen=True)
class Shelf:
    """Where connectors leave something."""

    state: StateStore
    letters: DeadLetters
    jobs: JobStore
    connectors: ConnectorStore
    storage: Backend
    """What keeps the values of sources."""


@dataclass
class Remains:
    """Removes what is stored about connectors that have been gone for a day, as seen by this daemon.

    What belongs to an index, its lease and its epoch, stays: others may write to it.
    """

    name: ClassVar[str] = "remains of connectors"
    every_s: ClassVar[float] = 600.0

    shelf: Shelf
    roster: Roster
    clock: Clock
    at_once: int = AT_ONCE
    _gone_since: dict[str, float] = field(default_factory=dict)

    async def look(self) -> bool:
        """Remove some of it, and return whether there is nothing left to be removed now."""
        now = self.clock.monotonic()
        found = {one for kind in FOUND_BY for one in await self.shelf.state.connectors_of(kind)}
        found |= await self.shelf.storage.connectors()
        gone = [one for one in sorted(found) if not await is_there(one, self.roster, self.shelf.connectors)]
        self._gone_since = {one: self._gone_since.get(one, now) for one in gone}
        budget = self.at_once
        for connector_id in gone:
            if now - self._gone_since[connector_id] >= AFTER_S and not await self._is_run(connector_id):
                budget -= await self._remove(connector_id, budget)
                if budget <= 0:
                    return False
        return True

    async def _is_run(self, connector_id: str) -> bool:
        return any(one.connector_id == connector_id for one in await self.shelf.jobs.active()) or any(
            one.status in ACTIVE for one in await self.shelf.jobs.of_connector(connector_id)
        )

    async def _remove(self, connector_id: str, most: int) -> int:
        """Remove what there is of a connector, so many records at most, and return how many."""
        removed = 0
        await self.shelf.letters.drop(connector_id)
        removed += await self.shelf.storage.forget(connector_id)
        async with aclosing(self._keys(connector_id)) as keys:
            async for key in keys:
                await self.shelf.state.delete(key)
                removed += 1
                if removed >= most:
                    return removed
        log.info("What was left of a connector that is gone was removed.", connector=connector_id, records=removed)
        return removed

    async def _keys(self, connector_id: str) -> AsyncGenerator[str, None]:
        for kind in KINDS:
            async with aclosing(self.shelf.state.keys(kind, connector=connector_id)) as keys:
                async for key in keys:
                    yield key
