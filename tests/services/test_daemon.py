"""Whole daemons as processes: they sync what is due or wanted, survive what they meet, and end as they are asked."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors.engine import open_engine
from connectors.settings import EngineSettings
from connectors.store.connector import Connector, ConnectorStatus
from connectors.store.connectors import ConnectorStore
from connectors.store.job import ENDED, JobStatus, SyncJob, Trigger
from connectors.store.jobs import NAME as JOBS
from connectors.store.jobs import JobStore
from tests.services.daemons import daemon
from tests.services.works import ROOT, Works, until, works
from tests.torture.oracle import Content, expected
from tests.torture.scripted import cling, die, many, reach, wait

pytestmark = pytest.mark.timeout(180)
EACH_SECOND = {"full": {"enabled": True, "interval": "* * * * * ?"}}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Works]:
    async with works(tmp_path) as found:
        yield found


def rows(count: int) -> dict[str, Content]:
    return expected({"_id": f"row_{n}", "id": f"row_{n}", "number": n, "text": ""} for n in range(count))


def has_ended(job: SyncJob) -> bool:
    return job.status in ENDED


async def ended_jobs(here: Works, name: str, count: int) -> list[SyncJob]:
    """Wait until so many jobs of a connector have ended, and return them."""
    found: list[SyncJob] = []

    async def are_there() -> bool:
        found[:] = [one for one in await here.desk.jobs.of_connector(name) if has_ended(one)]
        return len(found) >= count

    await until(are_there)
    return found


async def test_what_is_due_is_synced_again_and_again_and_what_changed_is_right_each_time(here: Works) -> None:
    await here.connect("c", [many(20)], scheduling=EACH_SECOND)
    async with daemon(here.config) as one:
        await ended_jobs(here, "c", 1)
        assert not await here.differs("c", rows(20))
        here.script("c", [many(15)])
        await ended_jobs(here, "c", 4)
        assert not await here.differs("c", rows(15))
        assert await one.stop() == 0
    jobs = await here.desk.jobs.of_connector("c")
    assert {job.status for job in jobs if has_ended(job)} == {JobStatus.COMPLETED}
    assert {job.trigger for job in jobs} == {Trigger.SCHEDULED}


async def test_a_job_that_somebody_else_wrote_is_run_and_reported_in_the_fields_that_they_read(here: Works) -> None:
    await here.connect("c", [many(20)])
    document = {
        "connector": {"id": "c", "index_name": "c", "service_type": "scripted", "filtering": {"rules": []}},
        "job_type": "full",
        "trigger_method": "on_demand",
        "status": "pending",
        "created_at": "2026-01-01T12:00:00.123456+00:00",
        "last_seen": "2026-01-01T12:00:00.123456+00:00",
    }
    async with daemon(here.config) as one:
        await one.until_logged("The daemon works")
        await here.engine.control.put(JOBS, "wanted", document, refresh="now")
        job = await here.until("wanted", has_ended)
        assert await one.stop() == 0
    assert (job.status, job.error) == (JobStatus.COMPLETED, None)
    counts = ("indexed_document_count", "deleted_document_count", "total_document_count")
    assert [job.document[name] for name in counts] == [20, 0, 20]
    assert job.document["created_at"] == document["created_at"]
    assert not await here.differs("c", rows(20))


async def test_a_daemon_that_is_asked_to_end_suspends_what_runs_and_the_next_one_goes_on(here: Works) -> None:
    reached = here.folder / "reached"
    await here.connect("c", [many(20), reach(reached), wait(600)])
    job = await here.want("c")
    async with daemon(here.config) as one:
        await here.until(job, lambda _: reached.exists())
        assert await one.stop() == 0
    assert (await here.job(job)).status is JobStatus.SUSPENDED
    here.script("c", [many(20)])
    async with daemon(here.config) as one:
        assert (await here.until(job, has_ended)).status is JobStatus.COMPLETED
        assert await one.stop(signal.SIGINT) == 0
    assert not await here.differs("c", rows(20))


async def test_two_daemons_make_one_job_of_each_tick_and_run_it_once(here: Works) -> None:
    await here.connect("c", [many(20)], scheduling=EACH_SECOND)
    async with daemon(here.config), daemon(here.config):
        jobs = await ended_jobs(here, "c", 6)
    instants = [one.value.instant async for one in here.desk.ticks.of("c")]
    assert len(instants) == len(set(instants))
    assert len({job.id for job in jobs}) == len(jobs) <= len(instants)
    assert {job.status for job in jobs} == {JobStatus.COMPLETED}
    assert sum(job.document["indexed_document_count"] for job in jobs) == 20


async def test_no_process_outlives_a_daemon_that_is_killed(here: Works) -> None:
    reached = here.folder / "reached"
    await here.connect("c", [many(20), reach(reached), wait(600)])
    job = await here.want("c")
    async with daemon(here.config) as one:
        found = await here.until(job, lambda _: reached.exists())
        pid = worker_of(found)
        assert await one.stop(signal.SIGKILL) == -signal.SIGKILL

        async def is_gone() -> bool:
            return _is_gone(pid)

        await until(is_gone)
    assert (await here.job(job)).status is JobStatus.SUSPENDED


def worker_of(job: SyncJob) -> int:
    """Return the number of the process that has a job."""
    return int(str(job.metadata["instance"]).split("|")[2])


async def test_the_job_of_a_daemon_that_was_killed_with_its_workers_is_gone_on_with(here: Works) -> None:
    reached = here.folder / "reached"
    await here.connect("c", [many(20), reach(reached), wait(600)])
    job = await here.want("c")
    async with daemon(here.config) as one:
        found = await here.until(job, lambda _: reached.exists())
        one.process.send_signal(signal.SIGSTOP)  # so that it sees nothing of what its worker meets
        os.kill(worker_of(found), signal.SIGKILL)
        await one.stop(signal.SIGKILL)
    assert (await here.job(job)).status is JobStatus.IN_PROGRESS
    here.script("c", [many(25)])
    async with daemon(here.config) as one:
        again = await here.until(job, has_ended)
        assert await one.stop() == 0
    assert (again.status, again.metadata["lost"]) == (JobStatus.COMPLETED, 1)
    assert not await here.differs("c", rows(25))


async def test_a_worker_that_stands_still_past_its_lease_writes_nothing_when_it_goes_on(here: Works) -> None:
    reached = here.folder / "reached"
    await here.connect("c", [many(20), reach(reached), wait(4)])
    job = await here.want("c")
    async with daemon(here.config), daemon(here.config):
        found = await here.until(job, lambda _: reached.exists())
        pid = worker_of(found)
        os.kill(pid, signal.SIGSTOP)
        here.script("c", [many(25)])
        try:
            done = await here.until(job, has_ended)
            assert (done.status, worker_of(done) != pid) == (JobStatus.COMPLETED, True)
            assert not await here.differs("c", rows(25))
        finally:
            os.kill(pid, signal.SIGCONT)
        next_one = await here.until(await here.want("c"), has_ended)
        assert next_one.status is JobStatus.COMPLETED
        assert await here.job(job) == done
    assert not await here.differs("c", rows(25))


async def test_a_connector_without_settings_gets_those_of_its_source_and_is_synced_once_they_have_values(
    here: Works,
) -> None:
    document = {"service_type": "scripted", "index_name": "c", "status": "created", "scheduling": EACH_SECOND}
    await here.desk.connectors.create("c", document)
    here.script("c", [many(20)])

    async def known() -> Connector:
        found = await here.desk.connectors.get("c")
        assert found is not None
        return found

    async def is_filled_in() -> bool:
        return (await known()).status is ConnectorStatus.NEEDS_CONFIGURATION

    async with daemon(here.config) as one:
        await until(is_filled_in)
        configuration = {**(await known()).configuration}
        assert configuration["script"]["label"] == "Script"
        value = {**configuration["script"], "value": str(here.folder / "c.script")}
        configured = {"configuration": {**configuration, "script": value}, "status": "configured"}
        await here.desk.connectors.update("c", lambda _: configured)
        await ended_jobs(here, "c", 1)
        assert (await known()).status is ConnectorStatus.CONNECTED
        assert not await here.differs("c", rows(20))
        assert await one.stop() == 0


async def test_a_document_that_kills_whoever_reads_it_ends_its_job_and_neither_the_daemon_nor_others(
    here: Works,
) -> None:
    await here.connect("poison", [many(5), die()])
    await here.connect("good", [many(20)], scheduling=EACH_SECOND)
    job = await here.want("poison")
    async with daemon(here.config) as one:
        found = await here.until(job, has_ended)
        assert found.status is JobStatus.ERROR
        before = len(await ended_jobs(here, "good", 1))
        await ended_jobs(here, "good", before + 2)
        assert await one.stop() == 0
    jobs = [found for found in await here.desk.jobs.of_connector("good") if has_ended(found)]
    assert {found.status for found in jobs} == {JobStatus.COMPLETED}
    assert not await here.differs("good", rows(20))


async def test_a_source_that_says_nothing_any_more_ends_its_job_and_its_connector_says_so(tmp_path: Path) -> None:
    async with works(tmp_path, service={"source_timeout_s": 1.5, "workers": 1}) as here:
        await here.connect("silent", [many(5), wait(600)])
        await here.connect("good", [many(20)], scheduling=EACH_SECOND)
        job = await here.want("silent")
        async with daemon(here.config) as one:
            found = await here.until(job, has_ended)
            await ended_jobs(here, "good", 2)
            assert await one.stop() == 0
        assert (found.status, found.metadata.get("deaths")) == (JobStatus.ERROR, 0)
        words = "SourceError: The source has said nothing for 1.5 s, after 5 documents."
        connector = await here.desk.connectors.get("silent")
        assert connector is not None
        assert found.error is not None
        assert (connector.error, found.error.startswith(words)) == (found.error, True)
        assert not await here.differs("good", rows(20))


async def test_no_process_outlives_a_daemon_that_is_killed_though_its_source_holds_on(tmp_path: Path) -> None:
    async with works(tmp_path, service={"source_timeout_s": 5.0, "workers": 1}) as here:
        reached = here.folder / "reached"
        await here.connect("c", [many(5), reach(reached), cling(600)])
        job = await here.want("c")
        async with daemon(here.config) as one:
            pid = worker_of(await here.until(job, lambda _: reached.exists()))
            await one.stop(signal.SIGKILL)

            async def is_gone() -> bool:
                return _is_gone(pid)

            await until(is_gone)


def _is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


async def test_a_daemon_waits_for_an_engine_that_is_not_there_yet(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("engine: {host: 'http://127.0.0.1:9', attempts: 1}\n")
    async with daemon(config) as one:
        await one.until_logged("The engine is not there")
        assert await one.stop() == 0


async def test_wrong_settings_end_it_at_once(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("service: {timezone: Nowhere}\n")
    async with daemon(config) as one:
        assert await one.process.wait() == 2
    assert one.log[0].startswith("service.timezone: There is no time zone 'Nowhere'.")


async def test_without_an_engine_of_its_own_everything_is_in_one_folder(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    data, script = tmp_path / "data", tmp_path / "script"
    text = f"""
engine: {{data: {data}}}
sync: {{ledgers: {tmp_path / "ledgers"}}}
allowed_paths: [{tmp_path}]
sources: {{scripted: "tests.torture.scripted:ScriptedDataSource"}}
"""
    config.write_text(text)
    script.write_text('{"!many": [30, 0]}\n')
    document: dict[str, Any] = {
        "service_type": "scripted",
        "index_name": "c",
        "status": "connected",
        "configuration": {"script": {"value": str(script)}},
        "scheduling": EACH_SECOND,
    }
    async with daemon(config, {**os.environ, "PYTHONPATH": str(ROOT)}) as one:
        await one.until_logged("The daemon works")
        async with open_engine(EngineSettings(data=data)) as engine:
            await (await ConnectorStore.open(engine)).create("c", document)
            jobs = await JobStore.open(engine)

            async def has_been_run() -> bool:
                return any(has_ended(job) for job in await jobs.of_connector("c"))

            await until(has_been_run)
            await engine.data.refresh("c")
            assert await engine.data.count("c") == 30
            assert await one.stop() == 0
