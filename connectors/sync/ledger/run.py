"""A run of a ledger: entries in the order of their keys, which takes in another run without a copy of either."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from connectors.sync.ledger.column import Column

Array = npt.NDArray[Any]
Halves = npt.NDArray[np.uint64]
Fingerprints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]
Key = tuple[int, int]
_FIRST: Final = (-1, -1)
"""Before every key."""


class Entries:
    """Entries in the order of their keys, each key once: the two halves of the keys, fingerprints and flags."""

    def __init__(self, high: Halves, low: Halves, fingerprints: Fingerprints, flags: Flags) -> None:
        self._own: tuple[Array, ...] = (high, low, fingerprints, flags)
        self._length = len(high)

    def __len__(self) -> int:
        return self._length

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The columns, which may be longer than the entries. Not to be kept: they move when a run grows."""
        return self._own

    def truncate(self, length: int) -> None:
        """Forget all but the first entries."""
        self._length = length

    def key(self, place: int) -> Key:
        """Return the key of an entry."""
        high, low, *_ = self.arrays
        return int(high[place]), int(low[place])

    def place(self, key: Key, end: int) -> int:
        """Return how many of the entries before `end` have a smaller key."""
        high, low, *_ = self.arrays
        place = int(np.searchsorted(high[:end], np.uint64(key[0])))
        while place < end and int(high[place]) == key[0] and int(low[place]) < key[1]:
            place += 1
        return place

    def find(self, high: Halves, low: Halves) -> tuple[Places, Bools]:
        """Return for each of these keys, best given in order, how many entries are smaller, and whether it is here."""
        if not self._length:
            return np.zeros(len(high), np.intp), np.zeros(len(high), np.bool_)
        highs, lows = (column[: self._length] for column in self.arrays[:2])
        places = self._search(highs, high)
        there = np.minimum(places, self._length - 1)
        same = highs[there] == high
        lows_there = lows[there]
        behind = np.flatnonzero(same & (lows_there < low) & (places < self._length))
        if not len(behind):
            return places, same & (lows_there == low)
        while len(behind):  # other keys have the same first half, which nobody but an attacker will see
            places[behind] += 1
            at, wanted = places[behind], behind
            inside = at < self._length
            at, wanted = at[inside], wanted[inside]
            behind = wanted[(highs[at] == high[wanted]) & (lows[at] < low[wanted])]
        there = np.minimum(places, self._length - 1)
        return places, (highs[there] == high) & (lows[there] == low) & (places < self._length)

    def _search(self, highs: Halves, wanted: Halves) -> Places:
        """Return how many of the entries have a smaller first half."""
        return np.searchsorted(highs, wanted)


class Run(Entries):
    """Entries in columns that grow in place. Only a few blocks of them are ever copied at a time.

    Every `stride`-th key is also kept in a column of its own, small enough for the processor's cache. From there on all
    keys of a batch are searched side by side, so that they wait for the memory together and not one after the other.
    """

    def __init__(self, expected: int = 0, *, block: int, stride: int = 64) -> None:
        self._stride = stride
        self._sparse: Halves | None = None
        kinds = (np.uint64, np.uint64, np.int64, np.uint8)
        self._columns: tuple[Column[Any], ...] = tuple([Column(kind, expected) for kind in kinds])
        self._block = block
        self._length = 0

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The columns as they are now."""
        return tuple([column.array for column in self._columns])

    def truncate(self, length: int) -> None:
        """Forget all but the first entries, and give their memory back."""
        self._length, self._sparse = length, None
        for column in self._columns:
            column.shrink(length)

    def append(self, other: Entries) -> None:
        """Add entries whose keys are all greater than those here."""
        start, self._length = self._length, self._length + len(other)
        self._make_room()
        for own, added in zip(self.arrays, other.arrays, strict=True):
            own[start : self._length] = added[: len(other)]

    def absorb(self, other: Entries) -> None:
        """Take over all entries of another run, none of which is here, and leave it empty.

        It is done from the end, a block at a time, in the room that was added there. So what it takes meanwhile is
        what the other run takes.
        """
        ours, theirs = len(self), len(other)
        self._length += theirs
        self._make_room()
        while theirs:
            our_start, their_start = self._cut(other, ours, theirs)
            self._merge(other, slice(our_start, ours), slice(their_start, theirs))
            ours, theirs = our_start, their_start
        other.truncate(0)

    def _make_room(self) -> None:
        self._sparse = None
        for column in self._columns:
            column.grow(self._length)

    def _search(self, highs: Halves, wanted: Halves) -> Places:
        stride = self._stride
        if len(highs) < stride * stride:
            return super()._search(highs, wanted)
        if self._sparse is None:
            self._sparse = highs[::stride].copy()
        places = (np.searchsorted(self._sparse, wanted) - 1) * stride
        np.clip(places, 0, len(highs) - stride, out=places)
        step = stride
        while step > 1:
            step //= 2
            places += (highs[places + (step - 1)] < wanted) * step
        places += highs[places] < wanted
        return places

    def _cut(self, other: Entries, ours: int, theirs: int) -> tuple[int, int]:
        """Return from where on both have the last keys of the two, at most a block of each and all of one of them."""
        our_start, their_start = max(0, ours - self._block), max(0, theirs - self._block)
        our_key = self.key(our_start) if our_start else _FIRST
        their_key = other.key(their_start) if their_start else _FIRST
        if our_key > their_key:
            return our_start, other.place(our_key, theirs)
        return (self.place(their_key, ours) if their_start else 0), their_start

    def _merge(self, other: Entries, ours: slice, theirs: slice) -> None:
        """Put both parts, in order, where ours is moved to by as many entries as the other run still has."""
        high, low = (column[theirs] for column in other.arrays[:2])
        highs, lows, *rest = (column[ours] for column in self.arrays)
        places, _ = Entries(highs, lows, rest[0], rest[1]).find(high, low)
        places += np.arange(len(places))
        is_ours = np.ones(len(highs) + len(high), np.bool_)
        is_ours[places] = False
        start = ours.start + theirs.start
        for own, added in zip(self.arrays, other.arrays, strict=True):
            merged = np.empty(len(is_ours), own.dtype)
            merged[is_ours] = own[ours]
            merged[places] = added[theirs]
            own[start : start + len(merged)] = merged
