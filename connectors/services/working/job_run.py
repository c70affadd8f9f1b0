"""A job run: one claimed job, from its claim to what its document says in the end."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from connectors import logger
from connectors.aio.tasks import Tasks
from connectors.errors import (
    ConfigurationError,
    ConnectorsError,
    CursorExpired,
    EngineError,
    EngineFailed,
    EngineOverloaded,
    EngineUnreachable,
    IndexReplaced,
    JobCanceled,
    JobLost,
    TargetInUse,
)
from connectors.services.working.job_end import End
from connectors.services.working.job_record import JobRecord
from connectors.services.working.live_run import LiveRun
from connectors.store.connector import Connector
from connectors.store.custom_schedule import customized, schedule_key, schedule_of, synced
from connectors.store.job import FORCE, JobStatus, SyncJob, Trigger
from connectors.store.jobs import JobStore, following_id
from connectors.store.lenient import instant_of
from connectors.store.live import is_live, wants_live
from connectors.store.snapshot import snapshot_of
from connectors.store.sync_state import JobType
from connectors.sync.ledger.scan import query
from connectors.sync.outcome import Outcome
from connectors.sync.report import SyncReport
from connectors.sync.sync import Sync
from connectors.sync.workplace import Workplace

log = logger.get(__name__)
LOOK_EVERY_S: Final = 2.0
"""How soon it is seen that somebody wants a job to be canceled."""
BEATS: Final = 6
"""How often a job says that it is alive within the time after which it would be taken for lost."""
AWAY: Final = frozenset({502, 503, 504})
"""What an engine answers that is starting, or something in front of one that is not there."""
AWAY_SINCE: Final = "engine_away_since"
REPLACED: Final = "replaced"
EXPIRED: Final = "expired"
RESUMED: Final = "resumed"
PATIENCE_S: Final = 20.0
"""How long it may take to say how a job ended. Of who can't say it in that time, others say that the job was lost."""


@dataclass
class JobRun:
    """Runs one job that this process has claimed.

    - While it runs its document says how far it has come, and it ends when somebody wants it to be canceled.
    - Its connector is read now, not taken from the snapshot: settings and rules are those of this moment.
    - Cancelling the task suspends the job: it is gone on with, by whomever.
    - A job that the engine fails because it is away is suspended too, for as long as syncs wait for an engine.
    - A job that is lost, because others took it for dead, writes nothing any more.
    - A live sync is suspended when another job of its connector waits, and when its connector is changed; it ends when
      nobody wants it any more.
    - A sync whose index was replaced is followed by a full one, unless it followed for that reason itself; and so is
      one that went on with what an earlier one had begun. Of these the third at the latest begins anew. An incremental
      sync whose source can't tell any more what has happened since is followed by a full one too.
    """

    place: Workplace
    jobs: JobStore
    job: SyncJob
    report: SyncReport = field(init=False)
    _live: LiveRun | None = field(init=False)
    """What is other about a live sync; None of any other."""

    def __post_init__(self) -> None:
        clock = self.place.clock
        self.report = SyncReport(self.job.job_type or JobType.FULL, "", clock.now())
        self._record = JobRecord(self.jobs, self.job, clock)
        self._away_since: datetime | None = None
        self._live = LiveRun(self.place, self.jobs, self.job, self._record) if is_live(self.job) else None

    def look(self) -> None:
        """Have a live sync look whether it is to end."""
        if self._live is not None:
            self._live.wanted.set()

    async def run(self) -> JobStatus | None:
        """Run the job to its end, and return how that was; None if it is not this process's any more.

        Nothing that goes wrong with the job is raised.
        """
        connector: Connector | None = None
        try:
            connector = await self._connector()
            end = await self._synced(connector)
        except asyncio.CancelledError:
            await self._tell(End(JobStatus.SUSPENDED), connector)
            raise
        except ConnectorsError as error:
            found = self._end_of(error)
            if found is None:
                log.warning("A job is no longer this worker's.", job=self.job.id, why=str(error))
                return None
            end = found
        except Exception:  # the edge: whatever a source or we ourselves did wrong ends this job and no other
            log.exception("A job failed by a fault of this program.", job=self.job.id)
            end = End(JobStatus.ERROR, "A fault of this program. Its log tells more.")
        return await self._tell(end, connector)

    async def _connector(self) -> Connector:
        name = self.job.connector_id
        if name is None:
            raise ConfigurationError("The job does not say which connector it is of.", field="connector.id")
        found = await self.place.connectors.get(name)
        if found is None or found.deleted:
            raise JobCanceled("The connector was deleted.")
        if self.job.job_type is None:
            kind = self.job.document.get("job_type")
            raise ConfigurationError(f"There is no sync of the type {kind!r}.", field="job_type")
        return found

    async def _synced(self, connector: Connector) -> End:
        """Sync the connector, which is told what becomes of that too."""
        if self._live is not None and not wants_live(connector):
            return End(JobStatus.COMPLETED)
        sync = self._sync(connector)
        self.report = sync.report
        outcome = Outcome(self.place.connectors, connector.id, self.place.clock, connector)
        try:
            async with Tasks("job") as tasks:
                beating = tasks.start(self._beat(connector), name="heartbeat")
                try:
                    await sync.run(owning=lambda: outcome.begun(sync.report))
                finally:
                    beating.cancel()
        except asyncio.CancelledError:
            await outcome.suspended(self.report)
            raise
        except Exception as error:
            await self._tell_connector(outcome, error)
            raise
        if self._live is not None:
            return await self._live.end(outcome, self.report)
        await outcome.completed(self.report)
        because = RESUMED if self.report.resumed_since is not None else None
        return End(JobStatus.COMPLETED, self.report.error, because)

    def _sync(self, connector: Connector) -> Sync:
        """Return the sync, with the settings of a custom schedule where the job is of one; other ones never delete."""
        adds_only = False
        if (key := schedule_key(self.job)) is not None:
            schedule = schedule_of(connector, key)
            connector, adds_only = customized(connector, schedule), bool(schedule.overrides)
        return Sync(
            self.place,
            connector,
            self.report.job_type,
            run=self.job.id,
            adds_only=adds_only,
            force=self.job.is_forced,
            live=self._live.ending if self._live is not None else None,
        )

    async def _tell_connector(self, outcome: Outcome, error: Exception) -> None:
        """Tell the connector how its sync failed: of a job that is lost only what nobody else tells."""
        if self._is_gone_on_with(error):
            await outcome.suspended(self.report)
        elif not isinstance(error, JobLost):
            await outcome.failed(self.report, error)
        elif self._is_displaced(error):
            await outcome.abandoned(self.report)
        elif await self._is_deleted():
            await outcome.failed(self.report, JobCanceled("The job was deleted while it ran."))

    def _is_displaced(self, error: JobLost) -> bool:
        """Return whether a sync of another connector, which shares the index, has taken that over: the job is ours."""
        return error.taken_by not in {None, self.job.connector_id}

    async def _is_deleted(self) -> bool:
        try:
            return await self.jobs.get(self.job.id) is None
        except EngineError:
            return False

    async def _beat(self, connector: Connector) -> None:
        """Say that the job is alive. Raises `JobCanceled` when somebody wants that, and `JobLost`."""
        if self._live is not None:
            await self._live.beat(connector, self.report)
        clock, every_s = self.place.clock, self.place.limits.lease_timeout_s / BEATS
        said_at = clock.monotonic()
        while True:
            await clock.sleep(min(LOOK_EVERY_S, every_s))
            try:
                found = await self._record.look()
                if found.status is JobStatus.CANCELING:
                    raise JobCanceled("Somebody asked for it to be canceled.")
                current = await self.place.connectors.get(connector.id)
                if current is None or current.deleted:
                    raise JobCanceled("The connector was deleted.")
                if clock.monotonic() - said_at >= every_s:
                    said_at = clock.monotonic()
                    await self._record.beat(self.report)
            except EngineError as error:
                log.warning("The engine could not be told that a job is alive.", job=self.job.id, why=str(error))

    # The end.

    def _end_of(self, error: ConnectorsError) -> End | None:
        text = f"{type(error).__name__}: {error}"
        match error:
            case JobLost() if self._is_displaced(error):
                return End(JobStatus.SUSPENDED, str(error))
            case JobLost():
                return None
            case JobCanceled():
                return End(JobStatus.CANCELED, str(error))
            case TargetInUse():
                return End(JobStatus.SUSPENDED, str(error))
            case EngineError() if self._is_gone_on_with(error):
                return End(JobStatus.SUSPENDED, text)
            case IndexReplaced():
                return End(JobStatus.ERROR, text, REPLACED)
            case CursorExpired() if self.report.job_type is JobType.INCREMENTAL:
                return End(JobStatus.ERROR, f"CursorExpired: {error.message} A full sync follows.", EXPIRED)
        return End(JobStatus.ERROR, text)

    def _is_gone_on_with(self, error: Exception) -> bool:
        """Return whether the job is gone on with after an error: its engine was away, and that is not too long ago.

        It counts from the first time, so that a job which the engine fails again and again has an end; and anew once it
        has run for that long.
        """
        is_away = isinstance(error, EngineUnreachable | EngineOverloaded)
        if not is_away and not (isinstance(error, EngineFailed) and error.status in AWAY):
            return False
        since, now = instant_of(self.job.metadata.get(AWAY_SINCE)), self.place.clock.now()
        most = timedelta(seconds=self.place.limits.writer.unavailable_timeout_s)
        self._away_since = since if since is not None and now - self.report.started_at < most else now
        return now - self._away_since < most

    async def _tell(self, end: End, connector: Connector | None) -> JobStatus | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._live is not None:
                    self._live.close(end, self.report)
                total = await self._total(connector) if end.status is JobStatus.COMPLETED else None
                if end.followed_because is not None and connector is not None:
                    await self._follow(end.followed_because, connector, end.following)
                await self._record.end(end.status, self.report, end.error, total=total, told=self._told(end))
                await self._tell_schedule(end, connector)
        except JobLost as error:
            log.warning("A job is no longer this worker's.", job=self.job.id, why=str(error))
            return None
        except (ConnectorsError, TimeoutError) as error:
            log.warning("It could not be told how a job ended.", job=self.job.id, status=end.status, why=str(error))
        return end.status

    async def _tell_schedule(self, end: End, connector: Connector | None) -> None:
        """Say of the custom schedule that the job is of, if it is of one, when its last sync ended."""
        key = schedule_key(self.job)
        if key is not None and connector is not None and end.status is not JobStatus.SUSPENDED:
            now = self.place.clock.now()
            await self.place.connectors.update(connector.id, lambda found: synced(found, key, now))

    def _told(self, end: End) -> Mapping[str, Any]:
        alone = {"alone": False, "deaths": 0} if end.status is not JobStatus.SUSPENDED else {}
        was_away = self._away_since is not None or AWAY_SINCE in self.job.metadata
        away = {AWAY_SINCE: self._away_since} if was_away else {}
        note = {"note": self.report.verdict.text} if self.report.verdict is not None else {}
        found = {"held_deletions": self.report.held, "dead_letters": self.report.letters, **note, **alone, **away}
        return found if self._live is None else {**found, **self._live.told(end)}

    async def _total(self, connector: Connector | None) -> int | None:
        """Return how many documents the index holds of the connector now."""
        if connector is None or not self.report.index:
            return None
        await self.place.engine.control.refresh(self.report.index)
        return await self.place.engine.control.count(self.report.index, query(connector.id))

    async def _follow(self, because: str, connector: Connector, job_id: str | None = None) -> None:
        """Make the job of the full sync that has to follow this one, whose turn comes when this one has ended.

        It is made before that: who dies in between is gone on with, and makes the same job again. Raises `JobLost`.
        """
        if because == REPLACED and self.job.metadata.get("because") == because:
            return
        await self._record.look()
        kind = self.report.job_type
        job_type = JobType.ACCESS_CONTROL if kind is JobType.ACCESS_CONTROL else JobType.FULL
        snapshot = snapshot_of(connector, job_type, self.place.registry)
        metadata = {"follows": self.job.id, "because": because, **({FORCE: True} if self.job.is_forced else {})}
        job_id = job_id or following_id(self.job.id, because)
        await self.jobs.create(job_id, snapshot, job_type, Trigger.ON_DEMAND, metadata=metadata)
        log.info("A full sync follows.", connector=connector.id, because=because, job=self.job.id)
