"""Held deletions: the ids that a sync would have deleted, had there not been too many, until a person has decided."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final
from uuid import uuid4

import msgspec

from connectors.aio.clock import Clock, SystemClock
from connectors.errors import Conflict, RecordUnreadable
from connectors.store.record import Record
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType

CHUNK: Final = 1_000
"""Ids of one document: half a megabyte when they are as long as ids may be."""


class HeldStatus(StrEnum):
    """What became of a held set; one that is still being written, or being removed, is not offered to anybody."""

    INCOMPLETE = "incomplete"
    HELD = "held"
    APPROVED = "approved"
    DISCARDED = "discarded"
    LAPSED = "lapsed"


class HeldSet(Record, frozen=True, kw_only=True):
    """What is known of the deletions that one run held; the ids are apart, in chunks."""

    KIND: ClassVar[str] = "held"

    connector: str
    run: str
    target: str
    """The UUID of the index that the documents are in."""
    job_type: JobType
    reason: str
    created_at: datetime
    number: int = 0
    chunks: int = 0
    status: HeldStatus = HeldStatus.INCOMPLETE
    decided_at: datetime | None = None
    attempt: str = ""
    """Tells the chunks of this set from those of a worker that lost the run and does not know it yet."""

    @property
    def key(self) -> str:
        """Where it is."""
        return self.key_for(self.connector, self.run)


class HeldChunk(Record, frozen=True, kw_only=True):
    """Some of the ids of a held set."""

    KIND: ClassVar[str] = "held-chunk"

    connector: str
    run: str
    attempt: str
    place: int
    ids: list[str]

    @property
    def key(self) -> str:
        """Where it is."""
        return self.key_for(self.connector, self.run, self.attempt, self.place)


class HeldSets:
    """Keeps held sets, of however many ids: what is in memory is a chunk at a time.

    The record of a set is written before its chunks and removed after them, so that no chunk is ever without one.
    """

    def __init__(self, state: StateStore, clock: Clock | None = None) -> None:
        self._state = state
        self._clock = clock or SystemClock()

    async def hold(self, held: HeldSet, ids: AsyncIterable[Sequence[str]]) -> HeldSet:
        """Write a set with the ids that come in pages, and return it with their number.

        What this run held before, and what earlier runs did not finish writing or removing, is removed. Raises
        `Conflict` when another worker holds for the same run meanwhile: the run is not this one's any more.
        """
        async for other in self._state.find(HeldSet, connector=held.connector):
            if other.value.run == held.run or _is_left_over(other.value, held):
                await self.remove(other.value)
        begun = await self._state.create(
            held.key,
            msgspec.structs.replace(held, status=HeldStatus.INCOMPLETE, number=0, chunks=0, attempt=uuid4().hex),
        )
        attempt, number, chunks = begun.value.attempt, 0, 0
        async for chunk in _chunks(ids):
            one = HeldChunk(connector=held.connector, run=held.run, attempt=attempt, place=chunks, ids=chunk)
            await self._state.put(one.key, one)
            number, chunks = number + len(chunk), chunks + 1
        whole = msgspec.structs.replace(begun.value, status=HeldStatus.HELD, number=number, chunks=chunks)
        return (await self._state.replace(held.key, begun, whole)).value

    async def get(self, connector: str, run: str) -> HeldSet | None:
        """Return what a run held; None when that is nothing, or not whole."""
        found = await self._state.read(HeldSet.key_for(connector, run), HeldSet)
        return None if found is None or found.value.status is HeldStatus.INCOMPLETE else found.value

    async def of(self, connector: str, *, status: HeldStatus | None = None) -> list[HeldSet]:
        """Return the held sets of a connector, those of a status where one is given, the oldest first."""
        found = [one.value async for one in self._state.find(HeldSet, connector=connector)]
        wanted = (
            one for one in found if one.status is not HeldStatus.INCOMPLETE and (status is None or one.status is status)
        )
        return sorted(wanted, key=lambda one: (one.created_at, one.run))

    async def waiting(self) -> list[HeldSet]:
        """Return the held sets of all connectors that nobody has decided about, the oldest first."""
        found = [one.value async for one in self._state.find(HeldSet)]
        waiting = (one for one in found if one.status is HeldStatus.HELD)
        return sorted(waiting, key=lambda one: (one.created_at, one.run))

    async def ids(self, held: HeldSet) -> AsyncGenerator[list[str], None]:
        """Yield the ids of a set in the order in which they came, a chunk at a time.

        Raises `RecordUnreadable` when some are missing, which may be after others were yielded.
        """
        number = 0
        for place in range(held.chunks):
            key = HeldChunk.key_for(held.connector, held.run, held.attempt, place)
            chunk = await self._state.read(key, HeldChunk)
            if chunk is None:
                raise RecordUnreadable(
                    f"A part of what {held.run!r} held is missing.", key=key, hint="Discard the rest."
                )
            number += len(chunk.value.ids)
            yield chunk.value.ids
        if number != held.number:
            raise RecordUnreadable(f"Of {held.number} ids that {held.run!r} held, {number} are left.", key=held.key)

    async def approve(self, connector: str, run: str) -> HeldSet:
        """Say that a set may be deleted by the next complete walk; what was approved before lapses.

        Raises `Conflict` when it is not held, or not any more.
        """
        approved = await self._decide(connector, run, HeldStatus.HELD, HeldStatus.APPROVED)
        for other in await self.of(connector, status=HeldStatus.APPROVED):
            if other.run != run:
                await self._decide(connector, other.run, HeldStatus.APPROVED, HeldStatus.LAPSED)
        return approved

    async def discard(self, connector: str, run: str) -> HeldSet:
        """Say that a set is not to be deleted. Raises `Conflict` when it is not held, or not any more."""
        return await self._decide(connector, run, HeldStatus.HELD, HeldStatus.DISCARDED)

    async def lapse(self, connector: str, run: str) -> HeldSet:
        """Say that the approval of a set holds no longer. Raises `Conflict` when it is not approved."""
        return await self._decide(connector, run, HeldStatus.APPROVED, HeldStatus.LAPSED)

    async def remove(self, held: HeldSet) -> None:
        """Remove a set, whatever of it there is."""
        key = held.key
        if await self._state.read(key, HeldSet) is not None:
            await self._state.change(
                key, HeldSet, lambda found: msgspec.structs.replace(found or held, status=HeldStatus.INCOMPLETE)
            )
        async for chunk in self._state.keys(HeldChunk, connector=held.connector, run=held.run):
            await self._state.delete(chunk)
        await self._state.delete(key)

    async def _decide(self, connector: str, run: str, before: HeldStatus, after: HeldStatus) -> HeldSet:
        def decided(held: HeldSet | None) -> HeldSet:
            if held is not None and held.status is after:
                return held
            if held is None or held.status is not before:
                state = "there is none" if held is None else f"it is {held.status}"
                raise _NotAsExpected(f"What {run!r} held can't become {after}: {state}.")
            return msgspec.structs.replace(held, status=after, decided_at=self._clock.now())

        try:
            return (await self._state.change(HeldSet.key_for(connector, run), HeldSet, decided)).value
        except _NotAsExpected as error:
            raise Conflict(str(error)) from None


class _NotAsExpected(Exception):
    """Leaves a change at once, which a `Conflict` would only begin anew."""


def _is_left_over(other: HeldSet, held: HeldSet) -> bool:
    """Return whether nobody can be writing a set any more: of one connector one sync of each of these sorts runs."""
    same_sort = (other.job_type is JobType.ACCESS_CONTROL) == (held.job_type is JobType.ACCESS_CONTROL)
    return other.status is HeldStatus.INCOMPLETE and same_sort


async def _chunks(pages: AsyncIterable[Sequence[str]]) -> AsyncIterator[list[str]]:
    chunk: list[str] = []
    async for page in pages:
        for one in page:
            chunk.append(one)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk
