"""The jobs that the engine holds: made, found, claimed by compare-and-set, and told what became of them."""

import hashlib
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import uuid4

import msgspec

from connectors.aio.clock import Clock, SystemClock
from connectors.engine import Engine
from connectors.engine.operations import Operations, Refresh
from connectors.engine.scan import Walk
from connectors.errors import Conflict
from connectors.store.index import StoreIndex
from connectors.store.job import ACTIVE, ENDED, WAITING, JobStatus, SyncJob, Trigger
from connectors.store.lanes import Lane, of_other_lanes
from connectors.store.sync_state import JobType

_KEYWORD: Final = {"type": "keyword"}
_DATE: Final = {"type": "date"}
_INTEGER: Final = {"type": "integer"}
_OPAQUE: Final = {"type": "object", "enabled": False}
INDEX: Final = StoreIndex(
    ".elastic-connectors-sync-jobs-v1",
    {
        **dict.fromkeys(("created_at", "started_at", "completed_at", "last_seen"), _DATE),
        **dict.fromkeys(("cancelation_requested_at", "canceled_at"), _DATE),
        **dict.fromkeys(("status", "job_type", "trigger_method", "worker_hostname", "error"), _KEYWORD),
        **dict.fromkeys(("indexed_document_count", "deleted_document_count"), _INTEGER),
        **dict.fromkeys(("indexed_document_volume", "total_document_count"), _INTEGER),
        "metadata": _OPAQUE,
        "connector": {
            "properties": {
                **dict.fromkeys(("id", "index_name", "language", "service_type"), _KEYWORD),
                **dict.fromkeys(("configuration", "filtering", "pipeline", "sync_cursor"), _OPAQUE),
            }
        },
    },
    alias=".elastic-connectors-sync-jobs",
    meta={"version": 1},
    shared=True,
)
NAME: Final = ".elastic-connectors-sync-jobs"
MOST_ATTEMPTS: Final = 25
"""How often a change is tried while others change the same job: each time one of them gets through."""
MOST_OPEN: Final = 1_000
"""Of the jobs that have not ended, so many are found at once, the oldest first."""
MOST_SEARCHES: Final = 50
"""How often it is asked for jobs of other lanes, while each time those of few lanes are all that is found."""
_PAGE: Final = 500
_LAST: Final = 10
_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)
_SNAPSHOT: Final = ("configuration", "filtering", "pipeline", "sync_cursor")
"""What a job says of its connector beside which one that is."""
Change = Callable[[SyncJob], Mapping[str, Any] | None]
"""Returns the fields that are to be other than they are in a job, each whole; None to leave it as it is."""


def scheduled_id(connector: str, schedule: str, instant: datetime) -> str:
    """Return the id of the job that a tick makes: the same for whoever makes it."""
    told = "\0".join((connector, str(schedule), instant.isoformat()))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def following_id(job: str, because: str) -> str:
    """Return the id of the job that follows another one for a reason: the same whenever it is made."""
    return hashlib.sha256(f"{job}\0{because}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


class JobStore:
    """Reads and writes job documents, whose index has to be there: `open` sees to that."""

    def __init__(self, operations: Operations, clock: Clock | None = None) -> None:
        self._operations = operations
        self._clock = clock or SystemClock()

    @classmethod
    async def open(cls, engine: Engine, clock: Clock | None = None) -> Self:
        """Return the store of an engine, the index and its alias created when missing. Raises an `EngineError`."""
        await INDEX.prepare(engine)
        return cls(engine.control, clock)

    async def get(self, job_id: str) -> SyncJob | None:
        """Return a job as it is now; None when there is none of that id."""
        found = await self._operations.get(NAME, job_id)
        return None if found is None else SyncJob.of_stored(found)

    async def create(
        self,
        job_id: str,
        snapshot: Mapping[str, Any],
        job_type: JobType,
        trigger: Trigger,
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> SyncJob:
        """Write a job that waits to be run, and return it; where there is one of that id already, that one.

        So a job may be made by several at once, and again after an answer was lost.
        """
        now = self._clock.now()
        document = {
            "connector": snapshot,
            "job_type": job_type,
            "trigger_method": trigger,
            "status": JobStatus.PENDING,
            "created_at": now,
            "last_seen": now,
            **dict.fromkeys(("started_at", "completed_at", "canceled_at", "cancelation_requested_at", "error")),
            **dict.fromkeys(("indexed_document_count", "indexed_document_volume", "deleted_document_count"), 0),
            "total_document_count": 0,
            "worker_hostname": None,
            "metadata": metadata or {},
        }
        body = msgspec.json.encode(document)
        try:
            written = await self._operations.create(NAME, job_id, body, refresh="now")
        except Conflict:
            found = await self.get(job_id)
            if found is None:
                raise
            return found
        return SyncJob(job_id, msgspec.json.decode(body), written.revision)

    async def open_jobs(self, *, most: int = MOST_OPEN) -> list[SyncJob]:
        """Return the jobs that have not ended, the oldest first; where they are more than `most`, not all that wait.

        Of these it returns what `waiting` does.
        """
        found = await self._oldest(WAITING | ACTIVE, most)
        if found.is_all:
            return found.jobs
        jobs = [*found.jobs, *await self._of_other_lanes(found.jobs, most)]
        active = await self.active(most=most)  # in the end, so that none begins unseen
        return sorted({job.id: job for job in (*jobs, *active)}.values(), key=age_of)

    async def waiting(self, *, most: int = MOST_OPEN) -> list[SyncJob]:
        """Return jobs that somebody should begin or go on with, the oldest first.

        Where there are more than `most`, these are so many of the oldest; and while that leaves any out, so many of the
        oldest that are in lanes of which there was none before. So whoever wants much keeps nobody from being seen.
        """
        found = await self._oldest(WAITING, most)
        return found.jobs if found.is_all else [*found.jobs, *await self._of_other_lanes(found.jobs, most)]

    async def _of_other_lanes(self, jobs: Sequence[SyncJob], most: int) -> list[SyncJob]:
        """Return jobs that wait in lanes of which there is none among these, the oldest first."""
        known, others = [job for job in jobs if job.status in WAITING], list[SyncJob]()
        for _ in range(MOST_SEARCHES):
            found = await self._oldest(WAITING, most, but=of_other_lanes(known))
            lanes = set(map(Lane.of, known))
            known += found.jobs
            others += found.jobs
            if found.is_all or lanes.issuperset(map(Lane.of, found.jobs)):
                break
        return others

    async def active(self, *, most: int = MOST_OPEN) -> list[SyncJob]:
        """Return all jobs that somebody has begun and not ended, the oldest first: a search for `most`, else a scan."""
        found = await self._oldest(ACTIVE, most)
        if found.is_all:
            return found.jobs
        return sorted([job async for job in self._scanned({"terms": {"status": sorted(ACTIVE)}})], key=age_of)

    async def overview(self, statuses: Collection[JobStatus], *, most: int = MOST_OPEN) -> tuple[int, list[SyncJob]]:
        """Return how many jobs have one of these statuses, and the oldest of them, without most of their snapshots."""
        body = {
            "query": {"terms": {"status": sorted(statuses)}},
            "size": most,
            "sort": [_by_creation("asc")],
            "seq_no_primary_term": True,
            "_source": {"excludes": [f"connector.{name}" for name in _SNAPSHOT]},
        }
        await self._operations.refresh(NAME)
        page = await self._operations.search(NAME, body)
        return page.total, [SyncJob.of_hit(hit) for hit in page.hits]

    async def written_last(self, statuses: Collection[JobStatus], *, most: int) -> tuple[int, list[SyncJob]]:
        """Return how many jobs have one of these statuses, and those of them that were written last, the last first."""
        body = {
            "query": {"terms": {"status": sorted(statuses)}},
            "size": most,
            "sort": [{"_seq_no": "desc"}],
            "seq_no_primary_term": True,
        }
        await self._operations.refresh(NAME)
        page = await self._operations.search(NAME, body)
        return page.total, [SyncJob.of_hit(hit) for hit in page.hits]

    async def of_connector(self, connector: str, *, most: int = 100) -> list[SyncJob]:
        """Return the jobs of a connector, the newest first."""
        body = {"query": {"term": {"connector.id": connector}}, "size": most, "sort": [_by_creation("desc")]}
        return await self._found(body)

    async def documents_of(self, lane: Lane) -> int | None:
        """Return how many documents the last jobs of a lane left in the index, at most; None if it had none yet."""
        kind = {"term": {"job_type": JobType.ACCESS_CONTROL}}
        ended = [{"term": {"connector.id": lane.connector}}, {"terms": {"status": sorted(ENDED)}}]
        query = {"filter": [*ended, kind]} if lane.is_access_control else {"filter": ended, "must_not": [kind]}
        body = {"query": {"bool": query}, "size": _LAST, "sort": [_by_creation("desc")]}
        counts = [
            count
            for job in await self._found(body)
            for count in map(job.document.get, ("total_document_count", "indexed_document_count"))
            if isinstance(count, int)
        ]
        return max(counts, default=None)

    async def newest(self, *, most: int = 100) -> list[SyncJob]:
        """Return jobs, the newest first."""
        return await self._found({"query": {"match_all": {}}, "size": most, "sort": [_by_creation("desc")]})

    async def ended_before(self, instant: datetime) -> AsyncGenerator[SyncJob, None]:
        """Yield the jobs that ended before a moment, in no order. Close the generator (`aclosing`) to leave early."""
        query = {
            "bool": {
                "filter": [
                    {"terms": {"status": sorted(ENDED)}},
                    {"range": {"completed_at": {"lt": instant.isoformat()}}},
                ]
            }
        }
        await self._operations.refresh(NAME)
        async with aclosing(self._scanned(query)) as found:
            async for job in found:
                yield job

    async def change(self, job_id: str, change: Change, *, refresh: Refresh = "now") -> SyncJob:
        """Write the fields that a function returns for the job as it is; of the newer one on a conflict.

        Every other field is left as it is, known or not. The function may be called several times, and again for its
        own work when an answer was lost. Raises `Conflict` when there is no such job, or others keep changing it.
        """
        for _ in range(MOST_ATTEMPTS):
            found = await self.get(job_id)
            if found is None:
                raise Conflict(f"There is no job {job_id!r}.", hint="It may have been deleted meanwhile.")
            changes = change(found)
            if changes is None:
                return found
            try:
                return await self._replaced(found, changes, refresh)
            except Conflict:
                continue
        raise Conflict(f"The job {job_id!r} is changed by others all the time.")

    async def replace(self, job: SyncJob, changes: Mapping[str, Any], *, refresh: Refresh = "now") -> SyncJob:
        """Write the same into exactly the job that was read. Raises `Conflict` when somebody has changed it since."""
        return await self._replaced(job, changes, refresh)

    async def claim(self, job: SyncJob, *, instance: str, hostname: str, sync_cursor: object = None) -> SyncJob | None:
        """Begin a job as it was read, or go on with it; None when somebody else has changed it since, or is to do it.

        Its metadata says who has it, and carries a number that is drawn for this claim alone: so one whose answer was
        lost is recognised, and has succeeded.
        """
        if job.is_newer:
            return None
        now, claim = self._clock.now(), uuid4().hex
        changes = {
            "status": JobStatus.IN_PROGRESS,
            "started_at": job.document.get("started_at") or now,
            "last_seen": now,
            "worker_hostname": hostname,
            "error": None,
            "connector": {**(job.document.get("connector") or {}), "sync_cursor": sync_cursor},
            "metadata": {**job.metadata, "instance": instance, "claim": claim},
        }
        try:
            return await self._replaced(job, changes, "no")  # as whoever looks for jobs refreshes first
        except Conflict as error:
            found = await self.get(job.id) if error.maybe_applied else None
            return found if found is not None and found.metadata.get("claim") == claim else None

    async def cancel(self, job_id: str) -> SyncJob:
        """Ask whoever runs a job to end it; one that nobody has begun is canceled at once, one that ended is left.

        Raises `Conflict` when there is no such job.
        """
        now = self._clock.now()

        def changes(job: SyncJob) -> Mapping[str, Any] | None:
            if job.status in WAITING:
                ended = {"status": JobStatus.CANCELED, "canceled_at": now, "completed_at": now}
                return {**ended, "cancelation_requested_at": now}
            if job.status is JobStatus.IN_PROGRESS:
                return {"status": JobStatus.CANCELING, "cancelation_requested_at": now}
            return None

        return await self.change(job_id, changes)

    async def delete(self, job_ids: Collection[str]) -> None:
        """Delete jobs, which may be gone already."""
        for job_id in job_ids:
            await self._operations.delete(NAME, job_id)

    async def delete_of(self, connector: str) -> int:
        """Delete all jobs of a connector, and return how many there were."""
        number = 0
        while some := await self.of_connector(connector, most=_PAGE):
            await self.delete([one.id for one in some])
            number += len(some)
        return number

    async def _replaced(self, job: SyncJob, changes: Mapping[str, Any], refresh: Refresh = "now") -> SyncJob:
        body = msgspec.json.encode({**job.document, **changes})
        written = await self._operations.put(NAME, job.id, body, expected=job.revision, refresh=refresh)
        return SyncJob(job.id, msgspec.json.decode(body), written.revision)

    async def _oldest(
        self, statuses: Collection[JobStatus], most: int, *, but: Sequence[Mapping[str, Any]] = ()
    ) -> "_Oldest":
        query = {"bool": {"filter": [{"terms": {"status": sorted(statuses)}}], "must_not": list(but)}}
        await self._operations.refresh(NAME)
        body = {"query": query, "size": most, "sort": [_by_creation("asc")], "seq_no_primary_term": True}
        page = await self._operations.search(NAME, body)
        return _Oldest([SyncJob.of_hit(hit) for hit in page.hits], page.total <= most)

    async def _scanned(self, query: Mapping[str, Any]) -> AsyncGenerator[SyncJob, None]:
        async with aclosing(self._operations.scan(Walk(NAME, dict(query), source=True, page_size=_PAGE))) as pages:
            async for page in pages:
                for hit in page:
                    yield SyncJob.of_hit(hit)

    async def _found(self, body: Mapping[str, Any]) -> list[SyncJob]:
        await self._operations.refresh(NAME)
        page = await self._operations.search(NAME, {**body, "seq_no_primary_term": True})
        return [SyncJob.of_hit(hit) for hit in page.hits]


@dataclass(frozen=True)
class _Oldest:
    """The oldest of some jobs, and whether these are all of them."""

    jobs: list[SyncJob]
    is_all: bool


def age_of(job: SyncJob) -> datetime:
    """Return a key by which the oldest job comes first, in the order that `_by_creation` has."""
    return job.created_at or _LONG_AGO


def _by_creation(order: str) -> Mapping[str, Mapping[str, str]]:
    """Return an order of jobs; one that does not say when it was made counts as the oldest."""
    missing = "_first" if order == "asc" else "_last"
    return {"created_at": {"order": order, "missing": missing, "unmapped_type": "date"}}
