"""Presence: the sign of life that connectors show in Kibana, written now and then, never for all of them at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.errors import ConnectorsError
from connectors.store.connector import Connector
from connectors.store.connectors import ConnectorStore
from connectors.store.lenient import instant_of

log = logger.get(__name__)
EVERY: Final = timedelta(seconds=300)
LOOK_EVERY_S: Final = 10.0
AT_ONCE: Final = 100
"""How many connectors are written to in one look, with one request: so 3,000 have their turn in time."""
OVERTAKEN_S: Final = 30.0
"""How long one is left alone that somebody else has just written to."""


@dataclass
class Presence:
    """Writes `last_seen` of connectors in which it is old, the oldest first, many with one request.

    Any number of daemons may do so: a connector that somebody has written to since it was read is left for a later
    look, which finds whether there is still anything to do.
    """

    store: ConnectorStore
    clock: Clock
    serves: Callable[[Connector], bool]
    """Says whether this daemon could run a sync of a connector."""
    _again_at: dict[str, float] = field(default_factory=dict)
    _looked_at: float | None = None

    async def look(self, connectors: Mapping[str, Connector]) -> None:
        """Write what is due, if it is time to look, as far as the engine takes it: a later look makes the rest good."""
        monotonic, now = self.clock.monotonic(), self.clock.now()
        if self._looked_at is not None and monotonic - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = monotonic
        self._again_at = {name: at for name, at in self._again_at.items() if at > monotonic}
        due = [one for name, one in connectors.items() if name not in self._again_at and _is_old(one, now)]
        due.sort(key=_last_seen)
        some = list(islice(filter(self.serves, due), AT_ONCE))
        if not some:
            return
        try:
            written = await self.store.write(some, {"last_seen": now})
        except ConnectorsError as error:
            log.warning("The engine could not be told that connectors are looked after.", why=str(error))
        else:
            for one in some:  # one that others keep writing to takes no other's turn
                self._again_at[one.id] = monotonic + (EVERY.total_seconds() if one.id in written else OVERTAKEN_S)


def _is_old(connector: Connector, now: datetime) -> bool:
    """Return whether nobody was there of late; a moment in the future is of a clock that went wrong."""
    last = instant_of(connector.document.get("last_seen"))
    return last is None or abs(now - last) >= EVERY


def _last_seen(connector: Connector) -> float:
    last = instant_of(connector.document.get("last_seen"))
    return last.timestamp() if last is not None else 0.0
