"""Notes: a sound source without our base class or fields, which has no more than it needs."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from connectors.errors import ConfigurationError, SourceUnreachable

PAGE = 500


class NotesDataSource:
    """The files of a folder."""

    name = "Notes"
    service_type = "notes"

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        self.folder = Path(configuration["folder"])

    @classmethod
    def get_default_configuration(cls) -> dict[str, Any]:
        return {
            "folder": {"label": "Folder", "type": "str", "value": "/srv/notes", "order": 1},
            "depth": {"label": "Depth", "type": "int", "default_value": 1, "required": False, "order": 2},
        }

    async def ping(self) -> None:
        if not await asyncio.to_thread(self.folder.is_dir):
            raise ConfigurationError(f"{self.folder} is no folder.", field="folder")

    async def get_docs(self, filtering: object = None) -> AsyncIterator[tuple[dict[str, Any], object]]:
        names = sorted(await asyncio.to_thread(os.listdir, self.folder))
        for start in range(0, len(names), PAGE):
            for name, size in await asyncio.to_thread(self.sizes, names[start : start + PAGE]):
                yield {"_id": name, "size": size}, partial(self.content, name)

    def sizes(self, names: list[str]) -> list[tuple[str, int]]:
        try:
            return [(name, (self.folder / name).stat().st_size) for name in names]
        except OSError as error:
            raise SourceUnreachable(f"A note can't be read: {error}.") from error

    async def content(self, name: str) -> bytes:
        return await asyncio.to_thread((self.folder / name).read_bytes)
