"""The turn: one request at a time works on the data, and what is small goes before what is large."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from connectors.engine.embedded.refusal import Refusal

SLICE_S: Final = 0.05
"""So long somebody who has much to do works before others get their turn."""
HEAD_START_S: Final = 1.0
"""By so much a small request goes before a slice of a large one; so a large one is late, but never forgotten."""
LONGEST_WAIT_S: Final = 60.0


class Turn:
    """Threads take it to work on what they share. Not reentrant.

    Who waits is served in the order of arrival, a small request as if it had come `HEAD_START_S` earlier. Large ones
    do a slice at a time, and ask again for the next.
    """

    def __init__(
        self,
        now_s: Callable[[], float] = time.monotonic,
        longest_wait_s: float = LONGEST_WAIT_S,
        slice_s: float = SLICE_S,
    ) -> None:
        self.slice_s = slice_s
        self._now_s = now_s
        self._longest_wait_s = longest_wait_s
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: list[tuple[float, int, threading.Event]] = []
        self._arrivals = itertools.count()

    @contextmanager
    def taken(self, *, large: bool = False) -> Iterator[None]:
        """Hold the turn during the block. Raises a `Refusal` when it does not come in `LONGEST_WAIT_S`."""
        self._take(HEAD_START_S if large else 0.0)
        try:
            yield
        finally:
            self._pass_on()

    def _take(self, handicap_s: float) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            called = threading.Event()
            ticket = (self._now_s() + handicap_s, next(self._arrivals), called)
            heapq.heappush(self._waiting, ticket)
        if called.wait(self._longest_wait_s):
            return
        with self._guard:
            if called.is_set():  # it came in the last moment
                return
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
        told = f"The embedded engine is busy: no turn for this request in {self._longest_wait_s:g} s."
        raise Refusal(429, "es_rejected_execution_exception", told)

    def _pass_on(self) -> None:
        with self._guard:
            if self._waiting:
                heapq.heappop(self._waiting)[2].set()
            else:
                self._taken = False
