"""A queue that is bounded by items and by bytes."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

from connectors.errors import QueueClosed

T = TypeVar("T")


class ByteQueue(Generic[T]):
    """Hands items from producers to consumers in order, holding at most `max_items` and `max_bytes`.

    - `put` waits while the queue is full. An item that alone is larger than `max_bytes` is let in when the queue is
      empty, so that nothing waits for ever.
    - Producers are let in in the order of their arrival: small items can't starve a large one.
    - `close` lets the consumers empty the queue and then ends them; who waits in `put` at that moment is refused.
    - Cancelling a `put` or a `get` loses no item and no room. A time limit is set from outside (`asyncio.timeout`).
    """

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        if max_items < 1 or max_bytes < 1:
            raise ValueError("a queue needs room for at least one item and one byte")
        self.max_items = max_items
        self.max_bytes = max_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._closed = False
        # A lock hands over in order of arrival, so at most one producer and one consumer wait for their event.
        self._producers, self._room = asyncio.Lock(), asyncio.Event()
        self._consumers, self._filled = asyncio.Lock(), asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def bytes(self) -> int:
        """The bytes of all items inside."""
        return self._bytes

    async def put(self, item: T, size: int) -> None:
        """Add an item of `size` bytes, waiting for room. Raises `QueueClosed`."""
        async with self._producers:
            while not (self._closed or self._fits(size)):
                self._room.clear()
                await self._room.wait()
            if self._closed:
                raise QueueClosed
            self._items.append((item, size))
            self._bytes += size
            self._filled.set()

    async def get(self) -> T:
        """Take the oldest item, waiting for one. Raises `QueueClosed` when there will be none."""
        async with self._consumers:
            while not self._items:
                if self._closed:
                    raise QueueClosed
                self._filled.clear()
                await self._filled.wait()
            item, size = self._items.popleft()
            self._bytes -= size
            self._room.set()
            return item

    def close(self) -> None:
        """Take nothing more; consumers get what is inside and then `QueueClosed`."""
        self._closed = True
        self._room.set()
        self._filled.set()

    def _fits(self, size: int) -> bool:
        return not self._items or (len(self._items) < self.max_items and self._bytes + size <= self.max_bytes)
