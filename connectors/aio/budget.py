"""A budget of bytes: what may be in memory at once, reserved before it comes and released when it is gone."""

import asyncio
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Self


class ByteBudget:
    """Lets in so many bytes at once, in the order in which they are asked for: small ones can't starve a large one.

    Cancelling who waits loses no room. A time limit is set from outside (`asyncio.timeout`).
    """

    def __init__(self, total: int) -> None:
        if total < 1:
            raise ValueError("a budget has at least one byte")
        self.total = total
        self._used = 0
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    @property
    def used(self) -> int:
        """The bytes that are reserved now."""
        return self._used

    async def reserve(self, size: int) -> "Room":
        """Wait for room for so many bytes and return it; whoever has it releases it."""
        if not 0 <= size <= self.total:
            raise ValueError(f"{size} bytes never fit into a budget of {self.total}")
        if self._waiting or self._used + size > self.total:
            await self._turn(size)
        else:
            self._used += size
        return Room(self, size)

    async def _turn(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, size))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # it may have been passed over already
                    self._waiting.remove((turn, size))
                self._change(0)
            else:  # it was let in before it noticed
                self._change(-size)
            raise

    def _grow(self, size: int) -> bool:
        """Reserve more at once if it fits, ahead of those who wait: for what is in memory already."""
        fits = self._used + size <= self.total
        if fits:
            self._used += size
        return fits

    def _change(self, size: int) -> None:
        self._used += size
        while self._waiting and self._used + self._waiting[0][1] <= self.total:
            turn, wanted = self._waiting.popleft()
            if not turn.done():
                self._used += wanted
                turn.set_result(None)


class Room:
    """Some bytes of a budget, until they are released; releasing twice is releasing once."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: ByteBudget, size: int) -> None:
        self._budget = budget
        self.size = size

    def fit(self, size: int) -> bool:
        """Make it as large as what is in it, and return whether that is possible now: smaller always is."""
        if size > self.size:
            if not self._budget._grow(size - self.size):  # noqa: SLF001 - the two are one thing
                return False
        else:
            self._budget._change(size - self.size)  # noqa: SLF001
        self.size = size
        return True

    def release(self) -> None:
        """Give it back."""
        size, self.size = self.size, 0
        self._budget._change(-size)  # noqa: SLF001

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
