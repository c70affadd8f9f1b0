"""The store of the model: the records that outlive a worker, and its copy of a ledger."""

from dataclasses import dataclass, field
from typing import NamedTuple

from tests.torture.model.engine import Stamp


@dataclass(frozen=True)
class Owner:
    """The record of a target: changed by compare-and-set alone."""

    epoch: int = 0
    run: int = 0


@dataclass(frozen=True)
class Completed:
    """What a completed full sync leaves for the next one to skip by."""

    token: int
    stamp: Stamp
    recipe: int


class Here(NamedTuple):
    """What a cursor holds for: the rules that a sync obeys, and the index that it writes to."""

    recipe: int
    target: int


@dataclass(frozen=True)
class State:
    """What one sync leaves behind for the next: changed by compare-and-set alone."""

    epoch: int = 0
    completed: Completed | None = None
    reached: Here | None = None
    """What the connector's cursor holds for; None for nothing."""


@dataclass(frozen=True)
class Connector:
    """What a person writes to as well: the rules, and where incremental syncs go on. Each write is a new revision."""

    revision: int = 0
    recipe: int = 0
    cursor: int = 0


@dataclass
class Store:
    """What outlives a worker in the engine: three records, of which no two can be changed at once."""

    owner: Owner = field(default_factory=Owner)
    state: State = field(default_factory=State)
    connector: Connector = field(default_factory=Connector)

    def claim(self, expected: Owner, owner: Owner) -> bool:
        if self.owner != expected:
            return False
        self.owner = owner
        return True

    def save(self, expected: State, state: State) -> bool:
        if self.state != expected:
            return False
        self.state = state
        return True

    def write(self, expected: Connector, *, cursor: int | None = None, recipe: int | None = None) -> bool:
        """Write to the connector, if it has the revision still that was read."""
        if self.connector.revision != expected.revision:
            return False
        self.connector = Connector(
            expected.revision + 1,
            expected.recipe if recipe is None else recipe,
            expected.cursor if cursor is None else cursor,
        )
        return True


@dataclass
class Copy:
    """A ledger on a local disk."""

    stamp: Stamp
    ledger: dict[int, int]


@dataclass
class Disk:
    copy: Copy | None = None
