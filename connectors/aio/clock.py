"""The clock: what time it is, and waiting, in a form that tests can replace."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What everything that tells time or waits is given."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC. It may jump: never measure a duration with it."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for durations within this process."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait, cancellably."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds of the process's monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(seconds)
