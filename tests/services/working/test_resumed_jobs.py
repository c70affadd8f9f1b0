"""Jobs that are gone on with: a whole walk follows each of them, until one was not interrupted."""

import asyncio
from pathlib import Path

from connectors.engine import open_engine
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.services.working.job_run import JobRun
from connectors.settings import EngineSettings
from connectors.store.job import JobStatus, SyncJob, Trigger
from connectors.store.jobs import JobStore
from connectors.store.sync_state import JobType, SyncState
from connectors.sync.workplace import SyncLimits, Workplace, open_workplace
from connectors.sync.writing.writer import WriterLimits
from tests.torture.archive import SOURCES, Archive
from tests.torture.oracle import actual, difference

LIMITS = SyncLimits(checkpoint_every_s=0.0, writer=WriterLimits(batch_documents=10))


async def configure(place: Workplace, archive: Archive, pause_s: float) -> None:
    values = {**archive.configuration, "pause_s": pause_s}
    configuration = {name: {"value": value} for name, value in values.items()}
    await place.connectors.update("c", lambda _: {"configuration": configuration})


async def run_of(place: Workplace, jobs: JobStore, job: SyncJob) -> JobRun:
    claimed = await jobs.claim(job, instance="me", hostname="here")
    assert claimed is not None
    return JobRun(place, jobs, claimed)


async def interrupted(place: Workplace, jobs: JobStore, job: SyncJob) -> SyncJob:
    """Run a job until its walk has a checkpoint, and return it suspended."""
    task = asyncio.create_task((await run_of(place, jobs, job)).run())
    checkpoint = None
    while checkpoint is None:
        await asyncio.sleep(0.01)
        found = await place.state.read(SyncState.key_of("c", JobType.FULL), SyncState)
        checkpoint = found.value.checkpoint if found is not None else None
    task.cancel()
    await asyncio.wait([task])
    found_job = await jobs.get(job.id)
    assert found_job is not None
    return found_job


async def test_a_job_that_followed_and_was_interrupted_itself_is_followed_until_the_third_begins_anew(
    tmp_path: Path,
) -> None:
    archive = Archive(tmp_path / "c.archive", 1, count=70)
    async with open_engine(EngineSettings(data=tmp_path / "data")) as engine:
        place = await open_workplace(engine, Registry(SOURCES), grants=Grants(allowed_paths=None), limits=LIMITS)
        jobs = await JobStore.open(engine)
        await place.connectors.create("c", {"service_type": "archive", "index_name": "c"})
        await configure(place, archive, 0.0)
        snapshot = {"id": "c", "index_name": "c", "service_type": "archive"}
        await (await run_of(place, jobs, await jobs.create("0", snapshot, JobType.FULL, Trigger.ON_DEMAND))).run()
        archive.change(deletes=5)
        job = await jobs.create("1", snapshot, JobType.FULL, Trigger.ON_DEMAND)
        for _ in range(2):
            await configure(place, archive, 600.0)
            suspended = await interrupted(place, jobs, job)
            await configure(place, archive, 0.0)
            assert await (await run_of(place, jobs, suspended)).run() is JobStatus.COMPLETED
            (job,) = [one for one in await jobs.of_connector("c") if one.status is JobStatus.PENDING]
            assert (job.metadata["follows"], job.metadata["because"]) == (suspended.id, "resumed")
        assert await (await run_of(place, jobs, job)).run() is JobStatus.COMPLETED
        assert not [one for one in await jobs.of_connector("c") if one.status is JobStatus.PENDING]
        assert not difference(archive.contents(), await actual(engine, "c", "c"))
