"""The journal of a proxy: what became of each bulk that came to it, which neither the client nor the engine knows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.torture.bulk_body import Action, ItemResult


@dataclass(frozen=True)
class Delivery:
    """One time that a bulk, or a part of it, was sent to the engine.

    `positions` are those of the actions that went there. `status` is what the engine said of the whole, None where its
    answer never came; `results` is what it said of each action, where it said so.
    """

    positions: Sequence[int]
    status: int | None
    results: Sequence[ItemResult] = ()


@dataclass
class Entry:
    """One bulk: what was asked, what the plan did to it, what reached the engine, and what the client was told.

    `told` is the status that the client got together with a whole answer; None where it got none.
    """

    number: int
    target: str
    fault: str
    actions: Sequence[Action] = ()
    refused: frozenset[int] = frozenset()
    deliveries: list[Delivery] = field(default_factory=list)
    told: int | None = None

    @property
    def lost(self) -> bool:
        """Whether something of it reached the engine and the client does not know what became of it."""
        return bool(self.deliveries) and self.told is None

    @property
    def applied(self) -> int:
        """How many of its actions the engine applied; twice counts twice."""
        return sum(result.seq_no is not None for one in self.deliveries for result in one.results)


@dataclass
class Journal:
    """Every bulk so far, in the order of their arrival."""

    entries: list[Entry] = field(default_factory=list)

    @property
    def applied(self) -> int:
        """How many actions the engine applied, as far as it said so."""
        return sum(one.applied for one in self.entries)

    @property
    def delivered(self) -> list[int]:
        """The numbers of the bulks of which something reached the engine, once for each time."""
        return [one.number for one in self.entries for _ in one.deliveries]

    @property
    def lost(self) -> list[int]:
        """The numbers of the bulks whose answer the client never got, although something was delivered."""
        return [one.number for one in self.entries if one.lost]
