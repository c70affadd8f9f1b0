"""Instance: who this process is, so that another one on the same machine can tell whether it still runs."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PROCESSES = Path("/proc")
_BOOT = _PROCESSES / "sys/kernel/random/boot_id"
_NAMESPACE = _PROCESSES / "self/ns/pid"
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
        return cls(socket.gethostname(), _place(), pid, _start_of(pid, _PROCESSES) or "")

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
        return self.is_gone_by(_PROCESSES)

    def is_gone_by(self, processes: Path) -> bool:
        """Return the same, as a folder tells of processes that may hide those of other users (`hidepid`)."""
        if not (self.place and self.start) or self.place != _place():
            return False
        start = _start_of(self.pid, processes)
        return _is_nobodys(self.pid) if start is None else start != self.start


def _place() -> str:
    try:
        return f"{_BOOT.read_text().strip()}/{_NAMESPACE.readlink()}"
    except OSError:
        return ""


def _start_of(pid: int, processes: Path) -> str | None:
    """Return when a process started, in the system's ticks; empty when it has ended, None when that is not told."""
    try:
        stat = (processes / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # a process may have any name, with spaces too
    return "" if fields[0] in {"Z", "X"} else fields[_START - 2]


def _is_nobodys(pid: int) -> bool:
    """Return whether there is certainly no process of that number; one of another user is there, though hidden."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # such as that it may not be sent a signal
        return False
    return False
