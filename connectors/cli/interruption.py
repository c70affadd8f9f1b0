"""An interruption: Ctrl-C, or the signal to end, as something that can be waited for."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def interruption() -> AsyncIterator[asyncio.Event]:
    """Provide an event that is set by SIGINT and SIGTERM while the block runs, instead of what they do otherwise."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    try:
        yield interrupted
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
