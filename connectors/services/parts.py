"""The parts of a daemon: each runs until it is to end, and is started again when it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.aio.retry import RetryPolicy
from connectors.aio.tasks import Tasks
from connectors.errors import ConnectorsError

log = logger.get(__name__)
PAUSES: Final = RetryPolicy(first_pause_s=1.0, longest_pause_s=60.0)
"""How long to wait before a part is started again that has failed."""


Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Part:
    """A part: how it is made, and of which settings. What is made runs until it is cancelled."""

    name: str
    make: Callable[[], Run]
    made_of: object = None


@dataclass
class _Running:
    part: Part
    task: "asyncio.Task[None]"


class Parts:
    """Runs parts in a group of tasks."""

    def __init__(self, tasks: Tasks, clock: Clock) -> None:
        self._tasks = tasks
        self._clock = clock
        self._running: dict[str, _Running] = {}

    async def become(self, parts: Iterable[Part]) -> None:
        """Run these parts from now on. One that is made of the same settings as before goes on as it is."""
        for part in parts:
            before = self._running.get(part.name)
            if before is not None and before.part.made_of == part.made_of:
                continue
            await self.end(part.name)
            task = self._tasks.start(self._kept(part), name=part.name)
            self._running[part.name] = _Running(part, task)

    async def end(self, *names: str) -> None:
        """End these parts, as far as they run, all at once."""
        tasks = [found.task for name in names if (found := self._running.pop(name, None)) is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def names(self) -> list[str]:
        """The names of those that run."""
        return list(self._running)

    async def _kept(self, part: Part) -> None:
        """Run a part, and start it again when it fails: a fault in one ends neither the others nor the daemon."""
        failures, run = 0, part.make()
        while True:
            started = self._clock.monotonic()
            try:
                await run()
            except ConnectorsError as error:
                log.error("A part of the daemon failed, and is started again.", part=part.name, why=str(error))
            except Exception:
                log.exception(
                    "A part of the daemon failed by a fault of this program, and is started again.", part=part.name
                )
            failures = 0 if self._clock.monotonic() - started > PAUSES.longest_pause_s else failures + 1
            await self._clock.sleep(PAUSES.pause_s(failures, 1.0))
