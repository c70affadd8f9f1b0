"""The writer: gathers operations in batches, has the engine carry them out, and tells what became of each."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

from connectors.aio.budget import ByteBudget
from connectors.aio.clock import Clock
from connectors.aio.retry import Retry, RetryPolicy
from connectors.aio.tasks import Tasks
from connectors.aio.throttle import AdaptiveLimiter
from connectors.engine.bulk import BulkItem
from connectors.engine.operations import Operations
from connectors.engine.records import StoredDocument
from connectors.errors import (
    EngineError,
    EngineRefused,
    IndexMissing,
    IndexReplaced,
)
from connectors.sync.index.mark import FIELD
from connectors.sync.owner.lease import Lease
from connectors.sync.report import SyncReport
from connectors.sync.writing.batch import Batch, Operation, Removal, Write
from connectors.sync.writing.conflict import Conflicting, out_of_reach
from connectors.sync.writing.neighbours import Neighbours, taken
from connectors.sync.writing.outage import Outage
from connectors.sync.writing.verdict import denied, is_elsewhere, passing, why

T = TypeVar("T")
MOST_CONFLICTS: Final = 5
"""How often a document is sent again because somebody else writes to it, before it is a dead letter."""
TOO_LARGE: Final = 413
LONGEST_PAUSE_S: Final = 10.0
MANY_ATTEMPTS: Final = 1_000_000
"""The time ends it, not the number of attempts."""


@dataclass(frozen=True)
class WriterLimits:
    """How large batches are, and how much waits to be sent.

    While the engine takes nothing at all for `unavailable_timeout_s`, the sync waits; then it ends in error.
    """

    batch_bytes: int = 2**20
    batch_documents: int = 1_000
    waiting_bytes: int = 16 * 2**20
    unavailable_timeout_s: float = 1_800.0

    def __post_init__(self) -> None:
        if self.batch_documents < 1 or not 1 <= self.batch_bytes <= self.waiting_bytes:
            raise ValueError("there has to be room for a document, and for a batch")


@dataclass(frozen=True)
class Channel:
    """How writes get to an engine. The limiter is that of all syncs of the process that write to it."""

    data: Operations
    limiter: AdaptiveLimiter
    clock: Clock
    limits: WriterLimits = WriterLimits()
    pipeline: str | None = None
    neighbours: Neighbours | None = None


@dataclass(frozen=True)
class _Refusal:
    """An operation that the engine does not take, and those that it took just before it."""

    before: list[Operation]
    operation: Operation
    cause: str
    reason: str


@dataclass(frozen=True)
class _Outcome:
    """What is to be done about a batch when all of it is answered."""

    conflicts: list[Conflicting] = field(default_factory=list)
    refusals: list[_Refusal] = field(default_factory=list)


class Receipts(Protocol):
    """Who is told what became of operations. Each is told of once.

    What was taken right before something that was refused, in the same batch, is told before that.
    """

    def written(self, writes: Sequence[Write]) -> None:
        """Learn that the index holds these documents."""

    def removed(self, removals: Sequence[Removal]) -> None:
        """Learn that the index holds these documents no more."""

    def overtaken(self, removal: Removal) -> None:
        """Learn that somebody wrote to a document after it was found to be gone, so that it was not deleted."""

    async def refused(self, operation: Operation, cause: str, reason: str) -> None:
        """Learn that the index does not take it, now and later."""


class Writer:
    """Writes to the target of a lease: `put` and `remove` gather, `drain` waits until all is done.

    - A batch is sent as soon as it is full, several at once, as many as the limiter of the engine allows. `put` waits
      while more than `waiting_bytes` are on their way.
    - A batch that is not answered is sent again with the same version and bytes. What of it the engine refuses for now
      is sent again alone. One that is too large for the engine is halved, and so are those after it; one that is
      refused as a whole is halved until what is wrong stands alone.
    - A conflict means that the document is there under a higher version, or was deleted under one: the lease rises
      above it, which only the owner of the target can, and the document is sent again.
    - `counted` counts the writes that the engine acknowledged by a sequence number: the audit compares it with how far
      the index has come.

    Entered once; an error of a batch interrupts the block and is raised by it, and by whoever still puts something.
    """

    def __init__(self, channel: Channel, lease: Lease, receipts: Receipts, report: SyncReport) -> None:
        self._channel = channel
        self.lease = lease
        self._receipts = receipts
        self._report = report
        self._limits = limits = channel.limits
        self._batch_bytes = limits.batch_bytes
        self._budget = ByteBudget(limits.waiting_bytes)
        self._open: Batch | None = None
        self._opening = asyncio.Lock()
        self._tasks = Tasks("bulk")
        self._on_their_way: set[int] = set()
        """The versions of batches of which it is not known yet what became of them."""
        self._delivered = asyncio.Condition()
        self._failure: BaseException | None = None
        self._outage = Outage(report, channel.clock, limits.unavailable_timeout_s)
        self.counted = 0

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tasks.__aexit__(kind, error, trace)

    @property
    def index(self) -> str:
        """The concrete index that is written to."""
        return self.lease.claim.target.index

    async def confirm(self) -> None:
        """Make sure now that the target is ours and what it was. Raises `JobLost` and `IndexReplaced`."""
        await self.lease.confirm()

    async def put(self, write: Write, body: bytes) -> None:
        """Write a document, waiting for room. The id is not to be on its way already."""
        await self._add([(write, body)])

    async def put_many(self, writes: Sequence[tuple[Write, bytes]]) -> None:
        """Write documents of as many ids, waiting for room: cheaper than one by one."""
        await self._add(writes)

    async def remove(self, removal: Removal) -> None:
        """Delete a document, waiting for room."""
        await self._add([(removal, b"")])

    async def drain(self) -> None:
        """Send what is gathered, and wait until it is known of everything what became of it."""
        async with self._opening:
            await self._send_open()
        async with self._delivered:
            await self._delivered.wait_for(lambda: not self._on_their_way)

    async def passed(self, version: int) -> None:
        """Wait until it is known of all that was put before the batch of that version what became of it."""
        async with self._delivered:
            await self._delivered.wait_for(lambda: all(one >= version for one in self._on_their_way))

    async def cut(self) -> int:
        """Send what is gathered, and return the version before whose batch all of it is."""
        async with self._opening:
            await self._send_open()
            return await self.lease.next_version()

    async def _add(self, operations: Sequence[tuple[Operation, bytes]]) -> None:
        most = self._limits.batch_documents
        async with self._opening:  # several stages of a sync may put at once
            for operation, body in operations:
                batch = self._open
                if batch is None:
                    batch = self._open = Batch(await self.lease.next_version(), self.lease.claim.connector)
                batch.add(operation, body)
                if batch.size >= self._batch_bytes or len(batch.operations) >= most:
                    await self._send_open()

    async def _send_open(self) -> None:
        batch = self._open
        if batch is None:
            return
        room = await self._budget.reserve(min(batch.footprint, self._budget.total))  # cancelled, it stays to be sent
        self._open = None
        if self._failure is not None:
            room.release()
            raise self._failure
        self._on_their_way.add(batch.version)

        async def deliver() -> None:
            version = batch.version
            await self._spare(batch)
            await self._deliver(batch)
            # Not when it failed: who waits for the end must not take that for one.
            async with self._delivered:
                self._on_their_way.discard(version)
                self._delivered.notify_all()

        def ended(task: asyncio.Task[None]) -> None:  # also one that was cancelled before it began
            room.release()
            if not task.cancelled():
                self._failure = self._failure or task.exception()

        self._tasks.start(deliver(), name=f"batch of {len(batch)}").add_done_callback(ended)

    async def _spare(self, batch: Batch) -> None:
        """Take from a batch, in a shared index, what would be written over documents of other connectors."""
        neighbours = self._channel.neighbours
        if neighbours is None or not neighbours.shared:
            return
        new = {place: one for place, one in enumerate(batch.operations) if isinstance(one, Write) and not one.held}
        if not new:
            return
        ids = [one.id for one in new.values()]
        found = await self._patiently(lambda: self._channel.data.get_many(self.index, ids, source=[FIELD]))
        spared = set[int]()
        for (place, write), owner in zip(new.items(), await neighbours.owners(found), strict=True):
            if owner is not None:
                await self._receipts.refused(write, *taken(owner))
                spared.add(place)
        if spared:
            batch.keep([place for place in range(len(batch)) if place not in spared])

    async def _deliver(self, batch: Batch) -> None:
        """See to it that every operation of a batch is done, or known to be impossible."""
        if not len(batch):
            return
        outcome = _Outcome()
        error = await self._patiently(lambda: self._attempt(batch, outcome))
        for one in outcome.refusals:
            self._tell(one.before)
            await self._receipts.refused(one.operation, one.cause, one.reason)
        if error is not None:
            await self._halve(batch, error)
        if outcome.conflicts:
            await self._resolve(batch.version, outcome.conflicts)

    async def _attempt(self, batch: Batch, outcome: _Outcome) -> EngineRefused | None:
        """Send what is left of a batch once, and return why it is refused as a whole where it is.

        Raises why some of it is still left, where that can change.
        """
        await self.lease.ensure()
        async with self._channel.limiter.slot():
            self._report.requests += 1
            self._report.sent += len(batch)
            self._report.sent_bytes += batch.size
            target = self.lease.claim.target
            try:
                answer = await self._channel.data.bulk(
                    target.alias or target.index,
                    batch.body(),
                    operations=len(batch),
                    pipeline=self._channel.pipeline,
                    require_alias=target.alias is not None,
                )
            except EngineRefused as error:
                return error
            except IndexMissing as error:
                raise self._replaced() from error
            items = [item for action in answer.items for item in action.values()]
            all_went_well = [item.error for item in items].count(None) == len(items)
            is_usual = all_went_well and {item.index for item in items} == {target.index}
            if not is_usual and any(is_elsewhere(item, target.index) for item in items):
                await self.lease.confirm()  # that it was a pipeline, or passes, and the name still means the same
            again = self._sort(batch, items, outcome)
            if again is not None:
                raise again
        self._outage.over()
        return None

    def _sort(self, batch: Batch, items: Sequence[BulkItem], outcome: _Outcome) -> EngineError | None:
        """Learn what became of operations, leave in the batch those to be sent again, and return why."""
        self.counted += len(items) - [item.seq_no for item in items].count(None)
        index, fine = self.index, BulkItem.OK
        done: list[Operation] = []
        left: list[int] = []
        again: EngineError | None = None
        for place, (operation, item) in enumerate(zip(batch.operations, items, strict=True)):
            if item.error is None and item.result in fine and item.index == index:
                done.append(operation)
            elif item.status == 409:
                body = batch.document(place) if isinstance(operation, Write) else b""
                outcome.conflicts.append(Conflicting(operation, body, item.met_version))
            elif (refused := denied(item, self.lease.claim.target)) is not None:
                raise refused
            elif (error := passing(item, self.lease.claim.target)) is not None:
                left.append(place)
                again = error
            else:
                self.counted -= item.seq_no is not None  # it is one of another index
                outcome.refusals.append(_Refusal(done, operation, *why(item, index)))
                done = []
        if len(left) < len(items):
            self._outage.passes()
        batch.keep(left)
        self._tell(done)
        return again

    def _tell(self, done: Sequence[Operation]) -> None:
        if written := [one for one in done if isinstance(one, Write)]:
            self._receipts.written(written)
        if removed := [one for one in done if isinstance(one, Removal)]:
            self._receipts.removed(removed)

    async def _halve(self, batch: Batch, error: EngineRefused) -> None:
        """Halve a batch that the engine does not take as a whole, until what is wrong with it stands alone."""
        if error.status == TOO_LARGE:
            self._batch_bytes = max(1, min(self._batch_bytes, batch.size // 2))
        if len(batch) == 1:
            await self._receipts.refused(batch.operations[0], error.kind, error.message)
            return
        for half in batch.halves():
            await self._deliver(half)

    async def _resolve(self, sent: int, conflicts: Sequence[Conflicting]) -> None:
        """Send again what met a higher version than was sent, under one that is higher still."""
        self._report.conflicts += len(conflicts)
        again: list[tuple[Write, bytes]] = []
        gone: list[Removal] = []
        highest = sent
        found = await self._stored(conflicts)
        neighbours = self._channel.neighbours
        owners = await neighbours.owners(found) if neighbours is not None else [None] * len(found)
        for one, stored, owner in zip(conflicts, found, owners, strict=True):
            operation = one.operation
            operation.conflicts += 1
            if isinstance(operation, Removal):
                if stored is None:  # an attempt whose answer was lost deleted it, or somebody else did
                    gone.append(operation)
                else:
                    self._receipts.overtaken(operation)
                continue
            met = one.to_rise_above(sent, stored)
            if owner is not None:
                await self._receipts.refused(operation, *taken(owner))
            elif not self.lease.is_within_reach(met):
                await self._receipts.refused(operation, "version out of reach", out_of_reach(met, stored))
            elif operation.conflicts > MOST_CONFLICTS:
                await self._receipts.refused(operation, "conflict", "Somebody else keeps writing to the document.")
            else:
                again.append((operation, one.body))
                highest = max(highest, met)
        self._tell(gone)
        if again:
            await self._patiently(lambda: self.lease.rise_above(highest))
            batch = Batch(await self.lease.next_version(), self.lease.claim.connector)
            for write, body in again:
                batch.add(write, body)
            await self._deliver(batch)

    async def _stored(self, conflicts: Sequence[Conflicting]) -> list[StoredDocument | None]:
        """Return what the index holds now of documents that met a conflict, of their fields the mark."""
        ids = [one.operation.id for one in conflicts]
        try:
            return await self._patiently(lambda: self._channel.data.get_many(self.index, ids, source=[FIELD]))
        except IndexMissing as error:
            raise self._replaced() from error

    def _replaced(self) -> IndexReplaced:
        return IndexReplaced(f"The index {self.index} was deleted while it was written to.", index=self.index)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call until it succeeds or fails for good: how long that may take the outage decides."""
        policy = RetryPolicy(MANY_ATTEMPTS, longest_pause_s=LONGEST_PAUSE_S, limit_s=math.inf)
        # Not made once and kept: each would know the other, and the ledger behind them would be freed late.
        retry = Retry(policy, self._channel.clock, observe=self._outage.lasts)
        return await retry(lambda _: call())
