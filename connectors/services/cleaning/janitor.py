"""The janitor: sees to what nobody else does, job by job and record by record."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from connectors import logger
from connectors.aio.clock import Clock
from connectors.errors import ConnectorsError
from connectors.services.cleaning.chore import Chore
from connectors.services.cleaning.expired_values import ExpiredValues
from connectors.services.cleaning.history import RETENTION, JobHistory, TickHistory
from connectors.services.cleaning.job_ends import JobEnds
from connectors.services.cleaning.lost_jobs import LostJobs
from connectors.services.cleaning.orphaned_jobs import OrphanedJobs
from connectors.services.cleaning.remains import Remains, Shelf
from connectors.services.scheduling.roster import Roster
from connectors.store.ticks import Ticks

log = logger.get(__name__)


@dataclass
class Janitor:
    """Does its chores when they are due, by the clock that it is given.

    Every daemon has one. What each of them does is done once, as it is decided by compare-and-set or can be repeated.
    """

    chores: Sequence[Chore]
    clock: Clock
    _due_at: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, shelf: Shelf, roster: Roster, clock: Clock, *, timeout_s: float = 60.0, retention: timedelta = RETENTION
    ) -> Self:
        """Return one with all chores; `timeout_s` is that of the heartbeats of jobs."""
        jobs, connectors = shelf.jobs, shelf.connectors
        ends = JobEnds(jobs, connectors, clock)
        chores: list[Chore] = [
            LostJobs(jobs, shelf.state, ends, clock, timeout_s),
            OrphanedJobs(jobs, connectors, roster, ends, clock),
            JobHistory(jobs, connectors, roster, clock, retention),
            TickHistory(Ticks(shelf.state), roster, clock, retention),
            ExpiredValues(shelf.storage, clock),
            Remains(shelf, roster, clock),
        ]
        return cls(chores, clock)

    async def look(self) -> bool:
        """Do what is due, each chore for itself: what fails is logged, and tried again with the next look.

        Returns whether nothing failed.
        """
        has_failed = False
        for chore in self.chores:
            if self.clock.monotonic() < self._due_at.get(chore.name, float("-inf")):
                continue
            try:
                is_done = await chore.look()
            except ConnectorsError as error:
                has_failed = True
                log.warning("The janitor could not finish.", chore=chore.name, why=str(error))
            else:
                if is_done:
                    self._due_at[chore.name] = self.clock.monotonic() + chore.every_s
        return not has_failed
