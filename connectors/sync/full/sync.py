"""A full sync: walks the source to its end, as often as it takes until the index is proven to hold what was walked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec

from connectors import logger
from connectors.aio.tasks import Tasks
from connectors.changes import Checkpoint
from connectors.dataset import Dataset
from connectors.engine.stamp import Stamp
from connectors.row_walk import documents_behind
from connectors.source import Yielded
from connectors.source_class import can_resume, has, is_made_of_rows
from connectors.store.sync_state import Completed, JobType
from connectors.sync import reach
from connectors.sync.content.contents import Contents
from connectors.sync.deleting.held_back import HeldBack
from connectors.sync.foreign import of_source, read
from connectors.sync.full.checkpoints import Checkpoints, usable
from connectors.sync.full.settlement import Found, Proof, Settlement, stamp_of
from connectors.sync.full.walk import Walk
from connectors.sync.job import Job
from connectors.sync.ledger.ledger import Ledger
from connectors.sync.ledger.scan import ours, query
from connectors.sync.verdict import Present, Reason, left_open, verdict_of
from connectors.sync.writing.books import Books
from connectors.sync.writing.writer import Writer

log = logger.get(__name__)
PASSES: Final = 3


async def nobody_told() -> None:
    """Tell nobody."""


class FullSync:
    """Makes the index of a job equal to its source: the content of a connector, or who may read it.

    Nothing is deleted before the source was walked to its end without an error. It is skipped when nothing can have
    changed since the last one that was proven.
    """

    def __init__(self, job: Job, reading: Callable[[], Awaitable[None]] = nobody_told) -> None:
        """Make a sync, which awaits `reading` when it is not skipped, before anything is read."""
        self._job = job
        self._reading = reading
        self._report = job.report
        self._filter = job.filtering
        self._held_back = HeldBack(job.place.held, job.lease, job.state.value.job_type, job.place.clock)
        self._is_whole = not job.report.adds_only
        """Whether a walk that came to its end has seen all that the index should hold."""
        self._resumable = job.report.job_type is JobType.FULL and self._is_whole and can_resume(job.source)
        self._from = usable(job) if self._resumable else None

    async def run(self) -> None:
        """Sync. Raises an error of the tree, after which the index holds no less than before."""
        job, report = self._job, self._report
        async with Tasks("verdict") as tasks:  # as the source and the engine may both be far away
            standing = tasks.start(stamp_of(job.place.engine, job.target.index, job.target.uuid), name="stamp")
            changed, token = await self._changed()
        base = standing.result()
        if report.job_type is JobType.FULL:
            done = job.state.value.completed
            now = Present(job.recipe, job.target.uuid, base, token=token, changed=changed, forced=report.forced)
            report.verdict = verdict_of(done, now)
        if report.skipped:
            return
        await self._reading()
        await reach.begin(job)
        await job.letters.load()
        proof, datasets = await self._proven(base)
        self._report.check_sum()
        await job.place.patience(lambda _: job.letters.flush())
        if self._from is not None:
            await self._complete_resumed()
            return
        await job.letters.forget_older()
        await self._held_back.settle()
        await self._complete(proof, token, datasets)

    async def _changed(self) -> tuple[bool, Mapping[str, Any] | None]:
        """Return what the source says of changes since the last completed sync, and the token of this moment."""
        job = self._job
        if job.report.job_type is JobType.ACCESS_CONTROL or not has(job.source, "changed"):
            return True, None
        done = job.state.value.completed
        with of_source(job.mask, job.silence):
            changed, token = await job.source.changed(done.token if done is not None else None, self._filter)
            kept: Mapping[str, Any] | None = msgspec.json.decode(msgspec.json.encode(token))
        return bool(changed), kept

    async def _proven(self, base: Stamp | None) -> tuple[Proof | None, Mapping[str, int]]:
        """Walk until there is proof, a few times at most; return how many documents each dataset has, too."""
        job, report = self._job, self._report
        ledger = await self._ledger(base)
        books = Books(ledger, job.letters, report)
        async with Writer(job.channel, job.lease, books, report) as writer:
            while True:
                report.passes += 1
                before, counted = ledger.held, writer.counted
                datasets = await self._walked(ledger, writer)
                found = self._found(datasets, counted, before)
                proof = await Settlement(job.place, writer, ledger, self._held_back, report).prove(base, found)
                if proof is not None or report.passes == PASSES:
                    break
                log.info("Others wrote to the index meanwhile, so the source is read again.", index=job.target.index)
                self._from = report.resumed_since = None  # what comes now is a whole walk
                del ledger
                books.ledger = Ledger()  # so that the old one is gone before the new one comes
                base = await stamp_of(job.place.engine, job.target.index, job.target.uuid)
                books.ledger = ledger = await self._scanned()
        self._final = ledger
        return proof, datasets

    async def _walked(self, ledger: Ledger, writer: Writer) -> Mapping[str, int]:
        """Read the source to its end, and return how many documents each dataset has."""
        job, report = self._job, self._report
        report.phase = "reading"
        place = job.place
        contents = Contents(job.policy, job.shape, place.engine.data, writer, job.letters, report)
        downloads = job.downloads()
        walk = Walk(job.intake, ledger, writer, contents, job.letters, report)
        datasets = await self._datasets_to_walk()
        since = self._from.started_at if self._from is not None else report.started_at
        if self._from is not None:
            report.resumed_since = since
        checkpoints = Checkpoints(job, writer, contents, since)
        found = self._documents(datasets)
        async with contents.running(downloads), checkpoints.running(), read(found, job.mask, job.silence) as documents:
            await walk.read(documents, job.mask, job.silence, checkpoints if self._is_whole else None)
        return walk.datasets

    async def _datasets_to_walk(self) -> Sequence[Dataset] | None:
        """Return what this walk is made of, and tell how many documents it may yield; None where a source walks itself.

        Finding datasets may mean to go over all of a source, so they are found once for a walk, and anew for the next.
        """
        job, report = self._job, self._report
        if not self._resumable or not is_made_of_rows(job.source):
            return None
        with of_source(job.mask, job.silence):
            datasets: Sequence[Dataset] = list(await job.source.datasets())
        known = [one.rows for one in datasets if one.rows is not None]
        is_known = len(known) == len(datasets) and not self._filter.has_advanced_rules()
        report.expected = report.walked + sum(known) if is_known else None
        return datasets

    def _documents(self, datasets: Sequence[Dataset] | None) -> AsyncIterator[Yielded | Checkpoint]:
        source: Any = self._job.source
        cursor = self._from.cursor if self._from is not None else None
        with of_source(self._job.mask, self._job.silence):
            if self._report.job_type is JobType.ACCESS_CONTROL:
                found: AsyncIterator[Yielded | Checkpoint] = source.get_access_control()
            elif datasets is not None:
                found = documents_behind(source, datasets, cursor, self._filter)
            elif self._resumable:
                found = source.get_docs_from(cursor, self._filter)
            else:
                found = source.get_docs(self._filter)
        return found

    def _found(self, datasets: Mapping[str, int], counted: int, before: int) -> Found:
        job = self._job
        done = job.state.value.completed
        return Found(
            uuid=job.target.uuid,
            counted=counted,
            before=before,
            complete=self._from is None and self._is_whole,
            guard=job.settings.delete_guard,
            datasets=datasets,
            datasets_before=dict(done.datasets) if done is not None else {},
        )

    # The ledger.

    async def _ledger(self, base: Stamp | None) -> Ledger:
        """Return what the index holds: from the local copy if the index stands where that says, else read from it."""
        copies = self._job.place.copies
        if copies is not None and base is not None:
            found = await asyncio.to_thread(copies.load, self._job.copy_name)
            if found is not None and found[0] == _raw(base):
                return found[1]
        return await self._scanned()

    async def _scanned(self) -> Ledger:
        job = self._job
        data, index, connector = job.place.engine.data, job.target.index, job.connector.id
        self._report.phase = "reading the index"
        self._report.scans += 1
        await data.refresh(index)
        ledger = Ledger(await data.count(index, query(connector)))
        async with aclosing(ours(data, job.lease)) as pages:
            async for page in pages:
                ledger.load(page.keys, page.fingerprints)
        return ledger

    # The end.

    def _datasets(self, walked: Mapping[str, int]) -> dict[str, int]:
        """Return how many documents each dataset has, for the guard of the next sync.

        While deletions are held, what a dataset had that is gone is still in the index: forgotten, its documents would
        be deleted by the next sync without anybody's word.
        """
        done = self._job.state.value.completed
        before = done.datasets if done is not None and self._report.held else {}
        return {**before, **walked}

    async def _complete_resumed(self) -> None:
        """Remember that a walk that was interrupted has come to its end: nothing is known of what is gone."""
        job = self._job
        await job.state.save(checkpoint=None, without_deletes=job.state.value.without_deletes + 1)

    async def _complete(
        self, proof: Proof | None, token: Mapping[str, Any] | None, datasets: Mapping[str, int]
    ) -> None:
        job, report = self._job, self._report
        self._vouch(proof)
        self._tell_held()
        report.warn_of_letters(job.connector.id)
        await job.lease.confirm()
        is_open = left_open(letters=job.letters.passing, held=report.held, unsettled=proof is None)
        stamp = proof.stamp if proof is not None and is_open is None else None
        completed = Completed(
            run=job.lease.claim.run,
            at=job.place.clock.now(),
            began_at=report.started_at,
            recipe=job.recipe,
            target=job.target.uuid,
            token=token,
            stamp=stamp,
            open=None if stamp is not None else is_open or Reason.NO_STAMP,
            datasets=self._datasets(datasets),
        )
        changes = {
            "completed": completed,
            "checkpoint": None,
            "without_deletes": 0,
            "reached": reach.here(job, by_full=True),
        }
        await job.place.patience(lambda _: job.state.save(**changes))
        await self._keep_copy(proof)

    def _tell_held(self) -> None:
        """Let a person know of deletions that are held, if there are any."""
        if self._held_back.reason is not None:
            self._report.warnings.append(
                f"{self._report.held:,} deletions are held: {self._held_back.reason} "
                f"`connectors deletes list {self._job.connector.id}` tells more."
            )

    async def _keep_copy(self, proof: Proof | None) -> None:
        """Save the local copy of what the index was proven to hold."""
        job = self._job
        if proof is not None and proof.stamp is not None and job.place.copies is not None:
            await asyncio.to_thread(job.place.copies.save, job.copy_name, _raw(proof.stamp), self._final)

    def _vouch(self, proof: Proof | None) -> None:
        """Let a person know that the index can't be vouched for, if that is so."""
        report, index = self._report, self._job.target.index
        if proof is None:
            report.unsettled = True
            report.warnings.append(
                f"Others kept writing to the index {index} meanwhile, so it may differ from the source."
            )


def _raw(stamp: Stamp) -> bytes:
    return msgspec.json.encode(stamp, order="sorted")
