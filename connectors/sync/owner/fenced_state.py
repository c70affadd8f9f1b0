"""The fenced state: what a connector's syncs leave behind, which only the one with the highest epoch may change."""

from typing import Any, Final, Self

import msgspec

from connectors.errors import Conflict, JobLost
from connectors.store.record import Versioned
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType, SyncState
from connectors.sync.index.mark import MOST_BATCHES, version
from connectors.sync.owner.lease import Lease

_MOST_ATTEMPTS: Final = 10


class FencedState:
    """The state of one connector's syncs, taken by a sync at its beginning.

    Taking it puts the sync's epoch into the record, so that whoever owned the target before can change it no more: a
    cursor of theirs would say that something is done which a later owner may have undone.
    """

    def __init__(self, state: StateStore, record: Versioned[SyncState]) -> None:
        self._state = state
        self._record = record

    @classmethod
    async def taken(cls, state: StateStore, connector: str, job_type: JobType, lease: Lease) -> Self:
        """Return the state as the last sync left it, now ours. Raises `JobLost` when a later owner has taken it."""
        key = SyncState.key_of(connector, job_type)
        for _ in range(_MOST_ATTEMPTS):
            found = await state.read(key, SyncState)
            if found is not None and found.value.epoch >= lease.epoch:
                await lease.rise_above(version(found.value.epoch, MOST_BATCHES - 1))
            try:
                if found is None:
                    fresh = SyncState(connector=connector, job_type=job_type, epoch=lease.epoch)
                    return cls(state, await state.create(key, fresh))
                ours = msgspec.structs.replace(found.value, epoch=lease.epoch)
                return cls(state, await state.replace(key, found, ours))
            except Conflict:
                continue
        raise _lost(connector)

    @property
    def value(self) -> SyncState:
        """What it is now."""
        return self._record.value

    async def save(self, **changes: Any) -> None:  # noqa: ANN401 - fields of the record
        """Change some of it. Raises `JobLost` when a later owner has taken it."""
        changed = msgspec.structs.replace(self.value, **changes)
        key = SyncState.key_of(changed.connector, changed.job_type)
        for _ in range(_MOST_ATTEMPTS):
            try:
                self._record = await self._state.replace(key, self._record, changed)
            except Conflict:
                found = await self._state.read(key, SyncState)
                if found is None or found.value.epoch != changed.epoch:
                    break
                self._record = found  # our own earlier attempt, whose answer was lost: nobody else has this epoch
            else:
                return
        raise _lost(changed.connector)


def _lost(connector: str) -> JobLost:
    return JobLost(f"Another sync of {connector} has begun meanwhile, and what this one knows counts no longer.")
