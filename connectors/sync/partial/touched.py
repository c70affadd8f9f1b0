"""What a sync of single documents touched: the books of those alone, and whether the index still has them so."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

import numpy as np

from connectors.sync.document.prepared import key_of
from connectors.sync.ledger.ledger import Keys, Ledger, keys_of
from connectors.sync.ledger.run import Fingerprints
from connectors.sync.ledger.scan import ours
from connectors.sync.letters import Letters
from connectors.sync.partial.stored import Shelf
from connectors.sync.report import SyncReport
from connectors.sync.writing.batch import Operation, Removal, Write
from connectors.sync.writing.books import Books

AT_ONCE: Final = 500
MOST_IDS: Final = 20_000
"""So many documents are read again one by one; when there are more, a scan of all is quicker, and needs no ids."""
MOST_NAMED: Final = 3


class Touched(Books):
    """The books of a sync that has no ledger of everything: a small one of what it touched, kept by its receipts.

    - `under_way` are the ids of which it is not known what became of them.
    - `overtaken` keeps the deletes that met something newer until they are decided anew: `take_overtaken`.
    """

    def __init__(self, letters: Letters, report: SyncReport) -> None:
        super().__init__(Ledger(), letters, report)
        self.under_way: set[str] = set()
        self._overtaken: dict[str, Removal] = {}
        self._gone = Ledger()
        self._ids: dict[str, None] | None = {}

    def touch(self, ids: Sequence[str], keys: Keys) -> None:
        """Enter that these documents are looked at."""
        self.ledger.visit(keys)
        if self._ids is not None:
            self._ids.update(dict.fromkeys(ids))
            if len(self._ids) > MOST_IDS:
                self._ids = None

    def found(self, keys: Keys, fingerprints: Fingerprints) -> None:
        """Enter that the index holds these documents, with these fingerprints."""
        self.ledger.acknowledge(keys, fingerprints)
        self._gone.drop(keys)

    # What the writer tells.

    def written(self, writes: Sequence[Write]) -> None:
        """Enter that the index holds these documents."""
        super().written(writes)
        self._gone.drop(_keys(writes))
        self.under_way.difference_update([write.id for write in writes])

    def removed(self, removals: Sequence[Removal]) -> None:
        """Enter that the index holds these documents no more."""
        super().removed(removals)
        self._gone.acknowledge(_keys(removals), np.zeros(len(removals), np.int64))
        self.under_way.difference_update([removal.id for removal in removals])

    def overtaken(self, removal: Removal) -> None:
        """Keep it to be decided anew, before anything else is done about the document."""
        self._overtaken[removal.id] = removal
        self.under_way.discard(removal.id)

    async def refused(self, operation: Operation, cause: str, reason: str) -> None:
        """Enter that the index does not take it. What it held of the document before, it holds still."""
        await super().refused(operation, cause, reason)
        self.under_way.discard(operation.id)

    @property
    def any_overtaken(self) -> bool:
        """Whether there are deletes to be decided anew."""
        return bool(self._overtaken)

    def take_overtaken(self) -> dict[str, Removal]:
        """Return the deletes to be decided anew, each once."""
        taken, self._overtaken = self._overtaken, {}
        return taken

    def leave(self, doc_id: str) -> None:
        """Do not delete a document after all."""
        self._overtaken.pop(doc_id, None)

    # What was learned.

    def change(self, copy: Ledger) -> None:
        """Make a ledger that was true when the sync began true to what the sync has done."""
        for keys, fingerprints in self.ledger.entries():
            copy.acknowledge(keys, fingerprints)
        for keys, _ in self._gone.entries():
            copy.drop(keys)

    async def differing(self, shelf: Shelf) -> list[str] | None:
        """Return some ids of documents that are otherwise than these books say; None when there are none.

        By a scan the ids of those that are missing can't be told.
        """
        if self._ids is None:
            return await self._by_scan(shelf)
        named: list[str] = []
        touched = list(self._ids)
        for start in range(0, len(touched), AT_ONCE):
            ids = touched[start : start + AT_ONCE]
            stored = await shelf.read(ids)
            known = self.ledger.peek(keys_of(b"".join(map(key_of, ids))))
            held = np.array([shelf.is_ours(one) for one in stored], np.bool_)
            fingerprints = np.array([one.fingerprint if one is not None else 0 for one in stored], np.int64)
            differs = (known.held != held) | (held & (known.fingerprints != fingerprints))
            named += [ids[place] for place in np.flatnonzero(differs).tolist()]
            del named[MOST_NAMED:]
        return named or None

    async def _by_scan(self, shelf: Shelf) -> list[str] | None:
        claim = shelf.lease.claim
        named: list[str] = []
        held = 0
        await shelf.patience(lambda _: shelf.data.refresh(claim.target.index))
        async with aclosing(ours(shelf.data, shelf.lease)) as pages:
            async for page in pages:
                known = self.ledger.peek(page.keys)
                differs = known.repeated & (~known.held | (known.fingerprints != page.fingerprints))
                named += [page.hits[place].id for place in np.flatnonzero(differs).tolist()]
                del named[MOST_NAMED:]
                held += int(known.held.sum())
        return named if named or held != self.ledger.held else None


def _keys(operations: Sequence[Operation]) -> Keys:
    return keys_of(b"".join([operation.key for operation in operations]))
