"""A fleet: whole daemons as real processes on one engine, each behind a line of its own, and connectors of archives."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from connectors.engine import Engine, open_engine
from connectors.engine.embedded.desk import desk_of
from connectors.engine.embedded.server import serving
from connectors.registry import Registry
from connectors.services.desk import Desk
from connectors.settings import EngineSettings
from connectors.store.connector import Connector
from connectors.store.connectors import NAME as CONNECTORS
from connectors.store.connectors import ConnectorStore
from connectors.store.job import ENDED, SyncJob, Trigger
from connectors.store.jobs import JobStore
from connectors.store.snapshot import snapshot_of
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.store.ticks import TickRecord, Ticks
from tests.services.daemons import Daemon, daemon
from tests.services.works import until
from tests.torture.archive import SOURCES, Archive
from tests.torture.exchange import Seen
from tests.torture.fault_proxy import FaultProxy
from tests.torture.job_book import JobBook
from tests.torture.oracle import Content, Difference, actual, difference
from tests.torture.sent import port_of

PATIENCE_S = 150.0
LEASE_S = 2.0
"""How long a lease lasts here: what a daemon does within a minute, it does thirty times as fast."""


@dataclass(eq=False)
class Member:
    """One daemon of a fleet, its line, and the settings that it is started with again."""

    name: str
    line: FaultProxy
    config: Path
    daemon: Daemon
    looks: int = 0
    """How often it has asked which connectors have changed."""

    @property
    def pids(self) -> list[int]:
        """The daemon and its worker processes, as far as they are alive."""
        return [self.daemon.process.pid, *self.workers]

    @property
    def workers(self) -> list[int]:
        """Its worker processes."""
        return sorted(children_of(self.daemon.process.pid))

    def signal(self, number: int, *, workers: bool) -> None:
        """Send a signal to the daemon, and then to its workers if they are meant too."""
        pids = self.pids if workers else [self.daemon.process.pid]
        for one in pids:
            send(one, number)


@dataclass(eq=False)
class Fleet:
    """What the tests of whole daemons share."""

    engine: Engine
    desk: Desk
    folder: Path
    stack: AsyncExitStack
    line: FaultProxy
    """That of the test itself, and of persons who give commands."""
    settings: dict[str, Any]
    book: JobBook = field(default_factory=JobBook)
    members: list[Member] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """A settings file for commands that a person gives."""
        path = self.folder / "person.yml"
        path.write_text(yaml.safe_dump({**self.settings, "engine": {"host": self.line.url}}))
        return path

    def moved(self, engine_url: str) -> None:
        """Lead all lines to the engine at another address."""
        for line in (self.line, *(member.line for member in self.members)):
            line.engine_port = port_of(engine_url)

    async def join(self, **service: Any) -> Member:
        """Start one more daemon, and return it when it works."""
        name = f"daemon{len(self.members)}"
        line = await self.stack.enter_async_context(FaultProxy(self.line.engine_port))
        line.on_answer(self.book.witness(name))
        config = self.folder / f"{name}.yml"
        usual = {**self.settings, "engine": {"host": line.url}}
        config.write_text(yaml.safe_dump({**usual, "service": {"workers": 1, **service}}))
        member = Member(name, line, config, await self._started(config))
        line.on_request(_is_look, lambda _: _count(member))
        self.members.append(member)
        return member

    async def again(self, member: Member) -> None:
        """Start a daemon again that was killed."""
        await member.daemon.process.wait()
        member.daemon = await self._started(member.config)

    async def _started(self, config: Path) -> Daemon:
        return await self.stack.enter_async_context(daemon(config))

    async def ready(self) -> None:
        """Wait until every daemon works."""
        for member in self.members:
            await member.daemon.until_logged("The daemon works", PATIENCE_S)

    async def archive(self, name: str, seed: object, count: int, *, pause_s: float = 0.0, **document: Any) -> Archive:
        """Make an archive, and a connector that reads it into an index of its name."""
        archive = Archive(self.folder / f"{name}.archive", seed, count=count)
        values = {**archive.configuration, "pause_s": pause_s}
        configuration = {name: {"value": value} for name, value in values.items()}
        usual = {"service_type": "archive", "index_name": name, "status": "connected", "configuration": configuration}
        await self.desk.connectors.create(name, {**usual, **document})
        return archive

    async def connector(self, name: str) -> Connector:
        """Return a connector as it is stored."""
        found = await self.desk.connectors.get(name)
        assert found is not None, name
        return found

    async def change(self, name: str, **fields: Any) -> None:
        """Change a connector as others do."""
        await self.desk.connectors.update(name, lambda _: fields)

    async def want(self, name: str, job_type: JobType = JobType.FULL) -> str:
        """Want a sync of a connector, and return the id of its job."""
        snapshot = snapshot_of(await self.connector(name), job_type, self.desk.registry)
        return (await self.desk.jobs.create(uuid4().hex, snapshot, job_type, Trigger.ON_DEMAND)).id

    async def job(self, job_id: str) -> SyncJob:
        """Return a job as it is stored."""
        found = await self.desk.jobs.get(job_id)
        assert found is not None, job_id
        return found

    async def jobs_of(self, name: str) -> list[SyncJob]:
        """Return all jobs of a connector, the newest first."""
        return await self.desk.jobs.of_connector(name, most=5_000)

    async def ticks_of(self, name: str) -> list[TickRecord]:
        """Return the ticks of a connector."""
        return [one.value async for one in self.desk.ticks.of(name)]

    async def until(self, job_id: str, reached: Callable[[SyncJob], bool]) -> SyncJob:
        """Wait until a job is as a test wants it."""
        found = await self.job(job_id)

        async def is_reached() -> bool:
            nonlocal found
            found = await self.job(job_id)
            return reached(found)

        await holds(is_reached)
        return found

    async def quiet(self) -> None:
        """Wait until every job has ended."""

        async def is_quiet() -> bool:
            return not await self.desk.jobs.open_jobs()

        await holds(is_quiet)

    async def unscheduled(self, *names: str) -> None:
        """Let no more ticks come, and wait until what they made has ended."""
        for name in names:
            await self.change(name, scheduling={})
        await self.looked()
        await self.quiet()

    async def looked(self) -> None:
        """Wait until every daemon that lives has seen what was changed before, and done what it did without it."""
        before = {member.name: member.looks for member in self.members}

        async def have_looked() -> bool:
            living = [one for one in self.members if one.daemon.process.returncode is None]
            return all(one.looks >= before[one.name] + 2 for one in living)

        await holds(have_looked)

    async def stored(self, name: str, index: str | None = None) -> dict[str, Content]:
        """Return what an index holds of a connector."""
        return await actual(self.engine, index or name, name)

    async def differs(self, name: str, wanted: dict[str, Content], index: str | None = None) -> Difference:
        """Return how an index differs from what a connector should have there."""
        return difference(wanted, await self.stored(name, index))

    @property
    def log(self) -> str:
        """What all daemons said."""
        return "".join(line for member in self.members for line in member.daemon.log)


def scheduled(interval: str = "* * * * * ?") -> dict[str, Any]:
    """Return the schedule of a connector that is synced in full that often."""
    return {"full": {"enabled": True, "interval": interval}}


def has_ended(job: SyncJob) -> bool:
    """Return whether nobody touches a job any more."""
    return job.status in ENDED


async def holds(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds, with the patience that a busy machine needs."""
    await until(true, PATIENCE_S)


@asynccontextmanager
async def fleet(folder: Path, engine_url: str | None = None, **sync: Any) -> AsyncIterator[Fleet]:
    """Provide a fleet without daemons, at the engine of an address, or at an embedded one of its own."""
    if engine_url is None:
        async with desk_of(folder / "data") as served, serving(served, host="127.0.0.1", port=0, key=None) as server:
            async with fleet(folder, server.url, **sync) as one:
                yield one
        return
    usual = {"ledgers": str(folder / "ledgers"), "heartbeat_timeout_s": LEASE_S, "batch_documents": 10}
    settings = {"sources": SOURCES, "allowed_paths": [str(folder)], "sync": {**usual, **sync}}
    async with (
        FaultProxy(port_of(engine_url), notes=False) as line,
        open_engine(EngineSettings(host=line.url)) as engine,
        AsyncExitStack() as stack,
    ):
        connectors, jobs = await ConnectorStore.open(engine), await JobStore.open(engine)
        desk = Desk(connectors, jobs, Ticks(await StateStore.open(engine)), Registry(SOURCES))
        made = Fleet(engine, desk, folder, stack, line, settings)
        try:
            yield made
        finally:
            for member in made.members:
                member.signal(signal.SIGCONT, workers=True)
                member.signal(signal.SIGKILL, workers=True)


def _is_look(seen: Seen) -> bool:
    return seen.request.path == f"/{CONNECTORS}/_search"


def _count(member: Member) -> None:
    member.looks += 1


def children_of(pid: int) -> Iterator[int]:
    """Yield the processes that a process has started and that run."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return
    yield from map(int, text.split())


def send(pid: int, number: int) -> None:
    """Send a signal to a process, which may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
