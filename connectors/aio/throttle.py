"""An adaptive limiter: finds how many calls at once a server can take, and follows it when that changes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from connectors.aio.clock import Clock
from connectors.errors import Retryable

TOLERANCE: Final = 1.8
"""A round is slow when its calls took this many times what they take at half the concurrency."""
SHRINK_SLOW: Final = 0.85
SHRINK_REFUSED: Final = 0.5
ROUNDS_BETWEEN_TRIALS: Final = 20


@dataclass
class _Round:
    """As many calls as the limit allows at once: the shortest time over which something can be learned."""

    number: int
    calls: int = 0
    seconds: float = 0.0
    full: bool = False
    refused: bool = False

    @property
    def mean_s(self) -> float:
        return self.seconds / self.calls


class AdaptiveLimiter:
    """Lets at most `limit` calls run at once, where `limit` moves between 1 and `most`.

    - It grows by one a round while there is demand and calls are not slower than they should be.
    - It shrinks a little when they are, and by half, at most once a round, when a call was refused: that is, when the
      block raised something `Retryable`. A refusal that says when to come back holds every new call until then.
    - What calls should take is measured, not assumed: now and then one round runs at half the limit. If the server
      was queueing, that costs nothing and shows how fast it is; if it was not, the calls take as long as before.
    """

    def __init__(self, *, most: int, clock: Clock, first: int = 1) -> None:
        if not 1 <= first <= most:
            raise ValueError("the first limit lies between one and the most")
        self.most = most
        self._clock = clock
        self._allowed = float(first)
        self._trial = False
        self._base_s: float | None = None
        self._running = 0
        self._held_until = 0.0
        self._round = _Round(0)
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """How many calls may run at once now."""
        return max(1, int(self._allowed / 2 if self._trial else self._allowed))

    @property
    def running(self) -> int:
        """How many calls run now."""
        return self._running

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a turn, run the block as one call, and learn from how long it took and how it ended."""
        await self._enter()
        started_in, started = self._round.number, self._clock.monotonic()
        try:
            yield
        except Exception as error:
            if isinstance(error, Retryable):
                self._refused(error.retry_after_s)
            raise
        else:
            # A call that began before this round tells of another limit.
            if started_in == self._round.number:
                self._took(self._clock.monotonic() - started)
        finally:
            self._running -= 1
            self._wake()

    async def _enter(self) -> None:
        try:
            while True:
                while self._running >= self.limit:
                    self._waiting.append(asyncio.get_running_loop().create_future())
                    await self._waiting[-1]
                hold_s = self._held_until - self._clock.monotonic()
                if hold_s <= 0:
                    self._running += 1
                    self._round.full |= self._running >= self.limit
                    return
                await self._clock.sleep(hold_s)
        except asyncio.CancelledError:
            self._wake()  # another one, as it may be this one that was woken
            raise

    def _wake(self) -> None:
        """Wake as many calls as there are places: thousands may wait, and it would take long if each had to look."""
        free = self.limit - self._running
        while free > 0 and self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # or else it was cancelled
                place.set_result(None)
                free -= 1

    def _refused(self, retry_after_s: float | None) -> None:
        if retry_after_s is not None:
            self._held_until = max(self._held_until, self._clock.monotonic() + retry_after_s)
        if not self._round.refused:
            self._allowed = max(1.0, self._allowed * SHRINK_REFUSED)
            self._begin_round(refused=True)

    def _took(self, seconds: float) -> None:
        self._round.calls += 1
        self._round.seconds += seconds
        if self._round.calls >= self.limit:
            self._learn(self._round)
            self._begin_round()

    def _learn(self, last: _Round) -> None:
        if self._trial or self._base_s is None:
            self._base_s = last.mean_s
            self._trial = False
        elif last.mean_s > TOLERANCE * self._base_s:
            self._allowed = max(1.0, self._allowed * SHRINK_SLOW)
        elif last.full and not last.refused:
            self._allowed = min(float(self.most), self._allowed + 1.0)

    def _begin_round(self, *, refused: bool = False) -> None:
        self._round = _Round(self._round.number + 1, refused=refused)
        self._trial = self._allowed >= 2.0 and self._round.number % ROUNDS_BETWEEN_TRIALS == 0
