"""A session: one connection to a database as the ground uses it, whatever the driver is."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from connectors.sources._sql.form import Make

Values = tuple[Any, ...]
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Fetched:
    """Rows, the bytes that they were on the wire, and whether these are all that were asked for."""

    rows: Sequence[Values]
    size: int
    complete: bool


@dataclass(frozen=True)
class ResultColumn:
    """A column of what a statement returns, and what makes a value of a document of its values."""

    name: str
    made: Make | None = None


@dataclass(frozen=True)
class Stream:
    """What a statement returns, as it comes: in parts of some rows each."""

    columns: Sequence[ResultColumn]
    parts: AsyncIterator[Sequence[Values]]


class Session(ABC):
    """One connection, which only reads. Errors are those of the tree, and say what to do.

    `usable` is False once the connection was lost, or is in the middle of something that nobody waits for: then all
    that can be done is to close it.
    """

    usable: bool = True
    server: str
    """Which server it is, in the words of its version."""

    @abstractmethod
    async def begin(self) -> None:
        """Begin to read the database as it is at this moment, and end what was begun before."""

    @abstractmethod
    async def fetch(self, text: str, given: Mapping[str, Any] = NOTHING, *, most_bytes: int | None = None) -> Fetched:
        """Return the rows of a statement; not all of them where there are more bytes than that."""

    @abstractmethod
    def streamed(self, text: str, given: Mapping[str, Any] | None = None) -> AbstractAsyncContextManager[Stream]:
        """Provide what a statement returns without having all of it in memory. It is read no faster than it is used.

        Without values the text is what somebody wrote, and is sent as it is.
        """

    @abstractmethod
    async def described(self, text: str) -> Sequence[str]:
        """Return the names of what a statement would return, which is not executed. Raises what is wrong with it."""

    @abstractmethod
    async def close(self) -> None:
        """Close it, whatever it is doing."""
