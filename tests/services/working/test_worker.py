"""The worker with real processes: jobs run, and what kills or blocks a process takes down nothing else."""

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.aio.clock import SystemClock
from connectors.config import load_settings
from connectors.services.working.messages import FROM_DAEMON, Begin
from connectors.services.working.turns import Places
from connectors.services.working.worker import Worker, WorkLimits
from connectors.store.job import ENDED, JobStatus, SyncJob
from tests.services.works import COMMAND, Works, until, works
from tests.torture.oracle import Content, expected
from tests.torture.scripted import block, cling, die, eat, hold, many, reach, wait

pytestmark = pytest.mark.timeout(120)
NUMBER = re.compile(r"[\d,]+\d")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Works]:
    async with works(tmp_path) as found:
        yield found


@asynccontextmanager
async def working(here: Works, **limits: Any) -> AsyncIterator[Worker]:
    """Run a worker during the block."""
    worker = Worker(here.desk, here.command, WorkLimits(**limits), SystemClock())
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


def rows(count: int) -> dict[str, Content]:
    return expected({"_id": f"row_{n}", "id": f"row_{n}", "number": n, "text": ""} for n in range(count))


def has_ended(job: SyncJob) -> bool:
    return job.status in ENDED


async def test_jobs_of_many_connectors_are_run_and_their_indices_are_as_their_sources(here: Works) -> None:
    jobs = {}
    for number in range(6):
        await here.connect(f"c{number}", [many(100 + number)])
        jobs[f"c{number}"] = await here.want(f"c{number}")
    async with working(here, places=Places(content=3)):
        for name, job in jobs.items():
            found = await here.until(job, has_ended)
            assert (found.status, found.error) == (JobStatus.COMPLETED, None), name
    for number in range(6):
        assert not await here.differs(f"c{number}", rows(100 + number))


async def test_a_job_is_canceled_within_seconds_while_its_source_says_nothing(here: Works) -> None:
    await here.connect("c", [many(10), wait(600)])
    job = await here.want("c")
    async with working(here, processes=1):
        await here.until(job, lambda found: found.status is JobStatus.IN_PROGRESS)
        await here.desk.jobs.cancel(job)
        assert (await here.until(job, has_ended)).status is JobStatus.CANCELED


async def test_a_worker_that_is_stopped_suspends_its_jobs_and_another_one_goes_on(here: Works) -> None:
    await here.connect("c", [many(10), wait(600)])
    job = await here.want("c")
    async with working(here, processes=1) as worker:
        await here.until(job, lambda found: found.status is JobStatus.IN_PROGRESS)
        pids = worker.crew.pids
    assert (await here.job(job)).status is JobStatus.SUSPENDED
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    here.script("c", [many(10)])
    async with working(here, processes=1):
        assert (await here.until(job, has_ended)).status is JobStatus.COMPLETED
    assert not await here.differs("c", rows(10))


async def test_a_process_that_dies_takes_its_jobs_down_and_each_is_begun_again(here: Works) -> None:
    for name in ("a", "b"):
        await here.connect(name, [many(10), wait(600)])
    jobs = [await here.want(name) for name in ("a", "b")]
    async with working(here, processes=1) as worker:
        for job in jobs:
            await here.until(job, lambda found: found.status is JobStatus.IN_PROGRESS)
        for name in ("a", "b"):
            here.script(name, [many(20)])
        os.kill(worker.crew.pids[0], signal.SIGKILL)
        for job in jobs:
            found = await here.until(job, has_ended)
            assert (found.status, found.metadata["alone"], found.metadata["deaths"]) == (JobStatus.COMPLETED, False, 0)
    for name in ("a", "b"):
        assert not await here.differs(name, rows(20))


async def test_a_job_that_kills_its_process_each_time_ends_in_error_and_takes_no_other_with_it(here: Works) -> None:
    await here.connect("poison", [many(5), die()])
    await here.connect("good", [many(5), wait(1.0)])
    poison, good = await here.want("poison"), await here.want("good")
    async with working(here, processes=1):
        found = await here.until(poison, has_ended)
        assert found.status is JobStatus.ERROR
        assert found.error is not None
        assert found.error.startswith("JobError: The process that ran it died 3 times while it ran nothing else")
        assert found.completed_at is not None
        assert (await here.until(good, has_ended)).status is JobStatus.COMPLETED
        await here.connect("next", [many(5)])
        assert (await here.until(await here.want("next"), has_ended)).status is JobStatus.COMPLETED
    connector = await here.desk.connectors.get("poison")
    assert connector is not None
    assert (connector.status, connector.error) == ("error", found.error)
    assert not await here.differs("good", rows(5))


async def test_a_process_that_is_held_up_is_killed_and_its_job_begun_again(here: Works) -> None:
    reached = here.folder / "reached"
    await here.connect("c", [many(5), reach(reached), block(600)])
    job = await here.want("c")
    async with working(here, processes=1, silent_after_s=3.0):
        await here.until(job, lambda _: reached.exists())
        here.script("c", [many(5)])
        found = await here.until(job, has_ended)
        assert (found.status, found.metadata["deaths"], found.metadata["claim"] is None) == (
            JobStatus.COMPLETED,
            0,
            False,
        )
    assert not await here.differs("c", rows(5))


async def test_a_source_that_can_not_even_be_cancelled_takes_its_process_with_it_and_no_other_job(
    here: Works,
) -> None:
    settings = yaml.safe_load(here.config.read_text())
    here.config.write_text(yaml.safe_dump({**settings, "service": {"source_timeout_s": 1.5}}))
    await here.connect("stuck", [many(5), cling(600)])
    await here.connect("good", [many(5), wait(0.5)] * 6)
    stuck, good = await here.want("stuck"), await here.want("good")
    async with working(here, processes=1):
        found = await here.until(stuck, has_ended)
        assert found.error == (
            "JobError: The process that ran it died 3 times while it ran nothing else, the last time because its "
            "source did not end within 1.5 s after it was cancelled."
        )
        assert (await here.until(good, has_ended)).status is JobStatus.COMPLETED
    assert not await here.differs("good", rows(5))


async def test_a_source_that_says_nothing_any_more_ends_its_job_and_nothing_else(here: Works) -> None:
    settings = yaml.safe_load(here.config.read_text())
    here.config.write_text(yaml.safe_dump({**settings, "service": {"source_timeout_s": 1.5}}))
    await here.connect("silent", [many(5), wait(600)])
    await here.connect("good", [many(5), wait(0.5)] * 10)
    silent, good = await here.want("silent"), await here.want("good")
    async with working(here, processes=1) as worker:
        found = await here.until(silent, has_ended)
        assert found.status is JobStatus.ERROR
        assert found.error is not None
        assert found.error.startswith("SourceError: The source has said nothing for 1.5 s, after 5 documents.")
        assert good in worker.crew.jobs
        ended = await here.until(good, has_ended)
        assert (ended.status, ended.metadata.get("deaths")) == (JobStatus.COMPLETED, 0)
    connector = await here.desk.connectors.get("silent")
    assert connector is not None
    assert (connector.status, connector.error) == ("error", found.error)


async def test_a_job_that_eats_memory_takes_its_process_with_it_and_ends_in_an_error_that_says_so(here: Works) -> None:
    await here.connect("greedy", [many(5), eat(2**29), wait(600)])
    await here.connect("good", [many(5), wait(3.0)])
    greedy, good = await here.want("greedy"), await here.want("good")
    async with working(here, processes=1, memory_bytes=2**29):
        found = await here.until(greedy, has_ended)
        assert found.error is not None
        died, took, allows = found.error.partition("because it had ")[0], *NUMBER.findall(found.error)[-2:]
        assert died == "JobError: The process that ran it died 3 times while it ran nothing else, the last time "
        assert int(took.replace(",", "")) > int(allows.replace(",", "")) == 2**29
        assert (await here.until(good, has_ended)).status is JobStatus.COMPLETED
    assert not await here.differs("good", rows(5))


async def test_processes_that_can_not_even_begin_are_started_again_after_pauses(here: Works) -> None:
    await here.connect("c", [many(5)])
    job = await here.want("c")
    config = here.config.read_text()
    here.config.write_text("sync: {batch_bytes: 0}\n")
    async with working(here, processes=1):
        await asyncio.sleep(1.5)
        assert (await here.job(job)).status is JobStatus.PENDING
        here.config.write_text(config)
        assert (await here.until(job, has_ended)).status is JobStatus.COMPLETED


async def test_a_worker_that_is_stopped_while_its_processes_begin_ends_soon(here: Works) -> None:
    started = time.monotonic()
    for pause_s in (0.0, 0.05, 0.3):
        async with working(here, processes=2):
            await asyncio.sleep(pause_s)
    assert time.monotonic() - started < 20


async def test_jobs_whose_ledgers_have_no_room_beside_each_other_are_run_one_after_the_other(here: Works) -> None:
    for name in ("a", "b"):
        await here.connect(name, [many(100)])
        await here.connect(f"{name}-small", [many(5)])
    names = ["a", "b", "a-small", "b-small"]
    async with working(here, places=Places(content=4), ledger_bytes=26 * 150):
        for job in [await here.want(name) for name in names]:
            assert (await here.until(job, has_ended)).status is JobStatus.COMPLETED
        reached = {name: here.folder / f"{name} reached" for name in names}
        for name in names:
            here.script(name, [many(100 if name in {"a", "b"} else 5), reach(reached[name]), wait(1.0)])
        jobs = {name: await here.want(name) for name in names}
        await here.until(jobs["a"], lambda _: reached["a"].exists() or reached["b"].exists())
        first, second = ("a", "b") if reached["a"].exists() else ("b", "a")
        ended = await here.until(jobs[first], has_ended)
        began = (await here.until(jobs[second], has_ended)).started_at
        assert ended.completed_at is not None
        assert began is not None
        assert began >= ended.completed_at
    for name in names:
        assert not await here.differs(name, rows(100 if name in {"a", "b"} else 5))


async def test_the_place_of_a_job_that_has_ended_is_given_to_the_next_before_the_next_look_is_due(here: Works) -> None:
    jobs = []
    for number in range(4):
        await here.connect(f"c{number}", [many(10)])
        jobs.append(await here.want(f"c{number}"))
    async with working(here, processes=1, places=Places(content=1), look_every_s=3_600.0) as worker:
        await until(lambda: asyncio.sleep(0, bool(worker.crew.pids)))
        await worker.look()
        for job in jobs:
            assert (await here.until(job, has_ended)).status is JobStatus.COMPLETED


async def test_two_workers_run_each_job_once(here: Works) -> None:
    jobs = []
    for number in range(6):
        await here.connect(f"c{number}", [many(50)])
        jobs.append(await here.want(f"c{number}"))
    async with working(here, processes=1), working(here, processes=1):
        for job in jobs:
            found = await here.until(job, has_ended)
            assert (found.status, found.document["indexed_document_count"]) == (JobStatus.COMPLETED, 50)
    for number in range(6):
        assert not await here.differs(f"c{number}", rows(50))


async def test_processes_come_and_go_as_settings_say_and_what_runs_goes_on(here: Works) -> None:
    go_on = here.folder / "go"
    await here.connect("c", [many(10), hold(go_on)])
    job = await here.want("c")
    settings = load_settings(here.config)

    async def there_are(count: int) -> None:
        async def is_so() -> bool:
            return len(worker.crew.pids) == count

        await until(is_so)

    async with working(here, processes=1) as worker:
        begun = await here.until(job, lambda found: found.status is JobStatus.IN_PROGRESS)
        worker.adopt(WorkLimits(processes=3), None, renew=False)
        await there_are(3)
        worker.adopt(WorkLimits(processes=1), None, renew=False)
        await there_are(1)
        assert (await here.job(job)).metadata["instance"] == begun.metadata["instance"]
        worker.crew.command = [*COMMAND, FROM_DAEMON]
        worker.adopt(WorkLimits(processes=2), Begin(settings), renew=True)
        await there_are(3)
        go_on.touch()
        done = await here.until(job, has_ended)
        assert (done.status, done.metadata["instance"]) == (JobStatus.COMPLETED, begun.metadata["instance"])
        await there_are(2)
        await here.connect("d", [many(10)])
        assert (await here.until(await here.want("d"), has_ended)).status is JobStatus.COMPLETED


async def test_a_retired_process_that_dies_gives_its_job_to_one_with_the_new_settings(here: Works) -> None:
    await here.connect("c", [many(10), wait(600)])
    job = await here.want("c")
    async with working(here, processes=1) as worker:
        begun = await here.until(job, lambda found: found.status is JobStatus.IN_PROGRESS)
        [pid] = worker.crew.pids
        worker.crew.command = [*COMMAND, FROM_DAEMON]
        worker.adopt(WorkLimits(processes=1), Begin(load_settings(here.config)), renew=True)
        here.config.write_text("none: of this is a setting")
        here.script("c", [many(10)])
        os.kill(pid, signal.SIGKILL)
        done = await here.until(job, has_ended)
    assert (done.status, done.metadata["instance"] != begun.metadata["instance"]) == (JobStatus.COMPLETED, True)


async def test_a_worker_that_was_ended_may_be_run_again_and_notices_deaths(here: Works) -> None:
    worker = Worker(here.desk, here.command, WorkLimits(processes=1), SystemClock())
    for name in ("first", "second"):
        await here.connect(name, [many(10), wait(600)])
        job = await here.want(name)
        task = asyncio.create_task(worker.run())
        await here.until(job, lambda found: found.status is JobStatus.IN_PROGRESS)
        here.script(name, [many(10)])
        os.kill(worker.crew.pids[0], signal.SIGKILL)
        assert (await here.until(job, has_ended)).status is JobStatus.COMPLETED
        task.cancel()
        await asyncio.wait([task])
