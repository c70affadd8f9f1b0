"""A daemon on a stage: the parts that a supervisor starts, on one line and one clock, killed or asked to end."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC

from connectors.aio.tasks import Tasks
from connectors.errors import ConnectorsError
from connectors.grants import Grants
from connectors.schedule.zone import Zone
from connectors.services.cleaning.janitor import Janitor
from connectors.services.cleaning.remains import Shelf
from connectors.services.desk import Desk
from connectors.services.preparing.examination import Means
from connectors.services.preparing.preparation import Preparation
from connectors.services.scheduling.roster import Roster
from connectors.services.scheduling.scheduler import Scheduler
from connectors.services.working.turns import Places
from connectors.services.working.worker import Worker, WorkLimits
from connectors.storages.engine import EngineBackend
from connectors.store.connectors import ConnectorStore
from connectors.store.dead_letters import DeadLetters
from connectors.store.jobs import JobStore
from connectors.store.state import StateStore
from connectors.store.ticks import Ticks
from connectors.testing.virtual_time import VirtualClock
from tests.torture.chaos.network import Line
from tests.torture.chaos.process import OneSource, engine_over
from tests.torture.shifts.process import StagedCrew, StagedProcess
from tests.torture.shifts.stage import RowsSource, Stage

LOOKS = 12
AGAIN_AFTER_S = 1.0


@dataclass(eq=False)
class StagedDaemon:
    """One daemon; `started_at` is when it was started, in virtual seconds."""

    stage: Stage
    number: int
    clock: VirtualClock
    places: Places
    processes: int = 2
    zone: Zone = UTC
    line: Line = field(init=False)
    crew: StagedCrew = field(init=False)
    started_at: float = 0.0
    is_ending: bool = False
    _task: "asyncio.Task[None] | None" = None
    _parts: "list[asyncio.Task[None]]" = field(default_factory=list)

    def __post_init__(self) -> None:
        self.line = Line(f"daemon {self.number}")

    def start(self) -> None:
        """Begin."""
        self.started_at = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._run(), name=self.line.name)

    @property
    def has_ended(self) -> bool:
        """Whether it did. Raises what it failed with: no part may fail but by the engine."""
        if self._task is None or not self._task.done():
            return False
        if not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error
        return True

    @property
    def undisturbed(self) -> bool:
        """Whether it can do what it is there for."""
        return not (self.is_ending or self.line.dead) and self.line.held_until <= asyncio.get_running_loop().time()

    @property
    def worker_processes(self) -> list[StagedProcess]:
        """The processes that it has now."""
        return [hand.process for hand in self.crew.hands if hand.process is not None]

    def ask_to_end(self) -> None:
        """Do what SIGTERM does: first what makes work ends, then the worker, which has its jobs suspended."""
        self.is_ending = True
        worker, *others = self._parts
        for one in others:
            one.cancel()
        worker.cancel()

    def kill(self, *, with_processes: bool) -> list[StagedProcess]:
        """Do what SIGKILL does; its processes die with it, or see that it is gone. Those are returned."""
        left = self.worker_processes
        for hand in self.crew.hands:
            hand.orphaned = True
        self.stage.network.close(self.line)
        for process in left:
            if with_processes:
                process.kill()
            else:
                process.lines.feed_eof()
        if self._task is not None:
            self._task.cancel()
        return left

    async def _run(self) -> None:
        worker, *others = self._made()
        async with Tasks(self.line.name) as tasks:
            for name, run in (worker, *others):
                self._parts.append(tasks.start(self._kept(run), name=name))

    def _made(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        clock, engine = self.clock, engine_over(self.stage.network, self.line, self.clock)
        state, jobs = StateStore(engine.control, clock), JobStore(engine.control, clock)
        connectors, registry = ConnectorStore(engine.control), OneSource(RowsSource)
        storage = EngineBackend(state)
        shelf = Shelf(state, DeadLetters(engine.control, clock), jobs, connectors, storage)
        desk = Desk(connectors, jobs, Ticks(state), registry)
        roster = Roster(connectors, clock)
        worker = Worker(desk, (), WorkLimits(self.processes, self.places), clock)
        worker.crew = self.crew = StagedCrew.in_place_of(worker.crew, self.stage)
        timeout_s = self.stage.limits.lease_timeout_s
        janitor = Janitor.of(shelf, roster, clock, timeout_s=timeout_s)
        preparation = Preparation(connectors, registry, Means(Grants(), storage), clock, self.zone)
        return [
            ("worker", worker.run),
            ("scheduler", Scheduler(desk, roster, clock, self.zone).run),
            ("preparation", lambda: self._every(1.0, lambda: preparation.look(roster.connectors))),
            ("janitor", lambda: self._every(timeout_s / LOOKS, janitor.look)),
        ]

    async def _every(self, seconds: float, look: Callable[[], Awaitable[object]]) -> None:
        while True:
            await look()
            await self.clock.sleep(seconds)

    async def _kept(self, run: Callable[[], Awaitable[None]]) -> None:
        """Start a part again that has failed by what is wrong with the engine."""
        while True:
            try:
                await run()
            except ConnectorsError:
                self.stage.told["parts that failed and were started again"] += 1
            await self.clock.sleep(AGAIN_AFTER_S)
