"""A snapshot: a file as long as it was when it was opened, however much is appended to it meanwhile."""

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from connectors.errors import ConnectorsError, SourceError, SourceUnreachable

_BUFFER: Final = 1 << 18
_REPAIR: Final = "Write it again, or take it away."
_REPLACE: Final = "Write a new file beside it and rename that; the next sync reads it."


class Snapshot:
    """An open file, of which only the bytes are read that it had at that moment.

    Raises `SourceUnreachable` for a file that became shorter, so that nobody takes its new end for that of its rows.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self._file = file
        self._stat = os.fstat(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def identity(self) -> tuple[int, ...]:
        """What tells this content from any other: device, inode, size and the times of changes."""
        stat = self._stat
        return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns

    @property
    def has_grown(self) -> bool:
        """Whether something was appended since."""
        return os.fstat(self._file.fileno()).st_size > self._stat.st_size

    def check(self) -> None:
        """Raise `SourceUnreachable` when what was read may be half of one content and half of another."""
        if os.fstat(self._file.fileno()).st_mtime_ns != self._stat.st_mtime_ns and not self.has_grown:
            raise SourceUnreachable(f"{self.name!r} was changed while it was read.", hint=_REPLACE)

    def content(self) -> "io.BufferedReader[Any]":
        """Return its bytes from the start, unpacked where its name ends in `.gz`. May be called several times."""
        window: Any = _Window(self.name, self._file.fileno(), self._stat.st_size)
        content = io.BufferedReader(window, _BUFFER)
        if self.name.lower().endswith(".gz"):
            return io.BufferedReader(gzip.GzipFile(fileobj=content), _BUFFER)
        return content


class _Window(io.RawIOBase):
    """The first bytes of an open file, read at a place of its own; closing it leaves the file open."""

    def __init__(self, name: str, number: int, size: int) -> None:
        super().__init__()
        self._name, self._number, self._size, self._place = name, number, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # whatever can be written to
        wanted = memoryview(buffer)[: max(self._size - self._place, 0)]
        count = os.preadv(self._number, [wanted], self._place) if wanted else 0
        if wanted and not count:
            raise SourceUnreachable(f"{self._name!r} became shorter while it was read.", hint=_REPLACE)
        self._place += count
        return count


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what the system and the formats raise into errors that name the file and say how to recover."""
    try:
        yield
    except ConnectorsError:
        raise
    except EOFError:
        raise SourceError(f"{name!r} is cut off before its end.", hint=_REPAIR) from None
    except (gzip.BadGzipFile, zlib.error, ValueError) as error:
        raise SourceError(f"{name!r} can't be read: {error}.", hint=_REPAIR) from error
    except OSError as error:
        if error.errno is None:  # it is not the system that says so
            raise SourceError(f"{name!r} can't be read: {error}.", hint=_REPAIR) from error
        raise SourceUnreachable(f"{name!r} can't be read: {error.strerror or error}.") from error
