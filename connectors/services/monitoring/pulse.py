"""The pulse: when each part of a daemon last began to look, and when it last came through."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from connectors import logger
from connectors.aio.clock import Clock, SystemClock
from connectors.errors import ConnectorsError

log = logger.get(__name__)
LATE_AFTER_S: Final = 60.0


@dataclass
class Pulse:
    """One part, which says when it begins to look and when it has looked."""

    clock: Clock = field(default_factory=SystemClock)
    late_after_s: float = LATE_AFTER_S
    """So long may its last look that came through be ago."""
    began_at: float = field(init=False)
    looked_at: float | None = None

    def __post_init__(self) -> None:
        self.began_at = self.clock.monotonic()

    async def look(self, look: Callable[[], Awaitable[None]], failing: str) -> None:
        """Have the part look once. What an error of ours leaves undone is for its next look; the log says so."""
        self.began()
        try:
            await look()
            self.looked()
        except ConnectorsError as error:
            log.warning(failing, why=str(error))

    def began(self) -> None:
        """Take note that the part begins to look: it lives."""
        self.began_at = self.clock.monotonic()

    def looked(self) -> None:
        """Take note that it came through."""
        self.looked_at = self.clock.monotonic()


@dataclass
class Pulses:
    """Those of all parts, by their names."""

    clock: Clock
    _parts: dict[str, Pulse] = field(default_factory=dict)

    def of(self, part: str, *, late_after_s: float = LATE_AFTER_S) -> Pulse:
        """Return the pulse of a part that begins, or begins anew."""
        self._parts[part] = pulse = Pulse(self.clock, late_after_s)
        return pulse

    def ages(self) -> Mapping[tuple[str, ...], float]:
        """Return how long ago each part looked and came through; nothing of those that never did."""
        now = self.clock.monotonic()
        return {(name,): now - one.looked_at for name, one in self._parts.items() if one.looked_at is not None}

    def silent(self) -> Mapping[str, float]:
        """Return for how long each part has not even begun to look."""
        now = self.clock.monotonic()
        return {name: now - one.began_at for name, one in self._parts.items()}

    def late(self) -> Iterator[str]:
        """Yield what is to be said of parts that have not looked lately."""
        now = self.clock.monotonic()
        for name, one in self._parts.items():
            if one.looked_at is None:
                yield f"The {name} has not looked yet."
            elif now - one.looked_at > one.late_after_s:
                yield f"The {name} last looked {now - one.looked_at:.0f} s ago."
