"""A daemon as a process, and what it and its own processes take of the machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(config: Path) -> Iterator[int]:
    """Run a daemon during the block, and provide its number."""
    command = [sys.executable, "-m", "connectors", "--config", str(config), "run"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def children(process: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def name_of(process: int) -> str:
    """Return what a process of a daemon is."""
    command = Path(f"/proc/{process}/cmdline").read_bytes()
    return "the embedded engine" if b"engine_process" in command else "a worker process"


def cpu_s(process: int) -> float:
    """Return the seconds for which a process has had a core."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(process: int) -> int:
    """Return the memory of a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024 // 10**6
