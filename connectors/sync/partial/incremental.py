"""An incremental sync: reads what changed in a source since a cursor, and moves the cursor on."""

from contextlib import aclosing
from typing import TYPE_CHECKING

from connectors.errors import ConfigurationError, CursorExpired
from connectors.source_class import has
from connectors.sync.foreign import of_source, read, told
from connectors.sync.job import Job
from connectors.sync.partial.feed import Feed
from connectors.sync.partial.partial import PartialSync
from connectors.sync.partial.position import Position, expired
from connectors.sync.partial.taking import take

if TYPE_CHECKING:
    from connectors.changes import Cursor


class IncrementalSync:
    """Makes the index right about what changed since the cursor in the connector's document.

    - The cursor is saved when the index has all that came before it: every few seconds at most while the source is
      read, and at the end. While deletions are held, and when the source is read once more, only at the end.
    - When the source can't tell what happened since the cursor, that is dropped, and a full sync has to follow.
    """

    def __init__(self, job: Job) -> None:
        if not has(job.source, "get_docs_incrementally"):
            raise ConfigurationError(
                f"The source {job.connector.service_type} can't tell what changed.",
                field="service_type",
                hint="Let it have full syncs only.",
            )
        self._job = job
        self._partial = PartialSync(job)
        self._position = Position(job)
        self._start: Cursor | None = None
        self.last: Cursor | None = None
        """The last cursor that the source told of."""

    async def run(self) -> None:
        """Sync. Raises an error of the tree, after which the next sync goes on from the last cursor that was saved."""
        self._start = await self._position.begin()
        try:
            await self._partial.run(self._read)
        except CursorExpired as error:
            await self._position.lose()
            raise expired(error, self._job.connector.id) from None
        if self.last is not None:
            await self._position.save(self.last)

    async def _read(self, feed: Feed) -> None:
        """Feed what changed, from where the sync began."""
        job = self._job
        self.last = None
        with of_source(job.mask, job.silence):
            changes = job.source.get_docs_incrementally(self._start, job.filtering)
        async with read(changes, job.mask, job.silence) as walk, aclosing(told(walk, job.mask, job.silence)) as items:
            async for change in items:
                if (cursor := await take(feed, change)) is not None:
                    self.last = cursor
                    await self._save_if_due(feed)

    async def _save_if_due(self, feed: Feed) -> None:
        if not self._position.is_due or self._job.report.passes > 1 or self.last is None:
            return
        await feed.settle()
        if not self._partial.allowance.any_kept:
            await self._job.place.patience(lambda _: self._job.letters.flush())
            await self._job.place.patience(lambda _: self._job.lease.confirm())
            await self._position.save(self.last)
