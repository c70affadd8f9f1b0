"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it."""

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC)


class _ImpatientSelector(selectors.DefaultSelector):
    """Never waits: reports how long it was asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("Deadlock: every task waits, and there is no timer that could wake one.")
        self.skipped_s += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs timers in their order without waiting, so that an hour takes no time and a test of it never flickers.

    For code that waits on timers and on other tasks alone; with a real socket or thread, time would run away. When
    everything waits and no timer is left, it raises instead of hanging.
    """

    def __init__(self) -> None:
        self._impatient = _ImpatientSelector()
        super().__init__(self._impatient)

    def time(self) -> float:
        """Return the virtual seconds since the loop began."""
        return self._impatient.skipped_s


class VirtualClock:
    """The clock of the running virtual loop: its wall time starts on 1 January 2026 and can be made to jump."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start

    def now(self) -> datetime:
        """Return the start plus the virtual time that has passed."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the loop's virtual time."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(seconds)

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forward or back, as an operator or a time server would; durations do not notice."""
        self._start += by


def virtual_time(test: Callable[P, Awaitable[T]]) -> Callable[P, T]:
    """Make a plain test function of an async one that runs in virtual time."""

    async def awaited(*args: P.args, **kwargs: P.kwargs) -> T:
        return await test(*args, **kwargs)

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        coroutine: Coroutine[Any, Any, T] = awaited(*args, **kwargs)
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(coroutine)

    return run
