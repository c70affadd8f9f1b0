"""Settled files: those that were left alone long enough for any further change to show in their times."""

from typing import Final

SETTLED_NS: Final = 3_000_000_000
"""Longer than two writes can be apart that a file system gives the same time: the coarsest clock goes by 2 seconds."""
