import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.aio.retry import RetryPolicy
from connectors.download import Download, Fetch
from connectors.errors import AccessDenied, EngineUnreachable, JobCanceled, QueueClosed, SourceUnreachable, Throttled
from connectors.sync.content.downloads import DownloadLimits, Downloads, Failure, Fetched
from connectors.sync.content.stage import DownloadStage
from connectors.testing.virtual_time import VirtualTimeLoop, virtual_time
from tests.sync.fetches import downloads, raises, returns, swallows_cancellation

LIMITS = DownloadLimits(concurrent=2, at_once_bytes=150, largest_bytes=100, timeout_s=60, farewell_s=5)


def now_s() -> float:
    return asyncio.get_running_loop().time()


class Delivered(list[tuple[str, object]]):
    """What came out: each item with its content, or with the cause for which it has none."""

    def __init__(self, *, takes_s: float = 0) -> None:
        super().__init__()
        self._takes_s = takes_s

    async def __call__(self, item: str, result: Fetched | Failure) -> None:
        await asyncio.sleep(self._takes_s)
        self.append((item, result.content if isinstance(result, Fetched) else result.cause))


@virtual_time
async def test_leaving_the_block_waits_until_everything_is_delivered() -> None:
    delivered = Delivered()
    fetcher = downloads(LIMITS)
    async with DownloadStage(fetcher, delivered) as stage:
        await stage.put("a", "slow", Download(returns(b"1", after_s=50), size=1), size=1)
        await stage.put("b", "denied", Download(raises(AccessDenied("Not for us.")), size=1), size=1)
        await stage.put("c", "fast", Download(returns(b"3", after_s=1), size=1), size=1)
    assert delivered == [("denied", "AccessDenied"), ("fast", b"3"), ("slow", b"1")]
    assert (fetcher.reserved_bytes, len(asyncio.all_tasks())) == (0, 1)


@virtual_time
async def test_a_walk_is_no_faster_than_its_downloads() -> None:
    put: list[float] = []
    async with DownloadStage(downloads(LIMITS), Delivered()) as stage:
        for number in range(12):
            await stage.put(str(number), "item", Download(returns(b"", after_s=10), size=0), size=1)
            put.append(now_s())
    # Four are in work, two of these run, and four wait.
    assert put == [0] * 8 + [10, 10, 20, 20]
    assert now_s() == 60


@virtual_time
async def test_items_that_wait_are_bounded_by_their_bytes_too() -> None:
    async with DownloadStage(downloads(LIMITS), Delivered(), waiting_bytes=10) as stage:
        for number in range(6):
            await stage.put(str(number), "item", Download(returns(b"", after_s=10), size=0), size=10)
        assert now_s() == 10


@virtual_time
async def test_downloads_go_on_while_contents_wait_to_be_delivered() -> None:
    started: list[float] = []

    async def fetch() -> bytes:
        started.append(now_s())
        return b""

    async with DownloadStage(downloads(LIMITS), Delivered(takes_s=30)) as stage:
        for number in range(5):
            await stage.put(str(number), "item", Download(fetch, size=0), size=1)
    assert started == [0, 0, 0, 0, 30]


@virtual_time
async def test_bytes_stay_reserved_until_they_are_delivered() -> None:
    fetcher, reserved = downloads(LIMITS), []

    async def deliver(item: str, result: Fetched | Failure) -> None:
        await asyncio.sleep(30)
        reserved.append(fetcher.reserved_bytes)

    async with DownloadStage(fetcher, deliver) as stage:
        for number in range(3):
            await stage.put(str(number), "item", Download(returns(b"x" * 70), size=70), size=1)
    assert reserved == [140, 140, 70]


@virtual_time
async def test_items_of_one_id_come_out_in_their_order() -> None:
    delivered = Delivered(takes_s=1)
    async with DownloadStage(downloads(LIMITS), delivered) as stage:
        for name, seconds in (("old", 40), ("newer", 20), ("newest", 1)):
            await stage.put("a", name, Download(returns(name.encode(), after_s=seconds)), size=1)
        await stage.put("b", "other", Download(returns(b"other", after_s=1), size=5), size=1)
    assert delivered == [("other", b"other"), ("old", b"old"), ("newer", b"newer"), ("newest", b"newest")]


@virtual_time
async def test_what_goes_around_the_stage_can_wait_for_its_id() -> None:
    async with DownloadStage(downloads(LIMITS), Delivered(takes_s=5)) as stage:
        await stage.put("a", "old", Download(returns(b"", after_s=40)), size=1)
        await stage.put("a", "newer", Download(returns(b"", after_s=40)), size=1)
        await stage.passed("b")
        assert now_s() == 0
        await stage.passed("a")
        assert now_s() == 90
        await stage.passed("a")
        assert now_s() == 90


@virtual_time
async def test_an_error_of_the_delivery_interrupts_the_walk() -> None:
    async def deliver(item: str, result: Fetched | Failure) -> None:
        raise EngineUnreachable("gone")

    fetcher = downloads(LIMITS)
    with pytest.raises(EngineUnreachable, match="gone"):
        async with DownloadStage(fetcher, deliver) as stage:
            await stage.put("a", "item", Download(returns(b"", after_s=10)), size=1)
            await stage.put("b", "item", Download(returns(b"", after_s=50)), size=1)
            await asyncio.sleep(3600)
    assert (now_s(), fetcher.reserved_bytes, len(asyncio.all_tasks())) == (10, 0, 1)


@virtual_time
async def test_an_error_of_the_walk_ends_what_is_under_way() -> None:
    delivered, fetcher = Delivered(), downloads(LIMITS)
    with pytest.raises(JobCanceled):
        async with DownloadStage(fetcher, delivered) as stage:
            for number in range(6):
                await stage.put(str(number), "item", Download(returns(b"", after_s=10)), size=1)
            raise JobCanceled("somebody asked")
    assert (delivered, now_s(), fetcher.reserved_bytes, len(asyncio.all_tasks())) == ([], 0, 0, 1)


@virtual_time
async def test_a_stage_that_was_left_takes_nothing() -> None:
    async with DownloadStage(downloads(LIMITS), Delivered()) as stage:
        pass
    with pytest.raises(QueueClosed):
        await stage.put("a", "item", Download(returns(b"")), size=1)


@virtual_time
async def test_a_fetch_that_can_not_be_stopped_does_not_hold_the_end_up() -> None:
    async with downloads(LIMITS, policy=RetryPolicy(attempts=1)) as fetcher:
        delivered = Delivered()
        async with DownloadStage(fetcher, delivered) as stage:
            await stage.put("a", "item", Download(swallows_cancellation(for_s=10_000)), size=1)
        assert (delivered, now_s()) == ([("item", "SourceUnreachable")], 60 + 5)
    await asyncio.sleep(10_000)


@dataclass(frozen=True)
class Work:
    """One document of the property: how its fetch behaves, and what is said of it."""

    kind: int
    size: int
    said: int | None
    seconds: int
    doc_id: str

    def fetch(self, check: Callable[[], None]) -> Fetch:
        inner = [
            returns(b"x" * self.size, after_s=self.seconds),
            returns({"text": "x" * self.size}, after_s=self.seconds),
            raises(OSError("broken")),
            raises(SourceUnreachable("gone"), then=b"x" * self.size),
            raises(Throttled("Slow down.", retry_after_s=self.seconds), then=b"x" * self.size),
            raises(asyncio.CancelledError()),
            returns(b"", after_s=100_000),
            swallows_cancellation(for_s=min(self.seconds, 64)),  # else it is left behind, and two end the stage
        ][self.kind]

        async def fetch() -> object:
            check()
            try:
                return await inner()
            finally:
                check()

        return fetch  # type: ignore[return-value]


WORK = st.builds(
    Work,
    st.integers(0, 7),
    st.integers(0, 120),
    st.none() | st.integers(0, 120),
    st.integers(0, 70),
    st.sampled_from("abcdef"),
)


@settings(max_examples=300)
@given(st.lists(WORK, max_size=25), st.integers(0, 20), st.none() | st.integers(0, 400))
def test_whatever_happens_each_item_comes_out_once_and_the_bounds_hold(
    work: list[Work], takes_s: int, cancelled_after_s: int | None
) -> None:
    put: list[int] = []
    delivered: list[int] = []

    async def walk(fetcher: Downloads) -> None:
        def check() -> None:
            assert 0 <= fetcher.reserved_bytes <= LIMITS.at_once_bytes

        async def deliver(number: int, result: Fetched | Failure) -> None:
            check()
            await asyncio.sleep(takes_s)
            check()
            delivered.append(number)

        async with fetcher, DownloadStage(fetcher, deliver) as stage:
            for number, one in enumerate(work):
                await stage.put(one.doc_id, number, Download(one.fetch(check), size=one.said), size=1)
                put.append(number)

    async def run() -> bool:
        fetcher = downloads(LIMITS)
        task = asyncio.create_task(walk(fetcher))
        await asyncio.wait({task}, timeout=cancelled_after_s)
        task.cancel()
        await asyncio.wait({task}, timeout=LIMITS.farewell_s * 3)
        assert task.done()
        assert fetcher.reserved_bytes == 0
        await asyncio.sleep(100)  # for those that could not be stopped
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if task.cancelled():
            return False
        task.result()
        return True

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        complete = runner.run(run())
    assert sorted(delivered) == (put if complete else sorted(set(put) & set(delivered)))
    for doc_id in {one.doc_id for one in work}:
        of_one = [number for number in delivered if work[number].doc_id == doc_id]
        assert of_one == sorted(of_one)
