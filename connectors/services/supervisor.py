"""The supervisor: starts a daemon in order, and ends it in order."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors import logger
from connectors.aio.clock import Clock, SystemClock
from connectors.aio.retry import Retry, RetryPolicy
from connectors.aio.tasks import Tasks
from connectors.engine import Engine, open_engine
from connectors.services.assembly import Assembly
from connectors.services.cleaning.remains import Shelf
from connectors.services.current_settings import CurrentSettings
from connectors.services.engine_process import engine_process
from connectors.services.hangup import hangups
from connectors.services.monitoring.server import Monitor
from connectors.services.monitoring.watched import Watched
from connectors.services.parts import Part, Parts
from connectors.settings import Settings
from connectors.storage import Backend
from connectors.storages.opening import open_backend
from connectors.store.connectors import ConnectorStore
from connectors.store.dead_letters import DeadLetters
from connectors.store.jobs import JobStore
from connectors.store.state import StateStore

log = logger.get(__name__)
PATIENCE: Final = RetryPolicy(attempts=1_000_000, first_pause_s=1.0, longest_pause_s=30.0, limit_s=float("inf"))
"""A daemon waits for its engine for as long as that takes."""


@dataclass(frozen=True)
class Supervisor:
    """Runs a daemon: the embedded engine where there is no other, the scheduler, and the worker with its processes."""

    settings: Settings
    config: Path | None = None
    """The settings file, which is read again when it changes."""
    clock: Clock = SystemClock()
    ready: Callable[[Engine], Awaitable[None]] | None = None
    """Is awaited when everything is there, before anything is begun."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until the event is set. Raises a `ConfigurationError`; for an engine that is away it waits."""
        current = CurrentSettings(self.settings, self.config, self.clock)
        async with Tasks("supervisor") as tasks, hangups(current.ask, stopping.set):
            running = _Running(current, Watched(self.clock), Parts(tasks, self.clock))
            try:
                await running.around.become([running.monitor(), Part("settings", lambda: running.keep_up)])
                await self._until(stopping, running)
            finally:
                await running.around.end(*running.around.names)

    async def _until(self, stopping: asyncio.Event, running: "_Running") -> None:
        working = asyncio.Event()
        async with Tasks("supervisor") as tasks:
            serving = tasks.start(self._serve(stopping, working, running), name="daemon")
            asked = tasks.start(stopping.wait(), name="end")
            await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            if not working.is_set():
                serving.cancel()  # it waits for an engine still

    async def _serve(self, stopping: asyncio.Event, working: asyncio.Event, running: "_Running") -> None:
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
            running.watched.begin(engine)
            await running.work(shelf, stopping)
            log.info("The daemon has ended.")

    async def _shelf(self, engine: Engine, storage: Backend) -> Shelf:
        return Shelf(
            state=await StateStore.open(engine, self.clock),
            letters=await DeadLetters.open(engine, self.clock),
            jobs=await JobStore.open(engine, self.clock),
            connectors=await ConnectorStore.open(engine),
            storage=storage,
        )


@dataclass
class _Running:
    """A daemon that runs: its settings, who watches it, and its parts, which follow from them."""

    current: CurrentSettings
    watched: Watched
    around: Parts
    """What runs while the engine is away, too."""
    assembly: Assembly | None = None
    parts: Parts | None = None

    def monitor(self) -> Part:
        """Return the part that tells over HTTP how the daemon is."""
        settings, watched = self.current.now.monitoring, self.watched
        return Part(
            "monitor", lambda: Monitor(settings, watched.health, watched.metrics, self.current.clock).run, settings
        )

    async def keep_up(self) -> None:
        """Work with the settings as they are, whenever they change."""
        await self.current.run(self._adopt)

    async def work(self, shelf: Shelf, stopping: asyncio.Event) -> None:
        """Run the parts until they are to end: first those that make work, then the one that has it done."""
        clock, watched = self.current.clock, self.watched
        self.assembly = Assembly(shelf, clock, watched.metrics, watched.pulses, self.current.now)
        async with Tasks("daemon") as tasks:
            self.parts = Parts(tasks, clock)
            try:
                await self.parts.become(self.assembly.parts())
                await stopping.wait()
                log.info("The daemon ends; what runs is suspended, and gone on with later.")
            finally:
                parts, self.parts = self.parts, None
                await parts.end(*(name for name in parts.names if name != "worker"))
                await parts.end("worker")

    async def _adopt(self, settings: Settings) -> None:
        logger.set_up(level=settings.log.least(is_service=True), style=settings.log.format)
        await self.around.become([self.monitor()])
        if self.assembly is not None and self.parts is not None:
            self.assembly.adopt(settings)
            await self.parts.become(self.assembly.parts())


def _waiting(error: Exception, attempt: int, pause_s: float) -> None:
    if attempt in {1, 5} or attempt % 20 == 0:
        log.warning("The engine is not there; waiting for it.", attempt=attempt, pause_s=pause_s, why=str(error))
