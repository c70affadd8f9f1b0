"""A live sync: writes the changes of a source as they happen, round after round, until it is asked to end."""

from dataclasses import replace

from connectors import logger
from connectors.changes import Change, Checkpoint, Cursor
from connectors.errors import ConfigurationError, CursorExpired, Retryable, SourceError
from connectors.source_class import can_be_live
from connectors.sync import reach
from connectors.sync.deleting.allowance import Allowance
from connectors.sync.ending import Ending, Why
from connectors.sync.job import Job
from connectors.sync.letters import Letters
from connectors.sync.partial.incremental import IncrementalSync
from connectors.sync.partial.position import Position, checked, expired
from connectors.sync.partial.progress import Progress
from connectors.sync.partial.round import Live, Round
from connectors.sync.partial.stream import Stream
from connectors.sync.report import SyncReport

log = logger.get(__name__)


class LiveSync:
    """Keeps the index right about what changes, for as long as it is let.

    - It goes on from the cursor of incremental syncs, or from the moment before the last full one. Where there is
      neither, a full sync has to come first: the ending says so.
    - A round begins with the first change that comes, and has writer, books and letters of its own, so nothing grows
      with time. While nothing comes, nothing is asked of the engine.
    - What deletions are held counts until the next full sync: a later round carries out none.
    - When the ending is asked for, what came is written, proven, and the cursor saved. Whatever else ends the sync, the
      next one goes on from the last cursor that was saved.
    """

    def __init__(self, job: Job, ending: Ending) -> None:
        if not can_be_live(job.source):
            raise ConfigurationError(
                f"The source {job.connector.service_type} can't tell of changes as they happen.",
                field="sync.live",
                hint=f"Switch it off: connectors set {job.connector.id} --sync live=false",
            )
        self._job = job
        self._ending = ending
        self._position = Position(job)
        self._allowance = Allowance(job)

    async def run(self) -> None:
        """Sync until asked to end. Raises an error of the tree."""
        start = await self._start()
        if start is None:
            self._ending.ask(Why.FULL_FIRST)
            return
        progress = Progress(self._job.report, self._job.place.clock)
        await self._allowance.recall()
        try:
            while self._ending.why is None:
                start = await self._follow(start, progress)
        except CursorExpired as error:
            await self._position.lose()
            raise expired(error, self._job.connector.id) from None

    async def _start(self) -> Cursor | None:
        job = self._job
        cursor = await self._position.begin()
        if cursor is not None or reach.since_full(job) is None:
            return cursor
        log.info("The source has no cursor of the last full sync, so it is read once more.", connector=job.connector.id)
        first = IncrementalSync(job)
        await first.run()
        if first.last is None:
            raise SourceError("The source yielded no cursor to go on from.", hint="This is a fault of the source.")
        return first.last

    async def _follow(self, start: Cursor, progress: Progress) -> Cursor:
        """Follow one stream until it breaks or the sync is to end, and return where it stands then."""
        job, clock = self._job, self._job.place.clock
        opened_at = clock.monotonic()
        async with Stream(job, start).running() as stream:
            live = Live(stream, self._position, self._allowance, self._ending, progress, start)
            while self._ending.why is None and stream.failure is None:
                await self._idle(live)
            if not live.is_saved:
                await self._position.save(live.start)
        failure = stream.failure
        if failure is None or self._ending.why is not None:
            return live.start
        if not isinstance(failure, Retryable) or clock.monotonic() - opened_at < job.place.limits.steady_s:
            raise failure
        log.warning("The stream of a source broke, and is opened again.", connector=job.connector.id, why=str(failure))
        return live.start

    async def _idle(self, live: Live) -> None:
        """Wait for something to write, and have a round do that. Where the stream stands is saved now and then."""
        job = self._job
        job.report.phase = "live"
        until = job.place.clock.monotonic() + job.place.limits.live_round_s
        while (left_s := until - job.place.clock.monotonic()) > 0:
            await live.stream.wait(left_s, live.ending.asked)
            change = await live.stream.take()
            if isinstance(change, Checkpoint):
                live.start, live.is_saved = checked(change.cursor), False
            elif change is not None:
                await self._round(live, change)
                return
            elif live.ending.why is not None or live.stream.failure is not None:
                return
        if not live.is_saved:
            await job.place.patience(lambda _: job.lease.confirm())
            await live.position.save(live.start)
            live.is_saved = True

    async def _round(self, live: Live, first: Change) -> None:
        job, place = self._job, self._job.place
        report = SyncReport(job.report.job_type, job.report.index, place.clock.now())
        letters = Letters(place.letters, job.lease, report, most=job.settings.max_dead_letters, clock=place.clock)
        live.allowance.renew()
        try:
            await Round(replace(job, report=report, letters=letters), live).run(first)
        finally:
            live.progress.tell(report)
        live.progress.end(report)
        if live.stream.is_empty:
            live.progress.caught_up()
