"""The worker: looks for jobs that wait, and gives them to its crew."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from connectors.aio.clock import Clock
from connectors.aio.tasks import Tasks
from connectors.services.cleaning.job_ends import JobEnds
from connectors.services.desk import Desk
from connectors.services.monitoring.job_tally import JobTally
from connectors.services.monitoring.metrics import Metrics
from connectors.services.monitoring.pulse import Pulse
from connectors.services.working.aftermath import Aftermath
from connectors.services.working.crew import Crew, Death
from connectors.services.working.ledgers import Ledgers
from connectors.services.working.messages import Begin, Ended, FromWorker
from connectors.services.working.turns import Places, next_jobs, to_look
from connectors.store.job import ENDED, SyncJob
from connectors.store.lanes import Lane
from connectors.store.open_jobs import OpenJobs

LOOK_EVERY_S: Final = 0.5
"""How soon a job that somebody wants is begun."""


@dataclass(frozen=True)
class WorkLimits:
    """How much a daemon works on at once, and how patient it is with its processes."""

    processes: int = 2
    places: Places = Places()
    silent_after_s: float = 60.0
    stop_within_s: float = 30.0
    ledger_bytes: int = 512 * 2**20
    """That all jobs may take for what their indices hold."""
    memory_bytes: int | None = None
    """Of each process, which is killed when it has more."""
    look_every_s: float = LOOK_EVERY_S


class Worker:
    """Runs the jobs of all connectors, in worker processes, as many at once as there are places.

    - Of the jobs that wait, every connector's gets its turn, within what places and memory there are. A process claims
      a job itself: of all daemons one gets it.
    - A process that dies takes down the jobs in it, and nothing else. `Aftermath` says what becomes of these.
    """

    def __init__(
        self,
        desk: Desk,
        command: Sequence[str],
        limits: WorkLimits,
        clock: Clock,
        *,
        tally: JobTally | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self._desk = desk
        self._limits = limits
        self._tally = tally or JobTally(Metrics(), (), clock)
        self._pulse = pulse or Pulse(clock)
        self._last_turns: dict[Lane, int] = {}
        self._turn = 0
        self._is_place_free = asyncio.Event()
        self.known: list[SyncJob] | None = None
        """The jobs that have not ended, as of the last look."""
        self._open_jobs = OpenJobs(desk.jobs, clock)
        self._ledgers = Ledgers(desk.jobs, limits.ledger_bytes)
        self._aftermath = Aftermath(JobEnds(desk.jobs, desk.connectors, clock))
        self.crew = Crew(
            command,
            limits.processes,
            died=self._died,
            told=self._heard,
            silent_after_s=limits.silent_after_s,
            stop_within_s=limits.stop_within_s,
            memory_bytes=limits.memory_bytes,
            clock=clock,
        )

    def adopt(self, limits: WorkLimits, begin: Begin | None, *, renew: bool) -> None:
        """Work within these limits from now on, with processes that begin with that.

        With `renew` those that there are retire: what they run goes on, and they are given nothing more.
        """
        self._limits = limits
        self._ledgers.most_bytes = limits.ledger_bytes
        self.crew.silent_after_s, self.crew.stop_within_s = limits.silent_after_s, limits.stop_within_s
        self.crew.memory_bytes = limits.memory_bytes
        self.crew.change(limits.processes, begin, renew=renew)

    async def run(self) -> None:
        """Work until cancelled; then the jobs that run here are suspended."""
        async with Tasks("worker") as tasks:
            tasks.start(self.crew.run(), name="crew")
            tasks.start(self._look_again(), name="jobs")

    async def _look_again(self) -> None:
        while True:
            await self._wait()
            await self._pulse.look(self.look, "It could not be found out which jobs wait.")

    async def _wait(self) -> None:
        """Wait until it is time to look again, or a job has ended that leaves its place to another one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.look_every_s):
                await self._is_place_free.wait()
        self._is_place_free.clear()

    def _heard(self, message: FromWorker) -> None:
        self._tally.heard(message)
        if isinstance(message, Ended) and message.status in ENDED:  # any other job is still there, to be begun again
            self._is_place_free.set()

    async def look(self) -> None:
        """Give out the jobs that may be begun now. Raises an `EngineError`."""
        known, own = await self._open_jobs.look(), self.crew.jobs
        self._tally.known(known)
        self.known = known
        for job_id in to_look(known, own):
            self.crew.look(job_id)
        chosen = next_jobs(known, own, self._limits.places, self._last_turns)
        for job in await self._ledgers.admitted(chosen, known, own):
            self._turn += 1
            self._last_turns[Lane.of(job)] = self._turn
            self._tally.given(job)
            self.crew.give(job.id, alone=job.metadata.get("alone") is True)

    async def _died(self, death: Death) -> None:
        self._tally.died(death.jobs)
        await self._aftermath.of(death)
