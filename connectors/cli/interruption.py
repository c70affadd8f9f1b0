"""An interruption: Ctrl-C, or the signal to end, as something that can be waited for."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import click

from connectors.aio.tasks import Tasks

T = TypeVar("T")
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def interruption() -> AsyncIterator[asyncio.Event]:
    """Provide an event that is set by SIGINT and SIGTERM while the block runs, instead of what they do otherwise.

    The second of them ends the process at once: who asks twice does not want to wait.
    """
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        interrupted.set()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        yield interrupted
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


async def until_interrupted(work: Coroutine[Any, Any, T]) -> T:
    """Run some work to its end; an interruption cancels it, and raises `click.Abort` once it has ended.

    That it was understood is said at once, as the end may take a moment.
    """
    async with interruption() as interrupted, Tasks("command") as tasks:
        working = tasks.start(work, name="work")
        waiting = tasks.start(interrupted.wait(), name="interruption")
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not working.done():
            click.echo("\nStopping; Ctrl-C again ends it at once.", err=True)
            working.cancel()
    if working.cancelled():
        raise click.Abort
    return working.result()
