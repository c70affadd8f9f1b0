"""Sources that remember how often they were read, one of them without our base class."""

from collections.abc import AsyncIterator
from typing import Any

from connectors.byoc import Filter
from connectors.fields import Configuration
from connectors.source import BaseDataSource
from connectors.storage import Storage

SOURCES = {
    "remembering": "tests.storages.remembering:Remembering",
    "duck": "tests.storages.remembering:Duck",
}


class Remembering(BaseDataSource):
    """Yields how often it was read."""

    name = "Remembering"
    service_type = "remembering"

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.memory = self.storage  # as somebody does who hands it on

    async def ping(self) -> None:
        await self.memory.set("pings", (await self.memory.get("pings") or 0) + 1)

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[dict[str, Any]]:
        times = (await self.memory.get("times") or 0) + 1
        await self.memory.set("times", times)
        yield {"_id": "count", "times": times}


class Duck:
    """The same, as somebody writes it who knows nothing of the base class."""

    service_type = "duck"
    storage: Storage

    def __init__(self, configuration: Any) -> None:
        self.memory = self.storage

    @classmethod
    def get_default_configuration(cls) -> dict[str, Any]:
        return {}

    async def ping(self) -> None:
        pass

    async def get_docs(self, filtering: Any = None) -> AsyncIterator[Any]:
        times = (await self.memory.get("times") or 0) + 1
        await self.memory.set("times", times)
        yield {"_id": "count", "times": times}, None
