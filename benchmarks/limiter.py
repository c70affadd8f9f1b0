"""How well the number of requests at once is found out, beside the best one that is fixed.

In virtual time, in which nothing counts but the engine's work: what else a busy machine does changes no number.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connectors.aio.clock import Clock
from connectors.aio.throttle import AdaptiveLimiter
from connectors.sync.workplace import SyncLimits
from connectors.testing.virtual_time import VirtualClock, virtual_time

AT_ONCE: Final = (1, 4, 16)
"""Requests that the engine works on at once; the others wait."""
WORK_S: Final = 0.05
JITTER: Final = 0.5
"""The share of its time by which the work on a request is longer or shorter."""
LENGTHS_S: Final = (10.0, 120.0)
CALLERS: Final = 32


class FixedLimiter(AdaptiveLimiter):
    """A limiter that has nothing to find out."""

    @property
    def limit(self) -> int:
        """As many as there may be at most."""
        return self.most


@dataclass(frozen=True)
class Found:
    """Requests a second at an engine, as found out and as the best fixed number has it, over so many seconds."""

    at_once: int
    seconds: float
    adaptive: float
    fixed: float


def run() -> Iterator[Found]:
    """Yield what was found for engines of several strengths, over a short and a long time."""
    most = SyncLimits().most_bulks
    for at_once in AT_ONCE:
        for seconds in LENGTHS_S:
            clock = VirtualClock()
            adaptive = rate(AdaptiveLimiter(most=most, clock=clock), clock, at_once, seconds)
            fixed = max(rate(FixedLimiter(most=number, clock=clock), clock, at_once, seconds) for number in AT_ONCE)
            yield Found(at_once, seconds, adaptive, fixed)


@virtual_time
async def rate(limiter: AdaptiveLimiter, clock: Clock, at_once: int, seconds: float) -> float:
    """Return how many requests a second are done when there are always some to send."""
    engine, chance, done = asyncio.Semaphore(at_once), random.Random(1), 0

    async def call() -> None:
        nonlocal done
        while True:
            async with limiter.slot(), engine:
                await clock.sleep(WORK_S * chance.uniform(1 - JITTER, 1 + JITTER))
            done += 1

    callers = [asyncio.create_task(call(), name=f"caller {number}") for number in range(CALLERS)]
    await clock.sleep(seconds)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    return done / seconds


def text() -> str:
    """Return the table."""
    lines = ["", "### Requests at once, found out", "", "| the engine works on | for, s | best fixed, a second |"]
    lines[-1] += " found out | ratio |"
    lines.append("| ---: | ---: | ---: | ---: | ---: |")
    lines += [
        f"| {one.at_once} | {one.seconds:.0f} | {one.fixed:.0f} | {one.adaptive:.0f} | {one.adaptive / one.fixed:.2f} |"
        for one in run()
    ]
    return "\n".join(lines)
