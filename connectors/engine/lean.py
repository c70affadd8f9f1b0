"""Lean imports: a library without what it would load for a feature of which nobody makes use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(name: str) -> Iterator[None]:
    """Let a package look as if it were not installed to what is imported in the block, unless it is loaded already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment] # what Python itself takes for "not to be found"
    try:
        yield
    finally:
        del sys.modules[name]
