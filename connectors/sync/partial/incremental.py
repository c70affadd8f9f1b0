"""An incremental sync: reads what changed in a source since a cursor, and moves the cursor on."""

from collections.abc import Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from connectors import logger
from connectors.changes import Checkpoint, Cursor, Delete, Failed, Upsert
from connectors.errors import ConfigurationError, Conflict, SourceError
from connectors.source_class import has
from connectors.store.connector import Connector
from connectors.store.connectors import Update
from connectors.sync import reach
from connectors.sync.foreign import of_source, read, told
from connectors.sync.job import Job
from connectors.sync.partial.feed import Feed
from connectors.sync.partial.partial import PartialSync

log = logger.get(__name__)
MOST_ATTEMPTS: Final = 25
"""How often a cursor is saved anew while others change the connector's document."""


class IncrementalSync:
    """Makes the index right about what changed since the cursor in the connector's document.

    - The cursor is saved when the index has all that came before it: every few seconds at most while the source is
      read, and at the end. While deletions are held, and when the source is read once more, only at the end.
    - Whoever owned the target before can't save a cursor any more. A sync takes the state over, and then touches the
      connector's document; a cursor is saved in the revision of that document that was read before the state was found
      to be still ours. So an earlier owner is refused by the one or by the other.
    - A cursor holds for the recipe and the index with which it was made. With others, everything is read, unless a full
      sync with these was the last one that wrote anything with others. What a cursor holds for is saved after the
      cursor: what dies between the two leaves a cursor that holds for nothing.
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
        self._start: Cursor | None = None
        self._last: Cursor | None = None
        self._saved_at = job.place.clock.monotonic()

    async def run(self) -> None:
        """Sync. Raises an error of the tree, after which the next sync goes on from the last cursor that was saved."""
        self._start = await self._cursor()
        await self._partial.run(self._read)
        if self._last is not None:
            await self._save(self._last)

    async def _read(self, feed: Feed) -> None:
        """Feed what changed, from where the sync began."""
        job = self._job
        self._last = None
        with of_source(job.mask, job.silence):
            changes = job.source.get_docs_incrementally(self._start, job.filtering)
        async with read(changes, job.mask, job.silence) as walk, aclosing(told(walk, job.mask, job.silence)) as items:
            async for change in items:
                match change:
                    case Upsert():
                        await feed.upsert(change.document, change.download)
                    case Delete():
                        await feed.delete(change.id)
                    case Failed():
                        await feed.fail(change)
                    case Checkpoint():
                        self._last = _checked(change.cursor)
                        await self._save_if_due(feed)
                    case _:
                        raise SourceError(
                            f"The source yielded an object of the type {type(change).__name__}, which is no change.",
                            hint="This is a fault of the source: it yields what connectors.changes has.",
                        )

    # The cursor.

    async def _cursor(self) -> Cursor | None:
        """Return where to begin, and keep an earlier owner of the target from moving that."""
        job = self._job
        now = job.place.clock.now()
        found = await self._update(lambda found: _touched(found, now))
        if job.state.value.reached is None:  # a cursor that is there was put there by somebody, to be gone on from
            await reach.save(job, reach.here(job))
        await reach.begin(job)
        if found.sync_cursor is None or reach.holds(job):
            return found.sync_cursor
        log.info("The cursor is one of other rules or another index, so everything is read.", connector=found.id)
        return None

    async def _save_if_due(self, feed: Feed) -> None:
        clock, limits = self._job.place.clock, self._job.place.limits
        is_due = clock.monotonic() - self._saved_at >= limits.checkpoint_every_s
        if not is_due or self._job.report.passes > 1 or self._last is None:
            return
        await feed.settle()
        if not self._partial.allowance.any_kept:
            await self._job.place.patience(lambda _: self._job.letters.flush())
            await self._job.place.patience(lambda _: self._job.lease.confirm())
            await self._save(self._last)

    async def _save(self, cursor: Cursor) -> None:
        """Save a cursor before which everything is done. Raises `JobLost`."""
        job = self._job
        for _ in range(MOST_ATTEMPTS):
            try:
                await self._move(cursor)
            except _Changed:
                continue
            self._saved_at = job.place.clock.monotonic()
            log.debug("Saved a cursor.", connector=job.connector.id)
            return
        raise Conflict(f"The connector {job.connector.id!r} is changed by others all the time.")

    async def _move(self, cursor: Cursor) -> None:
        """Save a cursor if nobody writes to the connector's document between our being its owner and that."""
        job = self._job
        read = await job.place.patience(lambda _: job.place.connectors.get(job.connector.id))
        await job.place.patience(lambda _: job.state.save())
        await self._update(lambda found: _moved(found, read, cursor))
        if not reach.holds(job):
            await reach.save(job, reach.here(job))

    async def _update(self, update: Update) -> Connector:
        job = self._job
        return await job.place.patience(lambda _: job.place.connectors.update(job.connector.id, update))


class _Changed(Exception):
    """Somebody wrote to the connector's document since it was read."""


def _touched(found: Connector, now: datetime) -> Mapping[str, Any]:
    """Return a change of a connector that is one whatever the clock says, so that its revision is a new one."""
    moment = now.isoformat()
    if found.document.get("updated_at") == moment:
        moment = (now + timedelta(microseconds=1)).isoformat()
    return {"updated_at": moment}


def _moved(found: Connector, read: Connector | None, cursor: Cursor) -> Mapping[str, Any]:
    """Return the new cursor for a connector that is still as it was read."""
    if found.sync_cursor == cursor:
        return {}
    if read is None or found.revision != read.revision:
        raise _Changed
    return {"sync_cursor": cursor}


def _checked(cursor: object) -> Cursor:
    """Return a cursor as it will be read. Raises a `SourceError` for what can't be kept."""
    try:
        found = msgspec.json.decode(msgspec.json.encode(cursor))
    except (TypeError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise SourceError(
            f"The source yielded a cursor of the type {type(cursor).__name__} that is no JSON object.",
            hint="This is a fault of the source: a cursor is a dict of texts, numbers, lists and the like.",
        )
    return found
