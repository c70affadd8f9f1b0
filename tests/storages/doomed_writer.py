"""A process that sets values in a SQLite file one after the other, says which are there, and is killed in between."""

import asyncio
import sys
from pathlib import Path

from connectors.storage import Storage
from connectors.storages.sqlite import open_sqlite

FILL = "x" * 2_000


async def write(path: Path, name: str) -> None:
    """Set values for ever. Each says under which number its key was set last."""
    async with open_sqlite(path) as backend:
        storage = Storage(backend, name)
        number = 0
        while True:
            await storage.set(f"k{number % 20}", [number, FILL])
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            number += 1


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2]))
