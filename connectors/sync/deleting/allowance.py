"""The allowance: how many deletions a sync of single documents carries out, and which it holds for a person's word."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np

from connectors import logger
from connectors.sync.deleting.held_back import HeldBack
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

    @property
    def any_kept(self) -> bool:
        """Whether there are deletions to be held."""
        return bool(self._kept.held)

    async def takes(self, key: bytes) -> bool:
        """Return whether a deletion may be carried out; if not it is kept."""
        if self._most is None:
            self._most = await self._limit()
        if self._carried_out < self._most:
            self._carried_out += 1
            return True
        self._kept.acknowledge(keys_of(key), np.zeros(1, np.int64))
        return False

    def forget(self, keys: Keys) -> None:
        """Learn that the source tells of these documents again."""
        if self._kept.held:
            self._kept.drop(keys)

    async def hold(self) -> None:
        """Hold what was kept, and say so in the report."""
        if not self._kept.held:
            return
        job, report = self._job, self._job.report
        reason = f"The source told of more deletions than {self._most:,}, which is the limit of one sync."
        held_back = HeldBack(job.place.held, job.lease, job.state.value.job_type, job.place.clock)
        await job.place.patience(lambda _: job.place.engine.data.refresh(job.target.index))
        report.held = await held_back.hold(reason, self._ids())
        log.warning("Deletions are held until a person has decided.", reason=reason, documents=report.held)
        report.warnings.append(
            f"{report.held:,} deletions are held: {reason} `connectors deletes list {job.connector.id}` tells more."
        )

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
