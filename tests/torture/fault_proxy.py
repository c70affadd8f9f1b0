"""A proxy between a client and an engine on this machine that does to requests what a plan says, and remembers it."""

import asyncio
import inspect
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.torture.exchange import LIMIT, EngineGone, Exchange, Pair, Seen, Upstream, abort
from tests.torture.fault_plans import Calm, Plan
from tests.torture.faults import Fault, Pass
from tests.torture.journal import Entry, Journal
from tests.torture.messages import Answer, read_request

Callback = Callable[[Seen], Fault | Awaitable[Fault | None] | None]
"""Called with a request; a fault that it returns befalls the request instead of the plan's."""


@dataclass(frozen=True)
class _Watch:
    which: Callable[[Seen], bool]
    callback: Callback
    after: bool


class FaultProxy:
    """Listens at `url` and passes on to the port of an engine what comes, through the faults of its plan.

    `plan` and `engine_port` may be changed at any time; they hold for the requests that come after. `journal` tells of
    each bulk, `faults` counts. With `notes=False` the journal leaves out the single actions, which take memory.
    At the end of the block what is still to be delivered late is dropped: `settle` waits for it.
    """

    def __init__(self, engine_port: int, plan: Plan | None = None, *, notes: bool = True) -> None:
        self.plan: Plan = plan or Calm()
        self.journal = Journal()
        self.faults: Counter[str] = Counter()
        self.bulks = 0
        self.others = 0
        self._notes = notes
        self._upstream = Upstream(engine_port)
        self._watches: list[_Watch] = []
        self._witnesses: list[Callable[[Seen, Answer], None]] = []
        self._clients: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._is_down = False

    @property
    def engine_port(self) -> int:
        """Where the engine listens: another port after a restart."""
        return self._upstream.port

    @engine_port.setter
    def engine_port(self, port: int) -> None:
        self._upstream.close()
        self._upstream.port = port

    async def __aenter__(self) -> Self:
        # Holds the port while nobody listens, so that connections are refused and the port is nobody else's.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port: int = self._place.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()
        tasks = self._clients | self._late
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._upstream.close()
        self._place.close()

    async def up(self) -> None:
        """Take connections again."""
        self._is_down = False
        await self._listen()

    def down(self) -> None:
        """Refuse connections from now on, and reset those that there are, as if the engine had died."""
        self._is_down = True
        self._refuse()
        for writer in self._writers:
            abort(writer)

    async def settle(self) -> None:
        """Wait until everything that is held back has been delivered."""
        while self._late:
            await asyncio.gather(*self._late)

    def on_bulk(self, number: int, callback: Callback, *, after: bool = False) -> None:
        """Call back when the n-th bulk (from 1) has arrived, or after it was delivered and before its answer is given.

        To end a process there as `kill -9` does, end it in the callback; what the callback returns, if it is a fault,
        befalls the bulk, such as `ResetBefore()` for one that is to vanish. What is called back after a delivery (each
        one, if there are several) can but reset the connection so.
        """
        self.on_request(lambda seen: seen.is_bulk and seen.number == number, callback, after=after)

    def on_request(self, which: Callable[[Seen], bool], callback: Callback, *, after: bool = False) -> None:
        """Do the same for every request of which `which` says so."""
        self._watches.append(_Watch(which, callback, after))

    def on_answer(self, witness: Callable[[Seen, Answer], None]) -> None:
        """Show somebody everything that reached the engine, with what that said to it, whether the client heard it."""
        self._witnesses.append(witness)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        self._writers.add(writer)
        try:
            while not writer.is_closing() and (request := await read_request(reader, writer)) is not None:
                await self._exchange(Seen(request, 0), (reader, writer))
                if request.closes:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._clients.discard(task)
            self._writers.discard(writer)
            writer.close()

    async def _exchange(self, arrived: Seen, client: Pair) -> None:
        seen = self._numbered(arrived)
        fault = await self._called_back(seen, after=False) or self.plan.fault_for(seen)
        kind = "bulk" if seen.is_bulk else "control"
        entry = self._entered(seen, fault) if seen.is_bulk else None
        if not isinstance(fault, Pass):
            self.faults[f"{kind}: {fault.name}"] += 1

        async def delivered(answer: Answer) -> None:
            for witness in self._witnesses:
                witness(seen, answer)
            if await self._called_back(seen, after=True):
                exchange.reset()

        exchange = Exchange(seen, client, self._upstream, self._spawn, self._shut_for, entry=entry, delivered=delivered)
        try:
            await fault.befall(exchange)
        except EngineGone:
            self.faults[f"{kind}: the engine itself was gone"] += 1
            exchange.reset()

    def _numbered(self, arrived: Seen) -> Seen:
        if arrived.is_bulk:
            self.bulks += 1
            return Seen(arrived.request, self.bulks)
        self.others += 1
        return Seen(arrived.request, self.others)

    def _entered(self, seen: Seen, fault: Fault) -> Entry:
        entry = Entry(seen.number, seen.request.target, fault.name, seen.actions if self._notes else ())
        self.journal.entries.append(entry)
        return entry

    async def _called_back(self, seen: Seen, *, after: bool) -> Fault | None:
        fault: Fault | None = None
        for watch in self._watches:
            if watch.after is after and watch.which(seen):
                said = watch.callback(seen)
                fault = (await said if inspect.isawaitable(said) else said) or fault
        return fault

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="late delivery")
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=LIMIT, reuse_port=True)

    def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _shut_for(self, seconds: float) -> None:
        self._refuse()
        self._spawn(self._open_after(seconds))

    async def _open_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if not self._is_down:
            await self._listen()
