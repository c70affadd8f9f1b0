"""The network: every request of a sync waits at one gate, and a seed decides what becomes of it."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol

import msgspec
from elastic_transport import HttpHeaders

from connectors.engine.embedded.engine import EmbeddedEngine
from connectors.engine.node import PRODUCT, PRODUCT_HEADER, HttpNode, Reply, Request
from connectors.errors import EngineDenied, EngineUnreachable
from tests.torture.bulk_body import actions_of, body_of, is_bulk, merged

ADDRESS: Final = "http://chaos:80"
READS: Final = ("_search", "_count", "_mget", "_pit", "_refresh")
_HEADERS: Final = HttpHeaders({"content-type": "application/json", PRODUCT_HEADER: PRODUCT})


@dataclass(eq=False)
class Line:
    """The connection of one process to the engine.

    What comes over a `direct` one is carried out at once. One that is `dead` lets nothing through any more, and what
    waits on one that is held waits until then.
    """

    name: str
    direct: bool = False
    dead: bool = False
    held_until: float = 0.0


@dataclass(eq=False)
class Parcel:
    """Something that may change the engine, on its way there; `position` is the first of its actions to arrive."""

    line: Line
    request: Request

    @property
    def path(self) -> str:
        """Where it goes."""
        return self.request.target.partition("?")[0]

    @property
    def is_bulk(self) -> bool:
        """Whether it has actions."""
        return is_bulk(self.request.method, self.path)

    @property
    def is_read(self) -> bool:
        """Whether nothing is lost with it."""
        return self.request.method in {"GET", "HEAD"} or self.path.rpartition("/")[2] in READS

    @property
    def what(self) -> str:
        """What a trail says of it; without what is drawn at random, such as the UUID of an index."""
        places = [place for place in self.path.split("/") if place]
        return f"{self.line.name} {self.request.method} {' '.join(one for one in places if '%' not in one)}"

    def part(self, actions: slice) -> "Parcel":
        """Return some of its actions as a bulk of their own."""
        body = self.request.body or b""
        part = body_of(actions_of(body)[actions], body)
        request = self.request
        return Parcel(self.line, Request(request.method, request.target, part, request.headers, request.timeout_s))


@dataclass(eq=False)
class Call:
    """Somebody who waits: for the answer to a parcel, or just for a turn."""

    line: Line
    parcel: Parcel | None
    turn: asyncio.Future[Reply | None]
    reply: Reply | None = None
    given_up: bool = False
    """Whether the parcel has been dealt with, wherever it is now."""


class Observer(Protocol):
    """Who is shown each parcel at the engine."""

    def arrives(self, parcel: Parcel) -> None:
        """See the engine as it is just before a parcel."""

    def arrived(self, parcel: Parcel, status: int, answer: bytes) -> None:
        """See it just behind one."""


@dataclass
class Weather:
    """How likely it is that something happens to a request, and what."""

    trouble: float = 0.0
    fates: Sequence[str] = ()


@dataclass
class Network:
    """What lies between processes and their engine."""

    engine: EmbeddedEngine
    chance: random.Random
    observer: Observer
    weather: Weather = field(default_factory=Weather)
    told: Counter[str] = field(default_factory=Counter)
    calls: list[Call] = field(default_factory=list)
    late: list[Parcel] = field(default_factory=list)
    """What is on its way, and nobody waits for."""

    def node_of(self, line: Line) -> type[HttpNode]:
        """Return what a client sends through on a line."""
        return type("ConfiguredChaosNode", (ChaosNode,), {"network": self, "line": line, "known": True})

    async def carried(self, line: Line, request: Request) -> Reply:
        """Have a request carried out, some time. Raises an `EngineError`."""
        parcel = Parcel(line, request)
        if line.dead:
            raise EngineDenied("The process is no more.")
        if line.direct:
            return self._reply(*self._applied(parcel))
        reply = await self._waited(Call(line, parcel, asyncio.get_running_loop().create_future()), request.timeout_s)
        if reply is None:
            raise EngineUnreachable("The connection broke.")
        return reply

    async def turn(self, line: Line) -> None:
        """Wait until a seed says that it is this line's turn."""
        if not line.direct:
            await self._waited(Call(line, None, asyncio.get_running_loop().create_future()), None)

    async def _waited(self, call: Call, timeout_s: float | None) -> Reply | None:
        self.calls.append(call)
        try:
            async with asyncio.timeout(timeout_s):
                return await call.turn
        except TimeoutError:
            raise EngineUnreachable(f"No answer within {timeout_s:g} s.") from None
        finally:
            if call in self.calls:
                self.calls.remove(call)
            if call.parcel is not None and call.reply is None and not call.given_up:
                self._leave(call.parcel)

    def _leave(self, parcel: Parcel) -> None:
        """Let something go on that nobody waits for: it arrives late, or never."""
        if not parcel.is_read and self.chance.random() < 0.7:
            self.late.append(parcel)

    # What the seed decides.

    def ready(self, now: float) -> list[Call]:
        """Return who could go on."""
        return [call for call in self.calls if call.line.held_until <= now]

    def move(self, call: Call, *, kindly: bool = False) -> None:
        """Let one of those who wait come a step further."""
        parcel = call.parcel
        if parcel is None:
            self._answer(call, None)
        elif call.reply is not None:
            self._answer(call, call.reply)
        elif kindly or self.chance.random() >= self.weather.trouble or not self.weather.fates:
            call.reply = self._reply(*self._applied(parcel))
            if kindly or self.chance.random() < 0.5:
                self._answer(call, call.reply)
        else:
            call.given_up = True
            fate = self.chance.choice(self.weather.fates)
            self.told[fate] += 1
            getattr(self, fate)(call, parcel)

    def deliver(self, parcel: Parcel) -> None:
        """Let something arrive that nobody waits for any more."""
        self.late.remove(parcel)
        self.told["late parcels"] += 1
        self._applied(parcel)

    def close(self, line: Line) -> None:
        """Cut a line for good: what was sent may arrive."""
        line.dead = True
        for call in [one for one in self.calls if one.line is line]:
            self.calls.remove(call)
            if call.parcel is not None and call.reply is None and not call.given_up:
                self._leave(call.parcel)
                call.given_up = True

    # Fates.

    def lost(self, call: Call, parcel: Parcel) -> None:
        """It never arrives."""
        del parcel
        self._answer(call, None)

    def delayed(self, call: Call, parcel: Parcel) -> None:
        """It is given up by its sender, and arrives later."""
        self._leave(parcel)
        self._answer(call, None)

    def unanswered(self, call: Call, parcel: Parcel) -> None:
        """It is carried out, and the answer gets lost."""
        self._applied(parcel)
        self._answer(call, None)

    def refused(self, call: Call, parcel: Parcel) -> None:
        """The engine has no room for it."""
        del parcel
        error = {"type": "es_rejected_execution_exception", "reason": "no room"}
        self._answer(call, self._reply(429, msgspec.json.encode({"error": error, "status": 429})))

    def failed(self, call: Call, parcel: Parcel) -> None:
        """It is carried out, and the answer says that it failed."""
        self._applied(parcel)
        error = {"type": "node_disconnected_exception", "reason": "gone"}
        self._answer(call, self._reply(503, msgspec.json.encode({"error": error, "status": 503})))

    def doubled(self, call: Call, parcel: Parcel) -> None:
        """It is carried out, answered, and arrives once more."""
        if not parcel.is_read:
            self.late.append(parcel)
        call.reply = self._reply(*self._applied(parcel))

    def halved(self, call: Call, parcel: Parcel) -> None:
        """Only its first actions are carried out now; the others later, or never."""
        if not parcel.is_bulk:
            return self.delayed(call, parcel)
        number = len(actions_of(parcel.request.body or b""))
        most = self.chance.randrange(number + 1)
        if most:
            self._applied(parcel.part(slice(most)))
        if most < number:
            self._leave(parcel.part(slice(most, None)))
        return self._answer(call, None)

    def rejected(self, call: Call, parcel: Parcel) -> None:
        """Some of its actions find no room."""
        if not parcel.is_bulk:
            return self.refused(call, parcel)
        actions = actions_of(parcel.request.body or b"")
        places = {place for place in range(len(actions)) if self.chance.random() < 0.5}
        left = body_of([one for place, one in enumerate(actions) if place not in places], parcel.request.body or b"")
        request = parcel.request
        part = Parcel(parcel.line, Request(request.method, request.target, left, request.headers, request.timeout_s))
        status, answer = self._applied(part) if left else (200, None)
        if status == 200:
            answer = merged(answer, actions, places, parcel.path.split("/")[1])
        call.reply = self._reply(status, answer or b"")
        return None

    # Arriving.

    def _answer(self, call: Call, reply: Reply | None) -> None:
        self.calls.remove(call)
        if not call.turn.done():
            call.turn.set_result(reply)

    def _applied(self, parcel: Parcel) -> tuple[int, bytes]:
        request = parcel.request
        self.observer.arrives(parcel)
        status, answer = self.engine.handle(request.method, request.target, request.body or b"")
        self.observer.arrived(parcel, status, answer)
        return status, answer

    def _reply(self, status: int, answer: bytes) -> Reply:
        return Reply(status, _HEADERS, answer)


class ChaosNode(HttpNode):
    """Sends what a client sends through a line. `Network.node_of` makes the subclass for one."""

    network: ClassVar[Network]
    line: ClassVar[Line]

    async def exchange(self, request: Request) -> Reply:
        """Send a request and return what comes back. Raises an `EngineError`."""
        return await self.network.carried(self.line, request)

    async def close(self) -> None:  # type: ignore[override]
        """Close nothing: there is nothing open."""
