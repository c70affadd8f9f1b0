"""Foreign errors: what a source raises that is none of ours becomes an error of the source, with secrets masked."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NoReturn, TypeVar

from connectors import logger
from connectors.errors import ConnectorsError, SourceError
from connectors.source import closing_walk, opened

log = logger.get(__name__)
Mask = Callable[[str], str]
T = TypeVar("T")


@contextmanager
def of_source(mask: Mask) -> Iterator[None]:
    """Run the block as code of a source: an error of ours passes, any other becomes a `SourceError`.

    Who is cancelled stays cancelled, whatever the source makes of it.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a source is somebody else's code
        raise_for(error, mask)


async def told(items: AsyncIterator[T], mask: Mask) -> AsyncGenerator[T, None]:
    """Yield what a source yields: what it raises is made an error of the source, what is made of that is not.

    To be closed before the items are (`aclosing`).
    """
    while True:
        with of_source(mask):
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
        yield item


def raise_for(error: Exception, mask: Mask) -> NoReturn:
    """Raise what an error that a source raised means. It is not held on to: its words may be secret."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from None
    if isinstance(error, ConnectorsError):
        raise error
    words = mask(str(error))
    text = f"The source failed: {type(error).__name__}{f': {words}' if words else ''}."
    raise SourceError(text, hint="This is a fault of the source, or of what it reads.") from None


@asynccontextmanager
async def entered(source: Any, mask: Mask) -> AsyncIterator[Any]:  # noqa: ANN401 - of any class that has the methods
    """Provide a source while it is used. What goes wrong when it is closed is only logged, however the block ended."""
    context = opened(source)
    with of_source(mask):
        used = await context.__aenter__()
    try:
        yield used
    finally:
        with _logged(mask):
            await context.__aexit__(None, None, None)


@asynccontextmanager
async def read(walk: AsyncIterator[T], mask: Mask) -> AsyncIterator[AsyncIterator[T]]:
    """Provide what a source yields, and close it behind the block. What goes wrong in that is only logged, as above."""
    context = closing_walk(walk)
    documents = await context.__aenter__()
    try:
        yield documents
    finally:
        with _logged(mask):
            await context.__aexit__(None, None, None)


@contextmanager
def _logged(mask: Mask) -> Iterator[None]:
    """Let no error of a source take the place of how the work with it ended."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a source is somebody else's code
        log.warning("The source could not be closed.", why=mask(f"{type(error).__name__}: {error}"))
