"""Skipped syncs of real sources in real daemons: through restarts, by another daemon, and never after a loss."""

import asyncio
import ctypes
import os
import shutil
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from redis import Redis

from connectors.store.job import ENDED, JobStatus, SyncJob
from connectors.store.jobs import NAME as JOBS
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType, SyncState
from fixtures.contract import Fixture, fixture_class
from fixtures.mongodb.fixture import MongoDBFixture
from fixtures.mongodb.server import MongoDB
from fixtures.redis.fixture import RedisFixture
from fixtures.redis.server import MISSING, is_installed
from tests.services.daemons import Daemon, daemon
from tests.services.works import Works, until, works
from tests.torture.oracle import actual, difference, expected

pytestmark = pytest.mark.timeout(400)
DOCUMENTS = 100
PATIENCE_S = 120.0
MOST_WALKS = 40
"""A source that can't tell of what was written just now is asked again until it can."""
KEY = SyncState.key_of("c", JobType.FULL)
OPENED, OF_FOLDER = 0x20, 0x40000000
"""Of `inotify`: a file was opened; it was a folder."""


@dataclass
class Opened:
    """Which files below a folder somebody has opened."""

    folder: Path
    _file: int = -1
    names: list[str] = field(default_factory=list)

    @contextmanager
    def watched(self) -> Iterator["Opened"]:
        """Note them within the block."""
        libc = ctypes.CDLL(None, use_errno=True)
        self._file = libc.inotify_init1(os.O_NONBLOCK)
        try:
            for folder in [self.folder, *(path for path in self.folder.rglob("*") if path.is_dir())]:
                assert libc.inotify_add_watch(self._file, os.fsencode(folder), OPENED) >= 0
            yield self
            self._read()
        finally:
            os.close(self._file)

    def _read(self) -> None:
        while True:
            try:
                events = os.read(self._file, 65_536)
            except BlockingIOError:
                return
            while events:
                _, kind, _, length = struct.unpack_from("iIII", events)
                name, events = events[16 : 16 + length].rstrip(b"\0"), events[16 + length :]
                if not kind & OF_FOLDER:
                    self.names.append(os.fsdecode(name))


@contextmanager
def nothing_read(backend: Fixture) -> Iterator[None]:
    """See that within the block nobody reads what a walk reads, as the backend itself counts it."""
    match backend:
        case RedisFixture():
            before = _calls(backend)
            yield
            assert _calls(backend) == before
        case MongoDBFixture():
            before = _commands(backend)
            yield
            after = _commands(backend)
            assert after["find"] == before["find"]
            assert after["aggregate"] - before["aggregate"] == 1  # which is the change stream
        case _:
            with Opened(Path(str(backend.configuration["directory"]))).watched() as opened:
                yield
            assert opened.names == []


def _calls(backend: RedisFixture) -> dict[str, int]:
    """Return how often each command was run but those that ask for no key."""
    with Redis(port=backend.running.port) as client:
        found: Mapping[str, Mapping[str, int]] = client.info("commandstats")
    harmless = {"info", "ping", "auth", "hello", "select", "client", "config", "command"}
    calls = {name.removeprefix("cmdstat_"): one["calls"] for name, one in found.items()}
    return {name: number for name, number in calls.items() if name.partition("|")[0] not in harmless}


def _commands(backend: MongoDBFixture) -> dict[str, int]:
    with backend._connected() as client:
        counted = client.admin.command("serverStatus")["metrics"]["commands"]
    return {name: int(counted.get(name, {}).get("total", 0)) for name in ("find", "aggregate")}


@dataclass
class Scene:
    """One connector of a backend, and daemons that sync it."""

    here: Works
    backend: Fixture
    stack: AsyncExitStack
    daemons: list[Daemon] = field(default_factory=list)

    async def join(self) -> None:
        """Start one more daemon, which shares nothing with others but the engine."""
        config = self.here.folder / f"daemon{len(self.daemons)}.yml"
        settings = yaml.safe_load(self.here.config.read_text())
        settings["sync"]["ledgers"] = str(self.here.folder / f"ledgers{len(self.daemons)}")
        config.write_text(yaml.safe_dump(settings))
        one = await self.stack.enter_async_context(daemon(config))
        await one.until_logged("The daemon works", PATIENCE_S)
        self.daemons.append(one)

    async def stop(self) -> None:
        """Stop the daemon that was started first of those that run."""
        running = next(one for one in self.daemons if one.process.returncode is None)
        assert await running.stop() == 0

    async def synced(self) -> SyncJob:
        """Have a sync, after which the index has to be equal to the source."""
        found = await self.ended()
        await self.check()
        return found

    async def ended(self, wanted: str | None = None) -> SyncJob:
        """Have a sync, or wait for that of a job, and look at nothing else."""
        wanted = wanted or await self.here.want("c")
        found = await self.here.job(wanted)

        async def has_ended() -> bool:
            nonlocal found
            found = await self.here.job(wanted)
            return found.status in ENDED

        await until(has_ended, PATIENCE_S)
        assert (found.status, found.error) == (JobStatus.COMPLETED, None)
        return found

    async def check(self) -> None:
        """See that the index is equal to the source."""
        holds = await asyncio.to_thread(lambda: expected(self.backend.documents()))
        assert not difference(holds, await actual(self.here.engine, "c", "c"))

    async def skipped(self, walked: SyncJob | None = None) -> SyncJob:
        """Sync until that is skipped, and return the last job that was not."""
        for _ in range(MOST_WALKS):
            job = await self.synced()
            if why(job) == "unchanged":
                assert walked is not None
                assert since(job) == walked.id
                return walked
            walked = job
            await asyncio.sleep(0.3)
        raise AssertionError("It was never skipped.")

    async def change_state(self, change: Callable[[SyncState], SyncState] | None) -> None:
        """Change what syncs have left, or remove it."""
        state = await StateStore.open(self.here.engine)
        if change is None:
            await state.delete(KEY)
            return
        found = await state.read(KEY, SyncState)
        assert found is not None
        await state.replace(KEY, found, change(found.value))


def why(job: SyncJob) -> str:
    """Return why a job was skipped, or was not."""
    skipping = job.metadata["sync"]["skipping"]
    assert skipping["skipped"] is (skipping["reason"] == "unchanged") is job.metadata["sync"]["skipped"]
    assert (job.metadata["sync"]["walked"] > 0) is not skipping["skipped"]
    assert job.metadata["note"] == skipping["text"]
    return str(skipping["reason"])


def since(job: SyncJob) -> str:
    """Return since which job nothing has changed."""
    return str(job.metadata["sync"]["skipping"]["since_sync"])


@asynccontextmanager
async def scene(name: str, folder: Path) -> AsyncIterator[Scene]:
    """Provide a backend with some documents, and a connector of it that was never synced."""
    (folder / "backend").mkdir()
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(works(folder))
        backend = await stack.enter_async_context(fixture_class(name)(folder / "backend", 1))
        await asyncio.to_thread(backend.load, DOCUMENTS)
        configuration: dict[str, Any] = {field: {"value": value} for field, value in backend.configuration.items()}
        fields = {"service_type": name, "index_name": "c", "status": "connected", "configuration": configuration}
        await here.desk.connectors.create("c", fields)
        yield Scene(here, backend, stack)


@pytest.fixture(
    params=[
        "directory",
        pytest.param("redis", marks=pytest.mark.skipif(not is_installed(), reason=MISSING)),
        "mongodb",
    ]
)
async def begun(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    if request.param == "mongodb" and not all(map(shutil.which, MongoDB().needs())):
        pytest.skip("There is nothing here that a stand-in for MongoDB could be built with.")
    async with scene(request.param, tmp_path) as found:
        await found.join()
        yield found


def without_token(state: SyncState) -> SyncState:
    assert state.completed is not None
    return msgspec.structs.replace(state, completed=msgspec.structs.replace(state.completed, token=None))


async def test_it_is_skipped_through_restarts_and_by_others_and_never_after_a_loss_or_a_change(begun: Scene) -> None:
    here = begun
    walked = await here.skipped()
    with nothing_read(here.backend):
        job = await here.ended()
    assert (why(job), since(job)) == ("unchanged", walked.id)

    await here.stop()  # through a restart
    await here.join()
    job = await here.synced()
    assert (why(job), since(job)) == ("unchanged", walked.id)

    await here.join()  # by another daemon, which has seen none of it
    await here.stop()
    job = await here.synced()
    assert (why(job), since(job)) == ("unchanged", walked.id)

    await asyncio.to_thread(here.backend.change)
    job = await here.synced()
    assert why(job) == "source_changed"
    await here.skipped(job)

    one = min(await actual(here.here.engine, "c", "c"))
    stored = await here.here.engine.data.get("c", one)
    assert stored is not None
    await here.here.engine.data.put("c", one, {**stored.source, "somebody": "else"}, refresh="now")
    assert why(await here.synced()) == "index_written"
    assert why(await here.synced()) == "unchanged"

    await here.change_state(without_token)
    assert why(await here.synced()) == "source_cannot_tell"
    assert why(await here.synced()) == "unchanged"

    await here.change_state(None)
    assert why(await here.synced()) == "first"
    assert why(await here.synced()) == "unchanged"

    document = {  # as docs/daemon.md has it
        "connector": {"id": "c"},
        "job_type": "full",
        "trigger_method": "on_demand",
        "status": "pending",
        "created_at": "2026-11-30T14:03:00Z",
        "metadata": {"force": True},
    }
    await here.here.engine.control.put(JOBS, "forced", document, refresh="now")
    assert why(await here.ended("forced")) == "forced"
