"""A round: some minutes of a live sync, which are a sync of their own and end with its proof."""

from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from connectors.changes import Change, Checkpoint, Cursor
from connectors.sync.deleting.allowance import Allowance
from connectors.sync.ending import Ending
from connectors.sync.foreign import of_source, read, told
from connectors.sync.job import Job
from connectors.sync.partial.feed import Feed
from connectors.sync.partial.partial import PartialSync
from connectors.sync.partial.position import Position
from connectors.sync.partial.progress import Progress
from connectors.sync.partial.stream import Stream
from connectors.sync.partial.taking import take

LONGEST_UNSHOWN_S: Final = 1.0
"""How long what was written may wait for the refresh that lets it be found."""
REFRESHING: Final = 0.05
"""The share of time that refreshes may take: behind one that took long the next one waits longer."""
SETTLE_EVERY_S: Final = 1.0
"""How long a change may wait for a full batch, while others keep coming."""


@dataclass
class Live:
    """What the rounds of one live sync have in common."""

    stream: Stream
    position: Position
    allowance: Allowance
    ending: Ending
    progress: Progress
    start: Cursor
    """Everything that the source told of before is done, and so saved or about to be."""
    is_saved: bool = True


class Round:
    """Writes what comes, until its time is over, the sync is to end, or the source has nothing more.

    - What came is sent as soon as nothing more is there to take, and a refresh lets it be found then; or a while after
      the last one, so that refreshes take a small share of the time.
    - A cursor is saved now and then, behind all that was acknowledged, and at the end. While deletions are to be held
      that are not yet, only at the end.
    - When the proof fails, what changed since the round began is read again, apart from the stream. Where that stands
      is what counts all the same: what the stream tells of later is written later, and may be older.
    """

    def __init__(self, job: Job, live: Live) -> None:
        self._job = job
        self._live = live
        self._clock = job.place.clock
        self._begun_at = self._clock.monotonic()
        self._began_with = live.start
        self._fed_at: float | None = None
        """When the first of what has not been written yet was fed."""
        self._show_at = self._begun_at
        """When what was written may be shown."""
        self._is_shown = True

    async def run(self, first: Change) -> None:
        """Write from this change on. Raises an error of the tree."""
        self._first: Change | None = first
        live = self._live
        await PartialSync(self._job, live.allowance).run(self._read)
        await live.position.save(live.start)
        live.is_saved = True

    async def _read(self, feed: Feed) -> None:
        if self._job.report.passes > 1:
            await self._read_again(feed)
            return
        first, self._first = self._first, None
        await self._take(feed, first)
        while not self._is_over:
            change = await self._live.stream.take()
            if change is not None:
                await self._take(feed, change)
            elif self._fed_at is not None:
                await self._settle(feed)
            else:
                await self._be_quiet()
        await self._settle(feed)
        await self._show()

    @property
    def _is_over(self) -> bool:
        live = self._live
        return live.ending.why is not None or live.stream.failure is not None or self._left_s <= 0

    @property
    def _left_s(self) -> float:
        return self._begun_at + self._job.place.limits.live_round_s - self._clock.monotonic()

    async def _take(self, feed: Feed, change: object) -> None:
        live, now = self._live, self._clock.monotonic()
        if not isinstance(change, Checkpoint):
            live.progress.behind()
            self._fed_at = now if self._fed_at is None else self._fed_at
            self._is_shown = False
            live.is_saved = False
        cursor = await take(feed, change)
        if self._fed_at is not None and now - self._fed_at >= SETTLE_EVERY_S:
            await feed.settle()
            self._fed_at = None
            await self._show()
        if cursor is not None:
            await self._stand_at(cursor, feed)

    async def _stand_at(self, cursor: Cursor, feed: Feed) -> None:
        live = self._live
        live.start = cursor
        if live.position.is_due and not live.is_saved:
            await feed.settle()
            self._fed_at = None
            await self._save()

    async def _settle(self, feed: Feed) -> None:
        """Have all that was taken written, and let it be found."""
        await feed.settle()
        self._fed_at = None
        self._live.progress.tell(self._job.report)
        await self._show_if_due()

    async def _be_quiet(self) -> None:
        """Wait for a change, and do meanwhile what is due."""
        live, now = self._live, self._clock.monotonic()
        live.progress.caught_up()
        due_in_s = [self._left_s]
        if not self._is_shown:
            due_in_s.append(self._show_at - now)
        if not live.is_saved:
            due_in_s.append(live.position.due_in_s)
        await live.stream.wait(max(0.0, min(due_in_s)), live.ending.asked)
        await self._show_if_due()
        if not live.is_saved and live.position.is_due and live.stream.is_empty:
            await self._save()

    async def _show_if_due(self) -> None:
        if self._clock.monotonic() >= self._show_at:
            await self._show()

    async def _show(self) -> None:
        """Let what was written be found."""
        if not self._is_shown:
            job, began_at = self._job, self._clock.monotonic()
            await job.place.patience(lambda _: job.place.engine.data.refresh(job.target.index))
            now, self._is_shown = self._clock.monotonic(), True
            self._show_at = now + min(LONGEST_UNSHOWN_S, (now - began_at) / REFRESHING)

    async def _save(self) -> None:
        """Save where the stream stands, all before which is acknowledged."""
        job, live = self._job, self._live
        if not live.allowance.any_to_hold:
            await job.place.patience(lambda _: job.letters.flush())
            await job.place.patience(lambda _: job.lease.confirm())
            await live.position.save(live.start)
            live.is_saved = True

    async def _read_again(self, feed: Feed) -> None:
        """Feed what changed since the round began, up to now."""
        job = self._job
        with of_source(job.mask, job.silence):
            changes = job.source.get_docs_incrementally(self._began_with, job.filtering)
        async with read(changes, job.mask, job.silence) as walk, aclosing(told(walk, job.mask, job.silence)) as items:
            async for change in items:
                await take(feed, change)
