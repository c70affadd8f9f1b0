"""Memory: what processes have resident, where the system tells."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_RESIDENT: Final = 1
"""Where it stands in `statm`."""


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of processes together; one that is gone, or hidden, has none."""
    return sum(map(_of, pids))


def _of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[_RESIDENT]) * _PAGE_BYTES
    except OSError:
        return 0
