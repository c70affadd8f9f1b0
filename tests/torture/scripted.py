"""A source that does what a script says: yields documents of any kind, waits, fails, or ends too early.

A script is a file with a JSON value in each line. What is no document is an object whose only name begins with a `!`.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from connectors import errors
from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.fields import Field, Fields
from connectors.source import BaseDataSource, Yielded

Step = dict[str, Any]
_eaten: list[bytearray] = []


def wait(seconds: float) -> Step:
    """Let the source take that long for the next document."""
    return {"!wait": seconds}


def fail(error: str, text: str = "The page could not be read.") -> Step:
    """Let the source raise an error of that name, ours or Python's."""
    return {"!fail": [error, text]}


def unreadable(doc_id: str) -> Step:
    """Let the source say that there is a document which it could not read."""
    return {"!unreadable": doc_id}


def long_text(doc_id: str, field: str, characters: int) -> Step:
    """Let the source yield a document whose field is that long."""
    return {"!long": [doc_id, field, characters]}


def many(count: int, characters: int = 0) -> Step:
    """Let the source yield so many small documents."""
    return {"!many": [count, characters]}


def die() -> Step:
    """Let the source end the process that it runs in, as a crash in a driver does."""
    return {"!die": True}


def block(seconds: float) -> Step:
    """Let the source hold up everything else in its process for that long."""
    return {"!block": seconds}


def cling(seconds: float) -> Step:
    """Let the source wait that long, and make nothing of it when it is cancelled."""
    return {"!cling": seconds}


def eat(size_bytes: int) -> Step:
    """Let the source take that much memory, and keep it."""
    return {"!eat": size_bytes}


def reach(path: Path) -> Step:
    """Let the source make a file, so that others see that it has come so far."""
    return {"!reach": str(path)}


def hold(path: Path) -> Step:
    """Let the source wait until there is such a file."""
    return {"!hold": str(path)}


def written(path: Path, steps: Iterable[Step]) -> Path:
    """Write a script in the place of what stands there."""
    temporary = path.with_suffix(".new")
    with temporary.open("w", encoding="ascii") as file:
        file.writelines(json.dumps(step) + "\n" for step in steps)
    return temporary.rename(path)


class ScriptedDataSource(BaseDataSource):
    """Follows a script."""

    name = "Scripted"
    service_type = "scripted"
    fields = Fields(Field("script", "Script", type=Path))

    async def ping(self) -> None:
        """Reach nothing."""

    async def get_docs(self, filtering: Filter | None = None) -> AsyncGenerator[Yielded, None]:
        """Yield what the script says."""
        for step in _steps(Path(self.configuration.script)):
            match step:
                case {"!wait": _} | {"!hold": _} | {"!cling": _}:
                    await _pass(step)
                case {"!fail": [error, text]}:
                    raise _error(error, text)
                case {"!unreadable": doc_id}:
                    yield Failed(doc_id, "It is locked.")
                case {"!long": [doc_id, field, characters]}:
                    yield {"_id": doc_id, field: "long " * (characters // 5)}
                case {"!many": [count, characters]}:
                    for number in range(count):
                        yield {"_id": f"row_{number}", "number": number, "text": "x" * characters}
                case {"!reach": _} | {"!die": _} | {"!block": _} | {"!eat": _}:
                    _happen(step)
                case _:
                    yield step


async def _pass(step: Step) -> None:
    """Let time pass."""
    match step:
        case {"!wait": seconds}:
            await asyncio.sleep(seconds)
        case {"!hold": path}:
            while not os.path.exists(path):  # noqa: ASYNC110, ASYNC240, PTH110 - another process makes it
                await asyncio.sleep(0.05)
        case {"!cling": seconds}:
            await _clung(seconds)


async def _clung(seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(left)


def _happen(step: Step) -> None:
    """Do what concerns the whole process."""
    match step:
        case {"!reach": path}:
            Path(path).touch()
        case {"!die": _}:
            os.kill(os.getpid(), signal.SIGKILL)
        case {"!block": seconds}:
            time.sleep(seconds)
        case {"!eat": size_bytes}:
            _eaten.append(bytearray(b"x") * size_bytes)


def _steps(script: Path) -> Iterator[Any]:
    with script.open(encoding="ascii") as file:
        for line in file:
            yield json.loads(line)


def _error(name: str, text: str) -> Exception:
    ours = getattr(errors, name, None)
    made: Exception = ours(text) if ours is not None else {"ValueError": ValueError, "OSError": OSError}[name](text)
    return made
