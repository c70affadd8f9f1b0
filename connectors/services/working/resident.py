"""Resident memory: how much of it a process has, as the system tells."""

import os
from pathlib import Path
from typing import Final

PROCESSES: Final = Path("/proc")


def resident_bytes(pid: int) -> int | None:
    """Return how many bytes of memory a process has; None where there is none, or the system does not tell."""
    try:
        pages = (PROCESSES / str(pid) / "statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
