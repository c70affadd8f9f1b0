"""Pressure: while control traffic is slow or refused, data waits, so that status and leases always get through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from connectors.errors import Retryable

LONGEST_PAUSE_S: Final = 30.0
"""After this long data goes on whatever control does: a sync whose lease is lost is ended by the lease, not by us."""


class Pressure:
    """What the two lanes of one engine know of each other.

    A control request that runs longer than `slow_after_s`, or was refused, holds back every data request that has
    not been sent yet. The hold ends when control answers in time again, or after `LONGEST_PAUSE_S`.
    """

    def __init__(self, *, slow_after_s: float) -> None:
        self.slow_after_s = slow_after_s
        self._slow: set[object] = set()
        self._refused: asyncio.TimerHandle | None = None
        self._calm = asyncio.Event()
        self._calm.set()

    @property
    def high(self) -> bool:
        """Whether data has to wait now."""
        return not self._calm.is_set()

    @asynccontextmanager
    async def control(self) -> AsyncIterator[None]:
        """Run the block as one control request."""
        request = object()
        timer = asyncio.get_running_loop().call_later(self.slow_after_s, self._became_slow, request)
        try:
            yield
        except Exception as error:
            if isinstance(error, Retryable):
                self._hold()
            raise
        else:
            if request not in self._slow:
                self._release()
        finally:
            timer.cancel()
            self._slow.discard(request)
            self._settle()

    @asynccontextmanager
    async def data(self) -> AsyncIterator[None]:
        """Wait for a moment in which data may be sent, and run the block as one data request."""
        if self.high:
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_PAUSE_S):
                    await self._calm.wait()
        yield

    def _became_slow(self, request: object) -> None:
        self._slow.add(request)
        self._settle()

    def _hold(self) -> None:
        self._release()
        self._refused = asyncio.get_running_loop().call_later(LONGEST_PAUSE_S, self._release)

    def _release(self) -> None:
        if self._refused is not None:
            self._refused.cancel()
            self._refused = None
        self._settle()

    def _settle(self) -> None:
        if self._slow or self._refused is not None:
            self._calm.clear()
        else:
            self._calm.set()
