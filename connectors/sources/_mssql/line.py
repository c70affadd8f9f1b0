"""A line: a connection of the driver's, used in one thread alone, and cut from outside where nobody waits any more."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

T = TypeVar("T")
_Driver = Any
CLOSE_WITHIN_S: Final = 1.0


class Line:
    """What blocks is done in the thread, one after the other."""

    def __init__(self, connection: _Driver, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread
        self._last: Future[Any] | None = None
        self.is_open = True

    @classmethod
    async def opened(cls, dial: Callable[[], _Driver], within_s: float) -> "Line":
        """Return the line that dialling makes, which is closed where it comes too late. Raises what keeps from it."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="mssql")
        running = thread.submit(dial)
        try:
            async with asyncio.timeout(within_s):
                return cls(await asyncio.shield(asyncio.wrap_future(running)), thread)
        except BaseException:
            running.add_done_callback(_closed_late)
            thread.shutdown(wait=False)
            raise

    async def run(self, work: Callable[[_Driver], T], within_s: float) -> T:
        """Return what some work with the connection returns; cut the line where it takes too long, or is cancelled."""
        self._last = running = self._thread.submit(work, self._connection)
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(asyncio.wrap_future(running))
        except BaseException:
            if not running.done():
                self.cut()
            raise

    def cut(self) -> None:
        """End whatever waits for the server: it undoes what was begun when it sees that the line is gone."""
        wire = _wire_of(self._connection)
        with contextlib.suppress(OSError, AttributeError):
            wire.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """Close it, in the midst of something too."""
        if not self.is_open:
            return
        self.is_open = False
        if self._last is not None and not self._last.done():
            self.cut()
        closing = self._thread.submit(_close, self._connection)
        self._thread.shutdown(wait=False)
        await asyncio.wait([asyncio.wrap_future(closing)], timeout=CLOSE_WITHIN_S)


def _wire_of(connection: _Driver) -> _Driver:
    """Return the socket of a connection, beneath the encryption; None where it was closed."""
    wire: _Driver = getattr(getattr(connection, "_tds_socket", None), "sock", None)
    return getattr(wire, "_transport", wire)


def _close(connection: _Driver) -> None:
    """Close it, and its socket too where the encryption can't say goodbye any more."""
    wire = _wire_of(connection)
    with contextlib.suppress(Exception):
        connection.close()
    with contextlib.suppress(OSError, AttributeError):
        wire.close()


def _closed_late(running: "Future[Any]") -> None:
    if not running.cancelled() and running.exception() is None:
        _close(running.result())
