"""The retry policy: how often, how long apart, and for which errors a call is made again."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from connectors.aio.clock import Clock, SystemClock
from connectors.errors import ConnectorsError, Retryable

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """At most `attempts` calls within `limit_s` seconds, apart by a random share of an exponentially growing pause.

    The share is random (from nothing to the whole pause) so that callers that failed together do not come back
    together. Where the error says when to come back, that is the least we wait.
    """

    attempts: int = 5
    first_pause_s: float = 0.25
    longest_pause_s: float = 30.0
    limit_s: float = 120.0

    def pause_s(self, attempt: int, chance: float) -> float:
        """Return the pause after the attempt of that number, counted from 1; `chance` is in [0, 1)."""
        doublings = min(attempt - 1, 60)
        return chance * min(self.longest_pause_s, self.first_pause_s * 2.0**doublings)


NEVER = RetryPolicy(attempts=1)


@dataclass(frozen=True)
class Retry:
    """Makes calls under one policy.

    Only errors that are `Retryable` are tried again; any other is raised at once. The last error is raised as it is,
    with a note of how many attempts were made. A generator that has yielded is never retried from outside: retry the
    page fetch inside it.
    """

    policy: RetryPolicy = RetryPolicy()
    clock: Clock = field(default_factory=SystemClock)
    chance: Callable[[], float] = random.random
    observe: Callable[[Exception, int, float], None] = lambda error, attempt, pause_s: None

    async def __call__(self, call: Callable[[int], Awaitable[T]]) -> T:
        """Await `call(attempt)`, attempts counted from 1, until it returns, fails for good, or the policy ends it.

        `observe(error, attempt, pause_s)` is called before each pause.
        """
        started = self.clock.monotonic()
        attempt = 0
        while True:
            attempt += 1
            try:
                return await call(attempt)
            except ConnectorsError as error:
                pause_s = self._pause_s(error, attempt, self.clock.monotonic() - started)
                if pause_s is None:
                    if attempt > 1:
                        error.add_note(f"Gave up after {attempt} attempts.")
                    raise
                self.observe(error, attempt, pause_s)
            await self.clock.sleep(pause_s)

    def _pause_s(self, error: ConnectorsError, attempt: int, elapsed_s: float) -> float | None:
        if not isinstance(error, Retryable) or attempt >= self.policy.attempts:
            return None
        pause_s = self.policy.pause_s(attempt, self.chance())
        if error.retry_after_s is not None:
            pause_s += error.retry_after_s
        return pause_s if elapsed_s + pause_s <= self.policy.limit_s else None
