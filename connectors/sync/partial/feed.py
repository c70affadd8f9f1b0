"""The feed: takes single documents as they are told of, compares them with the index, and sends what differs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from connectors.changes import Failed
from connectors.download import Download, Fetch, download_of
from connectors.errors import DocumentSkipped
from connectors.store.dead_letter import LetterKind
from connectors.sync.content.contents import Contents, Wanted
from connectors.sync.deleting.allowance import Allowance
from connectors.sync.document.prepared import Prepared, fingerprint, id_of, key_of, version_digest
from connectors.sync.full.walk import CHUNK, CHUNK_BYTES, NO_ID
from connectors.sync.job import Job
from connectors.sync.ledger.ledger import keys_of
from connectors.sync.partial.stored import Shelf, Stored
from connectors.sync.partial.touched import Touched
from connectors.sync.writing.batch import Removal, Write
from connectors.sync.writing.neighbours import Neighbours, taken
from connectors.sync.writing.writer import MOST_CONFLICTS, Writer

MOST_UNDER_WAY: Final = 50_000
"""Ids that are remembered as being under way."""


@dataclass(slots=True)
class _Present:
    """A document as the source has it now."""

    prepared: Prepared
    fingerprint: int
    download: Download | None
    document: Mapping[str, Any]

    @property
    def key(self) -> bytes:
        return self.prepared.key


@dataclass(slots=True)
class _Absent:
    """A document that the source has no more, or that a rule drops; and how often deleting it met something newer."""

    key: bytes
    conflicts: int = 0


@dataclass(frozen=True)
class Outlet:
    """Where a feed sends to: the writer, the contents on their way there, the books, and who allows deletions."""

    writer: Writer
    contents: Contents
    books: Touched
    allowance: Allowance


class Feed:
    """Takes what a source says of single documents, and sees to it that the index has each as it was told last.

    - Within a chunk the last word on an id counts; what it supersedes is counted. An id that was sent waits until it is
      known what became of it, before its mark is read again: no id is on its way twice.
    - A document is unchanged if its mark says so. One that a rule drops is deleted like one that is gone: only if it is
      ours, only at the revision that was read, and only as the allowance says. A delete that met something newer is
      decided anew. A document that is another existing connector's is left alone, with a letter.
    - A document that can't be read or converted gets a letter, and stays as it was.

    `anew` are ids that are sent even if they seem unchanged.
    """

    def __init__(self, job: Job, shelf: Shelf, outlet: Outlet, *, anew: Collection[str] = ()) -> None:
        self._job = job
        self._intake = job.intake
        self._letters = job.letters
        self._report = job.report
        self._shelf = shelf
        self._writer = outlet.writer
        self._contents = outlet.contents
        self._books = outlet.books
        self._allowance = outlet.allowance
        self._anew = anew
        self._chunk: dict[str, _Present | _Absent] = {}
        self._chunk_bytes = 0
        self._neighbours = Neighbours(job.place.connectors, job.connector.id, shared=job.settings.shared_index)

    async def upsert(self, document: dict[str, Any], given: Download | Fetch | None = None) -> None:
        """Take a document as it is now."""
        report, intake, letters = self._report, self._intake, self._letters
        report.walked += 1
        letters.went_well(LetterKind.READ)
        if intake.keeps is not None and not intake.keeps(document):
            report.dropped += 1
            await self.delete(document.get("_id"))
            return
        try:
            prepared = intake.prepare(document)
        except DocumentSkipped as error:
            await self._fail(LetterKind.CONVERT, name_of(document), "convert", str(error))
            return
        letters.went_well(LetterKind.CONVERT)
        download = download_of(given)
        version = download.content_version if download is not None else None
        content = version_digest(version, intake.shape) if version is not None else 0
        known = fingerprint(prepared.metadata, content) if download is None or content else 0
        await self._take(prepared.id, _Present(prepared, known, download, document), len(prepared.body))

    async def delete(self, doc_id: object) -> None:
        """Take that a document is gone. What no document can have as its id is none."""
        try:
            name = id_of({"_id": doc_id})
            await self._take(name, _Absent(key_of(name)), len(name))
        except DocumentSkipped:
            return

    async def fail(self, failed: Failed) -> None:
        """Take that a document could not be read."""
        self._report.walked += 1
        await self._fail(LetterKind.READ, failed.id, "read", failed.reason)

    async def flush(self) -> None:
        """Compare what was taken, and send what differs."""
        chunk, self._chunk, self._chunk_bytes = self._chunk, {}, 0
        await self._wait_for(chunk)
        for doc_id, removal in self._books.take_overtaken().items():
            chunk.setdefault(doc_id, _Absent(removal.key, removal.conflicts + 1))
        if not chunk:
            return
        ids = list(chunk)
        keys = keys_of(b"".join([one.key for one in chunk.values()]))
        self._allowance.forget(keys)
        self._books.touch(ids, keys)
        stored = await self._shelf.read(ids)
        held = np.array([self._shelf.is_ours(one) for one in stored], np.bool_)
        known = np.array([one.fingerprint if one is not None else 0 for one in stored], np.int64)
        self._books.found(keys[held], known[held])
        self._books.ledger.drop(keys[~held])
        if any(
            isinstance(chunk[doc_id], _Absent) for doc_id, is_held in zip(ids, held.tolist(), strict=True) if is_held
        ):
            await self._writer.confirm()  # then what was read of them is of the index, and the owner, that it should be
        for doc_id, found in zip(ids, stored, strict=True):
            self._letters.superseded(chunk[doc_id].key)
            match chunk[doc_id]:
                case _Present() as present:
                    await self._bring(present, found)
                case _Absent() as absent:
                    await self._remove(doc_id, absent, found)

    async def settle(self) -> None:
        """Wait until the index has everything that was taken, or it is known why not."""
        while True:
            await self.flush()
            await self._contents.passed_all()
            await self._writer.drain()
            self._books.under_way.clear()
            if not self._books.any_overtaken:
                return

    async def _take(self, doc_id: str, change: _Present | _Absent, size: int) -> None:
        if isinstance(self._chunk.pop(doc_id, None), _Present):
            self._report.superseded += 1
        self._chunk[doc_id] = change
        self._chunk_bytes += size
        if len(self._chunk) >= CHUNK or self._chunk_bytes >= CHUNK_BYTES:
            await self.flush()

    async def _fail(self, kind: LetterKind, doc_id: str, cause: str, reason: str) -> None:
        if isinstance(self._chunk.get(doc_id), _Absent):
            del self._chunk[doc_id]  # it is there after all
        elif doc_id in self._chunk:
            await self.flush()
        await self._wait_for([doc_id])  # else what becomes of it, as it was before, would count as the later word
        self._books.leave(doc_id)
        await self._letters.add(kind, doc_id, cause, reason)

    async def _wait_for(self, chunk: Collection[str]) -> None:
        """Wait until it is known of each of these ids what became of it."""
        under_way = self._books.under_way
        if len(under_way) > MOST_UNDER_WAY:
            await self._contents.passed_all()
            await self._writer.drain()
            under_way.clear()
        elif busy := [doc_id for doc_id in chunk if doc_id in under_way]:
            for doc_id in busy:
                await self._contents.passed(doc_id)
            await self._writer.drain()
            under_way.difference_update(busy)

    async def _bring(self, present: _Present, found: Stored | None) -> None:
        """Have the index hold a document, unless it does."""
        prepared = present.prepared
        owner = found.connector if found is not None else None
        if owner is not None and await self._neighbours.are_of(owner):
            await self._letters.add(LetterKind.WRITE, prepared.id, *taken(owner))
            return
        held = self._shelf.is_ours(found)
        known = found.fingerprint if found is not None and held and prepared.id not in self._anew else 0
        if known and present.fingerprint == known:
            self._report.unchanged += 1
            self._letters.well(prepared.id, prepared.key, content=False)
            return
        self._books.under_way.add(prepared.id)
        if present.download is None:
            await self._writer.put(Write.of(prepared, present.fingerprint, held=held), prepared.body)
        else:
            await self._contents.put(Wanted(prepared, present.download, present.document, known, held=held))

    async def _remove(self, doc_id: str, absent: _Absent, found: Stored | None) -> None:
        """Have the index not hold a document, if it is ours."""
        if found is None or not self._shelf.is_ours(found):
            self._report.deleted += found is None and absent.conflicts > 0  # it was ours, and is gone by now
            self._letters.well(doc_id, absent.key, content=True)
            return
        removal = Removal(doc_id, absent.key, found.revision, absent.conflicts)
        if absent.conflicts > MOST_CONFLICTS:
            await self._books.refused(removal, "conflict", "Somebody else keeps writing to the document.")
        elif absent.conflicts or await self._allowance.takes(absent.key):
            self._books.under_way.add(doc_id)
            await self._writer.remove(removal)


def name_of(document: object) -> str:
    """Return what a letter calls a document that can't be converted."""
    doc_id = document.get("_id") if isinstance(document, dict) else None
    try:
        return id_of(document)
    except DocumentSkipped:
        return doc_id if isinstance(doc_id, str) and doc_id else NO_ID
