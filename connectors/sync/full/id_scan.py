"""The id scan: reads the ids of a source to their end, and marks in the ledger what there still is."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import numpy as np

from connectors.changes import Failed
from connectors.dataset import Dataset
from connectors.errors import DocumentSkipped
from connectors.predicate import Test
from connectors.sync.document.prepared import id_in, key_of
from connectors.sync.foreign import Mask, raise_for, stay_cancelled
from connectors.sync.ledger.ledger import Ledger, keys_of
from connectors.sync.report import SyncReport
from connectors.sync.silence import Silence

CHUNK: Final = 2_000


class IdScan:
    """Takes documents of which only the ids count, and says of each chunk to the ledger that the source has it.

    What is seen is what a walk would see: also what could not be read, and nothing that a rule drops. Whether the index
    has it is counted, and what is in it is not looked at. `datasets` counts the documents of each dataset.
    """

    def __init__(self, keeps: Test | None, ledger: Ledger, report: SyncReport) -> None:
        self._keeps = keeps
        self._ledger = ledger
        self._report = report
        self._keys: list[bytes] = []
        self._dataset: str | None = None
        self.datasets: Counter[str] = Counter()

    async def read(self, documents: AsyncIterator[Any], mask: Mask, silence: Silence) -> None:
        """Read the ids to their end. What the source raises is raised, and nothing is known to be complete then."""
        is_reading = True
        try:
            with silence.asked():
                async for document in documents:
                    is_reading = False
                    self._take(document)
                    if len(self._keys) >= CHUNK:
                        with silence.answered():
                            await self._flush()
                    is_reading = True
        except Exception as error:
            if is_reading:
                raise_for(error, mask)
            raise
        await self._flush()

    def _take(self, yielded: Any) -> None:  # noqa: ANN401 - whatever was yielded
        """Take the id of one document into the chunk, unless a rule drops it. It is called once a document."""
        if isinstance(yielded, Dataset):
            self._dataset = yielded.name
            return
        self._report.walked += 1
        document = {"_id": yielded.id} if isinstance(yielded, Failed) else yielded
        doc_id = None
        if yielded is document and isinstance(document, dict):
            if self._keeps is not None and not self._keeps(document):
                self._report.dropped += 1
                return
            if self._dataset is not None:
                self.datasets[self._dataset] += 1
            doc_id = document.get("_id")
        if type(doc_id) is not str:
            doc_id = id_in(document)
        try:
            if doc_id:
                self._keys.append(key_of(doc_id))
                return
        except DocumentSkipped:
            pass
        self._report.unindexed += 1  # as no index has such an id

    async def _flush(self) -> None:
        """Say what was seen. Nothing a source yields counts that was to be cancelled."""
        stay_cancelled()
        if not self._keys:
            return
        visit = self._ledger.visit(keys_of(b"".join(self._keys)))
        self._keys = []
        repeated = int(np.count_nonzero(visit.repeated))
        known = int(np.count_nonzero(visit.held & ~visit.repeated))
        self._report.repeated += repeated
        self._report.superseded += repeated
        self._report.present += known
        self._report.unindexed += len(visit.held) - repeated - known
        await asyncio.sleep(0)  # a source that never waits for anything would otherwise stop all else in the process
