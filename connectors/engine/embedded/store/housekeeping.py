"""The housekeeping: a thread that forgets what no search sees any more, a slice at a time, while others work."""

import threading
from typing import Final

from connectors import logger
from connectors.engine.embedded.store.index import Index
from connectors.engine.embedded.store.points_in_time import PointsInTime
from connectors.engine.embedded.turn import Turn

log = logger.get(__name__)
MOST_GONE_BYTES: Final = 2**30
"""Documents that were replaced or deleted may take so much of one index' file for the sake of points in time."""
_CLOSING_S: Final = 30.0


class Housekeeping:
    """Tidies the indices that it is told of, from a thread that runs only while there is something to do."""

    def __init__(self, turn: Turn, points: PointsInTime, most_gone_bytes: int = MOST_GONE_BYTES) -> None:
        self._turn = turn
        self._points = points
        self._most_gone_bytes = most_gone_bytes
        self._guard = threading.Lock()
        self._untidy: dict[str, Index] = {}
        self._thread: threading.Thread | None = None
        self._closing = False

    def tidy(self, index: Index) -> None:
        """See to an index soon."""
        with self._guard:
            if self._closing:
                return
            self._untidy[index.uuid] = index
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="embedded-housekeeping", daemon=True)
                self._thread.start()

    def settle(self) -> None:
        """Wait until everything is tidy."""
        thread = self._thread
        if thread is not None:
            thread.join(_CLOSING_S)

    def close(self) -> None:
        """Leave off, after the slice that is under way."""
        with self._guard:
            self._closing = True
        self.settle()

    def _run(self) -> None:
        while (index := self._next()) is not None:
            try:
                while not self._closing and not self._tidied(index):
                    pass
            except Exception:
                log.exception("Old documents of an index could not be removed.", index=index.name)

    def _next(self) -> Index | None:
        with self._guard:
            if self._untidy and not self._closing:
                return self._untidy.pop(next(iter(self._untidy)))
            self._thread = None
            return None

    def _tidied(self, index: Index) -> bool:
        """Do a slice; return whether that was all."""
        with self._turn.taken(large=True):
            if index.closed:
                return True
            done = index.searched.purge_step(self._points.oldest(index.uuid, index.searched.refreshed))
            # What is left now is held by points in time.
            if done and index.file.gone_bytes > self._most_gone_bytes and self._points.close_oldest(index.uuid):
                log.warning("A point in time was closed: it held too many old documents.", index=index.name)
                return False
            return done
