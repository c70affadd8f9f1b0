"""The walk: reads a source to its end, and hands on what differs from the index."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import numpy as np

from connectors.changes import Checkpoint, Failed
from connectors.dataset import Dataset
from connectors.download import Download, Fetch, download_of
from connectors.errors import DocumentSkipped, SourceError
from connectors.source import Yielded
from connectors.store.dead_letter import LetterKind
from connectors.sync.content.contents import Contents, Wanted
from connectors.sync.document.intake import Intake
from connectors.sync.document.prepared import Prepared, fingerprint, id_in, key_of, version_digest
from connectors.sync.foreign import Mask, raise_for, stay_cancelled
from connectors.sync.full.checkpoints import Checkpoints
from connectors.sync.ledger.ledger import Keys, Ledger, Visit, keys_of
from connectors.sync.ledger.run import Fingerprints, Places
from connectors.sync.letters import Letters
from connectors.sync.report import SyncReport
from connectors.sync.silence import Silence
from connectors.sync.writing.batch import Write
from connectors.sync.writing.writer import Writer

CHUNK: Final = 500
CHUNK_BYTES: Final = 2**20
UNSIGNED: Final = 2**64 - 1
NO_ID: Final = "(no id)"
_SIGNS: Final = (Failed, Checkpoint, Dataset)


class _Chunk:
    """Documents that are compared with the ledger at once: what each is now, and the contents of those that have one.

    Fingerprints are kept without a sign here, as hashes come; 0 is one that is not known.
    """

    __slots__ = ("contents", "fingerprints", "prepared", "size")

    def __init__(self) -> None:
        self.prepared: list[Prepared] = []
        self.fingerprints: list[int] = []
        self.contents: dict[int, tuple[Download, dict[str, Any]]] = {}
        self.size = 0

    def __len__(self) -> int:
        return len(self.prepared)

    def keys(self) -> Keys:
        return keys_of(b"".join([one.key for one in self.prepared]))

    def signed(self) -> Fingerprints:
        return np.array(self.fingerprints, np.uint64).view(np.int64)


class Walk:
    """Takes documents in chunks, compares each chunk with the ledger at once, and sends what is new or different.

    - Every id that the source yields is seen, also of a document that it could not read or that can't be indexed; one
      that a rule drops is not.
    - An id that comes again waits until it is known what became of it before: no id is on its way twice.
    - `datasets` counts the documents of each dataset, by what the source says and not by what is in them.
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
        self._chunk = _Chunk()
        self._dataset: str | None = None
        self.datasets: Counter[str] = Counter()

    async def read(
        self,
        documents: AsyncIterator[Yielded | Checkpoint],
        mask: Mask,
        silence: Silence,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        """Read a source to its end. What it raises is raised, and nothing is known to be complete then."""
        is_reading = True
        try:
            with silence.asked():
                async for yielded in documents:
                    if isinstance(yielded, _SIGNS):
                        is_reading = False
                        with silence.answered():
                            await self._note(yielded, checkpoints)
                    else:
                        document, given = yielded if isinstance(yielded, tuple) else (yielded, None)
                        is_reading = False
                        try:
                            is_full = self._take(document, given)
                        except DocumentSkipped as error:
                            with silence.answered():
                                await self._skipped(document, error)
                        else:
                            if is_full:
                                with silence.answered():
                                    await self.flush()
                    is_reading = True
        except Exception as error:
            if is_reading:
                raise_for(error, mask)
            raise
        await self.flush()

    def _take(self, document: Any, given: Download | Fetch | None) -> bool:  # noqa: ANN401 - whatever was yielded
        """Take one document into the chunk, and return whether that is full. Raises `DocumentSkipped`.

        It is called once a document, and so written with care: everything in it that waits for something is elsewhere.
        """
        intake, chunk = self._intake, self._chunk
        self._report.walked += 1
        if intake.keeps is not None and isinstance(document, dict) and not intake.keeps(document):
            self._report.dropped += 1
            return False
        prepared = intake.prepare(document)
        if self._letters.in_a_row:
            self._letters.went_well(LetterKind.READ)
            self._letters.went_well(LetterKind.CONVERT)
        if self._dataset is not None:
            self.datasets[self._dataset] += 1
        found = prepared.metadata or 1  # as `fingerprint` has it, but for the sign
        if given is not None and (download := download_of(given)) is not None:
            version = download.content_version
            if version is not None and not isinstance(version, str):
                raise SourceError(f"The content version of {prepared.id!r} is no text, but {type(version).__name__}.")
            content = version_digest(version, intake.shape) if version is not None else 0
            found = fingerprint(prepared.metadata, content) & UNSIGNED if content else 0
            chunk.contents[len(chunk.prepared)] = download, document
        chunk.prepared.append(prepared)
        chunk.fingerprints.append(found)
        chunk.size += len(prepared.body)
        return len(chunk.prepared) >= CHUNK or chunk.size >= CHUNK_BYTES

    async def flush(self) -> None:
        """Compare what was taken, and hand on what differs. Nothing a source yields counts that was to be cancelled."""
        stay_cancelled()
        if not len(self._chunk):
            return
        chunk, self._chunk = self._chunk, _Chunk()
        visit = self._ledger.visit(chunk.keys())
        fingerprints = chunk.signed()
        unchanged = (fingerprints == visit.fingerprints) & (fingerprints != 0) & visit.held & ~visit.repeated
        count = int(np.count_nonzero(unchanged))
        self._report.unchanged += count
        if self._letters.any_known:
            for place in np.flatnonzero(unchanged).tolist():
                one = chunk.prepared[place]
                self._letters.well(one.id, one.key, content=False)
        if count < len(chunk):
            await self._differing(chunk, np.flatnonzero(~unchanged & ~visit.repeated), fingerprints, visit)
        again = np.flatnonzero(visit.repeated)
        if len(again):
            await self._repeat(chunk, again.tolist(), fingerprints)
        await asyncio.sleep(0)  # a source that never waits for anything would otherwise stop all else in the process

    async def _differing(self, chunk: _Chunk, places: Places, fingerprints: Fingerprints, known: Visit) -> None:
        """Send documents that came for the first time; `known` is what the ledger has of the whole chunk."""
        held = known.held[places].tolist()
        if not chunk.contents:
            bodies = [chunk.prepared[place] for place in places.tolist()]
            found = fingerprints[places].tolist()
            await self._writer.put_many(
                [
                    (Write(one.id, one.key, own, 0, was_held), one.body)
                    for one, own, was_held in zip(bodies, found, held, strict=True)
                ]
            )
            return
        for place, was_held in zip(places.tolist(), held, strict=True):
            await self._send(chunk, place, fingerprints, int(known.fingerprints[place]), held=was_held)

    async def _repeat(self, chunk: _Chunk, places: list[int], fingerprints: Fingerprints) -> None:
        """Send documents whose ids came before, after what came before is done with; of equal ids the last."""
        self._report.repeated += len(places)
        last = {chunk.prepared[place].id: place for place in places}
        self._report.superseded += len(places) - len(last)
        for doc_id in last:
            await self._contents.passed(doc_id)
        await self._writer.drain()
        again = list(last.values())
        for place in again:
            self._letters.superseded(chunk.prepared[place].key)
        visit = self._ledger.peek(chunk.keys()[again])
        for number, place in enumerate(again):
            known = int(visit.fingerprints[number])
            if known and known == fingerprints[place]:
                self._report.unchanged += 1
            else:
                await self._send(chunk, place, fingerprints, known, held=bool(visit.held[number]))

    async def _send(self, chunk: _Chunk, place: int, fingerprints: Fingerprints, known: int, *, held: bool) -> None:
        prepared, content = chunk.prepared[place], chunk.contents.get(place)
        if content is None:
            await self._writer.put(Write.of(prepared, int(fingerprints[place]), held=held), prepared.body)
        else:
            await self._contents.put(Wanted(prepared, *content, known, held=held))

    async def _note(self, sign: Failed | Dataset | Checkpoint, checkpoints: Checkpoints | None) -> None:
        """Do what something that is no document asks for."""
        if isinstance(sign, Failed):
            await self._failed(sign)
        elif isinstance(sign, Dataset):
            self._dataset = sign.name
        elif checkpoints is not None and checkpoints.is_due():
            await self.flush()
            checkpoints.begin(sign.cursor)

    async def _failed(self, failed: Failed) -> None:
        self._report.walked += 1
        doc_id = id_in({"_id": failed.id})
        await self._letters.add(LetterKind.READ, doc_id if doc_id is not None else NO_ID, "read", str(failed.reason))
        if doc_id is not None:
            self._see(doc_id)

    async def _skipped(self, document: object, error: DocumentSkipped) -> None:
        doc_id = id_in(document)
        await self._letters.add(LetterKind.CONVERT, doc_id if doc_id is not None else NO_ID, "convert", str(error))
        if doc_id is not None:
            self._see(doc_id)

    def _see(self, doc_id: str) -> None:
        """Say that an id was yielded, if it is one that a document may have."""
        try:
            key = key_of(doc_id)
        except DocumentSkipped:
            return
        self._ledger.visit(keys_of(key))
