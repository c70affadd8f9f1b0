"""The ledger: what an index holds of one connector, and what the source yielded, in 25 bytes a document."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from connectors.errors import ScanIncomplete
from connectors.sync.ledger.run import Bools, Entries, Fingerprints, Flags, Halves, Places, Run

Keys = npt.NDArray[np.uint64]
"""One row a document: the two halves of its key."""
BYTES_A_DOCUMENT: Final = 26
"""What a ledger takes at most, at any moment. For admitting syncs by their memory."""
HELD: Final = np.uint8(1)
SEEN: Final = np.uint8(2)


def keys_of(joined: bytes) -> Keys:
    """Return the keys that were joined, 16 bytes each. Nothing is copied: `keys_of(b"".join(keys))`."""
    return np.frombuffer(joined, np.uint64).reshape(-1, 2)


@dataclass(frozen=True)
class Layout:
    """How a ledger is divided into runs.

    All but the first hold what came lately. The second is merged into the first when it has a `share` of its entries,
    as both take memory during that; each further one is merged when it has a `ratio`-th of the one above.
    """

    runs: int = 4
    share: int = 64
    ratio: int = 16
    smallest: int = 1_024
    """Entries that every run may have."""
    block: int = 16_384
    """Entries that are copied at a time."""
    stride: int = 64
    """A power of two: how many entries of a run are searched for each one that is kept apart."""


@dataclass(frozen=True)
class Visit:
    """What a ledger knew of each document of a batch, before it was told of them."""

    fingerprints: Fingerprints
    """0 where the document is not held, or its content is not known."""
    held: Bools
    repeated: Bools
    """Whether the source yielded it before in this walk, be it in the same batch."""


@dataclass(frozen=True)
class _Batch:
    """The keys of a batch in order, each once, and where each that was given is among them."""

    high: Halves
    low: Halves
    places: Places
    is_first: Bools
    """Of each that was given: whether it is the first of its key."""

    @classmethod
    def of(cls, keys: Keys) -> "_Batch":
        given_high, given_low = np.ascontiguousarray(keys[:, 0]), keys[:, 1]
        order = np.argsort(given_high)
        high = given_high[order]
        same = high[1:] == high[:-1]
        if np.any(same):
            order = np.lexsort((given_low, given_high))  # which leaves equal keys in the order in which they came
            high, low = given_high[order], given_low[order]
            same = (high[1:] == high[:-1]) & (low[1:] == low[:-1])
        else:
            low = given_low[order]
        places = np.empty(len(keys), np.intp)
        if not np.any(same):
            places[order] = np.arange(len(keys))
            return cls(high, low, places, np.ones(len(keys), np.bool_))
        is_new = np.concatenate((np.ones(1, np.bool_), ~same))
        places[order] = np.cumsum(is_new) - 1
        is_first = np.empty(len(keys), np.bool_)
        is_first[order] = is_new
        return cls(high[is_new], low[is_new], places, is_first)

    def __len__(self) -> int:
        return len(self.high)


@dataclass(frozen=True)
class _Part:
    """The keys of a batch that are in one run: which of them, and where in the run."""

    run: Run
    which: Places
    places: Places

    def read(self, flags: Flags, fingerprints: Fingerprints) -> None:
        """Read what the run has for these keys into the batch's."""
        *_, own_fingerprints, own_flags = self.run.arrays
        flags[self.which], fingerprints[self.which] = own_flags[self.places], own_fingerprints[self.places]

    def write(self, flags: Flags, fingerprints: Fingerprints | None) -> None:
        """Write what the batch has for these keys into the run."""
        *_, own_fingerprints, own_flags = self.run.arrays
        own_flags[self.places] = flags[self.which]
        if fingerprints is not None:
            own_fingerprints[self.places] = fingerprints[self.which]


@dataclass(frozen=True)
class _Found:
    """What is known of the keys of a batch, in their order, and where it stands."""

    parts: list[_Part]
    missing: Places
    fingerprints: Fingerprints
    flags: Flags


class Ledger:
    """What an index holds of one connector: for each id's 16-byte key a fingerprint, and two flags.

    `held` says that the index holds the document, as far as was acknowledged, and `seen` that the source yielded it in
    this walk. Every call takes a batch of any length; a few hundred to a few thousand documents are best. It is as a
    dictionary would be, but for the memory: 25 bytes a document and one block, also while it grows.

    The entries stand sorted in a few runs: nearly all in the first, and what is new in smaller ones, each of which is
    merged into the one above when it is full. Not for two threads at once.
    """

    def __init__(self, expected: int = 0, *, layout: Layout | None = None) -> None:
        self._expected = expected
        self._layout = layout or Layout()
        block, stride = self._layout.block, self._layout.stride
        lesser = [Run(block=block, stride=stride) for _ in range(1, self._layout.runs)]
        self._runs = [Run(expected, block=block, stride=stride), *lesser]
        self._counts = np.zeros(4, np.int64)
        """How many entries there are with each combination of flags; not kept for those without one."""

    def __len__(self) -> int:
        """Return how many documents are held, seen or both."""
        return int(self._counts[1:].sum())

    @property
    def held(self) -> int:
        """How many documents the index holds."""
        return int(self._counts[HELD] + self._counts[HELD | SEEN])

    @property
    def seen(self) -> int:
        """How many documents the source yielded in this walk."""
        return int(self._counts[SEEN] + self._counts[HELD | SEEN])

    @property
    def unseen(self) -> int:
        """How many documents the index holds that the source did not yield, so far."""
        return int(self._counts[HELD])

    def load(self, keys: Keys, fingerprints: Fingerprints) -> None:
        """Add a page of a scan: documents that are held and not seen. Pages in the order of keys are merely appended.

        Raises a `ScanIncomplete`, and adds nothing, when one of the keys is here already or comes twice.
        """
        if self._continues(keys):
            self._runs[0].append(Entries(keys[:, 0], keys[:, 1], fingerprints, np.full(len(keys), HELD, np.uint8)))
            self._counts[HELD] += len(keys)
            return
        batch = _Batch.of(keys)
        if len(batch) < len(keys) or len(self._find(batch).missing) < len(batch):
            raise ScanIncomplete("A scan returned a document twice.")
        ordered = np.empty(len(batch), np.int64)
        ordered[batch.places] = fingerprints
        self._add(Entries(batch.high, batch.low, ordered, np.full(len(batch), HELD, np.uint8)))
        self._counts[HELD] += len(batch)

    def visit(self, keys: Keys) -> Visit:
        """Say that the source yielded these documents, and return what was known of them."""
        batch = _Batch.of(keys)
        found = self._find(batch)
        self._change(batch, found, found.flags | SEEN, None)
        return _visit(batch, found)

    def peek(self, keys: Keys) -> Visit:
        """Return the same as `visit` and change nothing."""
        batch = _Batch.of(keys)
        return _visit(batch, self._find(batch))

    def acknowledge(self, keys: Keys, fingerprints: Fingerprints) -> None:
        """Say that the index holds these documents now, with these fingerprints: 0 to have one sent the next time."""
        batch = _Batch.of(keys)
        found = self._find(batch)
        last = np.empty(len(batch), np.int64)
        last[batch.places] = fingerprints  # of equal keys the last counts
        self._change(batch, found, found.flags | HELD, last)

    def drop(self, keys: Keys) -> None:
        """Say that the index holds these documents no more."""
        batch = _Batch.of(keys)
        found = self._find(batch)
        self._change(batch, found, found.flags & SEEN, np.zeros(len(batch), np.int64))

    def are_unseen(self, keys: Keys) -> Bools:
        """Return of each document whether it is held and was not seen."""
        batch = _Batch.of(keys)
        unseen: Bools = self._find(batch).flags == HELD
        return unseen[batch.places]

    def begin_walk(self) -> None:
        """Forget what was seen."""
        for run in self._runs:
            flags = run.arrays[-1]
            flags &= HELD
        self._counts[HELD], self._counts[SEEN:] = self.held, 0

    def entries(self) -> Iterator[tuple[Keys, Fingerprints]]:
        """Yield what is held in the order of the keys, a block at a time. Not to be changed meanwhile."""
        for upper, lower in zip(self._runs[-2::-1], self._runs[:0:-1], strict=True):
            upper.absorb(lower)
        whole = self._runs[0]
        for start in range(0, len(whole), self._layout.block):
            block = slice(start, min(start + self._layout.block, len(whole)))
            high, low, fingerprints, flags = (column[block] for column in whole.arrays)
            is_held = (flags & HELD).astype(np.bool_)
            yield np.column_stack((high[is_held], low[is_held])), fingerprints[is_held]

    def _continues(self, keys: Keys) -> bool:
        """Return whether the keys are in order and all behind the last one that is here."""
        whole, *others = self._runs
        if not len(keys) or any(map(len, others)):
            return False
        if len(whole) and (int(keys[0, 0]), int(keys[0, 1])) <= whole.key(len(whole) - 1):
            return False
        high, low = keys[:, 0], keys[:, 1]
        grows = high[1:] > high[:-1]
        return bool(np.all(grows) or np.all(grows | ((high[1:] == high[:-1]) & (low[1:] > low[:-1]))))

    def _find(self, batch: _Batch) -> _Found:
        fingerprints, flags = np.zeros(len(batch), np.int64), np.zeros(len(batch), np.uint8)
        parts: list[_Part] = []
        missing = np.arange(len(batch))
        for run in self._runs:
            if not len(run) or not len(missing):
                continue
            places, is_here = run.find(batch.high[missing], batch.low[missing])
            which, places = missing[is_here], places[is_here]
            part = _Part(run, which, places)
            part.read(flags, fingerprints)
            parts.append(part)
            missing = missing[~is_here]
        return _Found(parts, missing, fingerprints, flags)

    def _change(self, batch: _Batch, found: _Found, flags: Flags, fingerprints: Fingerprints | None) -> None:
        """Write new flags, and new fingerprints unless they stay; what is missing is added if a flag is set."""
        self._counts += np.bincount(flags, minlength=len(self._counts))
        self._counts -= np.bincount(found.flags, minlength=len(self._counts))
        for part in found.parts:
            part.write(flags, fingerprints)
        added = found.missing[flags[found.missing] > 0]
        if len(added):
            values = found.fingerprints if fingerprints is None else fingerprints
            self._add(Entries(batch.high[added], batch.low[added], values[added], flags[added]))

    def _add(self, entries: Entries) -> None:
        """Add entries that are not here, and merge each run that is too large now into the one above it."""
        self._runs[-1].absorb(entries)
        for number in range(len(self._runs) - 1, 0, -1):
            if len(self._runs[number]) > self._most(number):
                self._runs[number - 1].absorb(self._runs[number])

    def _most(self, number: int) -> int:
        """Return how many entries a run may have. While fewer came than expected, the memory of the others is used."""
        whole = len(self._runs[0])
        second = max(whole // self._layout.share, (self._expected - whole) * 2 // 5)
        share: int = self._layout.ratio ** (number - 1)
        return max(self._layout.smallest, second // share)


def _visit(batch: _Batch, found: _Found) -> Visit:
    known = found.flags[batch.places]
    repeated = ~batch.is_first | (known & SEEN).astype(np.bool_)
    return Visit(found.fingerprints[batch.places], (known & HELD).astype(np.bool_), repeated)
