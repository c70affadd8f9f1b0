"""The allowance: how many deletions a sync of single documents carries out, and which it holds for a person's word."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np

from connectors import logger
from connectors.store.held import HeldStatus
from connectors.sync.deleting.held_back import HeldBack
from connectors.sync.document.prepared import key_of
from connectors.sync.job import Job
from connectors.sync.ledger.ledger import Keys, Ledger, keys_of
from connectors.sync.ledger.scan import ours, query

log = logger.get(__name__)


class Allowance:
    """The guard of a sync that is told of each document alone that it is gone.

    A walk knows how many are gone before it deletes the first; here nobody knows how many more will come. So deletions
    are carried out up to the limit of the guard, reckoned by the documents that the index held when the first one
    came, and every further one of the sync is held: what an emptied table or a lost permission can take away is
    bounded, and a person is told. What is held is a set like that of a full sync: its documents stay until it was
    approved and a complete walk finds them gone too, or until that walk decides by itself. Documents that come again
    in the same sync are not held any more.

    Only keys are kept meanwhile; `hold` reads from the index which documents they stand for.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._most: int | None = None
        self._carried_out = 0
        self._kept = Ledger()
        self._is_held = True
        """Whether what is kept is what was held last."""

    @property
    def any_kept(self) -> bool:
        """Whether there are deletions to be held."""
        return bool(self._kept.held)

    @property
    def any_to_hold(self) -> bool:
        """Whether some of them are not held yet."""
        return self.any_kept and not self._is_held

    async def recall(self) -> None:
        """Take up what an earlier attempt of the same job held: nothing more is deleted before somebody has decided."""
        job, claim = self._job, self._job.lease.claim
        found = await job.place.held.get(claim.connector, claim.run)
        if found is None or found.target != claim.target.uuid:
            return
        async for ids in job.place.held.ids(found):
            self._keep(keys_of(b"".join(map(key_of, ids))))
        self._is_held = True
        job.report.held = self._kept.held

    def renew(self) -> None:
        """Begin to count anew, in a sync that is one of a row, unless deletions are held."""
        if not self.any_kept:
            self._most, self._carried_out = None, 0

    async def takes(self, key: bytes) -> bool:
        """Return whether a deletion may be carried out; if not it is kept."""
        if self._carried_out < await self._allowed() and not self.any_kept:
            self._carried_out += 1
            return True
        self._keep(keys_of(key))
        return False

    def forget(self, keys: Keys) -> None:
        """Learn that the source tells of these documents again."""
        if self._kept.held and self._kept.peek(keys).held.any():
            self._kept.drop(keys)
            self._is_held = False

    async def hold(self) -> None:
        """Hold what was kept, and say so in the report.

        What a person has approved meanwhile stays as it is: the walk that obeys it finds the others too.
        """
        if self._is_held:
            return
        job, report, claim = self._job, self._job.report, self._job.lease.claim
        found = await job.place.patience(lambda _: job.place.held.get(claim.connector, claim.run))
        self._is_held = True
        if found is not None and found.status is not HeldStatus.HELD:
            return
        if not self.any_kept:
            report.held = 0
            if found is not None:
                await job.place.patience(lambda _: job.place.held.remove(found))
            return
        reason = f"The source told of more deletions than {await self._allowed():,}, which is the limit of one sync."
        held_back = HeldBack(job.place.held, job.lease, job.state.value.job_type, job.place.clock)
        await job.place.patience(lambda _: job.place.engine.data.refresh(job.target.index))
        report.held = await held_back.hold(reason, self._ids())
        log.warning("Deletions are held until a person has decided.", reason=reason, documents=report.held)
        report.warnings.append(
            f"{report.held:,} deletions are held: {reason} `connectors deletes list {job.connector.id}` tells more."
        )

    def _keep(self, keys: Keys) -> None:
        self._kept.acknowledge(keys, np.zeros(len(keys), np.int64))
        self._is_held = False

    async def _allowed(self) -> int:
        """Return how many deletions may be carried out, as of the first time that this was asked."""
        if self._most is None:
            self._most = await self._limit()
        return self._most

    async def _limit(self) -> int:
        job = self._job
        data, index = job.place.engine.data, job.target.index
        await job.place.patience(lambda _: data.refresh(index))
        documents = await job.place.patience(lambda _: data.count(index, query(job.connector.id)))
        return job.settings.delete_guard.most(documents)

    async def _ids(self) -> AsyncIterator[list[str]]:
        job = self._job
        async with aclosing(ours(job.place.engine.data, job.lease)) as pages:
            async for page in pages:
                yield [page.hits[place].id for place in np.flatnonzero(self._kept.peek(page.keys).held).tolist()]
