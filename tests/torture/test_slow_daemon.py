"""Slowness: a source that takes its time, then an engine that answers a hundred times slower, under a whole daemon."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from connectors.store.job import ENDED, JobStatus, SyncJob
from tests.functional.footprint import Footprint, footprint
from tests.services.daemons import Daemon, daemon
from tests.services.works import Works, until, works
from tests.torture.fault_plans import Calm, slow
from tests.torture.fault_proxy import FaultProxy
from tests.torture.oracle import Content, expected
from tests.torture.scripted import many, wait
from tests.torture.sent import port_of

pytestmark = [pytest.mark.timeout(240), pytest.mark.long_round]
LEASE_S = 9.0
ANSWER_S = 0.3
"""How long each answer takes when the engine is slow: here one takes about 3 ms."""
BYTES_PER_S = 4_000_000
MB = 1_000_000


@dataclass
class Slowness:
    """A daemon whose processes reach their engine through a proxy; the test itself reaches it directly."""

    works: Works
    proxy: FaultProxy
    daemon: Daemon
    memory: Footprint


@asynccontextmanager
async def slowness(folder: Path) -> AsyncIterator[Slowness]:
    async with works(folder) as here:
        settings = yaml.safe_load(here.config.read_text())
        async with FaultProxy(port_of(settings["engine"]["host"]), notes=False) as proxy:
            settings["engine"] = {"host": proxy.url}
            settings["sync"] |= {"heartbeat_timeout_s": LEASE_S}
            here.config.write_text(yaml.safe_dump(settings))
            async with daemon(here.config) as one, footprint(one.process.pid) as memory:
                await one.until_logged("The daemon works")
                yield Slowness(here, proxy, one, memory)
                assert await one.stop() == 0


@dataclass
class Pulse:
    """How long a job that runs went without saying that it is alive, at most."""

    longest_s: float = 0.0
    beats: int = 0
    claims: set[str] = field(default_factory=set)

    async def of(self, here: Works, job_id: str) -> SyncJob:
        """Watch a job to its end, and return it."""
        said, said_at = None, time.monotonic()
        while (job := await here.job(job_id)).status not in ENDED:
            if job.status is JobStatus.IN_PROGRESS:
                self.claims.add(job.metadata["claim"])
            if job.last_seen != said:
                said, said_at = job.last_seen, time.monotonic()
                self.beats += 1
            self.longest_s = max(self.longest_s, time.monotonic() - said_at)
            await asyncio.sleep(0.05)
        return job


def rows(count: int, characters: int = 0) -> dict[str, Content]:
    made = ({"_id": f"row_{n}", "id": f"row_{n}", "number": n, "text": "x" * characters} for n in range(count))
    return expected(made)


def was_read_once(job: SyncJob, pulse: Pulse) -> bool:
    """Return whether a job ended well in its first attempt and its first walk."""
    passes = job.metadata["sync"]["passes"]
    return (job.status, job.error, passes, len(pulse.claims)) == (JobStatus.COMPLETED, None, 1, 1)


async def test_a_source_that_takes_longer_than_the_lease_keeps_its_job(tmp_path: Path) -> None:
    async with slowness(tmp_path) as here:
        await here.works.connect("c", [many(10), wait(2 * LEASE_S), many(40)])
        pulse = Pulse()
        job = await pulse.of(here.works, await here.works.want("c"))
        assert was_read_once(job, pulse), (job.document, pulse)
        assert pulse.longest_s < LEASE_S
        assert pulse.beats > 2 * LEASE_S / (LEASE_S / 3)
        assert not await here.works.differs("c", rows(40))


async def test_an_engine_that_is_a_hundred_times_slower_keeps_the_job_and_memory_is_bounded(tmp_path: Path) -> None:
    count, characters = 400, 20_000
    async with slowness(tmp_path) as here:
        await here.works.connect("fast", [many(count, characters)])
        await here.works.connect("slow", [many(count, characters)])
        here.memory.begin()
        assert was_read_once(job := await (pulse := Pulse()).of(here.works, await here.works.want("fast")), pulse), job
        fast_bytes = here.memory.peak_bytes
        here.memory.begin()
        here.proxy.plan = slow(bytes_per_s=BYTES_PER_S, latency_s=ANSWER_S, control=True)
        pulse = Pulse()
        job = await pulse.of(here.works, await here.works.want("slow"))
        assert was_read_once(job, pulse), (job.document, pulse)
        assert pulse.longest_s < LEASE_S
        assert here.memory.peak_bytes < fast_bytes + 40 * MB, (here.memory.peak_bytes, fast_bytes)
        here.proxy.plan = Calm()
        assert not await here.works.differs("slow", rows(count, characters))


async def test_other_jobs_begin_and_end_while_a_slow_engine_takes_a_large_one(tmp_path: Path) -> None:
    async with slowness(tmp_path) as here:
        await here.works.connect("large", [many(4_000, 20_000)])
        await here.works.connect("small", [many(5)])
        here.proxy.plan = slow(bytes_per_s=BYTES_PER_S, latency_s=ANSWER_S, control=True)
        large = await here.works.want("large")

        async def has_written() -> bool:
            return here.proxy.bulks >= 2

        await until(has_written)
        began = time.monotonic()
        small = await here.works.until(await here.works.want("small"), lambda job: job.status in ENDED)
        assert small.status is JobStatus.COMPLETED
        assert (await here.works.job(large)).status is JobStatus.IN_PROGRESS
        took_s = time.monotonic() - began
        await here.works.desk.jobs.cancel(large)
        canceled = await here.works.until(large, lambda job: job.status in ENDED)
        assert canceled.status is JobStatus.CANCELED
        assert (took_s, time.monotonic() - began - took_s) < (40.0, 40.0)
        assert not await here.works.differs("small", rows(5))
