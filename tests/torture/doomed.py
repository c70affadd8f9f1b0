"""A process that lives one life on a data folder and dies at its appointed write: `python -m tests.torture.doomed`.

Usage: doomed FOLDER SEED STEPS WRITES KIND

It prints a line for each request that was answered. At the write of that number it is killed, by a signal that it can't
catch. With the KIND `power` it takes with it what was written and not synced, sector by sector and at random, as a
machine does whose power fails.
"""

import os
import random
import signal
import sys
from pathlib import Path
from typing import Final

import apsw
import msgspec

from connectors.engine.embedded.engine import EmbeddedEngine
from tests.torture.life import CREATE, Life

SECTOR: Final = 512


class Fate:
    """Counts the writes until the end."""

    def __init__(self, writes: int, seed: int, *, power: bool) -> None:
        self.left = writes
        self.power = power
        self.random = random.Random(f"fate {seed}")
        self.files: list[DoomedFile] = []

    def come(self) -> None:
        """Count one write; the last one is never made."""
        self.left -= 1
        if self.left > 0:
            return
        if self.power:
            share = self.random.choice([0.0, 0.3, 0.7, 1.0])
            for file in self.files:
                file.lose(self.random, share)
        os.kill(os.getpid(), signal.SIGKILL)


class DoomedFile(apsw.VFSFile):
    """A file of SQLite that remembers what stood where it was written, until it is synced."""

    def __init__(self, fate: Fate, name: str | apsw.URIFilename, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._fate = fate
        self._path = name if isinstance(name, str) else name.filename()
        self._unsynced: list[tuple[int, bytes, int]] = []
        fate.files.append(self)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._fate.come()
        if self._fate.power:
            with Path(self._path).open("rb") as file:
                file.seek(offset)
                self._unsynced.append((offset, file.read(len(data)), len(data)))
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._fate.come()
        super().xSync(flags)
        self._unsynced.clear()

    def xClose(self) -> None:  # noqa: N802
        self._fate.files.remove(self)
        super().xClose()

    def lose(self, chance: random.Random, share: float) -> None:
        """Put back some of what stood there before the last sync."""
        if not self._unsynced:
            return
        with Path(self._path).open("r+b") as file:
            for offset, before, size in reversed(self._unsynced):
                whole = before.ljust(size, b"\0")
                for start in range(0, size, SECTOR):
                    if chance.random() < share:
                        file.seek(offset + start)
                        file.write(whole[start : start + SECTOR])


class DoomedDisk(apsw.VFS):
    """The default way to files of every connection that is opened from now on."""

    def __init__(self, fate: Fate) -> None:
        super().__init__("doomed", "unix", makedefault=True)
        self._fate = fate

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if name is None:  # a temporary file, which nobody misses
            return apsw.VFSFile("unix", None, flags)
        return DoomedFile(self._fate, name, flags)


def main(folder: Path, seed: int, steps: int, writes: int, kind: str) -> None:
    """Live."""
    disk = DoomedDisk(Fate(writes, seed, power=kind == "power"))
    engine = EmbeddedEngine(folder, slice_s=0.002)  # many slices, of bulks and of refreshes
    engine.handle("PUT", "/docs", msgspec.json.encode(CREATE))
    for number, step in enumerate(Life(seed).steps(steps)):
        status, content = engine.handle(step.method, step.target, step.body)
        refused = (status >= 300 and not step.target.startswith("/other")) or b'"errors":true' in content
        sys.stdout.write(f"refused {number} {content.decode()}\n" if refused else f"answered {number}\n")
        sys.stdout.flush()
    engine.close()
    disk.unregister()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
