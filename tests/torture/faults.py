"""Faults: what can happen to a request on its way to an engine and back, each one a class."""

import asyncio
import random
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import msgspec

from tests.torture.bulk_body import REJECTED, merged
from tests.torture.exchange import EngineGone, Exchange, Link
from tests.torture.messages import Answer

_JSON = ("content-type", "application/vnd.elasticsearch+json;compatible-with=8")
_PRODUCT = ("x-elastic-product", "Elasticsearch")


class Fault(ABC):
    """What happens to one request. `name` is what it is counted under."""

    name: ClassVar[str]

    @abstractmethod
    async def befall(self, exchange: Exchange) -> None:
        """Carry the request on, answer it or drop it. Raises `EngineGone` when the engine behind is not there."""


@dataclass(frozen=True)
class Pass(Fault):
    """Nothing happens: it is delivered, and answered with what the engine says."""

    name = "passed"

    async def befall(self, exchange: Exchange) -> None:
        await exchange.answer(await exchange.deliver())


@dataclass(frozen=True)
class Delay(Fault):
    """It is held up before it is delivered, and its answer before it is given; or another fault is."""

    name = "delayed"
    before_s: float = 0.0
    after_s: float = 0.0

    async def befall(self, exchange: Exchange) -> None:
        await asyncio.sleep(self.before_s)
        answer = await exchange.deliver()
        await asyncio.sleep(self.after_s)
        await exchange.answer(answer)


@dataclass(frozen=True)
class Slow(Fault):
    """It goes over a line of so many bytes a second, which it shares with others, and waits besides."""

    name = "slowed"
    link: Link | None
    latency_s: float = 0.0

    async def befall(self, exchange: Exchange) -> None:
        exchange.link = self.link
        await asyncio.sleep(self.latency_s)
        await exchange.answer(await exchange.deliver())


@dataclass(frozen=True)
class Refuse(Fault):
    """Its connection is reset before anything is delivered, and for a while new ones are refused, as in a restart."""

    name = "refused connection"
    seconds: float = 0.0

    async def befall(self, exchange: Exchange) -> None:
        exchange.shut(self.seconds)
        exchange.reset()


@dataclass(frozen=True)
class ResetBefore(Fault):
    """Its connection is reset before anything is delivered."""

    name = "reset before"

    async def befall(self, exchange: Exchange) -> None:
        exchange.reset()


@dataclass(frozen=True)
class BrokenUpload(Fault):
    """Half of it is sent to the engine, then both connections are reset: the engine may do nothing of it."""

    name = "reset in the middle of the request"

    async def befall(self, exchange: Exchange) -> None:
        await exchange.upstream.begin(exchange.seen.request)
        exchange.reset()


@dataclass(frozen=True)
class ResetAfter(Fault):
    """It is applied, and its answer is lost."""

    name = "reset after"

    async def befall(self, exchange: Exchange) -> None:
        await exchange.deliver()
        exchange.reset()


@dataclass(frozen=True)
class HalfAnswer(Fault):
    """It is applied, and its answer breaks off in the middle."""

    name = "half an answer"

    async def befall(self, exchange: Exchange) -> None:
        await exchange.answer_half(await exchange.deliver())


@dataclass(frozen=True)
class Overloaded(Fault):
    """The whole request is refused for now, with a 429 that may say for how long."""

    name = "429"
    retry_after_s: float | None = None

    async def befall(self, exchange: Exchange) -> None:
        await exchange.answer(overloaded(self.retry_after_s))


@dataclass(frozen=True)
class BadGateway(Fault):
    """What stands in front of the engine answers with a page, before the request is delivered or after."""

    name = "bad gateway"
    status: int = 502
    applied: bool = False

    async def befall(self, exchange: Exchange) -> None:
        if self.applied:
            await exchange.deliver()
        page = f"<html><body><h1>{self.status} Bad Gateway</h1></body></html>".encode()
        await exchange.answer(Answer(f"HTTP/1.1 {self.status} Bad Gateway", [("content-type", "text/html")], page))


@dataclass(frozen=True)
class Late(Fault):
    """It is held until the client has given up, and delivered so many seconds after that: a write of a zombie.

    With `patience_s` the connection is reset after that time if the client has not given up by then.
    """

    name = "delivered late"
    seconds: float
    patience_s: float | None = None

    async def befall(self, exchange: Exchange) -> None:
        try:
            async with asyncio.timeout(self.patience_s):
                await exchange.client_gives_up()
        except TimeoutError:
            pass
        exchange.reset()
        exchange.spawn(_again(exchange, self.seconds))


@dataclass(frozen=True)
class Twice(Fault):
    """It is delivered twice, the second time so many seconds after its answer, or at once and before."""

    name = "delivered twice"
    gap_s: float = 0.0

    async def befall(self, exchange: Exchange) -> None:
        answer = await exchange.deliver()
        if self.gap_s:
            exchange.spawn(_again(exchange, self.gap_s))
        else:
            await exchange.deliver()
        await exchange.answer(answer)


@dataclass(frozen=True)
class RejectItems(Fault):
    """A share of the actions of a bulk is refused for now, each with a 429 of its own, and the rest is delivered."""

    name = "items rejected"
    share: float
    seed: object = 0

    async def befall(self, exchange: Exchange) -> None:
        actions, chance = exchange.seen.actions, random.Random(repr(self.seed))
        refused = frozenset(position for position in range(len(actions)) if chance.random() < self.share)
        if exchange.entry is not None:
            exchange.entry.refused = refused
        if not refused:
            await exchange.answer(await exchange.deliver())
            return
        kept = [position for position in range(len(actions)) if position not in refused]
        answer = await exchange.deliver(kept) if kept else Answer("HTTP/1.1 200 OK", [_JSON, _PRODUCT])
        if answer.status == 200:
            content = merged(answer.content if kept else None, actions, refused, exchange.seen.index)
            answer = answer.with_content(content)
        await exchange.answer(answer)


@dataclass(frozen=True)
class Cut(Fault):
    """Of a bulk only the first actions are delivered, then the connection is reset."""

    name = "cut off"
    keep: int | None = None
    """How many; else half of them."""

    async def befall(self, exchange: Exchange) -> None:
        count = len(exchange.seen.actions)
        kept = range(min(count, count // 2 if self.keep is None else self.keep))
        if kept:
            await exchange.deliver(kept)
        exchange.reset()


@dataclass
class Gate:
    """An engine that works on so many bulks at once: a number of others wait, and any more are refused with a 429."""

    at_once: int
    waiting: int | None = None
    retry_after_s: float | None = None
    now: int = field(default=0, init=False)
    """How many are there, at work or waiting."""
    working: int = field(default=0, init=False)
    most: int = field(default=0, init=False)
    """The most that were at work at any time."""
    refused: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.free = asyncio.Semaphore(self.at_once)

    @property
    def is_full(self) -> bool:
        """Whether one more has no place to wait."""
        return self.waiting is not None and self.now >= self.at_once + self.waiting


@dataclass(frozen=True)
class Limited(Fault):
    """It waits for its turn at a gate, or is refused there."""

    name = "limited"
    gate: Gate
    work_s: float = 0.0
    """How long the engine takes for it at least, during which its turn lasts."""

    async def befall(self, exchange: Exchange) -> None:
        gate = self.gate
        if gate.is_full:
            gate.refused += 1
            await exchange.answer(overloaded(gate.retry_after_s))
            return
        gate.now += 1
        try:
            async with gate.free:
                gate.working += 1
                gate.most = max(gate.most, gate.working)
                try:
                    await asyncio.sleep(self.work_s)
                    answer = await exchange.deliver()
                finally:
                    gate.working -= 1
        finally:
            gate.now -= 1
        await exchange.answer(answer)


def overloaded(retry_after_s: float | None) -> Answer:
    """Return the answer of an engine that has no room for a request."""
    cause = {"type": REJECTED, "reason": "rejected execution of coordinating operation: the proxy has no room for it"}
    content = {"error": {"root_cause": [cause], **cause}, "status": 429}
    pause = [] if retry_after_s is None else [("retry-after", f"{retry_after_s:g}")]
    return Answer("HTTP/1.1 429 Too Many Requests", [_JSON, _PRODUCT, *pause], msgspec.json.encode(content))


async def _again(exchange: Exchange, seconds: float) -> None:
    await asyncio.sleep(seconds)
    try:
        await exchange.deliver()
    except EngineGone:
        return  # which the journal tells: there is no answer in it
