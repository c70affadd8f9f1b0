"""The engines that functional tests run against, each in a folder of its own and gone afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.engine.real import node

EMBEDDED: Final = "embedded"
NAMES: Final = (EMBEDDED, "elasticsearch", "opensearch")


@asynccontextmanager
async def engine_settings(name: str, folder: Path) -> AsyncIterator[dict[str, str]]:
    """Provide the settings by which a daemon finds the engine; the embedded one is run by the daemon itself."""
    if name == EMBEDDED:
        yield {"data": str(folder / "data")}
        return
    with node(name) as found:  # which blocks, while there is nothing else to do
        yield {"host": found.url}
