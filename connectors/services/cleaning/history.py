"""The history: what jobs and ticks leave behind, kept for a while."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.errors import RecordUnreadable
from connectors.services.cleaning.orphaned_jobs import is_there
from connectors.services.scheduling.roster import Roster
from connectors.store.connectors import ConnectorStore
from connectors.store.job import ENDED, SyncJob
from connectors.store.jobs import JobStore
from connectors.store.sync_state import JobType
from connectors.store.ticks import Ticks

log = logger.get(__name__)
RETENTION: Final = timedelta(days=30)
AT_ONCE: Final = 200
"""Jobs, or ticks, that are removed in one look."""
ASKED_AT_ONCE: Final = 50
LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)
_Key = tuple[str | None, JobType | None]
_Rank = tuple[datetime, str]


@dataclass
class JobHistory:
    """Removes jobs that ended long ago. The last one of each type stays, as long as there is its connector.

    Which of two is the later one is the same for every daemon, so that two of them never remove both.
    """

    name: ClassVar[str] = "history of jobs"
    every_s: ClassVar[float] = 3_600.0

    jobs: JobStore
    connectors: ConnectorStore
    roster: Roster
    clock: Clock
    retention: timedelta = RETENTION
    _to_ask: deque[tuple[_Key, _Rank]] = field(default_factory=deque)
    """The last ones among the old: whether there are later ones that are not old is asked a few at a time."""

    async def look(self) -> bool:
        """Remove some of them, and return whether none is left."""
        found, is_all = await self._asked() if self._to_ask else await self._scanned()
        await self.jobs.delete(found)
        if found:
            log.info("Jobs that ended long ago were removed.", jobs=len(found))
        return is_all

    async def _scanned(self) -> tuple[list[str], bool]:
        last: dict[_Key, _Rank] = {}
        async with aclosing(self._old(self.clock.now() - self.retention, last)) as old:
            found = [one async for one in _first(old, AT_ONCE)]
        if len(found) < AT_ONCE:  # then every old one was seen
            self._to_ask.extend(last.items())
        return found, len(found) < AT_ONCE and not self._to_ask

    async def _asked(self) -> tuple[list[str], bool]:
        some = [self._to_ask.popleft() for _ in range(min(len(self._to_ask), ASKED_AT_ONCE))]
        return [rank[1] for key, rank in some if not await self._is_last(key, rank)], not self._to_ask

    async def _old(self, before: datetime, last: dict[_Key, _Rank]) -> AsyncGenerator[str, None]:
        """Yield the ids of old jobs but the last one of each connector and type, which is in `last` in the end."""
        async with aclosing(self.jobs.ended_before(before)) as jobs:
            async for job in jobs:
                key, rank = _key_of(job), _rank_of(job)
                older, last[key] = sorted((rank, last.get(key, rank)))
                if older != last[key]:
                    yield older[1]

    async def _is_last(self, key: _Key, rank: _Rank) -> bool:
        connector_id = key[0]
        if connector_id is None or not await is_there(connector_id, self.roster, self.connectors):
            return False
        others = await self.jobs.of_connector(connector_id)
        return not any(one.status in ENDED and _key_of(one) == key and _rank_of(one) > rank for one in others)


@dataclass
class TickHistory:
    """Removes ticks of long ago, of one connector after the other. The last one of each schedule stays."""

    name: ClassVar[str] = "history of ticks"
    every_s: ClassVar[float] = 3_600.0

    ticks: Ticks
    roster: Roster
    clock: Clock
    retention: timedelta = RETENTION
    _left: deque[str] = field(default_factory=deque)

    async def look(self) -> bool:
        """Remove some of them, and return whether none is left."""
        self._left = self._left or deque(self.roster.connectors)
        budget = AT_ONCE
        while self._left and budget > 0:
            budget -= 1 + await self._forgotten(self._left[0], budget)
            if budget > 0:
                self._left.popleft()
        return not self._left

    async def _forgotten(self, connector_id: str, most: int) -> int:
        try:
            return await self.ticks.forget_before(connector_id, self.clock.now() - self.retention, most=most)
        except RecordUnreadable as error:
            log.warning("Ticks could not be read, and stay.", connector=connector_id, why=str(error))
            return 0


async def _first(found: AsyncIterator[str], most: int) -> AsyncIterator[str]:
    number = 0
    async for one in found:
        yield one
        number += 1
        if number == most:
            return


def _key_of(job: SyncJob) -> _Key:
    return job.connector_id, job.job_type


def _rank_of(job: SyncJob) -> _Rank:
    return job.completed_at or LONG_AGO, job.id
