"""A partial sync: makes the index right about some documents, and leaves all others alone."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

import msgspec

from connectors import logger
from connectors.engine.stamp import Stamp
from connectors.sync.content.contents import Contents
from connectors.sync.deleting.allowance import Allowance
from connectors.sync.full.settlement import stamp_of
from connectors.sync.job import Job
from connectors.sync.partial.feed import Feed, Outlet
from connectors.sync.partial.stored import Shelf
from connectors.sync.partial.touched import Touched
from connectors.sync.verdict import left_open
from connectors.sync.writing.writer import Writer

log = logger.get(__name__)
PASSES: Final = 3


class PartialSync:
    """Reads some documents, and goes on until the index is proven to hold them as they were read.

    There is no ledger of everything: what the index has is read by ids, chunk by chunk. In the end the index is asked
    how far it has come. If it advanced by exactly what was acknowledged, nobody else wrote, and the local copy of the
    ledger learns what was changed. If not, the copy is void, and what was touched is read again: when it differs from
    what was written last, all is read from the source once more, which sends only what differs.
    """

    def __init__(self, job: Job, allowance: Allowance | None = None) -> None:
        self._job = job
        self._report = job.report
        self.allowance = allowance or Allowance(job)

    async def run(self, read: Callable[[Feed], Awaitable[None]], *, anew: Collection[str] = ()) -> None:
        """Sync what `read` feeds, which is called once a pass. Raises an error of the tree."""
        job, report = self._job, self._report
        begun = await self._stamp()
        await job.place.patience(lambda _: job.letters.load())
        books = Touched(job.letters, report)
        shelf = Shelf(job.place.engine.data, job.lease, job.place.patience)
        async with Writer(job.channel, job.lease, books, report) as writer:
            base, counted, clean = begun, 0, True
            while True:
                report.passes += 1
                await self._pass(read, shelf, writer, books, anew)
                report.phase = "checking"
                now = await self._stamp()
                if base is not None and now is not None and now.advance_since(base) == writer.counted - counted:
                    break
                base, counted, clean = now, writer.counted, False
                differing = await books.differing(shelf)
                if differing is None:
                    break
                if report.passes == PASSES:
                    self._unsettled(differing)
                    break
                log.info("Others wrote to these documents meanwhile, so they are read again.", documents=differing)
        report.check_sum()
        await self.allowance.hold()
        report.warn_of_letters(job.connector.id)
        await job.place.patience(lambda _: job.letters.flush())
        await job.place.patience(lambda _: job.lease.confirm())
        await self._let_nothing_be_skipped()
        await self._keep_copy(books, begun, now if clean else None)

    async def _pass(
        self,
        read: Callable[[Feed], Awaitable[None]],
        shelf: Shelf,
        writer: Writer,
        books: Touched,
        anew: Collection[str],
    ) -> None:
        job, place, report = self._job, self._job.place, self._report
        report.phase = "reading"
        contents = Contents(job.policy, job.shape, place.engine.data, writer, job.letters, report)
        downloads = job.downloads()
        async with contents.running(downloads):
            feed = Feed(job, shelf, Outlet(writer, contents, books, self.allowance), anew=anew)
            await read(feed)
            await feed.settle()

    async def _stamp(self) -> Stamp | None:
        job = self._job
        return await job.place.patience(lambda _: stamp_of(job.place.engine, job.target.index, job.target.uuid))

    def _unsettled(self, differing: Collection[str]) -> None:
        named = f", such as {', '.join(map(repr, differing))}" if differing else ""
        self._report.unsettled = True
        self._report.warnings.append(
            f"Others kept writing to documents in {self._job.target.index} meanwhile{named}, so they may differ from "
            "the source."
        )

    async def _let_nothing_be_skipped(self) -> None:
        """See to it that a full sync follows when something is open that only it can find well."""
        job, report = self._job, self._report
        done = job.state.value.completed
        is_open = left_open(
            letters=job.letters.passing, held=report.held or self.allowance.any_kept, unsettled=report.unsettled
        )
        if done is not None and done.stamp is not None and is_open is not None:
            without = msgspec.structs.replace(done, stamp=None, open=is_open)
            await job.place.patience(lambda _: job.state.save(completed=without))

    async def _keep_copy(self, books: Touched, begun: Stamp | None, now: Stamp | None) -> None:
        """Bring the local copy of the ledger to where the index stands now; without a stamp it is void."""
        copies, name = self._job.place.copies, self._job.copy_name
        if copies is None or (now is not None and now == begun):
            return
        if now is None or begun is None:
            await asyncio.to_thread(copies.discard, name)
        else:
            await asyncio.to_thread(copies.append, name, raw(now), books.change, since=raw(begun))


def raw(stamp: Stamp) -> bytes:
    """Return a stamp as copies of ledgers carry it."""
    return msgspec.json.encode(stamp, order="sorted")
