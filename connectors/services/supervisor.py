"""The supervisor: starts the parts of a daemon in order, starts again what fails, and ends all of them in order."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from connectors import logger
from connectors.aio.clock import Clock, SystemClock
from connectors.aio.retry import Retry, RetryPolicy
from connectors.aio.tasks import Tasks
from connectors.config import Settings
from connectors.engine import Engine, open_engine
from connectors.errors import ConnectorsError
from connectors.registry import Registry
from connectors.schedule import Windows, zone_of
from connectors.services.cleaning.janitor import Janitor
from connectors.services.cleaning.remains import Shelf
from connectors.services.desk import Desk
from connectors.services.engine_process import engine_process
from connectors.services.preparing.examination import Means
from connectors.services.preparing.preparation import Preparation
from connectors.services.scheduling.roster import Roster
from connectors.services.scheduling.scheduler import Scheduler
from connectors.services.working.turns import Places
from connectors.services.working.worker import Worker, WorkLimits
from connectors.storage import Backend
from connectors.storages.opening import open_backend
from connectors.store.connectors import ConnectorStore
from connectors.store.dead_letters import DeadLetters
from connectors.store.jobs import JobStore
from connectors.store.state import StateStore
from connectors.store.ticks import Ticks

log = logger.get(__name__)
PATIENCE: Final = RetryPolicy(attempts=1_000_000, first_pause_s=1.0, longest_pause_s=30.0, limit_s=float("inf"))
"""A daemon waits for its engine for as long as that takes."""
PREPARE_EVERY_S: Final = 1.0
LOOKS_OF_JANITOR: Final = 12
"""How often it looks within the time after which a job counts as lost."""
PAUSES: Final = RetryPolicy(first_pause_s=1.0, longest_pause_s=60.0)
"""How long to wait before a part is started again that has failed."""


@dataclass(frozen=True)
class Supervisor:
    """Runs a daemon: the embedded engine where there is no other, the scheduler, and the worker with its processes."""

    settings: Settings
    config: Path | None = None
    """The settings file, which worker processes read too."""
    clock: Clock = SystemClock()
    ready: Callable[[Engine], Awaitable[None]] | None = None
    """Is awaited when everything is there, before anything is begun."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until the event is set. Raises a `ConfigurationError`; for an engine that is away it waits."""
        zone_of(self.settings.service.timezone, setting="service.timezone")
        Windows.parse(self.settings.service.windows, setting="service.windows")
        working = asyncio.Event()
        async with Tasks("supervisor") as tasks:
            serving = tasks.start(self._serve(stopping, working), name="daemon")
            asked = tasks.start(stopping.wait(), name="end")
            await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            if not working.is_set():
                serving.cancel()  # it waits for an engine still

    async def _serve(self, stopping: asyncio.Event, working: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            if self.settings.engine.host is None:
                await stack.enter_async_context(engine_process(self.settings.engine.data))
            retry = Retry(PATIENCE, self.clock, observe=_waiting)
            engine = await retry(lambda _: stack.enter_async_context(open_engine(self.settings.engine)))
            storage = await retry(
                lambda _: stack.enter_async_context(open_backend(self.settings.storage, engine, self.clock))
            )
            shelf = await retry(lambda _: self._shelf(engine, storage))
            if self.ready is not None:
                await self.ready(engine)
            working.set()
            log.info("The daemon works.", engine=str(engine.info))
            await self._work(shelf, stopping)
            log.info("The daemon has ended.")

    async def _shelf(self, engine: Engine, storage: Backend) -> Shelf:
        return Shelf(
            state=await StateStore.open(engine, self.clock),
            letters=await DeadLetters.open(engine, self.clock),
            jobs=await JobStore.open(engine, self.clock),
            connectors=await ConnectorStore.open(engine),
            storage=storage,
        )

    async def _work(self, shelf: Shelf, stopping: asyncio.Event) -> None:
        """Run the parts until they are to end: first those that make work, then the one that has it done."""
        worker, *others = self._parts(shelf)
        async with Tasks("daemon") as tasks:
            working = tasks.start(self._kept(*worker), name=worker[0])
            making = [tasks.start(self._kept(name, run), name=name) for name, run in others]
            try:
                await stopping.wait()
                log.info("The daemon ends; what runs is suspended, and gone on with later.")
            finally:
                for some in (making, [working]):
                    for one in some:
                        one.cancel()
                    await asyncio.wait(some)

    def _parts(self, shelf: Shelf) -> Sequence[tuple[str, Callable[[], Awaitable[None]]]]:
        """Return the parts by their names: the worker, and those that make work for it or look after what there is."""
        settings, service, clock = self.settings, self.settings.service, self.clock
        registry, zone, connectors = Registry(settings.sources), zone_of(service.timezone), shelf.connectors
        desk = Desk(connectors, shelf.jobs, Ticks(shelf.state), registry)
        roster = Roster(connectors, clock)
        worker = Worker(desk, self._command(), self._limits(), clock)
        windows = Windows.parse(service.windows, setting="service.windows")
        scheduler = Scheduler(desk, roster, clock, zone, timedelta(seconds=service.jitter_s), windows)
        preparation = Preparation(connectors, registry, Means(settings.grants, shelf.storage), clock, zone)
        janitor = Janitor.of(
            shelf,
            roster,
            clock,
            timeout_s=settings.sync.heartbeat_timeout_s,
            retention=timedelta(days=service.keep_jobs_days),
        )
        return [
            ("worker", worker.run),
            ("scheduler", scheduler.run),
            ("preparation", lambda: self._every(PREPARE_EVERY_S, lambda: preparation.look(roster.connectors))),
            ("janitor", lambda: self._every(settings.sync.heartbeat_timeout_s / LOOKS_OF_JANITOR, janitor.look)),
        ]

    async def _every(self, seconds: float, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            await look()
            await self.clock.sleep(seconds)

    def _command(self) -> Sequence[str]:
        command = [sys.executable, "-m", "connectors.services.working.process"]
        return command if self.config is None else [*command, str(self.config)]

    def _limits(self) -> WorkLimits:
        service = self.settings.service
        places = Places(
            service.max_concurrent_content_syncs,
            service.max_concurrent_access_control_syncs,
            service.max_concurrent_syncs_of_source,
            service.max_concurrent_syncs_of_host,
        )
        return WorkLimits(
            processes=service.workers,
            places=places,
            silent_after_s=service.source_timeout_s,
            stop_within_s=service.shutdown_timeout_s,
            ledger_bytes=service.max_ledger_bytes,
            memory_bytes=service.worker_memory_bytes,
        )

    async def _kept(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a part, and start it again when it fails: a fault in one ends neither the others nor the daemon."""
        failures = 0
        while True:
            started = self.clock.monotonic()
            try:
                await run()
            except ConnectorsError as error:
                log.error("A part of the daemon failed, and is started again.", part=name, why=str(error))
            except Exception:
                log.exception(
                    "A part of the daemon failed by a fault of this program, and is started again.", part=name
                )
            failures = 0 if self.clock.monotonic() - started > PAUSES.longest_pause_s else failures + 1
            await self.clock.sleep(PAUSES.pause_s(failures, 1.0))


def _waiting(error: Exception, attempt: int, pause_s: float) -> None:
    if attempt in {1, 5} or attempt % 20 == 0:
        log.warning("The engine is not there; waiting for it.", attempt=attempt, pause_s=pause_s, why=str(error))
