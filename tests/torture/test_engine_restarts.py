"""Engine restarts: the engine of three daemons is killed, started again and paused while fifty connectors sync."""

import asyncio
import contextlib
import random
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from connectors.errors import ConnectorsError
from connectors.store.job import JobStatus
from tests.engine.real import Node, node
from tests.services.works import ROOT
from tests.torture.archive import Archive
from tests.torture.conftest import Report
from tests.torture.fleet import PATIENCE_S, Fleet, fleet, holds, send

SHORT = range(1)
CONNECTORS = 50
FEW = 12
"""For a short round."""
PROMISE = (
    "Three daemons sync fifty connectors on one engine, which other processes reach by TCP. Meanwhile it is killed "
    "and started again, twice, and stopped, now and then for longer than a lease lasts. Every daemon lives, every job "
    "is completed without anybody's help, and each index is equal to its archive."
)


class Engine(Protocol):
    """An engine that a test may do something to."""

    @property
    def url(self) -> str:
        """Where it listens now."""
        ...

    async def kill(self) -> None:
        """End it as a crash does."""

    async def start(self) -> None:
        """Start it again on the same data, and return when it takes connections."""

    @property
    def pid(self) -> int:
        """The number of its process."""
        ...


@dataclass
class Served:
    """`connectors engine serve`, as a process."""

    data: Path
    port: int
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Start it, and return when it takes connections."""
        arguments = ["engine", "serve", "--no-auth", "--data", str(self.data), "--port", str(self.port)]
        self.process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "connectors", *arguments], stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)
        assert self.url in line.decode(), line

    async def kill(self) -> None:
        """End it as a crash does."""
        send(self.pid, signal.SIGKILL)
        assert self.process is not None
        await self.process.wait()


@dataclass
class Cluster:
    """A node of a real engine, which has another port after a start."""

    node: Node

    @property
    def url(self) -> str:
        """Where it listens now."""
        return self.node.url

    @property
    def pid(self) -> int:
        """The number of its process."""
        return int((self.node.data / "pid").read_text(encoding="ascii"))

    async def start(self) -> None:
        """Start it, and return when it takes connections."""
        await asyncio.to_thread(self.node.start)

    async def kill(self) -> None:
        """End it as a crash does."""
        await asyncio.to_thread(self.node.stop, kill=True)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Served]:
    """Provide an embedded engine that is a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    one = Served(folder / "engine", port)
    await one.start()
    try:
        yield one
    finally:
        await one.kill()


async def stocked(here: Fleet, seed: int, connectors: int) -> dict[str, Archive]:
    """Return the archives of so many connectors, each of which a daemon is to sync."""
    names = [f"c{number}" for number in range(connectors)]
    return {name: await here.archive(name, f"{seed} {name}", 45, pause_s=0.2) for name in names}


async def one_round(seed: int, folder: Path, engine: Engine, *, connectors: int = CONNECTORS) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"engine {seed}")
    facts: Counter[str] = Counter()
    async with fleet(folder, engine.url, heartbeat_timeout_s=3.0) as here:
        archives = await stocked(here, seed, connectors)
        for _ in range(3):
            await here.join(max_concurrent_content_syncs=4)
        await here.ready()
        jobs = [await here.want(name) for name in archives]
        for what in chance.sample(["kill", "pause", "kill"], 2 if connectors == FEW else 3):
            await holds(patient(lambda: _some_run(here)))
            await asyncio.sleep(chance.random())  # at any moment
            if what == "kill":
                await engine.kill()
                await asyncio.sleep(chance.choice([0.0, 2.0, 8.0]))
                await engine.start()
                here.moved(engine.url)
            else:
                send(engine.pid, signal.SIGSTOP)
                await asyncio.sleep(chance.choice([2.0, 8.0]))
                send(engine.pid, signal.SIGCONT)
            facts[f"times that the engine was {'killed' if what == 'kill' else 'paused'}"] += 1
        await holds(patient(lambda: _all_ended(here)))
        ended = [await here.job(job) for job in jobs]
        assert [(job.status, job.error) for job in ended if job.status is not JobStatus.COMPLETED] == [], seed
        for name, archive in archives.items():
            assert not await here.differs(name, archive.contents()), (seed, name)
        facts += here.book.check()
        facts["jobs that were given back"] += sum(job.metadata.get("lost", 0) for job in ended)
        assert [one.daemon.process.returncode for one in here.members] == [None] * len(here.members)
    return facts


def patient(true: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
    """Return what asks again while the engine is away."""

    async def asked() -> bool:
        with contextlib.suppress(ConnectorsError):
            return await true()
        return False

    return asked


async def _some_run(here: Fleet) -> bool:
    """Return whether some jobs run, or none is left that will."""
    return len(await here.desk.jobs.active()) >= 3 or await _all_ended(here)


async def _all_ended(here: Fleet) -> bool:
    return not await here.desk.jobs.open_jobs()


@pytest.mark.parametrize("seed", SHORT)
async def test_an_engine_that_is_restarted_and_paused_loses_nothing(seed: int, tmp_path: Path) -> None:
    async with served(tmp_path) as engine:
        await one_round(seed, tmp_path, engine, connectors=FEW)


@pytest.mark.long_round
async def test_engines_that_are_restarted_and_paused_lose_nothing_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        folder = tmp_path_factory.mktemp(f"engine{seed}")
        async with served(folder) as engine:
            facts += await one_round(seed, folder, engine)
    report.add("Daemons whose engine is restarted", PROMISE, seeds, dict(facts))


@pytest.mark.real_engine("elasticsearch")
@pytest.mark.timeout(900)
async def test_a_real_engine_that_is_restarted_and_paused_loses_nothing(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with node(request.config.getoption("--engine")) as running:
        await one_round(0, tmp_path, Cluster(running), connectors=FEW)
