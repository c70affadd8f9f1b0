"""The ending: how a live sync, which has no end of its own, is asked to come to one, and why."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum


class Why(StrEnum):
    """Why a live sync is to end."""

    OFF = "off"
    """Nobody wants it any more."""
    CHANGED = "changed"
    """Its connector is other than it was when it began."""
    OTHERS = "others"
    """Another job of the connector waits."""
    FULL_FIRST = "full first"
    """A full sync has to come before it."""


@dataclass
class Ending:
    """Is asked once, by whomever; the first reason counts."""

    why: Why | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self, why: Why) -> None:
        """Have the sync write all that came, save where it stands, and end."""
        self.why = self.why or why
        self.asked.set()
