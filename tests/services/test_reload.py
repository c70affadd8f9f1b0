"""Settings of a whole daemon that change while it runs: what runs goes on, and what comes is as they say."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.store.job import ENDED, JobStatus, SyncJob
from tests.services.daemons import Daemon, daemon
from tests.services.monitoring.asking import ask, free_port
from tests.services.works import Works, until, works
from tests.torture.scripted import hold, many, reach

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Works]:
    async with works(tmp_path, service={"max_concurrent_content_syncs": 1, "workers": 1}) as found:
        yield found


def has_ended(job: SyncJob) -> bool:
    return job.status in ENDED


def pid_of(job: SyncJob) -> int:
    """Return the number of the process that has a job, or had it."""
    return int(str(job.metadata["instance"]).split("|")[2])


def change(here: Works, **sections: Any) -> None:
    """Write other settings in the place of the file, as who edits it does, each section with what it had."""
    before = yaml.safe_load(here.config.read_text())
    changed = {name: {**before.get(name, {}), **values} for name, values in sections.items()}
    other = here.folder / "new.yml"
    other.write_text(yaml.safe_dump({**before, **changed}))
    other.replace(here.config)


async def running(here: Works, name: str) -> tuple[str, SyncJob, Path]:
    """Begin a job that waits until a file is made, and return its id, itself, and that file."""
    reached, go_on = here.folder / f"{name}.reached", here.folder / f"{name}.go"
    await here.connect(name, [many(20), reach(reached), hold(go_on), {"_id": "last"}])
    job = await here.want(name)
    return job, await here.until(job, lambda _: reached.exists()), go_on


async def until_gone(pid: int) -> None:
    async def is_gone() -> bool:
        return _is_gone(pid)

    await until(is_gone)


def _is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def hang_up(one: Daemon) -> None:
    one.process.send_signal(signal.SIGHUP)


async def test_a_limit_changes_while_a_job_runs_and_that_job_completes(here: Works) -> None:
    async with daemon(here.config) as one:
        await one.until_logged("The daemon works")
        slow, begun, go_on = await running(here, "slow")
        await here.connect("quick", [many(20)])
        quick = await here.want("quick")
        change(here, service={"max_concurrent_content_syncs": 2}, sync={"batch_documents": 7})
        hang_up(one)
        await one.until_logged("The settings were read again.")
        done = await here.until(quick, has_ended)
        assert (done.status, done.metadata["sync"]["requests"]) == (JobStatus.COMPLETED, 3)
        assert pid_of(done) != pid_of(begun)
        still = await here.job(slow)
        assert (still.status, still.metadata["instance"]) == (JobStatus.IN_PROGRESS, begun.metadata["instance"])
        go_on.touch()
        done = await here.until(slow, has_ended)
        assert (done.status, done.metadata["instance"]) == (JobStatus.COMPLETED, begun.metadata["instance"])
        assert (done.document["indexed_document_count"], done.metadata["sync"]["requests"]) == (21, 1)
        await until_gone(pid_of(begun))
        assert await one.stop() == 0
    assert not any("A worker process has ended" in line for line in one.log)


async def test_a_file_with_faults_changes_nothing_even_for_processes_that_begin_then(here: Works) -> None:
    async with daemon(here.config) as one:
        await one.until_logged("The daemon works")
        job, begun, go_on = await running(here, "c")
        here.config.write_text("service: {workers: none}\nsync: {batch_documents: 0}\n")
        hang_up(one)
        await one.until_logged("sync.batch_documents: Expected")
        await one.until_logged("service.workers: Expected")
        os.kill(pid_of(begun), signal.SIGKILL)
        go_on.touch()
        done = await here.until(job, has_ended)
        assert (done.status, done.document["indexed_document_count"]) == (JobStatus.COMPLETED, 21)
        assert pid_of(done) != pid_of(begun)
        assert await one.stop() == 0


async def test_a_file_that_is_replaced_counts_without_anybody_saying_so(here: Works) -> None:
    port = free_port()
    async with daemon(here.config) as one:
        await one.until_logged("The daemon works")
        change(here, monitoring={"port": port}, service={"workers": 3}, engine={"attempts": 9}, log={"level": "debug"})
        await one.until_logged("Settings count only when the daemon is started again.")
        assert any('"settings": ["engine.attempts"]' in line for line in one.log)

        async def are_there() -> bool:
            try:
                numbers = (await ask(port, "/metrics")).numbers
            except ConnectionError:
                return False
            return numbers.get(("connectors_worker_processes",)) == 3

        await until(are_there)
        change(here, monitoring={"port": None}, service={"workers": 1})

        async def is_off() -> bool:
            try:
                await ask(port, "/healthz")
            except ConnectionError:
                return True
            return False

        await until(is_off)
        await here.connect("c", [many(20)])
        assert (await here.until(await here.want("c"), has_ended)).status is JobStatus.COMPLETED
        assert await one.stop() == 0


async def test_a_daemon_that_waits_for_its_engine_reads_its_settings_too(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    text = "engine: {host: 'http://127.0.0.1:9', attempts: 1}\nmonitoring: {port: null}\n"
    config.write_text(text)
    async with daemon(config) as one:
        await one.until_logged("The engine is not there")
        hang_up(one)
        await one.until_logged("and nothing has changed")
        config.write_text(f"{text}service: {{timezone: Nowhere}}\n")
        await one.until_logged("There is no time zone 'Nowhere'.")
        assert await one.stop() == 0
