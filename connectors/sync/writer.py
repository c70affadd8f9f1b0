"""The writer: gathers operations in batches, has the engine carry them out, and tells what became of each."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from connectors import logger
from connectors.aio.budget import ByteBudget
from connectors.aio.clock import Clock
from connectors.aio.retry import Retry, RetryPolicy
from connectors.aio.tasks import Tasks
from connectors.aio.throttle import AdaptiveLimiter
from connectors.engine.bulk import BulkAnswer, BulkItem
from connectors.engine.operations import Operations
from connectors.errors import (
    EngineBlocked,
    EngineError,
    EngineFailed,
    EngineOverloaded,
    EngineRefused,
    IndexMissing,
    IndexReplaced,
)
from connectors.sync.batch import Batch, Operation, Removal, Write
from connectors.sync.lease import Lease
from connectors.sync.mark import FIELD
from connectors.sync.neighbours import Neighbours
from connectors.sync.report import SyncReport

log = logger.get(__name__)
MOST_CONFLICTS: Final = 5
"""How often a document is sent again because somebody else writes to it, before it is a dead letter."""
TOO_LARGE: Final = 413
LONGEST_PAUSE_S: Final = 10.0
BLOCKED: Final = "cluster_block_exception"
MISSING: Final = "index_not_found_exception"
MANY_ATTEMPTS: Final = 1_000_000
"""The time ends it, not the number of attempts."""


@dataclass(frozen=True)
class WriterLimits:
    """How large batches are, and how much waits to be sent.

    While the engine takes nothing at all for `unavailable_timeout_s`, the sync waits; then it ends in error.
    """

    batch_bytes: int = 2 * 2**20
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


Conflicting = tuple[Operation, bytes]
"""An operation that met a higher version, with the body of its document."""


class Receipts(Protocol):
    """Who is told what became of operations. Each is told of once."""

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

    Entered once; an error of a batch interrupts the block and is raised by it.
    """

    def __init__(self, channel: Channel, lease: Lease, receipts: Receipts, report: SyncReport) -> None:
        self._channel = channel
        self._lease = lease
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
        self._patience = RetryPolicy(
            MANY_ATTEMPTS, longest_pause_s=LONGEST_PAUSE_S, limit_s=limits.unavailable_timeout_s
        )
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
        return self._lease.claim.target.index

    async def confirm(self) -> None:
        """Make sure now that the target is ours and what it was. Raises `JobLost` and `IndexReplaced`."""
        await self._lease.confirm()

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
            return await self._lease.next_version()

    async def _add(self, operations: Sequence[tuple[Operation, bytes]]) -> None:
        most = self._limits.batch_documents
        async with self._opening:  # several stages of a sync may put at once
            for operation, body in operations:
                batch = self._open
                if batch is None:
                    batch = self._open = Batch(await self._lease.next_version(), self._lease.claim.connector)
                batch.add(operation, body)
                if batch.size >= self._batch_bytes or len(batch.operations) >= most:
                    await self._send_open()

    async def _send_open(self) -> None:
        batch, self._open = self._open, None
        if batch is None:
            return
        room = await self._budget.reserve(min(batch.size, self._budget.total))
        self._on_their_way.add(batch.version)

        async def deliver() -> None:
            version = batch.version
            with room:
                await self._spare(batch)
                await self._deliver(batch)
            # Not when it failed: who waits for the end must not take that for one.
            async with self._delivered:
                self._on_their_way.discard(version)
                self._delivered.notify_all()

        self._tasks.start(deliver(), name=f"batch of {len(batch)}")

    async def _spare(self, batch: Batch) -> None:
        """Take from a batch, in a shared index, what would be written over documents of other connectors."""
        neighbours = self._channel.neighbours
        if neighbours is None or not neighbours.shared:
            return
        new = {place: one for place, one in enumerate(batch.operations) if isinstance(one, Write) and not one.held}
        if not new:
            return
        ids = [one.id for one in new.values()]
        found = await self._retry()(lambda _: self._channel.data.get_many(self.index, ids, source=[FIELD]))
        taken = set[int]()
        for (place, write), owner in zip(new.items(), await neighbours.owners(found), strict=True):
            if owner is not None:
                await self._receipts.refused(write, *_taken(owner))
                taken.add(place)
        if taken:
            batch.keep([place for place in range(len(batch)) if place not in taken])

    async def _deliver(self, batch: Batch) -> None:
        """See to it that every operation of a batch is done, or known to be impossible."""
        conflicts: list[Conflicting] = []
        if not len(batch):
            return
        try:
            await self._retry()(lambda _: self._attempt(batch, conflicts))
        except EngineRefused as error:
            await self._refused(batch, error)
        except IndexMissing as error:
            text = f"The index {self.index} was deleted while it was written to."
            raise IndexReplaced(text, index=self.index) from error
        if conflicts:
            await self._resolve(batch.version, conflicts)

    async def _attempt(self, batch: Batch, conflicts: list[Conflicting]) -> None:
        """Send what is left of a batch once. Raises why some of it is still left, where that can change."""
        await self._lease.ensure()
        async with self._channel.limiter.slot():
            self._report.requests += 1
            self._report.sent += len(batch)
            self._report.sent_bytes += batch.size
            target = self._lease.claim.target
            answer = await self._channel.data.bulk(
                target.alias or target.index,
                batch.body(),
                operations=len(batch),
                pipeline=self._channel.pipeline,
                require_alias=target.alias is not None,
            )
            if any(_is_elsewhere(item, target.index) for action in answer.items for item in action.values()):
                await self._lease.confirm()  # that it was a pipeline, or passes, and the name still means the same
            again = await self._sort(batch, answer, conflicts)
            if again is not None:
                raise again
        self._report.waiting_for = None

    async def _sort(self, batch: Batch, answer: BulkAnswer, conflicts: list[Conflicting]) -> EngineError | None:
        """Tell what became of operations, leave in the batch those to be sent again, and return why."""
        items = [item for action in answer.items for item in action.values()]
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
                conflicts.append((operation, body))
            elif (error := _passing(item)) is not None:
                left.append(place)
                again = error
            else:
                await self._receipts.refused(operation, *_why(item, index))
        batch.keep(left)
        if written := [one for one in done if isinstance(one, Write)]:
            self._receipts.written(written)
        if removed := [one for one in done if isinstance(one, Removal)]:
            self._receipts.removed(removed)
        return again

    async def _refused(self, batch: Batch, error: EngineRefused) -> None:
        """Halve a batch that the engine does not take as a whole, until what is wrong with it stands alone."""
        if error.status == TOO_LARGE:
            self._batch_bytes = max(1, min(self._batch_bytes, batch.size // 2))
        if len(batch) == 1:
            await self._receipts.refused(batch.operations[0], error.kind, error.message)
            return
        for half in batch.halves():
            await self._deliver(half)

    async def _resolve(self, version: int, conflicts: Sequence[Conflicting]) -> None:
        """Send again what met a higher version, under one that is higher still."""
        self._report.conflicts += len(conflicts)
        writes = [(operation, body) for operation, body in conflicts if isinstance(operation, Write)]
        removals = [operation for operation, _ in conflicts if isinstance(operation, Removal)]
        if removals:
            await self._look_after(removals)
        if not writes:
            return
        index = self.index
        found = await self._channel.data.get_many(index, [write.id for write, _ in writes], source=[FIELD])
        neighbours = self._channel.neighbours
        owners = await neighbours.owners(found) if neighbours is not None else [None] * len(found)
        again: list[tuple[Write, bytes]] = []
        highest = version
        for (write, body), stored, owner in zip(writes, found, owners, strict=True):
            write.conflicts += 1
            if owner is not None:
                await self._receipts.refused(write, *_taken(owner))
            elif stored is not None and not self._lease.is_within_reach(stored.version):
                reason = f"The document has the version {stored.version}, which somebody else gave it; delete it first."
                await self._receipts.refused(write, "version out of reach", reason)
            elif write.conflicts > MOST_CONFLICTS:
                await self._receipts.refused(write, "conflict", "Somebody else keeps writing to the document.")
            else:
                again.append((write, body))
                highest = max(highest, stored.version if stored is not None else 0)
        if again:
            await self._lease.rise_above(highest)
            batch = Batch(await self._lease.next_version(), self._lease.claim.connector)
            for write, body in again:
                batch.add(write, body)
            await self._deliver(batch)

    async def _look_after(self, removals: Sequence[Removal]) -> None:
        """Find out why documents could not be deleted: by an attempt whose answer was lost they are gone already."""
        found = await self._channel.data.get_many(self.index, [one.id for one in removals], source=False)
        gone = [removal for removal, stored in zip(removals, found, strict=True) if stored is None]
        if gone:
            self._receipts.removed(gone)
        for removal, stored in zip(removals, found, strict=True):
            if stored is not None:
                self._receipts.overtaken(removal)

    def _retry(self) -> Retry:
        """Return what waits for the engine: not made once and kept, as each would know the other, and all behind it."""
        return Retry(self._patience, self._channel.clock, observe=self._waits)

    def _waits(self, error: Exception, attempt: int, pause_s: float) -> None:
        self._report.waiting_for = str(error)
        log.info(
            "The engine did not take a batch; trying again.", attempt=attempt, pause_s=round(pause_s, 1), why=str(error)
        )


def _taken(owner: str) -> tuple[str, str]:
    """Return the cause and the reason why a document of another connector is not written to."""
    return "another connector's", f"The index has a document of this id that belongs to the connector {owner!r}."


def _is_elsewhere(item: BulkItem, index: str) -> bool:
    """Return whether an operation did not find the index that it was meant for."""
    return item.index != index if item.error is None else item.error.type == MISSING


def _passing(item: BulkItem) -> EngineError | None:
    """Return the error for an operation that the engine may take later."""
    if item.error is None or (item.status != 429 and item.status < 500 and item.error.type not in {BLOCKED, MISSING}):
        return None
    text = f"{item.error.reason or 'No reason given'} ({item.error.type}, status {item.status})."
    if item.error.type == BLOCKED:
        return EngineBlocked(text, hint="Free disk space, or lift the block from the index.")
    return EngineOverloaded(text) if item.status == 429 else EngineFailed(text, status=item.status)


def _why(item: BulkItem, index: str) -> tuple[str, str]:
    """Return the cause and the reason why an operation can't be carried out."""
    if item.error is not None:
        deepest = item.error.caused_by or item.error
        reasons = dict.fromkeys(one.reason for one in (item.error, deepest) if one.reason)
        return item.error.type, ": ".join(reasons) or "The engine gives no reason."
    if item.index != index:
        return "rerouted", f"A pipeline sent the document to the index {item.index}."
    return f"result {item.result}", "A pipeline dropped the document."
