"""A job whose source can't tell any more what has happened since its cursor: a full sync follows."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from connectors.services.working.job_run import JobRun
from connectors.store.job import JobStatus, SyncJob, Trigger
from connectors.store.jobs import JobStore
from connectors.store.snapshot import snapshot_of
from connectors.store.sync_state import JobType
from tests.sync.scripted import Scene, docs, open_scene


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        found = await open_scene(stack, tmp_path)
        await found.change(service_type="telling")
        yield found


async def run(scene: Scene, jobs: JobStore, job: SyncJob) -> SyncJob:
    """Run a job, and return it as it is stored."""
    claimed = await jobs.claim(job, instance="me", hostname="here")
    assert claimed is not None
    await JobRun(scene.place, jobs, claimed).run()
    found = await jobs.get(job.id)
    assert found is not None
    return found


async def test_an_expired_cursor_ends_the_job_in_an_error_and_a_full_sync_follows(scene: Scene) -> None:
    jobs = await JobStore.open(scene.engine)
    scene.log.put(*docs(10))
    scene.log.kept_since = 10
    await scene.sync(JobType.FULL)
    await scene.change(sync_cursor={"at": 5})
    snapshot = snapshot_of(await scene.connector(), JobType.INCREMENTAL, scene.place.registry)
    job = await jobs.create(uuid4().hex, snapshot, JobType.INCREMENTAL, Trigger.SCHEDULED)
    ended = await run(scene, jobs, job)
    assert (ended.status, ended.error) == (
        JobStatus.ERROR,
        "CursorExpired: The log begins later. A full sync follows.",
    )
    (following,) = [one for one in await jobs.of_connector("one") if one.id != job.id]
    assert (following.job_type, following.metadata["because"]) == (JobType.FULL, "expired")
    assert (await run(scene, jobs, following)).status is JobStatus.COMPLETED
    assert not await scene.difference()
    assert (await scene.connector()).error is None
    scene.log.read_from.clear()
    await scene.sync()
    assert scene.log.read_from == [{"at": 10}]
