"""Checkpoints: where a full sync that was interrupted goes on, saved when all before it is acknowledged."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from connectors import logger
from connectors.aio.tasks import Tasks
from connectors.changes import Cursor
from connectors.store.sync_state import Checkpoint
from connectors.sync.content.contents import Contents
from connectors.sync.job import Job
from connectors.sync.writing.writer import Writer

if TYPE_CHECKING:
    import asyncio

log = logger.get(__name__)
EXPIRY: Final = timedelta(hours=1)
"""A source has changed too much since an older one for what is left of a walk to be worth much."""
MOST_WITHOUT_DELETES: Final = 2
"""So many resumed syncs in a row, and the next one begins anew: only a whole walk tells what is gone."""


def usable(job: Job) -> Checkpoint | None:
    """Return the checkpoint that a sync of a job may go on from: of the same recipe and index, and not too old."""
    state = job.state.value
    found = state.checkpoint
    if found is None or state.without_deletes >= MOST_WITHOUT_DELETES:
        return None
    same = (found.recipe, found.target) == (job.recipe, job.target.uuid)
    return found if same and job.place.clock.now() - found.saved_at < EXPIRY else None


class Checkpoints:
    """Saves where a walk stands, every few seconds at most.

    The walk goes on meanwhile: a cursor is saved when all that was taken before it has been fetched, written and
    acknowledged, and its letters are kept. So a sync that goes on there has nothing behind it to make good.
    """

    def __init__(self, job: Job, writer: Writer, contents: Contents, started_at: datetime) -> None:
        self._job = job
        self._writer = writer
        self._contents = contents
        self._started_at = started_at
        self._last_at = job.place.clock.monotonic()
        self._saving: asyncio.Task[None] | None = None
        self._tasks = Tasks("checkpoints")
        self._recipe = job.recipe

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Save checkpoints during the block; what is not saved at its end is not needed any more."""
        async with self._tasks:
            try:
                yield
            finally:
                if self._saving is not None:
                    self._saving.cancel()

    def is_due(self) -> bool:
        """Return whether the next checkpoint is worth saving."""
        is_busy = self._saving is not None and not self._saving.done()
        return (
            not is_busy
            and self._job.place.clock.monotonic() - self._last_at >= self._job.place.limits.checkpoint_every_s
        )

    def begin(self, cursor: Cursor) -> None:
        """Save a cursor as soon as all that was handed on by now is done with."""
        self._last_at = self._job.place.clock.monotonic()
        self._saving = self._tasks.start(self._save(cursor), name="saving")

    async def _save(self, cursor: Cursor) -> None:
        await self._contents.passed_all()
        await self._writer.passed(await self._writer.cut())
        await self._job.letters.flush()
        job = self._job
        await job.state.save(
            checkpoint=Checkpoint(
                cursor=cursor,
                recipe=self._recipe,
                target=job.target.uuid,
                started_at=self._started_at,
                saved_at=job.place.clock.now(),
            )
        )
        log.debug("Saved a checkpoint.", connector=job.connector.id)
