"""A whole daemon as its monitor shows it: numbers that equal its jobs, and an engine that goes and comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.engine.embedded.desk import desk_of
from connectors.engine.embedded.server import serving
from connectors.store.job import ENDED, JobStatus, SyncJob
from tests.services.daemons import daemon
from tests.services.monitoring.asking import Answer, ask, free_port
from tests.services.works import Works, until, works
from tests.torture.scripted import die, many, wait

pytestmark = pytest.mark.timeout(180)
FULL = ("full", "scripted")
EACH_SECOND = {"full": {"enabled": True, "interval": "* * * * * ?"}}
Numbers = dict[tuple[str, ...], float]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def here(tmp_path: Path, port: int) -> AsyncIterator[Works]:
    sync = {"ledgers": str(tmp_path / "ledgers"), "heartbeat_timeout_s": 3.0, "batch_documents": 100}
    async with works(tmp_path, monitoring={"port": port}, sync=sync) as found:
        yield found


def has_ended(job: SyncJob) -> bool:
    return job.status in ENDED


async def numbers_until(port: int, reached: Callable[[Numbers], bool]) -> Numbers:
    """Wait until the metrics are as a test wants them, and return them."""
    found: Numbers = {}

    async def is_reached() -> bool:
        nonlocal found
        found = (await ask(port, "/metrics")).numbers
        return reached(found)

    await until(is_reached)
    return found


async def ready_until(port: int, status: int) -> Answer:
    found: list[Answer] = []

    async def is_reached() -> bool:
        try:
            found[:] = [await ask(port, "/readyz")]
        except ConnectionError:
            return False
        return found[0].status == status

    await until(is_reached)
    return found[0]


def documents(numbers: Numbers) -> dict[str, float]:
    return {labels[2]: number for labels, number in numbers.items() if labels[0] == "connectors_documents_total"}


async def test_the_numbers_of_a_sync_equal_its_document_while_it_runs_and_when_it_has_ended(
    here: Works, port: int
) -> None:
    await here.connect("c", [many(600), wait(600)])
    async with daemon(here.config) as one:
        await ready_until(port, 200)
        job = await here.want("c")
        running = await here.until(job, lambda found: found.document["indexed_document_count"] == 500)
        assert running.status is JobStatus.IN_PROGRESS  # the other hundred wait for what comes
        numbers = await numbers_until(port, lambda found: documents(found) == {"created": 500})
        assert numbers["connectors_jobs_running", *FULL] == 1
        assert ("connectors_jobs_ended_total", *FULL, "completed") not in numbers

        await here.desk.jobs.cancel(job)
        await here.until(job, has_ended)
        here.script("c", [many(450), {"_id": "other"}])
        done = await here.until(await here.want("c"), has_ended)
        report = done.metadata["sync"]
        assert done.status is JobStatus.COMPLETED
        numbers = await numbers_until(
            port, lambda found: found.get(("connectors_jobs_ended_total", *FULL, "completed")) == 1
        )
        assert await one.stop() == 0
    first = (await here.job(job)).metadata["sync"]
    told = ("created", "updated", "unchanged", "dropped", "superseded", "deleted")
    assert documents(numbers) == {name: first[name] + report[name] for name in told if first[name] + report[name]}
    assert (report["unchanged"], report["created"], report["deleted"]) == (450, 1, 50)
    assert numbers["connectors_sent_bytes_total", *FULL] == first["sent_bytes"] + report["sent_bytes"]
    assert ("connectors_jobs_running", *FULL) not in numbers
    assert numbers["connectors_jobs_ended_total", *FULL, "canceled"] == 1
    assert numbers["connectors_job_wait_seconds_count", "full"] == 2
    assert numbers["connectors_engine_requests_total", "data", "answered"] >= first["requests"] + report["requests"]


async def test_ticks_and_deaths_and_memory_are_told(here: Works, port: int) -> None:
    await here.connect("good", [many(3)], scheduling=EACH_SECOND)
    await here.connect("poison", [many(3), die()])
    async with daemon(here.config) as one:
        await ready_until(port, 200)
        await here.until(await here.want("poison"), has_ended)
        name = "connectors_jobs_ended_total"
        numbers = await numbers_until(
            port,
            lambda found: found.get((name, *FULL, "died"), 0) >= 4 and found.get((name, *FULL, "completed"), 0) >= 1,
        )
        assert await one.stop() == 0
    deaths = sum("A worker process has ended." in line for line in one.log)
    assert numbers["connectors_worker_deaths_total",] == deaths
    assert numbers["connectors_tick_delay_seconds_count", "full"] >= 1
    assert sum(number for labels, number in numbers.items() if labels[0] == "connectors_connectors") == 2
    assert numbers["connectors_resident_memory_bytes", "daemon"] > 2**24
    assert numbers["connectors_resident_memory_bytes", "workers"] > 2**24
    ages = {labels[1] for labels in numbers if labels[0] == "connectors_look_age_seconds"}
    assert ages == {"worker", "scheduler", "live syncs", "preparation", "janitor"}


async def test_a_daemon_is_not_ready_while_its_engine_is_away_and_lives(tmp_path: Path, port: int) -> None:
    address, config = free_port(), tmp_path / "config.yml"
    text = f"engine: {{host: 'http://127.0.0.1:{address}', attempts: 1}}\nmonitoring: {{port: {port}}}\n"
    config.write_text(f"{text}sync: {{ledgers: {tmp_path / 'ledgers'}}}\n")

    async def serve(stack: AsyncExitStack) -> None:
        await stack.enter_async_context(serving(desk, host="127.0.0.1", port=address, key=None))

    async with desk_of(tmp_path / "data") as desk, daemon(config) as one:
        assert (await ready_until(port, 503)).json["reasons"] == ["The engine has not answered yet."]
        for _ in range(2):
            async with AsyncExitStack() as stack:
                await serve(stack)
                assert (await ready_until(port, 200)).json == {"ready": True, "reasons": []}
            [reason] = (await ready_until(port, 503)).json["reasons"]
            assert reason.startswith("The engine does not answer: ")
            assert (await ask(port, "/healthz")).json == {"alive": True, "reasons": []}
        assert await one.stop() == 0


async def test_daemons_that_want_the_same_port_both_work(here: Works, port: int) -> None:
    await here.connect("c", [many(3)])
    async with daemon(here.config) as one, AsyncExitStack() as stack:
        await ready_until(port, 200)
        other = await stack.enter_async_context(daemon(here.config))
        await other.until_logged("Set monitoring.port to another port")
        await other.until_logged("The daemon works")
        assert (await here.until(await here.want("c"), has_ended)).status is JobStatus.COMPLETED
        assert await one.stop() == 0
        job: Any = await here.until(await here.want("c"), has_ended)
        assert job.status is JobStatus.COMPLETED
        assert await other.stop() == 0
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(ask(port, "/healthz"), 20)
