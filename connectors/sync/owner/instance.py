"""Instance: who this process is, so that another one on the same machine can tell whether it still runs."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_START = 21
"""Where a process's start stands in its `stat`, counted behind its name."""


@dataclass(frozen=True)
class Instance:
    """A process: its machine, boot and process namespace in one, its number, and when it started.

    Numbers are given again, so the start belongs to it. Where the system does not tell all of this, `place` is empty,
    and whether another process is gone can't be told.
    """

    host: str
    place: str
    pid: int
    start: str

    @classmethod
    def current(cls) -> Self:
        """Return this process."""
        pid = os.getpid()
        return cls(socket.gethostname(), _place(), pid, _start_of(pid) or "")

    @classmethod
    def of(cls, text: str) -> Self | None:
        """Return what `str` of an instance says; None for anything else."""
        parts = text.split("|")
        if len(parts) != 4 or not parts[2].isdecimal():
            return None
        return cls(parts[0], parts[1], int(parts[2]), parts[3])

    def __str__(self) -> str:
        return f"{self.host}|{self.place}|{self.pid}|{self.start}"

    @property
    def name(self) -> str:
        """What a person knows it by."""
        return f"process {self.pid} on {self.host}"

    @property
    def is_gone(self) -> bool:
        """Whether it has certainly ended: it was here, and its number is nobody's now, or another's."""
        return bool(self.place and self.start) and self.place == _place() and _start_of(self.pid) != self.start


def _place() -> str:
    try:
        return f"{_BOOT.read_text().strip()}/{_NAMESPACE.readlink()}"
    except OSError:
        return ""


def _start_of(pid: int) -> str | None:
    """Return when a process started, in the system's ticks; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # a process may have any name, with spaces too
    return None if fields[0] in {"Z", "X"} else fields[_START - 2]
