"""The desk: takes requests from an event loop, so many and so large at a time, and has threads carry them out."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.engine.embedded.api.router import MOST_BYTES, too_large
from connectors.engine.embedded.engine import EmbeddedEngine
from connectors.engine.embedded.refusal import Refusal

LARGE_BYTES: Final = 2**20
"""A request with a larger body is a large one, whatever it asks for."""
_LARGE: Final = frozenset({"_bulk", "_delete_by_query"})
_SEARCHES: Final = frozenset({"_search", "_count", "scroll", "_pit", "_refresh"})


@dataclass(frozen=True)
class Room:
    """How much a lane takes: threads that work, requests that work or wait, and bytes of their bodies."""

    threads: int
    requests: int
    bytes: int


# Large requests have one thread: two that work in Python at once would only take the interpreter from each other, and
# from the small ones.
ROOMS: Final = {
    "small": Room(threads=2, requests=1_000, bytes=64 * 2**20),
    "search": Room(threads=2, requests=500, bytes=64 * 2**20),
    "large": Room(threads=1, requests=100, bytes=256 * 2**20),
}


def lane_of(target: str, size: int) -> str:
    """Return the lane of a request: leases and jobs must not queue behind bulks and searches."""
    if size > LARGE_BYTES:
        return "large"
    last = target.partition("?")[0].rstrip("/").rpartition("/")[2]
    return "large" if last in _LARGE else "search" if last in _SEARCHES else "small"


class Desk:
    """Hands requests to the engine; ready when it is made, and to be closed."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine
        self._lanes = {name: _Lane(name, room) for name, room in ROOMS.items()}

    @contextmanager
    def place(self, target: str, size: int) -> Iterator["Place"]:
        """Take a place for a request whose body is at most so large, before the body is read.

        Raises a `Refusal` with status 413 for a body that is larger than any may be, and 429 when its lane is full.
        """
        if size > MOST_BYTES:
            raise too_large()
        place = self._lanes[lane_of(target, size)].place(size)
        try:
            yield place
        finally:
            place.leave()

    async def answer(self, place: "Place", method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Carry a request out, and return the status and the body of its answer.

        A request that is cancelled before its turn is not carried out; later, it is carried out all the same.
        """
        work = place.lane.threads.submit(self._engine.handle, method, target, body)
        place.stay()
        work.add_done_callback(lambda _: place.leave())
        return await asyncio.wrap_future(work)

    def room_left(self, lane: str) -> int:
        """Return how many more requests a lane takes."""
        return self._lanes[lane].requests_left

    def close(self) -> None:
        """Let the requests end that are under way, drop those that wait, and close the engine."""
        for lane in self._lanes.values():
            lane.threads.shutdown(cancel_futures=True)
        self._engine.close()


class _Lane:
    """Some threads, and the room before them."""

    def __init__(self, name: str, room: Room) -> None:
        self.name = name
        self.room = room
        self.threads = ThreadPoolExecutor(room.threads, thread_name_prefix=f"embedded-{name}")
        self._guard = threading.Lock()
        self._requests = 0
        self._bytes = 0

    def place(self, size: int) -> "Place":
        with self._guard:
            if self._requests == self.room.requests or self._bytes + size > self.room.bytes:
                told = (
                    f"The embedded engine has {self._requests} {self.name} requests of {self._bytes} bytes waiting, "
                    f"and takes {self.room.requests} of {self.room.bytes} bytes at the most."
                )
                raise Refusal(429, "es_rejected_execution_exception", told)
            self._requests += 1
            self._bytes += size
        return Place(self, size)

    @property
    def requests_left(self) -> int:
        return self.room.requests - self._requests

    def left(self, size: int) -> None:
        with self._guard:
            self._requests -= 1
            self._bytes -= size


class Place:
    """The room that one request takes: until it was read, and then until it is carried out."""

    def __init__(self, lane: _Lane, size: int) -> None:
        self.lane = lane
        self._size = size
        self._guard = threading.Lock()
        self._holders = 1

    def stay(self) -> None:
        """Keep the room for one more, who leaves it later."""
        with self._guard:
            self._holders += 1

    def leave(self) -> None:
        """Give the room back, when nobody else holds it."""
        with self._guard:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self.lane.left(self._size)


@asynccontextmanager
async def desk_of(folder: Path) -> AsyncIterator[Desk]:
    """Open the engine of a data folder while the block runs. Raises `EngineBlocked` when another process owns it."""
    desk = Desk(await _opened(folder))
    try:
        yield desk
    finally:
        await asyncio.to_thread(desk.close)


async def _opened(folder: Path) -> EmbeddedEngine:
    """Open an engine in a thread; whoever is cancelled meanwhile does not leave it open."""
    opening = asyncio.ensure_future(asyncio.to_thread(EmbeddedEngine, folder))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: "asyncio.Future[EmbeddedEngine]") -> None:
    if opening.exception() is None:
        opening.result().close()
