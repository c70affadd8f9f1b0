"""Expired values: what sources remembered for a time that is over."""

from dataclasses import dataclass
from typing import ClassVar, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.storage import Backend

log = logger.get(__name__)
AT_ONCE: Final = 500
"""Values that are removed in one look."""


@dataclass
class ExpiredValues:
    """Removes values that no source is given any more. By the clock of this daemon, as it is with reading them."""

    name: ClassVar[str] = "expired values"
    every_s: ClassVar[float] = 600.0

    storage: Backend
    clock: Clock

    async def look(self) -> bool:
        """Remove some of them, and return whether none is left."""
        removed = await self.storage.remove_expired(self.clock.now(), most=AT_ONCE)
        if removed:
            log.info("Values of sources that had expired were removed.", values=removed)
        return removed < AT_ONCE
