"""The walk: reads a source to its end, and hands on what differs from the index."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import numpy as np

from connectors.changes import Checkpoint, Failed
from connectors.dataset import document_id
from connectors.download import Download, Fetch, download_of
from connectors.errors import ConnectorsError, DocumentSkipped
from connectors.source import Yielded
from connectors.store.dead_letter import LetterKind
from connectors.sync.batch import Write
from connectors.sync.checkpoints import Checkpoints
from connectors.sync.contents import Contents, Wanted
from connectors.sync.foreign import Mask, source_error
from connectors.sync.intake import Intake
from connectors.sync.ledger import Ledger, keys_of
from connectors.sync.letters import Letters
from connectors.sync.prepared import Prepared, fingerprint, key_of, version_digest
from connectors.sync.report import SyncReport
from connectors.sync.writer import Writer

CHUNK: Final = 500
CHUNK_BYTES: Final = 2**20
NO_ID: Final = "(no id)"


class _Entry:
    """A document of a chunk: what it is now, and how to get its content where it has one."""

    __slots__ = ("document", "download", "fingerprint", "prepared")

    def __init__(
        self, prepared: Prepared, fingerprint: int, download: Download | None, document: dict[str, Any] | None
    ) -> None:
        self.prepared = prepared
        self.fingerprint = fingerprint
        self.download = download
        self.document = document


class Walk:
    """Takes documents in chunks, compares each chunk with the ledger at once, and sends what is new or different.

    - Every id that the source yields is seen, also of a document that it could not read or that can't be indexed; one
      that a rule drops is not.
    - An id that comes again waits until it is known what became of it before: no id is on its way twice.
    - `datasets` counts the documents of each dataset.
    """

    def __init__(
        self,
        intake: Intake,
        ledger: Ledger,
        writer: Writer,
        contents: Contents,
        letters: Letters,
        report: SyncReport,
    ) -> None:
        self._intake = intake
        self._ledger = ledger
        self._writer = writer
        self._contents = contents
        self._letters = letters
        self._report = report
        self._chunk: list[_Entry] = []
        self._chunk_bytes = 0
        self.datasets: Counter[str] = Counter()

    async def read(
        self, documents: AsyncIterator[Yielded | Checkpoint], mask: Mask, checkpoints: Checkpoints | None = None
    ) -> None:
        """Read a source to its end. What it raises is raised, and nothing is known to be complete then."""
        is_reading = True
        try:
            async for yielded in documents:
                is_reading = False
                if type(yielded) is tuple:
                    await self.take(*yielded)
                elif isinstance(yielded, Failed):
                    await self._failed(yielded)
                elif isinstance(yielded, Checkpoint):
                    if checkpoints is not None and checkpoints.is_due():
                        await self.flush()
                        checkpoints.begin(yielded.cursor)
                else:
                    await self.take(yielded, None)  # type: ignore[arg-type]
                is_reading = True
        except Exception as error:
            if is_reading and not isinstance(error, ConnectorsError):
                raise source_error(error, mask) from None
            raise
        await self.flush()

    async def take(self, document: dict[str, Any], given: Download | Fetch | None) -> None:
        """Take one document."""
        report, intake = self._report, self._intake
        report.walked += 1
        if intake.keeps is not None and not intake.keeps(document):
            report.dropped += 1
            return
        try:
            prepared = intake.prepare(document)
        except DocumentSkipped as error:
            await self._skipped(document, error)
            return
        if (dataset := document.get("dataset")) is not None and type(dataset) is str:
            self.datasets[dataset] += 1
        if given is None:
            entry = _Entry(prepared, fingerprint(prepared.metadata, 0), None, None)
        else:
            download = download_of(given)
            version = download.content_version if download is not None else None
            content = version_digest(version, intake.shape) if version is not None else 0
            entry = _Entry(prepared, fingerprint(prepared.metadata, content) if content else 0, download, document)
        self._chunk.append(entry)
        self._chunk_bytes += len(prepared.body)
        if len(self._chunk) >= CHUNK or self._chunk_bytes >= CHUNK_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Compare what was taken, and hand on what differs."""
        if not self._chunk:
            return
        chunk, self._chunk, self._chunk_bytes = self._chunk, [], 0
        self._letters.went_well(LetterKind.CONVERT)
        visit = self._ledger.visit(keys_of(b"".join([one.prepared.key for one in chunk])))
        fingerprints = np.array([one.fingerprint for one in chunk], np.int64)
        unchanged = (fingerprints == visit.fingerprints) & (fingerprints != 0) & visit.held & ~visit.repeated
        self._report.unchanged += int(unchanged.sum())
        if self._letters.any_known:
            for place in np.flatnonzero(unchanged).tolist():
                one = chunk[place].prepared
                self._letters.well(one.id, one.key, content=False)
        again: dict[str, _Entry] = {}
        for place in np.flatnonzero(~unchanged).tolist():
            entry = chunk[place]
            if visit.repeated[place]:
                self._report.repeated += 1
                self._report.superseded += entry.prepared.id in again
                again[entry.prepared.id] = entry
            else:
                await self._send(entry, int(visit.fingerprints[place]), held=bool(visit.held[place]))
        if again:
            await self._repeat(list(again.values()))

    async def _repeat(self, entries: list[_Entry]) -> None:
        """Send documents whose ids came before, after what came before is done with."""
        for entry in entries:
            await self._contents.passed(entry.prepared.id)
        await self._writer.drain()
        visit = self._ledger.peek(keys_of(b"".join([one.prepared.key for one in entries])))
        for place, entry in enumerate(entries):
            known = int(visit.fingerprints[place])
            if entry.fingerprint and entry.fingerprint == known:
                self._report.unchanged += 1
            else:
                await self._send(entry, known, held=bool(visit.held[place]))

    async def _send(self, entry: _Entry, known: int, *, held: bool) -> None:
        if entry.download is None or entry.document is None:
            write = Write.of(entry.prepared, entry.fingerprint, held=held)
            await self._writer.put(write, entry.prepared.body)
        else:
            await self._contents.put(Wanted(entry.prepared, entry.download, entry.document, known, held=held))

    async def _failed(self, failed: Failed) -> None:
        self._report.walked += 1
        await self._letters.add(LetterKind.READ, failed.id, "read", failed.reason)
        self._see(failed.id)

    async def _skipped(self, document: object, error: DocumentSkipped) -> None:
        doc_id = document.get("_id") if isinstance(document, dict) else None
        name = doc_id if isinstance(doc_id, str) else document_id("", [doc_id]) if doc_id is not None else NO_ID
        await self._letters.add(LetterKind.CONVERT, name, "convert", str(error))
        if isinstance(doc_id, str):
            self._see(doc_id)

    def _see(self, doc_id: str) -> None:
        """Say that an id was yielded, if it is one that a document may have."""
        try:
            key = key_of(doc_id)
        except DocumentSkipped:
            return
        self._ledger.visit(keys_of(key))
