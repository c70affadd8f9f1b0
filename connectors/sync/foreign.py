"""Foreign errors: what a source raises that is none of ours becomes an error of the source, with secrets masked."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Any, NoReturn, TypeVar

from connectors import logger
from connectors.errors import ConnectorsError, SourceError
from connectors.row_walk import closing_walk
from connectors.source_class import opened
from connectors.sync.silence import Silence

log = logger.get(__name__)
Mask = Callable[[str], str]
T = TypeVar("T")


@contextmanager
def of_source(mask: Mask, silence: Silence | None = None) -> Iterator[None]:
    """Run the block as code of a source: an error of ours passes, any other becomes a `SourceError`.

    Who is cancelled stays cancelled, whatever the source makes of it. With a `silence` the source is asked meanwhile.
    """
    try:
        with _asked(silence):
            yield
    except Exception as error:  # noqa: BLE001 - a source is somebody else's code
        raise_for(error, mask)
    stay_cancelled()


async def told(items: AsyncIterator[T], mask: Mask, silence: Silence | None = None) -> AsyncGenerator[T, None]:
    """Yield what a source yields: what it raises is made an error of the source, what is made of that is not.

    To be closed before the items are (`aclosing`).
    """
    while True:
        with of_source(mask, silence):
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
        yield item


def stay_cancelled() -> None:
    """Raise that the task is cancelled, if it is and a source has swallowed that: what it says then is no answer."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def raise_for(error: Exception, mask: Mask) -> NoReturn:
    """Raise what an error that a source raised means. It is not held on to: its words may be secret."""
    stay_cancelled()
    if isinstance(error, ConnectorsError):
        raise error
    words = mask(str(error))
    text = f"The source failed: {type(error).__name__}{f': {words}' if words else ''}."
    raise SourceError(text, hint="This is a fault of the source, or of what it reads.") from None


@asynccontextmanager
async def entered(
    source: Any,  # noqa: ANN401 - of any class that has the methods
    mask: Mask,
    silence: Silence | None = None,
) -> AsyncIterator[Any]:
    """Provide a source while it is used. What goes wrong when it is closed is only logged, however the block ended."""
    context = opened(source)
    with of_source(mask, silence):
        used = await context.__aenter__()
    try:
        yield used
    finally:
        with _logged(mask), _asked(silence):
            await context.__aexit__(None, None, None)


@asynccontextmanager
async def read(walk: AsyncIterator[T], mask: Mask, silence: Silence | None = None) -> AsyncIterator[AsyncIterator[T]]:
    """Provide what a source yields, and close it behind the block. What goes wrong in that is only logged, as above."""
    context = closing_walk(walk)
    documents = await context.__aenter__()
    try:
        yield documents
    finally:
        with _logged(mask), _asked(silence):
            await context.__aexit__(None, None, None)


def _asked(silence: Silence | None) -> AbstractContextManager[None]:
    return silence.asked() if silence is not None else nullcontext()


@contextmanager
def _logged(mask: Mask) -> Iterator[None]:
    """Let no error of a source take the place of how the work with it ended."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a source is somebody else's code
        log.warning("The source could not be closed.", why=mask(f"{type(error).__name__}: {error}"))
