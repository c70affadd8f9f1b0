"""The probe: whether these credentials can do on this engine what a sync will need."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from connectors import logger
from connectors.engine.bulk import index_line
from connectors.engine.engine import Engine
from connectors.engine.scan import Walk
from connectors.errors import EngineError, EngineFailed

log = logger.get(__name__)
DOCUMENTS = 3


@dataclass(frozen=True)
class Probe:
    """Uses an index of its own, with a name that nobody else has, and removes it at the end."""

    engine: Engine
    index: str

    @classmethod
    @asynccontextmanager
    async def of(cls, engine: Engine) -> AsyncIterator["Probe"]:
        """Provide a probe and clean up after it."""
        probe = cls(engine, f"connectors-check-{secrets.token_hex(6)}")
        try:
            yield probe
        finally:
            try:
                await engine.indices.delete(probe.index)
            except EngineError as error:
                log.warning("An index of the check is left behind.", index=probe.index, error=str(error))

    @property
    def acts(self) -> Mapping[str, Callable[[], Awaitable[str]]]:
        """What to try, in this order; each says what it did and raises an `EngineError` where it can't."""
        return {"create": self.create, "write": self.write, "read": self.read, "stamp": self.stamp}

    async def create(self) -> str:
        """Create the index."""
        await self.engine.indices.create(self.index, settings={"number_of_replicas": 0})
        return f"made the index {self.index}"

    async def write(self) -> str:
        """Send a bulk request."""
        lines = [index_line(str(number), version=1) + b"{}\n" for number in range(DOCUMENTS)]
        answer = await self.engine.data.bulk(self.index, b"".join(lines), operations=DOCUMENTS)
        refused = [item for row in answer.items for item in row.values() if not item.ok]
        if refused:
            raise EngineFailed(f"The engine refused documents: {refused[0].error}.", status=refused[0].status)
        return f"wrote {DOCUMENTS} documents"

    async def read(self) -> str:
        """Refresh and scan."""
        await self.engine.data.refresh(self.index)
        found = 0
        async with aclosing(self.engine.data.scan(Walk(self.index))) as pages:
            async for page in pages:
                found += len(page)
        if found != DOCUMENTS:
            raise EngineFailed(f"The engine gave back {found} of {DOCUMENTS} documents.", status=200)
        return f"read {found} documents back"

    async def stamp(self) -> str:
        """Read where the index stands, which tells whether anything was written to it."""
        stamp = await self.engine.indices.stamp(self.index)
        if stamp is None:
            return "these credentials may not read it: nothing can be skipped, and syncs read the whole index"
        return f"know where each of {len(stamp.shards)} primary shards stands"
