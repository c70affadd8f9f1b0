"""Contents: what happens to a document between the walk and its batch when it has content to be fetched."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from connectors.download import Download
from connectors.engine.operations import Operations
from connectors.errors import DocumentSkipped
from connectors.store.dead_letter import LetterKind
from connectors.sync.content.downloads import Downloads, Failure, Fetched
from connectors.sync.content.policy import ContentFields, ContentPolicy
from connectors.sync.content.stage import DownloadStage
from connectors.sync.document.encoding import encoded
from connectors.sync.document.prepared import Prepared, content_digest, fingerprint, version_digest
from connectors.sync.document.shape import Shape
from connectors.sync.index.mark import FIELD, Mark
from connectors.sync.letters import Letters
from connectors.sync.report import SyncReport
from connectors.sync.writing.batch import Write
from connectors.sync.writing.writer import Writer

_MARK_ONLY: Final = (FIELD,)


@dataclass(frozen=True)
class Wanted:
    """A document whose content is needed: `known` is the fingerprint that the index has of it."""

    prepared: Prepared
    download: Download
    document: Mapping[str, Any]
    known: int
    held: bool


class Contents:
    """Fetches the contents of documents that differ, and sends each document with it.

    Where only the metadata of a document changed, its content's fields are taken from the index instead, if it can be
    told which they are. A document whose content can't be had is sent without it, and gets a letter: its fingerprint
    is 0 then, so that the next sync tries again, unless the next time would be the same.
    """

    def __init__(
        self,
        policy: ContentPolicy,
        shape: Shape,
        data: Operations,
        writer: Writer,
        letters: Letters,
        report: SyncReport,
    ) -> None:
        self._policy = policy
        self._shape = shape
        self._data = data
        self._writer = writer
        self._letters = letters
        self._report = report
        self._stage: DownloadStage[Wanted] | None = None

    @asynccontextmanager
    async def running(self, downloads: Downloads) -> AsyncIterator[None]:
        """Run downloads during the block; at its end all of them are done with."""
        async with downloads, DownloadStage(downloads, self._deliver) as stage:
            self._stage = stage
            try:
                yield
            finally:
                self._stage = None

    async def put(self, wanted: Wanted) -> None:
        """Have the content of a document fetched, and send the document then."""
        if self._stage is None:
            raise RuntimeError("contents are only taken while they are fetched")
        carried = await self._carried(wanted) if wanted.held and wanted.download.content_version is not None else None
        if carried is not None:
            await self._send(wanted, carried, version_digest(wanted.download.content_version or "", self._shape))
        else:
            await self._stage.put(wanted.prepared.id, wanted, wanted.download, size=len(wanted.prepared.body))

    async def passed(self, doc_id: str) -> None:
        """Wait until what was put under an id was handed on."""
        if self._stage is not None:
            await self._stage.passed(doc_id)

    async def passed_all(self) -> None:
        """Wait until everything that was put so far was handed on."""
        if self._stage is not None:
            await self._stage.passed_all()

    async def _carried(self, wanted: Wanted) -> ContentFields | None:
        """Return the fields of the stored content, if that is the same content and they can be told."""
        index = self._writer.index
        (found,) = await self._data.get_many(index, [wanted.prepared.id], source=_MARK_ONLY)
        mark = Mark.of_source(found.source) if found is not None else None
        version = version_digest(wanted.download.content_version or "", self._shape)
        if found is None or mark is None or mark.d != version or mark.o != found.version or mark.k is None:
            return None
        (stored,) = await self._data.get_many(index, [wanted.prepared.id], source=[*mark.k, FIELD])
        if stored is None or stored.version != found.version:
            return None
        return self._policy.carried_over(stored.source, mark.k, wanted.document)

    async def _deliver(self, wanted: Wanted, result: Fetched | Failure) -> None:
        if isinstance(result, Failure):
            await self._without(wanted, result)
            return
        self._report.downloaded += 1
        self._report.downloaded_bytes += result.size
        version = wanted.download.content_version
        try:
            digest = (
                version_digest(version, self._shape)
                if version is not None
                else content_digest(result.content, self._shape)
            )
            added = await self._policy.fields_of(result.content, wanted.document, name=wanted.download.name)
            await self._send(wanted, added, digest)
        except DocumentSkipped as error:
            await self._without(wanted, Failure.skipped(str(error)))

    async def _send(self, wanted: Wanted, added: ContentFields, digest: int) -> None:
        found = fingerprint(wanted.prepared.metadata, digest)
        if found == wanted.known:
            self._report.unchanged += 1
            self._letters.well(wanted.prepared.id, wanted.prepared.key, content=True)
            return
        self._letters.went_well(LetterKind.CONTENT)
        body = _joined(wanted.prepared.body, added.fields)
        names = self._policy.carriable(added)
        write = Write.of(wanted.prepared, found, content=digest, held=wanted.held, names=names)
        await self._writer.put(write, body)

    async def _without(self, wanted: Wanted, failure: Failure) -> None:
        """Send a document without its content."""
        version = wanted.download.content_version
        lasting = failure.lasting and version is not None
        digest = version_digest(version, self._shape) if lasting and version is not None else 0
        found = fingerprint(wanted.prepared.metadata, digest) if lasting else 0
        write = Write.of(wanted.prepared, found, content=digest, held=wanted.held)
        await self._writer.put(write, wanted.prepared.body)
        await self._letters.add(LetterKind.CONTENT, wanted.prepared.id, failure.cause, failure.reason, lasting=lasting)


def _joined(body: bytes, fields: Mapping[str, Any]) -> bytes:
    """Return the JSON of a document with fields that it does not have yet. Raises `DocumentSkipped`."""
    if not fields:
        return body
    return body[:-1] + (b"," if len(body) > 2 else b"") + encoded(fields)[1:]
