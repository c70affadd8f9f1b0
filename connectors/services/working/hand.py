"""A hand: one worker process as its daemon sees it: started, told which jobs to run, and heard until it ends."""

import asyncio
import contextlib
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from connectors import logger
from connectors.services.working.messages import (
    LONGEST_LINE,
    Begin,
    Ended,
    FromWorker,
    Hung,
    Look,
    Ready,
    Run,
    Stop,
    ToWorker,
    heard,
    line_of,
)

log = logger.get(__name__)


@dataclass(eq=False)
class Hand:
    """A process that runs jobs.

    `serve` starts it, and returns when it has ended, for whatever reason; `jobs` are then those that it was given and
    of which it has not said that they ended. When its daemon goes, its standard input ends, and so does it: no worker
    outlives its daemon.
    """

    command: Sequence[str]
    ended: Callable[[], None]
    """Is called whenever a job has ended."""
    told: Callable[[FromWorker], None] = lambda _message: None
    """Is called with whatever the process says."""
    alone: bool = False
    """Whether it runs one job, which may be what ended the process that ran it before."""
    begin: Begin | None = None
    """What it is told first, with the settings to work with; None if it reads them itself."""
    is_retired: bool = False
    """Whether it is given no more jobs, and ends with the last one that it has."""
    jobs: set[str] = field(default_factory=set)
    instance: str | None = None
    """How others know the process; None until it is ready."""
    heard_at: float = field(default_factory=time.monotonic)
    why: str | None = None
    """Why it has ended, or is about to, where that is known."""
    _process: Process | None = None
    _unsaid: list[ToWorker] = field(default_factory=list)

    @property
    def pid(self) -> int | None:
        """The number of the process, while there is one."""
        return self._process.pid if self._process is not None else None

    @property
    def silent_s(self) -> float:
        """For how long it has said nothing, not even that it is alive."""
        return time.monotonic() - self.heard_at

    async def serve(self) -> int:
        """Run the process to its end, and return how that was, as the system has it. Cancelled, it is killed.

        What it was told before is said to it first.
        """
        self._process = process = await asyncio.create_subprocess_exec(
            *self.command, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE, start_new_session=True
        )
        self.heard_at = time.monotonic()
        try:
            if self.begin is not None:
                self._say(self.begin)
            while self._unsaid:
                self._say(self._unsaid.pop(0))
            await self._listen(process)
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self._process = None

    def run(self, job: str) -> None:
        """Have it claim a job and run it."""
        self.jobs.add(job)
        self._say(Run(job))

    def look(self, job: str) -> None:
        """Have a live sync look whether it is to end."""
        self._say(Look(job))

    def retire(self) -> None:
        """Have it end as soon as it has no jobs."""
        self.is_retired = True
        if not self.jobs:
            self.stop()

    def stop(self) -> None:
        """Have it suspend what it runs, and end."""
        self._say(Stop())

    def kill(self, why: str | None = None) -> None:
        """End it at once."""
        if self._process is not None and self._process.returncode is None:
            self.why = self.why or why
            self._process.kill()

    def _say(self, message: ToWorker) -> None:
        """Say something to the process; before it is started, as soon as it is."""
        if self._process is None:
            self._unsaid.append(message)
            return
        pipe = self._process.stdin
        if pipe is not None and not pipe.is_closing():
            with contextlib.suppress(ConnectionError):  # it has just ended, which `serve` sees
                pipe.write(line_of(message))

    async def _listen(self, process: Process) -> None:
        if process.stdout is None:
            return
        while line := await process.stdout.readline():
            self.heard_at = time.monotonic()
            try:
                message = heard(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                log.warning("A worker process said something that is no message.", pid=process.pid)
                continue
            self.told(message)
            match message:
                case Ready():
                    self.instance = message.instance
                case Hung():
                    self.why = message.why
                case Ended():
                    self.jobs.discard(message.job)
                    self.ended()
