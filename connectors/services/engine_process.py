"""The embedded engine in a process of its own: neither the daemon nor a worker shares an interpreter with it."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from connectors import logger
from connectors.aio.tasks import Tasks
from connectors.engine.embedded.access import owning
from connectors.errors import EngineBlocked

log = logger.get("connectors.services.engine_process")
READY_WITHIN_S: Final = 60.0
ENDS_WITHIN_S: Final = 10.0
AGAIN_AFTER_S: Final = 10.0
_READY: Final = b"ready\n"


@asynccontextmanager
async def engine_process(data: Path) -> AsyncIterator[None]:
    """Have a process own a data folder during the block; one that ends is started again.

    Where another process owns the folder already, that is used, and taken over from when it ends. While nobody owns it,
    whoever needs it does.
    """
    started = asyncio.Event()
    async with Tasks("engine") as tasks:
        serving = tasks.start(_serve_again(data, started), name="process")
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await started.wait()
            yield
        finally:
            serving.cancel()


async def _serve_again(data: Path, started: asyncio.Event) -> None:
    while True:
        await _serve(data, started)
        started.set()
        await asyncio.sleep(AGAIN_AFTER_S)


async def _serve(data: Path, started: asyncio.Event) -> None:
    """Run the process to its end. When it is not needed any more its input ends, and so does it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(data), stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    try:
        if process.stdout is not None and await process.stdout.readline() == _READY:
            started.set()
            code = await process.wait()
            log.warning("The process of the engine has ended, and is started again.", code=code)
        else:
            await process.wait()
    finally:
        if process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                async with asyncio.timeout(ENDS_WITHIN_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def own(data: Path) -> None:
    """Own a data folder until standard input ends."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with owning(data):
        sys.stdout.buffer.write(_READY)
        sys.stdout.flush()
        while await lines.readline():
            pass


def main() -> None:
    """Own the folder that is named."""
    logger.set_up()
    try:
        asyncio.run(own(Path(sys.argv[1])))
    except EngineBlocked as error:
        log.info("Another process owns the engine's data.", why=str(error))


if __name__ == "__main__":
    main()
