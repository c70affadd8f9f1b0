"""What the tests of the writer share: an engine, leases, and who is told what became of operations."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from connectors.aio.throttle import AdaptiveLimiter
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.store.targets import TargetRecord
from connectors.sync.document.prepared import key_of
from connectors.sync.index.target import Target, TargetWatch
from connectors.sync.owner.instance import Instance
from connectors.sync.owner.lease import Claim, Lease, leased
from connectors.sync.report import SyncReport
from connectors.sync.writing.batch import Operation, Removal, Write
from connectors.sync.writing.writer import Channel, Writer, WriterLimits
from connectors.testing.virtual_time import START, VirtualClock
from tests.sync.small_engine import SmallEngine, item_error

NOW_MS = int(START.timestamp() * 1000)
INDEX = "docs-000001"
FREE = "Free disk space, or lift the block from the index."
BUSY = item_error(429, "es_rejected_execution_exception")


@dataclass
class Noted:
    """Notes what it is told. `error` is raised by the next refusal."""

    told: list[tuple[str, str]] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None

    def written(self, writes: Sequence[Write]) -> None:
        assert writes
        self.told += [("written", one.id) for one in writes]

    def removed(self, removals: Sequence[Removal]) -> None:
        assert removals
        self.told += [("removed", one.id) for one in removals]

    def overtaken(self, removal: Removal) -> None:
        self.told.append(("overtaken", removal.id))

    async def refused(self, operation: Operation, cause: str, reason: str) -> None:
        await asyncio.sleep(0.01)
        self.told.append((cause, operation.id))
        self.reasons[operation.id] = reason
        if self.error is not None:
            raise self.error

    def ids(self, what: str) -> list[str]:
        return sorted(doc_id for one, doc_id in self.told if one == what)

    @property
    def each_once(self) -> bool:
        return max(Counter(doc_id for _, doc_id in self.told).values(), default=1) == 1


class World:
    """An engine for data, another one for leases, and what a writer works with."""

    lease: Lease

    def __init__(self, *, latency_s: float = 0.01, at_once: int = 4, **limits: Any) -> None:
        self.clock = VirtualClock()
        self.engine = SmallEngine(self.clock, latency_s=latency_s)
        self.engine.index(INDEX)
        self.control = SmallEngine(self.clock)
        self.state = StateStore(self.control, self.clock)
        self.limiter = AdaptiveLimiter(most=at_once, first=at_once, clock=self.clock)
        self.noted = Noted()
        self.report = SyncReport(JobType.FULL, INDEX, START)
        self.limits = WriterLimits(**limits)

    @asynccontextmanager
    async def writing(self, watch: TargetWatch | None = None) -> AsyncIterator[Writer]:
        channel = Channel(self.engine, self.limiter, self.clock, self.limits)
        claim = Claim(Target("docs", INDEX, "uuid"), "c", "run", Instance.current(), watch=watch)
        async with leased(self.state, claim, self.clock) as self.lease:
            async with Writer(channel, self.lease, self.noted, self.report) as writer:
                yield writer

    async def write(self, *ids: str, body: bytes = b'{"n":1}') -> Writer:
        """Write documents and wait until it is known what became of them."""
        async with self.writing() as writer:
            for doc_id in ids:
                await writer.put(write(doc_id), body)
            await writer.drain()
        assert self.noted.each_once
        return writer

    async def take_over(self) -> None:
        """Let somebody else own the target."""
        record = TargetRecord(target="uuid", index=INDEX, epoch=NOW_MS + 1_000, owner="somebody", run="other")
        await self.state.put(TargetRecord.key_of("uuid"), record)

    @property
    def sent(self) -> list[list[str]]:
        """The ids of each request."""
        return [ids_of(body) for body in self.engine.bodies]

    @property
    def versions(self) -> dict[str, int]:
        return {doc_id: place.version for doc_id, place in self.engine.index(INDEX).places.items()}


def write(doc_id: str) -> Write:
    return Write(doc_id, key_of(doc_id), 1)


def ids_of(body: bytes) -> list[str]:
    lines = map(json.loads, body.split(b"\n")[:-1])
    return [given["_id"] for line in lines for action, given in line.items() if action in {"index", "delete"}]


def others() -> set[asyncio.Task[Any]]:
    """Return the tasks that there are besides this one."""
    return asyncio.all_tasks() - {asyncio.current_task()}
