"""Retrying dead letters: reads their documents from the source again, and indexes those that are well now."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import aclosing
from uuid import uuid4

from connectors.aio.retry import Retry
from connectors.changes import Failed
from connectors.dataset import Dataset
from connectors.errors import DocumentSkipped
from connectors.source import Single, Yielded
from connectors.source_class import has
from connectors.store.connector import Connector
from connectors.store.dead_letter import OF_CONTENT_SYNCS, LetterKind
from connectors.store.sync_state import JobType
from connectors.sync import reach
from connectors.sync.foreign import of_source, read, told
from connectors.sync.full.walk import NO_ID
from connectors.sync.job import Job, begun
from connectors.sync.partial.feed import Feed, name_of
from connectors.sync.partial.partial import PartialSync
from connectors.sync.report import SyncReport
from connectors.sync.workplace import Workplace


class LetterRetry:
    """Reads the documents of a connector's dead letters again, and indexes those that are well now.

    `report` may be read at any time while it runs, as that of a sync. Cancelling it ends it at once: what was
    acknowledged stays, and letters that are left are retried by the next one. `waiting` is told of the owner of the
    index while it has to be found out whether that one is alive.
    """

    def __init__(
        self, place: Workplace, connector: Connector, *, waiting: Callable[[str], None] = lambda _owner: None
    ) -> None:
        self._place = place
        self._connector = connector
        self._waiting = waiting
        self.report = SyncReport(JobType.INCREMENTAL, connector.index_name or "", place.clock.now())

    async def run(
        self,
        *,
        kinds: Collection[LetterKind] | None = None,
        cause: str | None = None,
        ids: Collection[str] | None = None,
    ) -> SyncReport:
        """Retry, and return how many documents are well now as `recovered`.

        Those of letters of these kinds, this cause and these ids, where they are given. A document that the source has
        no more is deleted if it is ours, and its letters are removed. Raises an error of the tree.
        """
        report = self.report
        async with begun(self._place, self._connector, report, run=uuid4().hex, waiting=self._waiting) as job:
            await _Retrying(job, ids).run(kinds, cause)
        report.phase = "done"
        report.finished_at = self._place.clock.now()
        return report


class _Retrying:
    """Retries the letters of one job."""

    def __init__(self, job: Job, ids: Collection[str] | None) -> None:
        self._job = job
        self._named = ids if ids is None else frozenset(ids)
        self._retry = Retry(clock=job.place.clock)
        self._wanted: set[str] = set()

    async def run(self, kinds: Collection[LetterKind] | None, cause: str | None) -> None:
        """Retry. A content is fetched again even if the same one could not be indexed before."""
        self._wanted = await self._ids(kinds, cause)
        if not self._wanted:
            return
        contents = await self._ids([LetterKind.CONTENT], None)
        await reach.begin(self._job)
        by_id = has(self._job.source, "get_doc")
        await PartialSync(self._job).run(self._one_by_one if by_id else self._of_a_walk, anew=contents & self._wanted)
        self._job.report.recovered = len(self._wanted - await self._ids(kinds, None))

    async def _ids(self, kinds: Collection[LetterKind] | None, cause: str | None) -> set[str]:
        job = self._job
        kinds = OF_CONTENT_SYNCS if kinds is None else OF_CONTENT_SYNCS & set(kinds)  # the next sync retries the others
        async with aclosing(job.place.letters.ids(job.connector.id, cause=cause, kinds=kinds)) as ids:
            found = {doc_id async for doc_id in ids if self._named is None or doc_id in self._named}
        return found - {NO_ID}  # which is no document's

    async def _one_by_one(self, feed: Feed) -> None:
        """Feed the documents of the letters, each read by its id: so it is known how many there will be."""
        report = self._job.report
        report.expected = expected = report.walked + len(self._wanted)
        for doc_id in sorted(self._wanted):
            found = await self._document(doc_id)
            if found is None:
                report.expected = expected = expected - 1
                await feed.delete(doc_id)
            else:
                await _put(feed, found)

    async def _document(self, doc_id: str) -> Single | None:
        """Return a document as the source has it, None when it is gone."""
        job = self._job

        async def read(_attempt: int) -> Single | None:
            with job.silence.asked():
                found: Single | None = await job.source.get_doc(doc_id)
            return found

        try:
            with of_source(job.mask):
                return await self._retry(read)
        except DocumentSkipped as error:
            return Failed(doc_id, str(error))

    async def _of_a_walk(self, feed: Feed) -> None:
        """Feed the documents of the letters as they come in a walk; those that do not come are gone."""
        job, missing, any_came = self._job, set(self._wanted), False
        with of_source(job.mask, job.silence):
            walk: AsyncIterator[Yielded] = job.source.get_docs(job.filtering)
        async with (
            read(walk, job.mask, job.silence) as documents,
            aclosing(told(documents, job.mask, job.silence)) as items,
        ):
            async for yielded in items:
                if isinstance(yielded, Dataset):
                    continue
                any_came = True
                if (doc_id := _id_of(yielded)) in self._wanted:
                    missing.discard(doc_id)
                    await _put(feed, yielded)
        if not any_came:
            job.report.warnings.append("The source yielded nothing, so nothing is known of these documents.")
            return
        for doc_id in sorted(missing):
            await feed.delete(doc_id)


async def _put(feed: Feed, yielded: Single) -> None:
    match yielded:
        case Failed():
            await feed.fail(yielded)
        case tuple():
            await feed.upsert(*yielded)
        case _:
            await feed.upsert(yielded)


def _id_of(yielded: Single) -> str:
    """Return the id that a letter about what was yielded would have."""
    if isinstance(yielded, Failed):
        return yielded.id
    return name_of(yielded[0] if isinstance(yielded, tuple) else yielded)
