"""A hangup: the signal by which somebody wants the settings to be read again, or a terminal says that it is gone."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def hangups(ask: Callable[[], None], end: Callable[[], None]) -> AsyncIterator[None]:
    """Call `ask` for each SIGHUP while the block runs; `end` when the terminal that this was started from is gone."""
    had_terminal = sys.stderr.isatty()

    def hung_up() -> None:
        if had_terminal and not os.isatty(sys.stderr.fileno()):
            _say_nothing_more()
            end()
        else:
            ask()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, hung_up)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _say_nothing_more() -> None:
    """Let what is said from now on go nowhere: to write to a terminal that is gone is an error."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
