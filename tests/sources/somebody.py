"""Somebody who is not root: what permissions refuse him, they refuse for real."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

NOBODY = 65534
_libc = ctypes.CDLL(None)


@contextmanager
def somebody_else() -> Iterator[None]:
    """Use files as nobody in this thread alone, where we are root; another user stays who he is."""
    become_nobody()
    try:
        yield
    finally:
        _libc.setfsuid(0)
        _libc.setfsgid(0)


def become_nobody() -> None:
    """Use files as nobody in this thread from now on."""
    _libc.setfsgid(NOBODY)
    _libc.setfsuid(NOBODY)
