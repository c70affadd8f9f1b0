"""Presence: the sign of life that connectors show in Kibana, written now and then, never for all of them at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.errors import Conflict, ConnectorsError
from connectors.store.connector import Connector
from connectors.store.connectors import ConnectorStore
from connectors.store.lenient import instant_of

log = logger.get(__name__)
EVERY: Final = timedelta(seconds=300)
AT_ONCE: Final = 5
"""How many connectors are written to in one look."""


@dataclass
class Presence:
    """Writes `last_seen` of connectors in which it is old, the oldest first, a few with each look.

    Any number of daemons may do so: who finds that another one just has writes nothing.
    """

    store: ConnectorStore
    clock: Clock
    serves: Callable[[Connector], bool]
    """Says whether this daemon could run a sync of a connector."""
    _looked_after: dict[str, float] = field(default_factory=dict)

    async def look(self, connectors: Mapping[str, Connector]) -> None:
        """Write what is due, as far as the engine takes it: the next look makes the rest good."""
        now = self.clock.now()
        self._looked_after = {name: at for name, at in self._looked_after.items() if self._is_fresh(at)}
        due = [one for name, one in connectors.items() if name not in self._looked_after and _is_old(one, now)]
        due.sort(key=_last_seen)
        for connector in islice(filter(self.serves, due), AT_ONCE):
            try:
                await self.store.update(connector.id, lambda found: _seen(found, now))
            except Conflict:
                pass  # it is gone, or others write to it, who show that it is alive
            except ConnectorsError as error:
                log.warning("The engine could not be told that connectors are looked after.", why=str(error))
                return
            self._looked_after[connector.id] = self.clock.monotonic()

    def _is_fresh(self, at: float) -> bool:
        return self.clock.monotonic() - at < EVERY.total_seconds()


def _seen(found: Connector, now: datetime) -> Mapping[str, Any]:
    return {"last_seen": now} if _is_old(found, now) and not found.deleted else {}


def _is_old(connector: Connector, now: datetime) -> bool:
    """Return whether nobody was there of late; a moment in the future is of a clock that went wrong."""
    last = instant_of(connector.document.get("last_seen"))
    return last is None or abs(now - last) >= EVERY


def _last_seen(connector: Connector) -> float:
    last = instant_of(connector.document.get("last_seen"))
    return last.timestamp() if last is not None else 0.0
