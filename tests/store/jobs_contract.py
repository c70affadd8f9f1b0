"""What the store of jobs promises on every engine: inherited by one test class an engine."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from connectors.aio.clock import SystemClock
from connectors.engine import Engine
from connectors.errors import Conflict
from connectors.store.job import JobStatus, SyncJob, Trigger
from connectors.store.jobs import NAME, JobStore, scheduled_id
from connectors.store.lanes import Lane
from connectors.store.sync_state import JobType

MOMENT = datetime(2026, 1, 1, 12, tzinfo=UTC)
KIBANA: dict[str, Any] = {
    "connector": {"id": "c", "index_name": "shop", "configuration": {"": {"..": None}}, "filtering": {"rules": []}},
    "job_type": "full",
    "trigger_method": "on_demand",
    "status": "pending",
    "created_at": "2026-01-01T12:00:00.123456+00:00",
    "some_day": {"new": 1},
}


class Watch(SystemClock):
    """A clock that stands where a test has put it."""

    moment = MOMENT

    def now(self) -> datetime:
        return self.moment


def oldest_of(lanes: Iterable[Lane], jobs: Sequence[SyncJob]) -> dict[Lane, SyncJob]:
    """Return the first of the jobs in each lane."""
    return {lane: next(job for job in jobs if Lane.of(job) == lane) for lane in lanes}


class JobsContract:
    """Its module provides the fixture `engine`. Every test keeps to jobs of connectors of its own."""

    @pytest.fixture
    def watch(self) -> Watch:
        return Watch()

    @pytest.fixture
    async def store(self, engine: Engine, watch: Watch) -> JobStore:
        return await JobStore.open(engine, watch)

    @pytest.fixture
    def own(self) -> str:
        return uuid4().hex

    async def made(self, store: JobStore, own: str, *, job_id: str | None = None) -> SyncJob:
        return await store.create(job_id or uuid4().hex, {"id": own}, JobType.FULL, Trigger.ON_DEMAND)

    async def test_a_job_waits_as_the_protocol_has_it(self, engine: Engine, store: JobStore, own: str) -> None:
        made = await store.create(own, {"id": own}, JobType.INCREMENTAL, Trigger.SCHEDULED)
        found = await store.get(own)
        assert found == made
        assert made.document == {
            "connector": {"id": own},
            "job_type": "incremental",
            "trigger_method": "scheduled",
            "status": "pending",
            "created_at": "2026-01-01T12:00:00Z",
            "last_seen": "2026-01-01T12:00:00Z",
            "started_at": None,
            "completed_at": None,
            "canceled_at": None,
            "cancelation_requested_at": None,
            "error": None,
            "indexed_document_count": 0,
            "indexed_document_volume": 0,
            "deleted_document_count": 0,
            "total_document_count": 0,
            "worker_hostname": None,
            "metadata": {},
        }
        assert await engine.indices.aliases(NAME) == {".elastic-connectors-sync-jobs-v1": [NAME]}

    async def test_a_job_that_is_made_by_many_is_one(self, store: JobStore, own: str, watch: Watch) -> None:
        made = await self.made(store, own, job_id=own)
        watch.moment += timedelta(hours=1)
        found = await asyncio.gather(*(self.made(store, own, job_id=own) for _ in range(5)))
        assert found == [made] * 5
        assert await store.of_connector(own) == [made]

    async def test_a_job_that_somebody_else_wrote_is_found_and_claimed_and_keeps_what_is_unknown(
        self, engine: Engine, store: JobStore, own: str
    ) -> None:
        document = {**KIBANA, "connector": {**KIBANA["connector"], "id": own}}
        await engine.control.put(NAME, own, document)
        (job,) = [one for one in await store.waiting() if one.connector_id == own]
        assert (job.id, job.document) == (own, document)
        claimed = await store.claim(job, instance="me", hostname="here", sync_cursor={"at": 1})
        assert claimed is not None
        assert claimed.document["some_day"] == {"new": 1}
        assert claimed.document["connector"] == {**document["connector"], "sync_cursor": {"at": 1}}
        assert (claimed.status, claimed.worker_hostname, claimed.started_at) == (
            JobStatus.IN_PROGRESS,
            "here",
            MOMENT,
        )
        assert own not in {one.connector_id for one in await store.waiting()}
        assert own in {one.connector_id for one in await store.active()}

    async def test_of_many_who_claim_a_job_one_gets_it(self, store: JobStore, own: str) -> None:
        job = await self.made(store, own)
        claims = await asyncio.gather(*(store.claim(job, instance=f"w{n}", hostname="here") for n in range(8)))
        (winner,) = [one for one in claims if one is not None]
        assert await store.get(job.id) == winner

    async def test_a_job_that_was_suspended_keeps_when_it_began(self, store: JobStore, own: str, watch: Watch) -> None:
        job = await self.made(store, own)
        claimed = await store.claim(job, instance="me", hostname="here")
        assert claimed is not None
        suspended = await store.change(job.id, lambda _: {"status": JobStatus.SUSPENDED})
        assert suspended in await store.waiting()
        watch.moment += timedelta(hours=1)
        again = await store.claim(suspended, instance="me", hostname="there")
        assert again is not None
        assert (again.started_at, again.last_seen) == (MOMENT, MOMENT + timedelta(hours=1))

    async def test_jobs_wait_in_the_order_in_which_they_were_wanted(
        self, engine: Engine, store: JobStore, own: str, watch: Watch
    ) -> None:
        jobs = []
        for _ in range(3):
            jobs.append(await self.made(store, own))
            watch.moment += timedelta(milliseconds=1)
        undated = {"connector": {"id": own}, "status": "pending"}
        await engine.control.put(NAME, f"{own} undated", undated)
        waiting = [one.id for one in await store.waiting() if one.connector_id == own]
        assert waiting == [f"{own} undated", *(one.id for one in jobs)]
        assert [one.id for one in await store.of_connector(own, most=2)] == [jobs[2].id, jobs[1].id]

    async def test_the_jobs_that_were_written_last_are_found_first_and_all_are_counted(
        self, store: JobStore, own: str
    ) -> None:
        jobs = [await self.made(store, own) for _ in range(3)]
        before, _ = await store.written_last({JobStatus.CANCELING}, most=2)
        jobs = [await store.replace(jobs[n], {"status": JobStatus.CANCELING}) for n in (1, 0, 2)]
        await store.change(jobs[2].id, lambda _: {"status": JobStatus.COMPLETED})
        assert await store.written_last({JobStatus.CANCELING}, most=1) == (before + 2, [jobs[1]])
        assert await store.written_last({JobStatus.CANCELING}, most=2) == (before + 2, [jobs[1], jobs[0]])

    async def test_many_jobs_of_one_connector_hide_none_of_another_one(
        self, engine: Engine, store: JobStore, own: str, watch: Watch
    ) -> None:
        watch.moment -= timedelta(days=365)  # so that these are older than those of other tests
        for number in range(9):
            await engine.control.put(NAME, f"{own} {number}", {"status": "pending", "created_at": "2025-01-01"})
        jobs: dict[Lane, list[SyncJob]] = {}
        for name, job_type, count in (
            ("greedy", JobType.FULL, 9),
            ("greedy", JobType.ACCESS_CONTROL, 4),
            ("modest", JobType.INCREMENTAL, 5),
            ("late", JobType.FULL, 2),
        ):
            for _ in range(count):
                watch.moment += timedelta(milliseconds=1)
                made = await store.create(uuid4().hex, {"id": f"{own}-{name}"}, job_type, Trigger.ON_DEMAND)
                jobs.setdefault(Lane.of(made), []).append(made)
        late = jobs[Lane(f"{own}-late", False)]
        claimed = await store.claim(late[0], instance="me", hostname="here")
        assert claimed is not None
        waiting, opened = await store.waiting(most=3), await store.open_jobs(most=3)
        assert oldest_of(jobs, waiting) == {lane: several[0] for lane, several in jobs.items()} | {
            Lane.of(claimed): late[1]
        }
        assert oldest_of(jobs, opened) == {lane: several[0] for lane, several in jobs.items()} | {
            Lane.of(claimed): claimed
        }
        assert len(waiting) < len(opened) < 9 + sum(map(len, jobs.values()))
        assert claimed in await store.active(most=1)
        await store.delete([job.id for several in jobs.values() for job in several])
        await store.delete([f"{own} {number}" for number in range(9)])

    async def test_how_many_documents_there_are_is_told_by_the_last_jobs_that_ended(
        self, store: JobStore, own: str
    ) -> None:
        content, access = Lane(own, False), Lane(own, True)
        job = await self.made(store, own)
        assert (await store.documents_of(content), await store.documents_of(access)) == (None, None)
        counts = {"total_document_count": 70, "indexed_document_count": 5}
        await store.change(job.id, lambda _: {"status": JobStatus.COMPLETED, **counts})
        broken = await self.made(store, own)
        await store.change(broken.id, lambda _: {"status": JobStatus.ERROR, "indexed_document_count": 90})
        identities = await store.create(uuid4().hex, {"id": own}, JobType.ACCESS_CONTROL, Trigger.ON_DEMAND)
        await store.change(identities.id, lambda _: {"status": JobStatus.CANCELED, "indexed_document_count": "3"})
        assert (await store.documents_of(content), await store.documents_of(access)) == (90, 0)

    @pytest.mark.parametrize("status", ["pending", "suspended"])
    async def test_a_job_that_nobody_runs_is_canceled_at_once(self, store: JobStore, own: str, status: str) -> None:
        job = await self.made(store, own)
        await store.change(job.id, lambda _: {"status": status})
        canceled = await store.cancel(job.id)
        assert (canceled.status, canceled.completed_at) == (JobStatus.CANCELED, MOMENT)
        assert canceled.document["canceled_at"] == canceled.document["cancelation_requested_at"] != None  # noqa: E711

    async def test_who_runs_a_job_is_asked_to_end_it_and_what_has_ended_is_left(
        self, store: JobStore, own: str
    ) -> None:
        job = await self.made(store, own)
        await store.claim(job, instance="me", hostname="here")
        canceling = await store.cancel(job.id)
        assert (canceling.status, canceling.completed_at) == (JobStatus.CANCELING, None)
        assert await store.cancel(job.id) == canceling
        ended = await store.change(job.id, lambda _: {"status": JobStatus.COMPLETED})
        assert await store.cancel(job.id) == ended
        with pytest.raises(Conflict, match="There is no job 'nobody'"):
            await store.cancel("nobody")

    async def test_changes_by_many_at_once_are_all_there(self, store: JobStore, own: str) -> None:
        job = await self.made(store, own)

        def adding(number: int, found: SyncJob) -> Mapping[str, Any]:
            return {"metadata": {**found.metadata, str(number): True}}

        async with asyncio.TaskGroup() as tasks:
            for number in range(8):
                tasks.create_task(
                    store.change(job.id, lambda found, number=number: adding(number, found)),  # type: ignore[misc]
                    name=f"change {number}",
                )
        found = await store.get(job.id)
        assert found is not None
        assert set(found.metadata) == set(map(str, range(8)))

    async def test_what_ended_before_a_moment_is_found_and_deleted(
        self, store: JobStore, own: str, watch: Watch
    ) -> None:
        jobs = [await self.made(store, own) for _ in range(4)]
        for job, status, age in zip(jobs, ("completed", "error", "pending", "completed"), (2, 1, 2, 0), strict=True):
            ended = watch.moment - timedelta(days=age)
            await store.change(job.id, lambda _, s=status, e=ended: {"status": s, "completed_at": e})  # type: ignore[misc]
        async with aclosing(store.ended_before(MOMENT - timedelta(hours=1))) as found:
            old = {one.id async for one in found if one.connector_id == own}
        assert old == {jobs[0].id, jobs[1].id}
        await store.delete(old)
        await store.delete(old)
        assert {one.id for one in await store.of_connector(own)} == {jobs[2].id, jobs[3].id}

    async def test_all_jobs_of_a_connector_are_deleted_and_no_others(self, store: JobStore, own: str) -> None:
        for _ in range(3):
            await self.made(store, own)
        other = await self.made(store, f"{own}-other")
        assert await store.delete_of(own) == 3
        assert await store.of_connector(own) == []
        assert await store.get(other.id) is not None
        assert await store.delete_of(own) == 0

    async def test_an_overview_has_the_oldest_of_some_statuses_and_tells_how_many_there_are(
        self, store: JobStore, watch: Watch
    ) -> None:
        before, _ = await store.overview([JobStatus.CANCELING])
        names = [uuid4().hex for _ in range(3)]
        for minutes, name in enumerate(names):
            watch.moment = datetime(1990, 1, 1, tzinfo=UTC) + timedelta(minutes=-minutes)
            snapshot = {**KIBANA["connector"], "pipeline": {}, "sync_cursor": {}}
            await store.create(name, snapshot, JobType.FULL, Trigger.ON_DEMAND)
            await store.change(name, lambda _: {"status": JobStatus.CANCELING, "metadata": {"sync": {"walked": 7}}})
        number, found = await store.overview([JobStatus.CANCELING, JobStatus.SUSPENDED], most=2)
        assert (number, [one.id for one in found]) == (before + 3, [names[2], names[1]])
        assert found[0].document["connector"] == {"id": "c", "index_name": "shop"}
        assert found[0].metadata == {"sync": {"walked": 7}}
        await store.delete(names)
        assert (await store.overview([JobStatus.CANCELING]))[0] == before


def test_a_tick_makes_a_job_of_one_id_whoever_makes_it() -> None:
    ids = {
        scheduled_id(connector, job_type, moment)
        for connector in ("a", "b\0full")
        for job_type in JobType
        for moment in (MOMENT, MOMENT + timedelta(microseconds=1))
    }
    assert len(ids) == 12
    assert scheduled_id("a", JobType.FULL, MOMENT) in ids
