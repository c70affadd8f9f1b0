"""A column of numbers whose memory grows and shrinks in place, so that no second copy of it is ever needed."""

import mmap
from typing import Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.generic)
_PAGE: Final = mmap.PAGESIZE


class Column(Generic[Number]):
    """Numbers of one type in pages that the system gives and takes back one by one.

    Memory from `malloc` would do the same only for large blocks, and only as long as nothing else in the process moved
    the size from which they count as large. Pages that were never written to take no memory.
    """

    def __init__(self, dtype: type[Number], capacity: int = 0) -> None:
        self._dtype = np.dtype(dtype)
        self._pages = self._new(capacity)
        self.array: npt.NDArray[Number] = np.frombuffer(self._pages, self._dtype)
        """As many numbers as there is room for. A view of it must not outlive the next change of the room."""

    def grow(self, count: int) -> None:
        """Make room for at least so many numbers. What the new ones are is not defined."""
        if count > len(self.array):
            self._resize(count)

    def shrink(self, count: int) -> None:
        """Give back the memory behind so many numbers."""
        if self._size(count) < len(self._pages):
            self._resize(count)

    def _resize(self, count: int) -> None:
        del self.array  # a view of the pages, which can't be resized while there is one
        try:
            self._pages.resize(self._size(count))
        except (BufferError, SystemError):  # somebody still has a view, or this system can't
            old = np.frombuffer(self._pages, self._dtype)[:count]
            self._pages = self._new(count)
            np.frombuffer(self._pages, self._dtype)[: len(old)] = old
        finally:
            self.array = np.frombuffer(self._pages, self._dtype)

    def _size(self, count: int) -> int:
        return max(1, -(-count * self._dtype.itemsize // _PAGE)) * _PAGE

    def _new(self, count: int) -> mmap.mmap:
        return mmap.mmap(-1, self._size(count), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
