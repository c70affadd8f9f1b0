"""The books of a sync: the ledger and the counters, kept by what the engine acknowledges."""

from collections.abc import Sequence

import numpy as np

from connectors.store.dead_letter import LetterKind
from connectors.sync.ledger.ledger import Ledger, keys_of
from connectors.sync.letters import Letters
from connectors.sync.report import SyncReport
from connectors.sync.writing.batch import Operation, Removal, Write


class Books:
    """Learns from the writer what became of operations, and enters it into the ledger and the report.

    Whether a document was created or updated is what the ledger said before, not what the engine answers: a write that
    is repeated is an update for the engine alone.
    """

    def __init__(self, ledger: Ledger, letters: Letters, report: SyncReport) -> None:
        self.ledger = ledger
        self._letters = letters
        self._report = report

    def written(self, writes: Sequence[Write]) -> None:
        """Enter that the index holds these documents."""
        keys = keys_of(b"".join([write.key for write in writes]))
        self.ledger.acknowledge(keys, np.array([write.fingerprint for write in writes], np.int64))
        updated = sum([write.held for write in writes])
        self._report.updated += updated
        self._report.created += len(writes) - updated
        self._letters.went_well(LetterKind.WRITE)
        if self._letters.any_known:
            for write in writes:
                self._letters.well(write.id, write.key, content=bool(write.fingerprint))

    def removed(self, removals: Sequence[Removal]) -> None:
        """Enter that the index holds these documents no more."""
        self.ledger.drop(keys_of(b"".join([removal.key for removal in removals])))
        self._report.deleted += len(removals)
        for removal in removals:
            self._letters.well(removal.id, removal.key, content=True)

    def overtaken(self, removal: Removal) -> None:
        """Leave it: the ledger holds the document still, so the index is looked at again."""

    async def refused(self, operation: Operation, cause: str, reason: str) -> None:
        """Enter that the index does not take it. What it held of the document before, it holds still."""
        walked = isinstance(operation, Write)
        if not walked:
            reason = f"It is not in the source any more, and can't be deleted: {reason}"
        await self._letters.add(LetterKind.WRITE, operation.id, cause, reason, walked=walked)
