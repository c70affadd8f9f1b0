"""A source whose walks are staged: what each of them does besides yielding documents is said by the test."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from connectors.byoc import Filter
from connectors.engine import open_engine
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.settings import EngineSettings
from connectors.source import BaseDataSource
from connectors.store.connector import Connector
from connectors.sync.workplace import Workplace, open_workplace

Act = Callable[[], Awaitable[None]]


def staged(*acts: Act | None, documents: int = 3) -> type[BaseDataSource]:
    """Return a source that carries out the next act in the middle of each walk, and nothing when there is none left."""
    left = list(acts)

    class Staged(BaseDataSource):
        """Some documents."""

        name = "Staged"
        service_type = "staged"

        async def get_docs(self, filtering: Filter | None = None) -> AsyncGenerator[dict[str, Any], None]:
            """Yield documents, with an act in their midst."""
            for number in range(documents):
                if number == documents // 2 and left and (act := left.pop(0)) is not None:
                    await act()
                yield {"_id": str(number), "number": number}

        async def get_access_control(self) -> AsyncGenerator[dict[str, Any], None]:
            """Yield one identity, after an act."""
            if left and (act := left.pop(0)) is not None:
                await act()
            yield {"_id": "somebody", "query": {}}

        async def ping(self) -> None:
            """Be there."""

    return Staged


class OneSource(Registry):
    """Knows one source, under every name."""

    def __init__(self, source: type[Any]) -> None:
        super().__init__()
        self._source = source

    def source(self, service_type: str) -> type[Any]:
        """Return it."""
        return self._source


@asynccontextmanager
async def workplace(folder: Path, source: type[Any]) -> AsyncIterator[Workplace]:
    """Provide a workplace with an embedded engine of its own, and one source."""
    async with open_engine(EngineSettings(data=folder / "data")) as engine:
        yield await open_workplace(engine, OneSource(source), grants=Grants(), copies=folder / "ledgers")


async def connector_of(place: Workplace, **more: object) -> Connector:
    """Return a connector of the source, which is not there before."""
    document: Mapping[str, object] = {"service_type": "staged", "index_name": "docs", "configuration": {}, **more}
    return await place.connectors.create("c", document)
