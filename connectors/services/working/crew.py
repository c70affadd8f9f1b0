"""The crew: the worker processes of a daemon, each started again when it ends, and told apart from what killed it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors import logger
from connectors.aio.clock import Clock, SystemClock
from connectors.aio.retry import RetryPolicy
from connectors.aio.tasks import Tasks
from connectors.services.working.hand import Hand
from connectors.services.working.messages import Begin, FromWorker
from connectors.services.working.resident import resident_bytes

log = logger.get(__name__)
WATCH_EVERY_S: Final = 1.0
START_WITHIN_S: Final = 60.0
"""How long a process may take to begin, if it may not be silent for longer."""
PAUSES: Final = RetryPolicy(first_pause_s=0.1, longest_pause_s=30.0)
"""How long to wait before a process is started again that has ended without having run anything."""


@dataclass(frozen=True)
class Death:
    """That a process has ended which was not told to."""

    jobs: frozenset[str]
    """What it was given and had not said to have ended."""
    instance: str | None
    alone: bool
    code: int
    why: str | None = None
    """What it died of, where that is known."""


@dataclass(eq=False)
class Crew:
    """Keeps `size` processes running while `run` does, and gives each job to the one that has the fewest.

    A job that is to be alone gets a process of its own, which ends with it. A process that says nothing for
    `silent_after_s`, not even that it is alive, is killed: something in it holds up everything else. So is one that has
    more memory than `memory_bytes`, before the system ends any for want of it.

    Settings may change while it runs: processes that began with others retire, with the jobs that they have.
    """

    command: Sequence[str]
    size: int
    died: Callable[[Death], Awaitable[None]]
    told: Callable[[FromWorker], None] = lambda _message: None
    """Is called with whatever a process says."""
    silent_after_s: float = 60.0
    stop_within_s: float = 30.0
    memory_bytes: int | None = None
    clock: Clock = field(default_factory=SystemClock)
    begin: Begin | None = None
    """What each process is told first; None if processes read the settings themselves."""
    _hands: list[Hand] = field(default_factory=list)
    _tasks: Tasks | None = None
    _serving: set[asyncio.Task[None]] = field(default_factory=set)
    _is_stopping: bool = False

    @property
    def jobs(self) -> frozenset[str]:
        """The jobs that its processes were given and that have not ended."""
        return frozenset(job for hand in self._hands for job in hand.jobs)

    @property
    def pids(self) -> list[int]:
        """The numbers of its processes."""
        return [hand.pid for hand in self._hands if hand.pid is not None]

    def give(self, job: str, *, alone: bool = False) -> None:
        """Have a process run a job."""
        if alone:
            hand = self._hand(alone=True)
            hand.run(job)
            self._start(self._serve_alone(hand), f"alone with {job}")
        else:
            min(self._keeping(), key=lambda one: len(one.jobs)).run(job)

    def look(self, job: str) -> None:
        """Have a live sync look whether it is to end, if it runs here."""
        for hand in self._hands:
            if job in hand.jobs:
                hand.look(job)

    def change(self, size: int, begin: Begin | None, *, renew: bool) -> None:
        """Have so many processes from now on, which begin with that; with `renew` those that there are retire."""
        self.size, self.begin = size, begin
        if self._tasks is None or self._is_stopping:
            return
        for hand in self._keeping():
            if hand.pid is None:
                hand.begin = begin  # it is not told anything yet
            elif renew:
                hand.retire()
        staying = sorted(self._keeping(), key=lambda one: len(one.jobs))
        for hand in staying[: max(0, len(staying) - size)]:
            hand.retire()
        for number in range(len(staying), size):
            self._start(self._keep(self._hand()), f"worker {number}")

    async def run(self) -> None:
        """Keep the processes until cancelled; then have them suspend what they run, and kill those that do not end."""
        async with Tasks("crew") as tasks:
            self._tasks, self._is_stopping = tasks, False
            self._hands.clear()
            for number in range(self.size):
                self._start(self._keep(self._hand()), f"worker {number}")
            watching = tasks.start(self._watch(), name="watch")
            try:
                await asyncio.Event().wait()
            finally:
                self._is_stopping = True
                watching.cancel()
                await self._stop()

    def _keeping(self) -> list[Hand]:
        """Return the processes that jobs are given to."""
        return [hand for hand in self._hands if not hand.alone and not hand.is_retired]

    def _hand(self, *, alone: bool = False) -> Hand:
        hand = Hand(self.command, self._job_ended, self.told, alone, self.begin)
        self._hands.append(hand)
        return hand

    async def _keep(self, hand: Hand) -> None:
        """Serve one process after the other; after those that end without having been of use, with growing pauses.

        What is given out during a pause, or while it is told of the end of the one before, waits for the next process.
        """
        in_vain = 0
        while True:
            code, ended = await self._served(hand), hand
            in_vain = in_vain + 1 if ended.instance is None else 0
            if self._is_stopping:
                return
            if ended.is_retired:
                await self._tell(ended, code)
                return
            hand = self._hand()
            await self._tell(ended, code)
            await self.clock.sleep(PAUSES.pause_s(in_vain, 1.0) if in_vain else 0.0)
            if hand.is_retired and not hand.jobs:
                self._hands.remove(hand)
                return

    async def _serve_alone(self, hand: Hand) -> None:
        await self._tell(hand, await self._served(hand))

    async def _served(self, hand: Hand) -> int:
        """Serve one process to its end, and return how that was."""
        try:
            return await hand.serve()
        finally:
            self._hands.remove(hand)

    async def _tell(self, hand: Hand, code: int) -> None:
        """Tell of the end of a process, if it was not told to end."""
        if self._is_stopping or ((hand.alone or hand.is_retired) and not hand.jobs):
            return
        log.warning("A worker process has ended.", code=code, why=hand.why, jobs=sorted(hand.jobs))
        await self.died(Death(frozenset(hand.jobs), hand.instance, hand.alone, code, hand.why))

    def _job_ended(self) -> None:
        for hand in self._hands:
            if (hand.alone or hand.is_retired) and not hand.jobs:
                hand.stop()

    async def _watch(self) -> None:
        while True:
            await self.clock.sleep(WATCH_EVERY_S)
            for hand in self._hands:
                if hand.pid is not None and (why := self._fault(hand, hand.pid)) is not None:
                    log.error("A worker process is killed.", pid=hand.pid, why=why)
                    hand.kill(why)

    def _fault(self, hand: Hand, pid: int) -> str | None:
        """Return why a process has to be killed, if it has to be."""
        silent_after_s = self.silent_after_s if hand.instance is not None else max(self.silent_after_s, START_WITHIN_S)
        if hand.silent_s > silent_after_s:
            return f"it had said nothing for {silent_after_s:g} s"
        found = resident_bytes(pid) if self.memory_bytes is not None else None
        if found is None or self.memory_bytes is None or found <= self.memory_bytes:
            return None
        return f"it had {found:,} bytes of memory, and service.worker_memory_bytes allows {self.memory_bytes:,}"

    async def _stop(self) -> None:
        for hand in self._hands:
            hand.stop()
        await asyncio.wait(self._serving, timeout=self.stop_within_s)
        for hand in self._hands:
            log.warning("A worker process did not end in time, and is killed.", pid=hand.pid, jobs=sorted(hand.jobs))
            hand.kill()

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        if self._tasks is None:
            raise RuntimeError("the crew does not run")
        task = self._tasks.start(work, name=name)
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
