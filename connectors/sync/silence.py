"""Silence: how long a source that was asked has said nothing, and what is done about one that says nothing any more."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.aio.tasks import Tasks
from connectors.errors import SourceError
from connectors.sync.report import SyncReport

log = logger.get(__name__)
FAREWELL_S: Final = 30.0
"""How long a source may take to end after it was cancelled, if it may be silent for so long."""
LOOKS: Final = 10
"""How often it is looked within that. A timer for each call would cost more than many a document does."""


@dataclass(frozen=True)
class Hearing:
    """How long a source may say nothing, and who is told of one that does not even let itself be cancelled."""

    limit_s: float = 600.0
    hung: Callable[[str], None] = lambda _why: None


@dataclass(eq=False)
class Silence:
    """Knows whether the source is asked for something now: only then is it for the source to speak.

    What it yields counts as an answer, and so does each call that ends. While contents are fetched (`excused`), a walk
    may have to wait for that.
    """

    report: SyncReport
    _turn: int = 0
    """Odd while the source is asked."""
    _excused: int = 0

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Say that during the block the source is asked."""
        self._turn += 1
        try:
            yield
        finally:
            self._turn += 1

    answered = asked
    """Says the opposite, within such a block."""

    @contextmanager
    def excused(self) -> Iterator[None]:
        """Say that something of the source is fetched during the block, which has a time limit of its own."""
        self._excused += 1
        try:
            yield
        finally:
            self._excused -= 1

    @property
    def is_asked(self) -> bool:
        """Whether it is for the source to speak now."""
        return self._turn % 2 == 1

    @property
    def since(self) -> tuple[int, int] | None:
        """What stays the same for as long as the source says nothing; None while it need not."""
        return (self._turn, self.report.walked) if self.is_asked and not self._excused else None


@dataclass(frozen=True)
class _Block:
    """What is ended: the task that runs it, and the limit that cancels it."""

    task: asyncio.Task[Any]
    limit: asyncio.Timeout


@asynccontextmanager
async def listening(report: SyncReport, hearing: Hearing, clock: Clock) -> AsyncIterator[Silence]:
    """Provide the silence of a source during the block, and end the block when that lasts too long.

    First the block is cancelled, and raises a `SourceError`. A source that still holds it a while later, whoever has
    cancelled it, is reported to `hearing.hung`, once: nothing but the end of the process will help.
    """
    silence, limit, task = Silence(report), asyncio.timeout(None), asyncio.current_task()
    if task is None:
        raise RuntimeError("a source is listened to by a task")
    async with Tasks("source") as tasks:
        watching = tasks.start(_watch(silence, hearing, clock, _Block(task, limit)), name="silence")
        try:
            async with limit:
                yield silence
        except TimeoutError:
            if not limit.expired():
                raise
            raise SourceError(
                f"The source has said nothing for {hearing.limit_s:g} s, after {report.walked:,} documents.",
                hint="Find out what it waits for; if it has to take so long, raise service.source_timeout_s.",
            ) from None
        finally:
            watching.cancel()


async def _watch(silence: Silence, hearing: Hearing, clock: Clock, block: _Block) -> None:
    # Time is counted in looks: while the whole process stood still, no answer could come.
    farewell_s = min(hearing.limit_s, FAREWELL_S)
    step_s = farewell_s / LOOKS
    before, silent, clinging = None, 0, 0
    while clinging < LOOKS:
        await clock.sleep(_until_all_look_s(step_s, clock))
        now = silence.since
        silent, before = silent + 1 if now is not None and now == before else 0, now
        clinging = clinging + 1 if silence.is_asked and block.task.cancelling() else 0
        if silent * step_s >= hearing.limit_s and not block.task.cancelling():
            block.limit.reschedule(asyncio.get_running_loop().time())
    log.error("A source neither answers nor lets itself be cancelled.", index=silence.report.index)
    hearing.hung(f"its source did not end within {farewell_s:g} s after it was cancelled")


def _until_all_look_s(step_s: float, clock: Clock) -> float:
    """Return about a step: until a moment at which all look that have such steps, so that they wake a process once."""
    now = clock.monotonic()
    return (round(now / step_s) + 1) * step_s - now
