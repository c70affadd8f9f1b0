"""Daemons: whole ones, as processes that a test starts, kills and asks to end."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from tests.services.works import PATIENCE_S, ROOT, until


@dataclass
class Daemon:
    """One `connectors run`."""

    process: asyncio.subprocess.Process
    log: list[str] = field(default_factory=list)
    reading: "asyncio.Task[None] | None" = None

    async def listen(self) -> None:
        """Keep what it logs."""
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.log.append(line.decode())

    async def until_logged(self, words: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until it has said that."""

        async def is_logged() -> bool:
            assert self.process.returncode is None, "".join(self.log)
            return any(words in line for line in self.log)

        await until(is_logged, patience_s)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, and return how it ended."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()


@asynccontextmanager
async def daemon(
    config: Path, environ: Mapping[str, str] | None = None, *, log: TextIO | None = None
) -> AsyncIterator[Daemon]:
    """Run a daemon with that settings file; at the end of the block it is killed if it still runs.

    What it has logged is written to `log` then, or shown.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "connectors",
        "--config",
        str(config),
        "run",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
        env=environ,
        start_new_session=True,
    )
    one = Daemon(process)
    one.reading = asyncio.create_task(one.listen())
    try:
        yield one
    finally:
        await one.stop(signal.SIGKILL)
        await asyncio.wait([one.reading], timeout=PATIENCE_S)  # its processes have its log too, and end after it
        (log or sys.stderr).writelines(one.log)
