"""The lease: the right to write to a target, claimed under an epoch, renewed while it is used, and given back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from connectors import logger
from connectors.aio.clock import Clock
from connectors.aio.tasks import Tasks
from connectors.errors import Conflict, ConnectorsError, EngineError, IndexReplaced, JobLost, TargetInUse
from connectors.store.record import Versioned
from connectors.store.state import Replacement, StateStore
from connectors.store.targets import TargetRecord
from connectors.sync.index.mark import MOST_BATCHES, epoch_of, version
from connectors.sync.index.target import Target, TargetWatch
from connectors.sync.owner.instance import Instance

log = logger.get(__name__)
_MOST_ATTEMPTS = 10
FAREWELL_S = 5.0
"""How long who is cancelled while claiming waits for the answer, to give back what was claimed."""
RENEWALS = 6
"""How often a lease is renewed within its timeout."""
FENCED_AFTER = 2 / 3
"""The share of its timeout after which nothing is sent under a lease before it is confirmed."""
MOST_AHEAD_S = 86_400.0
"""How far in the future an epoch may lie: what carries a higher one was not written by a clock like ours."""


@dataclass(frozen=True)
class Claim:
    """Who claims a target, and what for. A lease whose counter stands still for `timeout_s` may be taken over.

    With a `watch` the target is confirmed together with the lease.
    """

    target: Target
    connector: str
    run: str
    instance: Instance
    timeout_s: float = 60.0
    watch: TargetWatch | None = None
    kept_by: "Callable[[Lease], Awaitable[None]] | None" = None
    """Renews it until cancelled, seldom and with others; None for one that is renewed by itself."""


@dataclass(eq=False)
class Lease:
    """The right to write to one target, whose record only the owner renews, by compare-and-set.

    - Claiming gives an epoch above every earlier one of the target, and not below the present moment in milliseconds.
    - Numbers of batches are given under it, each once. When there are none left the epoch rises.
    - `ensure` is awaited before each request that writes: it costs nothing while the last renewal is young, and else
      confirms that the target is still ours. Whatever it was sent before is harmless: see docs/sync.md.
    - Whoever finds something in the way that was written under a higher version calls `rise_above`, which only the
      owner can; another one gets `JobLost`.
    """

    _state: StateStore
    _clock: Clock
    claim: Claim
    _record: Versioned[TargetRecord]
    _confirmed_at: float
    _batch: int = 0
    _rising_to: int = 0
    """The epoch of the last rise: it may be ours, if its answer did not come."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_first(self) -> bool:
        """Whether nobody has owned the target before; asked when it was just claimed."""
        return self._record.value.lease == 0

    @property
    def epoch(self) -> int:
        """The epoch that writes are numbered under now."""
        return self._record.value.epoch

    async def next_version(self) -> int:
        """Return the version of the next batch. Raises `JobLost`."""
        if self._batch + 1 >= MOST_BATCHES:
            await self.rise_above(version(self.epoch, self._batch))
        self._batch += 1
        return version(self.epoch, self._batch)

    async def ensure(self) -> None:
        """Make sure that the target is ours, by asking if it was not confirmed for a while.

        Raises `JobLost`, and `IndexReplaced` when the target is not what it was.
        """
        if self._clock.monotonic() - self._confirmed_at > FENCED_AFTER * self.claim.timeout_s:
            await self.renew()
        if self.claim.watch is not None:
            await self.claim.watch.ensure()

    async def confirm(self) -> None:
        """Do the same and ask in any case: before what can't be taken back, and before saying that all is done."""
        await self.renew()
        if self.claim.watch is not None:
            await self.claim.watch.confirm()

    async def renew(self) -> None:
        """Confirm that the target is ours. Raises `JobLost`, and an `EngineError` when that can't be found out."""
        async with self._lock:
            await self._write(_renewed)

    async def rise_above(self, other: int) -> None:
        """Let the next batch have a higher version than another one. Raises `JobLost`."""
        async with self._lock:
            if version(self.epoch, self._batch) > other:
                return  # somebody else's request has risen above it already
            self._rising_to = epoch = epoch_of(other) + 1
            await self._write(lambda record: msgspec.structs.replace(record, lease=record.lease + 1, epoch=epoch))
            self._batch = 0

    def is_within_reach(self, other: int) -> bool:
        """Return whether a version is one that can be risen above: our own epoch may be ahead of the clock."""
        return epoch_of(other) < max(self.epoch, _milliseconds(self._clock)) + MOST_AHEAD_S * 1000

    async def keep(self) -> None:
        """Confirm until cancelled. Raises `JobLost` and `IndexReplaced`; what else fails is tried again."""
        if self.claim.kept_by is not None:
            await self.claim.kept_by(self)
        while True:
            await self._clock.sleep(self.claim.timeout_s / RENEWALS)
            try:
                await self.confirm()
            except IndexReplaced:
                raise
            except EngineError as error:
                log.warning("The lease could not be renewed.", index=self.claim.target.index, why=str(error))

    # For who renews several at once.

    @property
    def age_s(self) -> float:
        """How long ago it was last confirmed that the target is ours."""
        return self._clock.monotonic() - self._confirmed_at

    @property
    def writing(self) -> asyncio.Lock:
        """Is held while the record is written."""
        return self._lock

    @property
    def renewal(self) -> Replacement[TargetRecord]:
        """What a renewal writes."""
        record = self._record.value
        return Replacement(TargetRecord.key_of(self.claim.target.uuid), self._record, _renewed(record))

    def was_renewed(self, record: Versioned[TargetRecord], sent_at: float) -> None:
        """Learn that this was written by a request that was sent then."""
        self._record, self._confirmed_at = record, sent_at

    async def give_back(self) -> None:
        """Let the next sync begin at once. What fails is only logged: the lease then ends by itself."""
        try:
            async with self._lock:
                await self._write(lambda record: msgspec.structs.replace(record, owner=None, run=None))
        except ConnectorsError as error:
            log.debug("The lease was not given back.", index=self.claim.target.index, why=str(error))

    async def _write(self, change: Callable[[TargetRecord], TargetRecord]) -> None:
        key, found = TargetRecord.key_of(self.claim.target.uuid), None
        for _ in range(_MOST_ATTEMPTS):
            sent_at = self._clock.monotonic()
            try:
                self._record = await self._state.replace(key, self._record, change(self._record.value))
            except Conflict:
                found = await self._state.read(key, TargetRecord)
                if found is None or not self._is_ours(found.value):
                    break
                self._record = found  # an earlier write of ours, whose answer did not come or was not waited for
            else:
                self._confirmed_at = sent_at
                return
        raise JobLost(
            f"Another sync has taken over the index {self.claim.target.index}.",
            taken_by=found.value.connector if found is not None else None,
            hint="What this one wrote is compared and mended by the other.",
        )

    def _is_ours(self, record: TargetRecord) -> bool:
        is_same_run = (record.owner, record.run) == (str(self.claim.instance), self.claim.run)
        return is_same_run and record.epoch in {self.epoch, self._rising_to}


@asynccontextmanager
async def leased(
    state: StateStore, claim: Claim, clock: Clock, *, waiting: Callable[[str], None] = lambda _owner: None
) -> AsyncIterator[Lease]:
    """Claim a target, renew the lease during the block, and give it back at the end.

    A lease of somebody else is watched for its timeout first; `waiting` is told whose it is. Raises `TargetInUse` when
    that one is alive, and in the block `JobLost` when it is taken over, and `IndexReplaced` when its watch says so.
    """
    lease = await _claimed(state, claim, clock, waiting)
    try:
        async with Tasks("lease") as tasks:
            keeping = tasks.start(lease.keep(), name="renewals")
            try:
                yield lease
            finally:
                keeping.cancel()
    finally:
        await lease.give_back()


async def _claimed(state: StateStore, claim: Claim, clock: Clock, waiting: Callable[[str], None]) -> Lease:
    key = TargetRecord.key_of(claim.target.uuid)
    while True:
        found = await state.read(key, TargetRecord)
        if found is not None and found.value.owner is not None:
            await _wait_for_end(state, found.value, claim, clock, waiting)
        sent_at = clock.monotonic()
        record = _record(claim, found.value if found is not None else None, clock)
        write = state.create(key, record) if found is None else state.replace(key, found, record)
        writing = asyncio.create_task(write, name="lease: claim")
        try:
            written = await asyncio.shield(writing)
        except Conflict:
            continue  # it is not any more what was waited for
        except asyncio.CancelledError:
            # Who is cancelled now may own the target, and nobody else could tell that for a whole timeout.
            await asyncio.wait((writing,), timeout=FAREWELL_S)
            if writing.done() and not writing.cancelled() and writing.exception() is None:
                await Lease(state, clock, claim, writing.result(), sent_at).give_back()
            writing.cancel()
            raise
        return Lease(state, clock, claim, written, sent_at)


async def _wait_for_end(
    state: StateStore, record: TargetRecord, claim: Claim, clock: Clock, waiting: Callable[[str], None]
) -> None:
    """Return when a lease has ended: given back, its process gone, or still for its whole timeout."""
    owner = Instance.of(record.owner or "")
    if owner is not None and owner.is_gone:
        return
    waiting(_name_of(record))
    until = clock.monotonic() + claim.timeout_s
    while clock.monotonic() < until:
        await clock.sleep(claim.timeout_s / RENEWALS)
        found = await state.read(TargetRecord.key_of(claim.target.uuid), TargetRecord)
        if found is None or found.value.owner is None:
            return
        if found.value.lease != record.lease or found.value.owner != record.owner:
            raise TargetInUse(
                f"The index {claim.target.index} is being written to by {_name_of(found.value)} "
                f"(connector {found.value.connector}).",
                hint="Wait for that sync to end, or stop it.",
            )


def _name_of(record: TargetRecord) -> str:
    owner = Instance.of(record.owner or "")
    return owner.name if owner is not None else str(record.owner)


def _record(claim: Claim, found: TargetRecord | None, clock: Clock) -> TargetRecord:
    before = found.epoch if found is not None else 0
    return TargetRecord(
        target=claim.target.uuid,
        index=claim.target.index,
        epoch=max(before + 1, _milliseconds(clock)),
        lease=found.lease + 1 if found is not None else 0,
        owner=str(claim.instance),
        connector=claim.connector,
        run=claim.run,
    )


def _renewed(record: TargetRecord) -> TargetRecord:
    return msgspec.structs.replace(record, lease=record.lease + 1)


def _milliseconds(clock: Clock) -> int:
    return int(clock.now().timestamp() * 1000)
