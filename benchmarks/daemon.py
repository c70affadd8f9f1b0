"""What a daemon takes that has nothing to do: `python -m benchmarks.daemon`, some two minutes."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from connectors.config import EngineSettings
from connectors.engine import open_engine
from connectors.store.connectors import ConnectorStore

CONNECTORS: Final = 1_000
SETTLED_AFTER_S: Final = 60.0
"""A daemon that has just started looks at every connector once."""
MEASURED_S: Final = 60.0


@dataclass(frozen=True)
class Use:
    """What one process took: its share of a core, and the memory that it has in the end."""

    name: str
    share: float
    resident_mb: int


async def prepare(folder: Path) -> Path:
    """Write the connectors, none of which is due before tomorrow, and return the settings file."""
    (folder / "docs").mkdir()
    (folder / "docs" / "page.txt").write_text("A page.")
    config = folder / "config.yml"
    settings = {
        "engine": {"data": str(folder / "data")},
        "sync": {"ledgers": str(folder / "ledgers")},
        "allowed_paths": [str(folder / "docs")],
        "log": {"level": "warning"},
    }
    config.write_text(yaml.safe_dump(settings))
    hour = (time.gmtime().tm_hour + 12) % 24
    async with open_engine(EngineSettings(data=folder / "data")) as engine:
        store = await ConnectorStore.open(engine)
        for number in range(CONNECTORS):
            interval = f"{number % 60} {number // 60} {hour} * * ?"
            document = {
                "service_type": "directory",
                "index_name": f"index-{number}",
                "status": "connected",
                "configuration": {"directory": {"value": str(folder / "docs")}},
                "scheduling": {"full": {"enabled": True, "interval": interval}},
            }
            await store.create(f"connector-{number}", document)
    return config


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


def measured(daemon: int) -> list[Use]:
    """Return what the daemon and its processes take while nothing is due."""
    time.sleep(SETTLED_AFTER_S)
    names = {daemon: "the daemon"} | {child: _name_of(child) for child in _children(daemon)}
    before = {process: _cpu_s(process) for process in names}
    time.sleep(MEASURED_S)
    shares = {process: (_cpu_s(process) - before[process]) / MEASURED_S for process in names}
    return [Use(name, shares[process], _resident_mb(process)) for process, name in names.items()]


def _children(process: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _name_of(process: int) -> str:
    command = Path(f"/proc/{process}/cmdline").read_bytes()
    return "the embedded engine" if b"engine_process" in command else "a worker process"


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024 // 10**6


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        config = asyncio.run(prepare(Path(folder)))
        with running(config) as daemon:
            found = measured(daemon)
    print(f"| {CONNECTORS:,} connectors, nothing due | of a core | resident, MB |")
    print("| --- | ---: | ---: |")
    for one in found:
        print(f"| {one.name} | {one.share:.1%} | {one.resident_mb} |")


if __name__ == "__main__":
    main()
