"""Traffic: how many requests a lane made, how they ended, and how long they took, as this process sees it."""

from bisect import bisect_left
from typing import Final

import msgspec

from connectors.errors import EngineBlocked, EngineError, EngineFailed, EngineOverloaded, EngineUnreachable

BOUNDS_S: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""What durations are counted by: so many took no longer than this, and longer than the one before."""


class Traffic(msgspec.Struct, omit_defaults=True):
    """The requests that were made since counting began, each attempt for itself.

    Whatever the engine decides counts as answered: that there is no such document, a conflict, a refusal for good.
    """

    answered: int = 0
    rejected: int = 0
    """The engine asked for less (429)."""
    failed: int = 0
    """It failed at them, or takes nothing at the moment."""
    unreachable: int = 0
    """No connection, no answer, or half of one."""
    rejected_operations: int = 0
    """Of bulk requests that were answered, what was refused in this way (429)."""
    seconds: float = 0.0
    took: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    """How many by the bounds, the last one beyond all of them."""

    def count(self, seconds: float, error: EngineError | None = None) -> None:
        """Count one request, by what came of it."""
        match error:
            case EngineOverloaded():
                self.rejected += 1
            case EngineUnreachable():
                self.unreachable += 1
            case EngineFailed() | EngineBlocked():
                self.failed += 1
            case _:
                self.answered += 1
        self.seconds += seconds
        self.took[bisect_left(BOUNDS_S, seconds)] += 1

    def add(self, other: "Traffic") -> None:
        """Count what another one counted too."""
        self.answered += other.answered
        self.rejected += other.rejected
        self.failed += other.failed
        self.unreachable += other.unreachable
        self.rejected_operations += other.rejected_operations
        self.seconds += other.seconds
        self.took = [mine + theirs for mine, theirs in zip(self.took, other.took, strict=True)]

    def taken(self) -> "Traffic":
        """Return what was counted so far, and begin anew."""
        found, fresh = msgspec.structs.replace(self), Traffic()
        for name in self.__struct_fields__:
            setattr(self, name, getattr(fresh, name))
        return found

    @property
    def requests(self) -> int:
        """All of them."""
        return self.answered + self.rejected + self.failed + self.unreachable
