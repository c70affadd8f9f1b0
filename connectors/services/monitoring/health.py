"""Health: whether a daemon lives, and whether it is ready, with the reason where it is not."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.aio.clock import Clock
from connectors.errors import ConnectorsError
from connectors.secret import without_user_info
from connectors.services.monitoring.pulse import Pulses

DEAD_AFTER_S: Final = 900.0
"""No look takes that long, whatever the engine does: a part that has begun none since then hangs."""
ASKED_WITHIN_S: Final = 3.0
FRESH_S: Final = 1.0
"""For so long an answer of the engine counts, so that whoever asks often asks us, and not the engine."""


@dataclass(frozen=True)
class Finding:
    """What is answered to somebody who asks."""

    well: bool
    told: Mapping[str, Any]


@dataclass
class Health:
    """Answers whether the daemon lives and is ready. `ask` makes one small request to the engine, once there is one."""

    pulses: Pulses
    clock: Clock
    ask: Callable[[], Awaitable[object]] | None = None
    asked_within_s: float = ASKED_WITHIN_S
    _answer: str | None = None
    _answered_at: float | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def alive(self) -> Finding:
        """Return whether its parts live. That this is answered at all says that its loop turns.

        An engine that is away kills nobody: to start such a daemon again would help nothing.
        """
        silent = self.pulses.silent()
        hanging = [name for name, silent_s in silent.items() if silent_s > DEAD_AFTER_S]
        reasons = [f"The {name} has not stirred for {silent[name]:.0f} s." for name in hanging]
        return Finding(not hanging, {"alive": not hanging, "reasons": reasons})

    async def ready(self) -> Finding:
        """Return whether the engine answers, and all parts have looked at it lately."""
        engine = await self._engine()
        reasons = [engine] if engine is not None else list(self.pulses.late())
        return Finding(not reasons, {"ready": not reasons, "reasons": reasons})

    async def _engine(self) -> str | None:
        """Return what is wrong with the engine; of those who ask at once, one asks it."""
        if self.ask is None:
            return "The engine has not answered yet."
        async with self._asking:
            now = self.clock.monotonic()
            if self._answered_at is None or now - self._answered_at > FRESH_S:
                self._answer = await self._asked(self.ask)
                self._answered_at = self.clock.monotonic()
            return self._answer

    async def _asked(self, ask: Callable[[], Awaitable[object]]) -> str | None:
        try:
            async with asyncio.timeout(self.asked_within_s):
                await ask()
        except TimeoutError:
            return f"The engine has not answered within {self.asked_within_s:g} s."
        except ConnectorsError as error:
            return without_user_info(f"The engine does not answer: {error.message}")
        return None
