"""Open jobs: those that have not ended, kept up to date by reading only what was written of late."""

from typing import Final

from connectors.aio.clock import Clock
from connectors.store.job import ACTIVE, WAITING, SyncJob
from connectors.store.jobs import MOST_OPEN, JobStore, age_of

FEW: Final = 10
"""So many are read at each look, those that were written last."""
WHOLE_EVERY_S: Final = 10.0
"""How often all are read though nothing says that they have to be: a write may show later than the ones after it."""


class OpenJobs:
    """Knows every job that has not ended, as it was when `look` was last called.

    A look asks how many there are and reads the last written ones. All are read where these few do not tell what has
    become of the others: when more of them were written since, and when one is gone or has ended.
    """

    def __init__(self, store: JobStore, clock: Clock, *, most: int = MOST_OPEN) -> None:
        self._store = store
        self._clock = clock
        self._most = most
        self._known: dict[str, SyncJob] = {}
        self._whole_at: float | None = None

    async def look(self) -> list[SyncJob]:
        """Return what `JobStore.open_jobs` does. Raises an `EngineError`."""
        now = self._clock.monotonic()
        is_recent = self._whole_at is not None and now - self._whole_at < WHOLE_EVERY_S
        if not is_recent or len(self._known) > self._most or not await self._caught_up():
            jobs = await self._store.open_jobs(most=self._most)
            self._known, self._whole_at = {job.id: job for job in jobs}, now
        return list(self._known.values())

    async def _caught_up(self) -> bool:
        """Take note of what was written since the last look; return whether it is certain that this is all."""
        total, last = await self._store.written_last(WAITING | ACTIVE, most=FEW)
        if total == len(last):
            self._known = _by_age({job.id: job for job in last})
            return True
        fresh = {job.id: job for job in last if not self._is_known(job)}
        known = {**self._known, **fresh}
        # Behind one that is known there are only such as were written before it, and were known as well.
        if len(fresh) == len(last) or len(known) != total:
            return False
        self._known = known if len(known) == len(self._known) else _by_age(known)
        return True

    def _is_known(self, job: SyncJob) -> bool:
        known = self._known.get(job.id)
        return known is not None and known.revision == job.revision


def _by_age(jobs: dict[str, SyncJob]) -> dict[str, SyncJob]:
    return {job.id: job for job in sorted(jobs.values(), key=age_of)}
