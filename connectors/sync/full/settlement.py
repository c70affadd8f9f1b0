"""The settlement: at the end of a walk, the proof that the index holds what was walked, and the deletes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import numpy as np

from connectors import logger
from connectors.engine import Engine
from connectors.engine.records import Hit, Revision
from connectors.engine.stamp import Stamp
from connectors.errors import EngineDenied, IndexReplaced
from connectors.store.sync_settings import DeleteGuard
from connectors.sync.deleting.guard import Walked, reason_to_hold
from connectors.sync.deleting.held_back import HeldBack
from connectors.sync.ledger.ledger import Ledger
from connectors.sync.ledger.run import Bools
from connectors.sync.ledger.scan import Page, ours
from connectors.sync.report import SyncReport
from connectors.sync.workplace import Workplace
from connectors.sync.writing.batch import Removal
from connectors.sync.writing.writer import Writer

log = logger.get(__name__)
ROUNDS: Final = 6


@dataclass(frozen=True)
class Proof:
    """That the index held what was walked, when it stood at this stamp; without a stamp, when it was last read."""

    stamp: Stamp | None


class Settlement:
    """Goes on until the index has advanced by exactly what was acknowledged, and holds nothing that was not walked.

    Its base is where the index stood before the ledger was read. Nothing is in flight when the index is asked where it
    stands. If it advanced otherwise, it is scanned and compared with the ledger: when that agrees, answers were lost,
    or others wrote elsewhere; when not, there is no proof, and all has to be walked again. Every scan stands for a
    stamp that was taken before the refresh which it sees.
    """

    def __init__(
        self, place: Workplace, writer: Writer, ledger: Ledger, held_back: HeldBack, report: SyncReport
    ) -> None:
        self._engine = place.engine
        self._patience = place.patience
        self._writer = writer
        self._ledger = ledger
        self._held_back = held_back
        self._report = report
        self._kept = 0
        """Documents that are not in the source, and stay until a person has decided."""

    async def prove(self, base: Stamp | None, walked: "Found") -> Proof | None:
        """Return the proof; None when the index differs, and all has to be walked again. Raises `IndexReplaced`."""
        counted = walked.counted
        self._held_back.begin()
        self._report.held = 0
        if not walked.complete:
            self._kept = self._ledger.unseen
        for _ in range(ROUNDS):
            self._report.phase = "checking"
            await self._writer.drain()
            now = await self._patience(lambda _: stamp_of(self._engine, self._writer.index, walked.uuid))
            agreed = base is not None and now is not None and now.advance_since(base) == self._writer.counted - counted
            base, counted = now, self._writer.counted
            if agreed and self._ledger.unseen == self._kept:
                return Proof(now)
            self._report.scans += 1
            await self._patience(lambda _: self._engine.data.refresh(self._writer.index))
            if not agreed and not await self._agrees():
                return None
            if self._ledger.unseen > self._kept and (agreed or now is None):
                await self._delete(walked)
            elif now is None:
                return Proof(None)
        await self._writer.drain()
        return None

    async def _agrees(self) -> bool:
        """Return whether the index holds exactly what the ledger says that it does."""
        total = 0
        async with aclosing(ours(self._engine.data, self._writer.lease)) as pages:
            async for page in pages:
                known = self._ledger.peek(page.keys)
                if not bool(np.all(known.held & (known.fingerprints == page.fingerprints))):
                    return False
                total += len(page.hits)
        return total == self._ledger.held

    async def _delete(self, walked: "Found") -> None:
        """Delete what the index holds and the walk did not find, or have it held."""
        approved = await self._held_back.approved()
        allowed = self._count_unseen(approved)
        found = Walked(
            unseen=self._ledger.unseen - allowed,
            before=walked.before,
            seen=self._ledger.seen,
            known=self._ledger.held - self._ledger.unseen,
            datasets=walked.datasets,
            datasets_before=walked.datasets_before,
        )
        reason = reason_to_hold(found, walked.guard)
        self._report.phase = "deleting"
        if reason is None:
            await self._remove_all()
            return
        log.warning("Deletions are held until a person has decided.", reason=reason, documents=found.unseen)
        number = await self._held_back.hold(reason, self._to_hold(approved))
        self._kept = number
        self._report.held = number

    async def _remove_all(self) -> None:
        async for page, unseen in self._unseen():
            await self._writer.confirm()
            for place in np.flatnonzero(unseen).tolist():
                await self._remove(page.hits[place], page.keys[place].tobytes())

    async def _to_hold(self, approved: Ledger | None) -> AsyncIterator[list[str]]:
        """Yield the ids to hold; what a person approved is deleted on the way."""
        async for page, unseen in self._unseen():
            await self._writer.confirm()
            may_go = approved.peek(page.keys).repeated if approved is not None else np.zeros(len(unseen), np.bool_)
            for place in np.flatnonzero(unseen & may_go).tolist():
                await self._remove(page.hits[place], page.keys[place].tobytes())
            yield [page.hits[place].id for place in np.flatnonzero(unseen & ~may_go).tolist()]

    async def _unseen(self) -> AsyncIterator[tuple[Page, Bools]]:
        """Yield what is scanned, with what of it was not walked.

        Whoever deletes confirms the target after each page: then it was ours later than the page was read, and what a
        later owner writes has another revision.
        """
        async with aclosing(ours(self._engine.data, self._writer.lease)) as pages:
            async for page in pages:
                yield page, self._ledger.are_unseen(page.keys)

    async def _remove(self, hit: Hit, key: bytes) -> None:
        if hit.seq_no is not None and hit.primary_term is not None:
            await self._writer.remove(Removal(hit.id, key, Revision(hit.seq_no, hit.primary_term)))

    def _count_unseen(self, approved: Ledger | None) -> int:
        if approved is None:
            return 0
        return sum(int(self._ledger.are_unseen(keys).sum()) for keys, _ in approved.entries())


@dataclass(frozen=True)
class Found:
    """What a settlement has to know of the walk that it ends."""

    uuid: str
    counted: int
    """What the writer had counted at the base."""
    before: int
    """Documents that the index held before the walk."""
    complete: bool
    """Whether the source was walked from its beginning: only then is anything known to be gone."""
    guard: DeleteGuard
    datasets: Mapping[str, int]
    datasets_before: Mapping[str, int]


async def stamp_of(engine: Engine, index: str, uuid: str) -> Stamp | None:
    """Return where an index stands, None when that can't be told. Raises `IndexReplaced` when it is another one."""
    try:
        found = await engine.indices.stamp(index)
    except EngineDenied as error:
        log.info("We may not ask where the index stands, so it is compared instead.", index=index, why=str(error))
        return None
    if found is not None and found.uuid != uuid:
        raise IndexReplaced(f"The index {index} was deleted and created anew while it was written to.", index=index)
    return found
