"""The footprint of a daemon: the most memory that it and all of its processes had at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOK_EVERY_S: Final = 0.1
PROCESSES: Final = Path("/proc")


@dataclass
class Footprint:
    """Peaks as Linux keeps them for each process, added up; 0 elsewhere."""

    pid: int
    peak_bytes: int = 0

    def begin(self) -> None:
        """Forget the peaks so far."""
        self.peak_bytes = 0
        for pid in processes_of(self.pid):
            with suppress(OSError):
                (PROCESSES / str(pid) / "clear_refs").write_text("5")

    def look(self) -> None:
        """Take in what the processes have had by now."""
        self.peak_bytes = max(self.peak_bytes, sum(map(_peak_of, processes_of(self.pid))))


@asynccontextmanager
async def footprint(pid: int) -> AsyncIterator[Footprint]:
    """Look at a process and its children again and again during the block."""
    found = Footprint(pid)

    async def look_again() -> None:
        while True:
            found.look()
            await asyncio.sleep(LOOK_EVERY_S)

    looking = asyncio.create_task(look_again(), name="footprint")
    try:
        yield found
    finally:
        looking.cancel()
        await asyncio.wait([looking])


def processes_of(pid: int) -> Iterator[int]:
    """Yield the numbers of a process, its children, and theirs."""
    yield pid
    with suppress(OSError):
        for children in (PROCESSES / str(pid) / "task").glob("*/children"):
            for child in children.read_text().split():
                yield from processes_of(int(child))


def _peak_of(pid: int) -> int:
    with suppress(OSError):
        for line in (PROCESSES / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
