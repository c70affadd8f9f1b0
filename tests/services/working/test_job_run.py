"""A job run: what its document, its connector and the index say in the end, whatever happened on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from connectors.engine.operations import Refresh
from connectors.errors import EngineFailed, EngineUnreachable, SourceUnreachable
from connectors.services.working.job_run import JobRun
from connectors.store.job import JobStatus, SyncJob, Trigger
from connectors.store.jobs import Change, JobStore
from connectors.store.snapshot import snapshot_of
from connectors.store.sync_state import JobType
from connectors.store.targets import TargetRecord
from connectors.sync.index.target import find_target
from tests.sync.rows import SECRET, Stage, open_stage, rows


@dataclass
class Yard:
    """A stage with one connector, and the jobs of it."""

    stage: Stage
    jobs: JobStore

    async def wanted(self, job_type: JobType = JobType.FULL, **metadata: Any) -> SyncJob:
        """Make a job that waits."""
        snapshot = snapshot_of(await self.stage.known(), job_type, self.stage.place.registry)
        return await self.jobs.create(uuid4().hex, snapshot, job_type, Trigger.ON_DEMAND, metadata=metadata)

    async def claimed(self, job: SyncJob) -> JobRun:
        """Claim a job, and return its run."""
        claimed = await self.jobs.claim(job, instance="me", hostname="here")
        assert claimed is not None
        limits = replace(self.stage.place.limits, lease_timeout_s=0.6)
        return JobRun(replace(self.stage.place, limits=limits), self.jobs, claimed)

    async def known(self, job: SyncJob) -> SyncJob:
        """Return a job as it is stored."""
        found = await self.jobs.get(job.id)
        assert found is not None
        return found

    async def others(self, job: SyncJob) -> list[SyncJob]:
        """Return the other jobs of the connector."""
        return [one for one in await self.jobs.of_connector("one") if one.id != job.id]


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, tmp_path)
        yield Yard(stage, await JobStore.open(stage.engine, stage.clock))


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_job_that_ends_well_says_so_in_its_document_and_in_its_connector(yard: Yard) -> None:
    yard.stage.script.documents = rows(25)
    job = await yard.wanted()
    assert await (await yard.claimed(job)).run() is JobStatus.COMPLETED
    found, connector = await yard.known(job), await yard.stage.known()
    assert (found.status, found.error, found.worker_hostname) == (JobStatus.COMPLETED, None, "here")
    counts = ("indexed_document_count", "deleted_document_count", "total_document_count", "indexed_document_volume")
    assert [found.document[name] for name in counts] == [25, 0, 25, 0]
    assert found.started_at is not None
    assert found.completed_at is not None
    assert found.metadata["sync"]["created"] == 25
    assert (connector.status, connector.document["last_sync_status"]) == ("connected", "completed")
    assert connector.document["last_indexed_document_count"] == 25
    assert not await yard.stage.difference(rows(25))
    assert await yard.others(job) == []


async def test_a_job_that_is_skipped_says_so_and_since_when(yard: Yard) -> None:
    yard.stage.script.documents, yard.stage.script.token = rows(25), {"at": 1}
    first, second = await yard.wanted(), await yard.wanted()
    await (await yard.claimed(first)).run()
    assert await (await yard.claimed(second)).run() is JobStatus.COMPLETED
    found = await yard.known(second)
    skipping = found.metadata["sync"]["skipping"]
    assert (skipping["skipped"], skipping["reason"], skipping["since_sync"]) == (True, "unchanged", first.id)
    assert found.metadata["note"] == skipping["text"]
    assert found.metadata["note"].startswith("Nothing has changed since the sync of ")
    assert (found.error, found.document["total_document_count"]) == (None, 25)
    assert (await yard.stage.known()).document["last_sync_skipping"] == skipping
    assert yard.stage.script.walks == 1


async def test_a_job_that_somebody_wants_forced_reads_everything_also_after_it_was_suspended(yard: Yard) -> None:
    yard.stage.script.documents, yard.stage.script.token = rows(25), {"at": 1}
    await (await yard.claimed(await yard.wanted())).run()
    job, reached = await yard.wanted(force=True), asyncio.Event()

    async def stay() -> None:
        reached.set()
        await forever()

    yard.stage.script.documents = [*rows(25), stay]
    task = asyncio.create_task((await yard.claimed(job)).run())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await yard.known(job)).status is JobStatus.SUSPENDED
    yard.stage.script.documents = rows(25)
    assert await (await yard.claimed(await yard.known(job))).run() is JobStatus.COMPLETED
    found = await yard.known(job)
    assert (found.metadata["force"], found.metadata["sync"]["skipping"]["reason"]) == (True, "forced")
    assert found.metadata["sync"]["walked"] == 25


async def test_the_job_that_follows_a_forced_one_is_forced(yard: Yard) -> None:
    yard.stage.script.documents = [*rows(25), lambda: replace_index(yard.stage)]
    job = await yard.wanted(force=True)
    await (await yard.claimed(job)).run()
    [follower] = await yard.others(job)
    assert (follower.metadata["because"], follower.is_forced) == ("replaced", True)


@pytest.mark.parametrize("job_type", [JobType.INCREMENTAL, JobType.ACCESS_CONTROL])
async def test_a_job_that_is_never_skipped_can_not_be_forced(yard: Yard, job_type: JobType) -> None:
    job = await yard.wanted(job_type, force=True)
    assert await (await yard.claimed(job)).run() is JobStatus.ERROR
    assert "is never skipped, so there is nothing to force." in str((await yard.known(job)).error)


async def test_a_job_whose_source_fails_ends_in_its_error_and_deletes_nothing(yard: Yard) -> None:
    yard.stage.script.documents = rows(25)
    await (await yard.claimed(await yard.wanted())).run()
    yard.stage.script.documents = [*rows(3), SourceUnreachable(f"no way with {SECRET}")]
    job = await yard.wanted()
    assert await (await yard.claimed(job)).run() is JobStatus.ERROR
    found = await yard.known(job)
    assert found.error is not None
    assert found.error.startswith("SourceUnreachable: no way with ")
    assert (await yard.stage.known()).document["last_sync_status"] == "error"
    assert not await yard.stage.difference(rows(25))


@pytest.mark.parametrize(
    "error", [lambda: EngineUnreachable("It is away."), lambda: EngineFailed("It starts.", status=503)]
)
async def test_a_job_whose_engine_was_away_is_gone_on_with_until_it_was_so_for_too_long(
    yard: Yard, error: Callable[[], Exception]
) -> None:
    away = error()  # made here, as one that was raised holds on to all that it went through
    yard.stage.script.documents = [*rows(25), away]
    job = await yard.wanted()
    assert await (await yard.claimed(job)).run() is JobStatus.SUSPENDED
    found = await yard.known(job)
    assert (found.error, found.completed_at) == (f"{type(away).__name__}: {away}", None)
    assert (await yard.stage.known()).document["last_sync_status"] == "suspended"
    yard.stage.clock.jump(yard.stage.place.limits.writer.unavailable_timeout_s - 60)
    assert await (await yard.claimed(found)).run() is JobStatus.SUSPENDED
    yard.stage.clock.jump(120)
    again = await yard.known(job)
    assert again.metadata["engine_away_since"] == found.metadata["engine_away_since"]
    assert await (await yard.claimed(again)).run() is JobStatus.ERROR
    assert (await yard.stage.known()).document["last_sync_status"] == "error"


async def test_an_engine_that_was_there_for_long_meanwhile_counts_anew_as_away(yard: Yard) -> None:
    away, most_s = EngineUnreachable("It is away."), yard.stage.place.limits.writer.unavailable_timeout_s

    async def long() -> None:
        yard.stage.clock.jump(most_s + 1)

    job = await yard.wanted()
    for _ in range(3):
        yard.stage.script.documents = [*rows(25), long, away]
        assert await (await yard.claimed(await yard.known(job))).run() is JobStatus.SUSPENDED


async def test_a_job_that_was_suspended_for_another_reason_meanwhile_has_no_engine_that_was_away(yard: Yard) -> None:
    yard.stage.script.documents = [*rows(25), EngineUnreachable("It is away.")]
    job = await yard.wanted()
    assert await (await yard.claimed(job)).run() is JobStatus.SUSPENDED
    assert (await yard.known(job)).metadata["engine_away_since"] is not None
    reached = asyncio.Event()

    async def reach() -> None:
        reached.set()

    yard.stage.script.documents = [*rows(25), reach, forever]
    task = asyncio.create_task((await yard.claimed(await yard.known(job))).run())
    await reached.wait()
    task.cancel()
    await asyncio.wait([task])
    assert (await yard.known(job)).metadata["engine_away_since"] is None


async def test_a_job_that_the_engine_fails_for_good_ends_in_error_at_once(yard: Yard) -> None:
    yard.stage.script.documents = [*rows(25), EngineFailed("It can't.", status=500)]
    assert await (await yard.claimed(await yard.wanted())).run() is JobStatus.ERROR


async def test_a_fault_that_is_none_of_the_tree_ends_the_job_without_its_words(yard: Yard) -> None:
    job = await yard.wanted()
    run = await yard.claimed(job)
    broken = replace(run.place, copies=object())  # type: ignore[arg-type] # so that there is a fault of our own
    assert await JobRun(broken, yard.jobs, run.job).run() is JobStatus.ERROR
    assert (await yard.known(job)).error == "A fault of this program. Its log tells more."


@pytest.mark.parametrize("wanting", ["job", "connector"])
async def test_a_job_that_somebody_wants_to_end_is_canceled(yard: Yard, wanting: str) -> None:
    job = await yard.wanted()

    async def want() -> None:
        if wanting == "job":
            await yard.jobs.cancel(job.id)
        else:
            await yard.stage.change(deleted=True)

    yard.stage.script.documents = [*rows(25), want, forever]
    assert await (await yard.claimed(job)).run() is JobStatus.CANCELED
    found = await yard.known(job)
    assert (found.status, found.document["canceled_at"]) == (JobStatus.CANCELED, found.document["completed_at"])
    assert (found.document["canceled_at"] is None, await yard.others(job)) == (False, [])


async def test_a_job_that_is_stopped_is_suspended_and_gone_on_with(yard: Yard) -> None:
    reached = asyncio.Event()

    async def reach() -> None:
        reached.set()

    yard.stage.script.documents = [*rows(25), reach, forever]
    job = await yard.wanted()
    task = asyncio.create_task((await yard.claimed(job)).run())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    suspended = await yard.known(job)
    assert (suspended.status, suspended.completed_at) == (JobStatus.SUSPENDED, None)
    assert (await yard.stage.known()).document["last_sync_status"] == "suspended"
    yard.stage.script.documents = rows(25)
    assert await (await yard.claimed(suspended)).run() is JobStatus.COMPLETED
    again = await yard.known(job)
    assert (again.started_at, again.status) == (suspended.started_at, JobStatus.COMPLETED)
    assert not await yard.stage.difference(rows(25))


async def test_a_job_that_others_took_writes_nothing_any_more(yard: Yard) -> None:
    job = await yard.wanted()
    run = await yard.claimed(job)

    async def take() -> None:
        await yard.jobs.change(job.id, lambda _: {"metadata": {"claim": "of others"}, "last_seen": None})

    yard.stage.script.documents = [*rows(25), take, forever]
    assert await run.run() is None
    found = await yard.known(job)
    assert (found.status, found.metadata, found.last_seen) == (JobStatus.IN_PROGRESS, {"claim": "of others"}, None)


async def test_a_job_that_was_deleted_ends_and_is_not_made_anew(yard: Yard) -> None:
    job = await yard.wanted()
    yard.stage.script.documents = [*rows(25), lambda: yard.jobs.delete([job.id]), forever]
    assert await (await yard.claimed(job)).run() is None
    assert await yard.jobs.get(job.id) is None
    found = (await yard.stage.known()).document
    assert (found["last_sync_status"], found["last_sync_error"]) == (
        "canceled",
        "JobCanceled: The job was deleted while it ran.",
    )


async def test_a_job_whose_index_another_connector_took_over_is_given_back_and_its_connector_knows(yard: Yard) -> None:
    stage = yard.stage
    await stage.change(sync={"shared_index": True})
    job = await yard.wanted()

    async def take_over() -> None:
        target = await find_target(stage.engine, "docs")
        assert target is not None
        key = TargetRecord.key_of(target.uuid)
        their = {"owner": "them", "connector": "another", "run": "theirs"}
        await stage.place.state.change(key, TargetRecord, lambda found: replaced(found, epoch=2**42, **their))

    stage.script.documents = [*rows(25), take_over, forever]
    assert await (await yard.claimed(job)).run() is JobStatus.SUSPENDED
    found = await yard.known(job)
    assert (found.status, found.error) == (
        JobStatus.SUSPENDED,
        "Another sync has taken over the index docs-000001. What this one wrote is compared and mended by the other.",
    )
    assert (await stage.known()).document["last_sync_status"] == "suspended"


def replaced(found: TargetRecord | None, **fields: Any) -> TargetRecord:
    assert found is not None
    return msgspec.structs.replace(found, **fields)


async def test_a_running_job_says_that_it_is_alive_and_how_far_it_has_come(yard: Yard) -> None:
    job = await yard.wanted()
    seen: list[SyncJob] = []

    async def watch() -> None:
        begun = await yard.known(job)
        while not seen:
            found = await yard.known(job)
            if found.document["indexed_document_count"] and found.last_seen != begun.last_seen:
                seen.append(found)
            await asyncio.sleep(0.02)

    yard.stage.script.documents = [*rows(600), watch]
    assert await (await yard.claimed(job)).run() is JobStatus.COMPLETED
    assert seen[0].status is JobStatus.IN_PROGRESS
    assert 0 < seen[0].document["indexed_document_count"] <= 600
    assert seen[0].metadata["sync"]["walked"] == 600


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"connector": {}}, "ConfigurationError: The job does not say which connector it is of."),
        ({"job_type": "backwards"}, "ConfigurationError: There is no sync of the type 'backwards'."),
    ],
)
async def test_a_job_that_nobody_can_run_says_why(yard: Yard, document: dict[str, Any], error: str) -> None:
    job = await yard.wanted()
    job = await yard.jobs.change(job.id, lambda _: document)
    assert await (await yard.claimed(job)).run() is JobStatus.ERROR
    assert (await yard.known(job)).error == error


@pytest.mark.parametrize("is_marked", [True, False])
async def test_a_job_whose_connector_is_gone_is_canceled(yard: Yard, *, is_marked: bool) -> None:
    job = await yard.wanted()
    if is_marked:
        await yard.stage.change(deleted=True)
    else:
        job = await yard.jobs.change(job.id, lambda _: {"connector": {"id": "nobody"}})
    assert await (await yard.claimed(job)).run() is JobStatus.CANCELED
    found = await yard.known(job)
    assert (found.status, found.error) == (JobStatus.CANCELED, "The connector was deleted.")


async def replace_index(stage: Stage) -> None:
    await stage.engine.indices.delete(stage.index)


async def test_a_full_job_follows_one_whose_index_was_replaced_and_none_follows_that(yard: Yard) -> None:
    yard.stage.script.documents = [*rows(25), lambda: replace_index(yard.stage), *rows(50)]
    job = await yard.wanted()
    assert await (await yard.claimed(job)).run() is JobStatus.ERROR
    (following,) = await yard.others(job)
    assert (following.status, following.job_type) == (JobStatus.PENDING, JobType.FULL)
    assert (following.metadata["follows"], following.metadata["because"]) == (job.id, "replaced")
    assert await (await yard.claimed(following)).run() is JobStatus.ERROR
    assert {one.id for one in await yard.others(job)} == {following.id}


class Mute(JobStore):
    """The jobs of a process that dies before it can say how one ended."""

    async def change(self, job_id: str, change: Change, *, refresh: Refresh = "now") -> SyncJob:
        def unless_ended(found: SyncJob) -> Mapping[str, Any] | None:
            changes = change(found)
            if changes is not None and "completed_at" in changes:
                raise EngineUnreachable("The process is dead.")
            return changes

        return await super().change(job_id, unless_ended, refresh=refresh)

    async def replace(self, job: SyncJob, changes: Mapping[str, Any], *, refresh: Refresh = "now") -> SyncJob:
        if "completed_at" in changes:
            raise EngineUnreachable("The process is dead.")
        return await super().replace(job, changes, refresh=refresh)


async def test_the_job_that_follows_is_not_lost_when_the_process_dies_at_the_end_of_the_other(yard: Yard) -> None:
    yard.stage.script.documents = [*rows(25), lambda: replace_index(yard.stage), *rows(50)]
    job = await yard.wanted()
    run = await yard.claimed(job)
    await JobRun(run.place, Mute(yard.stage.engine.control, yard.stage.clock), run.job).run()
    assert (await yard.known(job)).status is JobStatus.IN_PROGRESS
    (following,) = await yard.others(job)
    given_back = await yard.jobs.change(job.id, lambda _: {"status": JobStatus.SUSPENDED})
    yard.stage.script.documents = [*rows(25), lambda: replace_index(yard.stage), *rows(50)]
    assert await (await yard.claimed(given_back)).run() is JobStatus.ERROR
    assert [one.id for one in await yard.others(job)] == [following.id]


async def test_deletions_that_are_held_are_in_the_job_and_in_its_error(yard: Yard) -> None:
    yard.stage.script.documents = rows(150)
    await (await yard.claimed(await yard.wanted())).run()
    yard.stage.script.documents = rows(10)
    job = await yard.wanted()
    assert await (await yard.claimed(job)).run() is JobStatus.COMPLETED
    found = await yard.known(job)
    assert (found.metadata["held_deletions"], found.document["total_document_count"]) == (140, 150)
    assert found.error is not None
    assert found.error.startswith("140 deletions are held")


async def test_who_may_read_what_is_synced_into_its_own_index(yard: Yard) -> None:
    yard.stage.script.identities = rows(3)
    job = await yard.wanted(JobType.ACCESS_CONTROL)
    assert job.document["connector"]["index_name"] == ".search-acl-filter-docs"
    assert await (await yard.claimed(job)).run() is JobStatus.COMPLETED
    assert not await yard.stage.difference(rows(3), ".search-acl-filter-docs")
    assert (await yard.stage.known()).document["last_access_control_sync_status"] == "completed"
