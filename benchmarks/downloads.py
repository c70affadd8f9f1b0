"""What a small download costs beyond its fetch, and how long a large content keeps the event loop from others."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial

from benchmarks.measure import Row, compare
from connectors.aio.clock import SystemClock
from connectors.aio.retry import Retry
from connectors.download import Download
from connectors.sync.content.downloads import DownloadLimits, Downloads, Failure, Fetched
from connectors.sync.content.extraction import PipelineAttachment, PlainText
from connectors.sync.content.policy import ContentPolicy
from connectors.sync.content.stage import DownloadStage

DOCUMENTS = 10_000
ROUNDS = 5
LARGE = 10 * 2**20
_SMALL = b"The quick brown fox jumps over the lazy dog.\n" * 22
_TEXT = ("Größe, naïveté, 10 €.\n" * (LARGE // 26)).encode()


async def _small() -> bytes:
    return _SMALL


async def _bare() -> None:
    for _ in range(DOCUMENTS):
        await _small()


async def _in_tasks() -> None:
    """Fetch as many at once as the stage does, with the time limit that each needs, and nothing else."""
    gate = asyncio.Semaphore(10)

    async def one() -> None:
        async with gate, asyncio.timeout(60):
            await _small()

    async with asyncio.TaskGroup() as group:
        for _ in range(DOCUMENTS):
            group.create_task(one())


async def _staged(policy: ContentPolicy | None) -> None:
    async def deliver(item: int, result: Fetched | Failure) -> None:
        if policy is not None and isinstance(result, Fetched):
            await policy.fields_of(result.content, {"title": item})

    fetcher = Downloads(DownloadLimits(), clock=SystemClock(), retry=Retry(), mask=str)
    async with fetcher, DownloadStage(fetcher, deliver) as stage:
        for number in range(DOCUMENTS):
            await stage.put(str(number), number, Download(_small, size=len(_SMALL)), size=200)


def run() -> list[Row]:
    """Return seconds for all documents."""
    ways: dict[str, Callable[[], Coroutine[None, None, None]]] = {
        "the fetch alone": _bare,
        "a task, a semaphore and a time limit each": _in_tasks,
        "the stage": lambda: _staged(None),
        "the stage, and the text extracted": lambda: _staged(ContentPolicy(PlainText())),
    }
    return compare({name: partial(_run, way) for name, way in ways.items()}, rounds=ROUNDS)


def _run(way: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(way())


async def _longest_wait_s(work: Callable[[], Awaitable[object]]) -> float:
    """Return the longest time for which another task waited for its turn while the work was done."""
    longest, last = 0.0, time.perf_counter()
    task = asyncio.ensure_future(work())
    while not task.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


def waits_ms() -> dict[str, float]:
    """Return the longest wait of each way, the least of some rounds: what is over it is the machine's."""
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "base64 in a thread": lambda: asyncio.to_thread(lambda: base64.b64encode(_TEXT).decode()),
        "base64 in slices": lambda: PipelineAttachment().fields_of(_TEXT, None),
        "decoded in a thread": lambda: asyncio.to_thread(_TEXT.decode),
        "text in slices": lambda: PlainText().fields_of(_TEXT, None),
    }
    return {
        name: round(min(asyncio.run(_longest_wait_s(work)) for _ in range(ROUNDS)) * 1e3, 1)
        for name, work in ways.items()
    }
