"""The position: where the incremental and live syncs of a connector stand, a cursor that only their owner can move."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from connectors import logger
from connectors.changes import Cursor
from connectors.errors import Conflict, CursorExpired, SourceError
from connectors.source_class import has
from connectors.store.connector import Connector
from connectors.store.connectors import Update
from connectors.sync import reach
from connectors.sync.foreign import of_source
from connectors.sync.job import Job

log = logger.get(__name__)
MOST_ATTEMPTS: Final = 25
"""How often a cursor is saved anew while others change the connector's document."""


class Position:
    """The cursor in a connector's document.

    - Whoever owned the target before can't save a cursor any more. A sync takes the state over, and then touches the
      connector's document; a cursor is saved in the revision of that document that was read before the state was found
      to be still ours. So an earlier owner is refused by the one or by the other.
    - A cursor holds for the recipe and the index with which it was made. With others, everything is read, unless a full
      sync with these was the last one that wrote anything with others. What a cursor holds for is saved after the
      cursor: what dies between the two leaves a cursor that holds for nothing.
    - Where there is no cursor, that of the moment before the last full sync is as good, if nobody has written with
      another recipe since and the source can tell it.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._saved_at = job.place.clock.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last cursor was saved so long ago that the next one is worth it."""
        clock, limits = self._job.place.clock, self._job.place.limits
        return clock.monotonic() - self._saved_at >= limits.checkpoint_every_s

    @property
    def due_in_s(self) -> float:
        """In how many seconds that will be so."""
        clock, limits = self._job.place.clock, self._job.place.limits
        return max(0.0, self._saved_at + limits.checkpoint_every_s - clock.monotonic())

    async def begin(self) -> Cursor | None:
        """Return where to begin, None for reading everything, and keep an earlier owner of the target from moving it.

        Raises `JobLost`.
        """
        job = self._job
        now = job.place.clock.now()
        found = await self._update(lambda found: _touched(found, now))
        if job.state.value.reached is None:  # a cursor that is there was put there by somebody, to be gone on from
            await reach.save(job, reach.here(job))
        await reach.begin(job)
        if found.sync_cursor is not None and reach.holds(job):
            return found.sync_cursor
        if (cursor := self._since_full()) is not None:
            log.info("There is no cursor, so what changed since the last full sync is read.", connector=found.id)
        elif found.sync_cursor is not None:
            log.info("The cursor is one of other rules or another index, so everything is read.", connector=found.id)
        return cursor

    async def save(self, cursor: Cursor) -> None:
        """Save a cursor before which everything is done. Raises `JobLost`."""
        await self._try_to_move(cursor)
        self._saved_at = self._job.place.clock.monotonic()
        log.debug("Saved a cursor.", connector=self._job.connector.id)

    async def lose(self) -> None:
        """Drop the cursor, and let nothing else be gone on from, nor a full sync be skipped. Raises `JobLost`."""
        await reach.lose(self._job)
        await self._try_to_move(None)

    def _since_full(self) -> Cursor | None:
        """Return the cursor of the moment before the last full sync, if it holds and the source can tell it."""
        job, done = self._job, reach.since_full(self._job)
        if done is None or done.token is None or not has(job.source, "cursor_of"):
            return None
        with of_source(job.mask, job.silence):
            found = job.source.cursor_of(done.token)
        return checked(found) if found is not None else None

    async def _try_to_move(self, cursor: Cursor | None) -> None:
        for _ in range(MOST_ATTEMPTS):
            try:
                await self._move(cursor)
            except _Changed:
                continue
            return
        raise Conflict(f"The connector {self._job.connector.id!r} is changed by others all the time.")

    async def _move(self, cursor: Cursor | None) -> None:
        """Save a cursor if nobody writes to the connector's document between our being its owner and that."""
        job = self._job
        read = await job.place.patience(lambda _: job.place.connectors.get(job.connector.id))
        await job.place.patience(lambda _: job.state.save())
        await self._update(lambda found: _moved(found, read, cursor))
        if cursor is not None and not reach.holds(job):
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


def _moved(found: Connector, read: Connector | None, cursor: Cursor | None) -> Mapping[str, Any]:
    """Return the new cursor for a connector that is still as it was read."""
    if found.sync_cursor == cursor:
        return {}
    if read is None or found.revision != read.revision:
        raise _Changed
    return {"sync_cursor": cursor}


def expired(error: CursorExpired, connector_id: str) -> CursorExpired:
    """Return the error of a source with what a person is to do, unless a daemon does it."""
    hint = f"A full sync has to follow: connectors sync {connector_id}"
    return CursorExpired(error.message, hint=hint)


def checked(cursor: object) -> Cursor:
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
