"""What is held back: deletions that wait for a person's word, and those for which it was given."""

from collections.abc import AsyncIterator, Sequence

import numpy as np

from connectors.aio.clock import Clock
from connectors.errors import Conflict, DocumentSkipped
from connectors.store.held import HeldSet, HeldSets, HeldStatus
from connectors.store.sync_state import JobType
from connectors.sync.document.prepared import key_of
from connectors.sync.ledger.ledger import Ledger, keys_of
from connectors.sync.owner.lease import Lease


class HeldBack:
    """The held deletions of one connector, as one sync sees them.

    An approval is of the ids of one run, and is used up by the next complete walk; ids that are in the source again
    are not deleted, and new ones are held anew.
    """

    def __init__(self, sets: HeldSets, lease: Lease, job_type: JobType, clock: Clock) -> None:
        self._sets = sets
        self._lease = lease
        self._job_type = job_type
        self._clock = clock
        self._approved: Ledger | None = None
        self._used: list[HeldSet] = []
        self.reason: str | None = None
        """Why the walk that is settled now had deletions held; None when it had none."""

    def begin(self) -> None:
        """Forget what an earlier walk of the same sync had held: another one found out anew what is gone."""
        self.reason = None

    async def approved(self) -> Ledger | None:
        """Return the ids whose deletion was approved, as a ledger that has seen and holds them; None without any."""
        if self._approved is not None:
            return self._approved
        claim = self._lease.claim
        for held in await self._sets.of(claim.connector, status=HeldStatus.APPROVED):
            if held.job_type is not self._job_type or held.target != claim.target.uuid:
                continue
            self._approved = self._approved or Ledger()
            self._used.append(held)
            async for ids in self._sets.ids(held):
                keys = keys_of(b"".join(_keys(ids)))
                self._approved.visit(keys)
                self._approved.acknowledge(keys, np.zeros(len(keys), np.int64))
        return self._approved

    async def hold(self, reason: str, ids: AsyncIterator[Sequence[str]]) -> int:
        """Keep ids for a person to decide, in the place of what earlier syncs held, and return how many."""
        claim = self._lease.claim
        held = HeldSet(
            connector=claim.connector,
            run=claim.run,
            target=claim.target.uuid,
            job_type=self._job_type,
            reason=reason,
            created_at=self._clock.now(),
        )
        number = (await self._sets.hold(held, ids)).number
        self.reason = reason
        return number

    async def settle(self) -> None:
        """Remove what this walk has answered: all that was held before, whatever was said of it.

        An approval that nothing was deleted by lapses first, so that the one who gave it can see that.
        """
        await self._lease.ensure()
        claim = self._lease.claim
        for held in await self._sets.of(claim.connector):
            if held.job_type is not self._job_type or (held.run == claim.run and self.reason is not None):
                continue
            if held.status is HeldStatus.APPROVED and held not in self._used:
                await self._lapse(held)
            else:
                await self._sets.remove(held)

    async def _lapse(self, held: HeldSet) -> None:
        try:
            await self._sets.lapse(held.connector, held.run)
        except Conflict:
            return  # somebody decided otherwise a moment ago


def _keys(ids: Sequence[str]) -> list[bytes]:
    found = []
    for doc_id in ids:
        try:
            found.append(key_of(doc_id))
        except DocumentSkipped:
            continue
    return found
