"""An exchange: one request that reached the proxy, and the ways in which it can be carried on, answered or dropped."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from tests.torture.bulk_body import Action, actions_of, body_of, is_bulk, results_of
from tests.torture.journal import Delivery, Entry
from tests.torture.messages import Answer, Request, read_answer

LIMIT = 2**22
_SLICE = 2**16


class EngineGone(Exception):
    """Raised when the engine takes no connection or breaks one off."""


@dataclass(frozen=True)
class Seen:
    """A request as a plan sees it: the n-th of the bulks, or the n-th of all others, counted from 1."""

    request: Request
    number: int

    @property
    def is_bulk(self) -> bool:
        """Whether it is a bulk."""
        return is_bulk(self.request.method, self.request.path)

    @property
    def size(self) -> int:
        """How many bytes its body has."""
        return len(self.request.body)

    @cached_property
    def content(self) -> bytes:
        """Its body, not compressed."""
        return self.request.content

    @cached_property
    def actions(self) -> Sequence[Action]:
        """The actions of a bulk; none of one that no engine would understand."""
        try:
            return actions_of(self.content) if self.is_bulk else ()
        except (ValueError, msgspec.DecodeError):
            return ()

    @property
    def index(self) -> str | None:
        """The index that a bulk names in its path."""
        first = self.request.path.split("/")[1]
        return None if first.startswith("_") else first


@dataclass
class Link:
    """A line of so many bytes a second that all connections of a proxy share."""

    bytes_per_s: float
    _free_at: float = 0.0

    async def passing(self, size: int) -> None:
        """Wait for as long as so many bytes take, behind those that are under way already."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(now, self._free_at) + size / self.bytes_per_s
        await asyncio.sleep(self._free_at - now)


async def send(writer: asyncio.StreamWriter, content: bytes, link: Link | None) -> None:
    """Write to a connection, as fast as the line is."""
    if link is None:
        writer.write(content)
        await writer.drain()
        return
    for start in range(0, len(content), _SLICE):
        piece = content[start : start + _SLICE]
        await link.passing(len(piece))
        writer.write(piece)
        await writer.drain()


def abort(writer: asyncio.StreamWriter) -> None:
    """Reset a connection."""
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None and not writer.is_closing():
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Upstream:
    """The engine behind a proxy, on this machine, and the connections to it that are free."""

    port: int
    _free: list[Pair] = field(default_factory=list)

    async def ask(self, request: Request, link: Link | None) -> Answer:
        """Send a request once and return the whole answer. Raises `EngineGone`."""
        async with self._connected() as (reader, writer):
            await send(writer, request.head() + request.body, link)
            answer = await read_answer(reader, request.method)
            if not answer.closes:
                self._free.append((reader, writer))
            else:
                writer.close()
        return answer

    async def begin(self, request: Request) -> None:
        """Send a request but for the second half of its body, and break off. Raises `EngineGone`."""
        async with self._connected() as (_, writer):
            await send(writer, request.head() + request.body[: len(request.body) // 2], None)
            abort(writer)

    def close(self) -> None:
        """Close the connections that are free."""
        while self._free:
            abort(self._free.pop()[1])

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[Pair]:
        """Provide a connection that is not known to be broken; one that breaks inside is not used again."""
        while (pair := self._popped()) is not None and pair[0].at_eof():
            pair[1].close()
        try:
            pair = pair or await asyncio.open_connection("127.0.0.1", self.port, limit=LIMIT)
            yield pair
        except (OSError, asyncio.IncompleteReadError) as error:
            if pair is not None:
                abort(pair[1])
            raise EngineGone(f"The engine at port {self.port} broke off: {error!r}") from error
        except asyncio.CancelledError:
            if pair is not None:
                abort(pair[1])
            raise

    def _popped(self) -> Pair | None:
        return self._free.pop() if self._free else None


@dataclass
class Exchange:
    """What a fault does its work with.

    `deliver` may be called any number of times, and by a task that `spawn` starts and that outlives the exchange;
    `answer` and `reset` end it for the client. `shut` closes the whole proxy to new connections for a while.
    """

    seen: Seen
    client: Pair
    upstream: Upstream
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    shut: Callable[[float], None]
    entry: Entry | None = None
    delivered: Callable[[Answer], Coroutine[Any, Any, None]] | None = None
    link: Link | None = None

    async def deliver(self, positions: Sequence[int] | None = None) -> Answer:
        """Send the request to the engine, of a bulk only the actions at these positions. Raises `EngineGone`."""
        request = self.seen.request
        if positions is not None:
            chosen = (self.seen.actions[position] for position in positions)
            request = request.with_content(body_of(chosen, self.seen.content))
        status, results = None, tuple[Any, ...]()
        try:
            answer = await self.upstream.ask(request, self.link)
            status = answer.status
            if self.entry and self.entry.actions:
                results = results_of(answer.content)
        finally:
            if self.entry is not None:
                where = range(len(self.entry.actions)) if positions is None else tuple(positions)
                self.entry.deliveries.append(Delivery(where, status, results))
        if self.delivered is not None:
            await self.delivered(answer)
        return answer

    async def answer(self, answer: Answer) -> None:
        """Say something to the client, who may not be there any more."""
        if self.client_is_gone:
            return
        try:
            await send(self.client[1], answer.head() + answer.body, self.link)
        except ConnectionError:
            return
        if self.entry is not None:
            self.entry.told = answer.status

    async def answer_half(self, answer: Answer) -> None:
        """Say the half of something, and reset the connection."""
        content = answer.head() + answer.body
        with contextlib.suppress(ConnectionError):
            await send(self.client[1], content[: len(content) // 2], self.link)
            # What is written and not yet gone would go with the reset: the client is to see the half.
            self.client[1].close()

    def reset(self) -> None:
        """Reset the client's connection."""
        abort(self.client[1])

    @property
    def client_is_gone(self) -> bool:
        """Whether the client has given up, as far as can be known."""
        reader, writer = self.client
        return reader.at_eof() or reader.exception() is not None or writer.is_closing()

    async def client_gives_up(self) -> None:
        """Wait until the client closes its connection."""
        with contextlib.suppress(ConnectionError):
            while await self.client[0].read(LIMIT):
                pass  # a client that sends more does not wait for its answer; nobody here does
