"""Foreign errors: what a source raises that is none of ours becomes an error of the source, with secrets masked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connectors.errors import ConnectorsError, SourceError

Mask = Callable[[str], str]


@contextmanager
def of_source(mask: Mask) -> Iterator[None]:
    """Run the block as code of a source: an error of ours passes, any other becomes a `SourceError`."""
    try:
        yield
    except ConnectorsError:
        raise
    except Exception as error:  # noqa: BLE001 - a source is somebody else's code
        raise source_error(error, mask) from None


def source_error(error: Exception, mask: Mask) -> SourceError:
    """Return the error of a source for one that it raised. It does not hold on to that: its words may be secret."""
    words = mask(str(error))
    text = f"The source failed: {type(error).__name__}{f': {words}' if words else ''}."
    return SourceError(text, hint="This is a fault of the source, or of what it reads.")
