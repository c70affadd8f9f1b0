"""Held: the files, sockets, threads and tasks that a process has open, compared before and after."""

import asyncio
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_FOLDERS: Final = (Path("/proc/self/fd"), Path("/dev/fd"))
_OF_THE_LOOP: Final = "asyncio_"
"""How the threads of a loop's own pool are called, which stay with the loop."""
_PAUSE_S: Final = 0.005

File = tuple[int, int, int]
"""A descriptor with the device and inode that it stands for, as numbers are used again."""


@dataclass(frozen=True)
class Held:
    """What is held at one moment. Where the system does not list its open files, there are none."""

    files: frozenset[File]
    threads: frozenset[threading.Thread]
    tasks: frozenset[asyncio.Task[Any]]

    @classmethod
    def now(cls) -> "Held":
        """Return what is held now: called in the event loop."""
        threads = (one for one in threading.enumerate() if not one.name.startswith(_OF_THE_LOOP))
        return cls(frozenset(_files()), frozenset(threads), frozenset(asyncio.all_tasks()))

    def beyond(self, before: "Held") -> str:
        """Return what is held that was not before, for people; nothing for nothing."""
        files = [f"the file or socket {_name_of(number)}" for number, *_ in sorted(self.files - before.files)]
        threads = sorted(f"the thread {one.name!r}" for one in self.threads - before.threads)
        tasks = sorted(f"the task {one.get_name()!r}" for one in self.tasks - before.tasks)
        return ", ".join(files + threads + tasks)


async def left_over(before: Held, *, within_s: float) -> str:
    """Return what is still held beyond `before` after so long: a connection takes turns of the loop to close."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    while (beyond := Held.now().beyond(before)) and loop.time() < end:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(_PAUSE_S)
    return beyond


def _files() -> list[File]:
    found = []
    for folder in _FOLDERS:
        if folder.is_dir():
            for name in os.listdir(folder):  # noqa: PTH208 - it may hold what is gone by then
                try:
                    status = os.fstat(int(name))
                except OSError:
                    continue  # the one that listed the folder
                found.append((int(name), status.st_dev, status.st_ino))
            break
    return found


def _name_of(number: int) -> str:
    try:
        return f"{number} ({os.readlink(f'/proc/self/fd/{number}')})"  # noqa: PTH115 - a socket is no path
    except OSError:
        return str(number)
