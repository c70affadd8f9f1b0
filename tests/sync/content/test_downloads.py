import asyncio
import gc
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import structlog

from connectors.download import Content, Download
from connectors.errors import AccessDenied, DocumentSkipped, SourceUnreachable, Throttled
from connectors.sync.content.downloads import (
    LONGEST_REASON,
    DownloadLimits,
    Downloads,
    Failure,
    FailureKind,
    Fetched,
    size_of,
)
from connectors.testing.virtual_time import virtual_time
from tests.sync.fetches import downloads, raises, returns, swallows_cancellation

NARROW = DownloadLimits(concurrent=2, at_once_bytes=150, largest_bytes=100, timeout_s=60, farewell_s=5)


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def failure_of(fetcher: Downloads, download: Download) -> Failure:
    result = await fetcher.fetch("a", download)
    assert isinstance(result, Failure)
    assert fetcher.reserved_bytes == 0
    return result


async def content_of(fetcher: Downloads, download: Download) -> Content:
    result = await fetcher.fetch("a", download)
    assert isinstance(result, Fetched)
    result.release()
    return result.content


@pytest.mark.parametrize(
    "limits", [{"concurrent": 0}, {"largest_bytes": 0}, {"largest_bytes": 11, "at_once_bytes": 10}]
)
def test_limits_that_let_nothing_in_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="room"):
        DownloadLimits(**limits)


@virtual_time
async def test_a_content_takes_its_bytes_until_it_is_released() -> None:
    fetcher = downloads(NARROW)
    result = await fetcher.fetch("a", Download(returns(b"x" * 40)))
    assert isinstance(result, Fetched)
    assert (result.content, result.size, fetcher.reserved_bytes) == (b"x" * 40, 40, 40)
    result.release()
    result.release()
    assert fetcher.reserved_bytes == 0


@virtual_time
async def test_no_more_fetches_run_at_once_than_allowed() -> None:
    fetcher, running, most = downloads(NARROW), 0, 0

    async def fetch() -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1
        return b""

    await asyncio.gather(*(fetcher.fetch(str(n), Download(fetch, size=0)) for n in range(7)))
    assert (most, now_s()) == (2, 4)


@pytest.mark.parametrize(("size", "seconds"), [(None, 2), (-1, 2), (75, 1), (76, 2)])
def test_what_may_not_fit_beside_another_waits_before_it_is_fetched(size: int | None, seconds: float) -> None:
    @virtual_time
    async def test() -> None:
        fetcher = downloads(NARROW)
        download = Download(returns(b"x" * 75, after_s=1), size=size)

        async def one(doc_id: str) -> None:
            result = await fetcher.fetch(doc_id, download)
            assert isinstance(result, Fetched)
            result.release()

        await asyncio.gather(one("a"), one("b"))
        assert now_s() == seconds

    test()


@virtual_time
async def test_a_content_that_was_not_released_makes_the_next_wait() -> None:
    fetcher = downloads(NARROW)
    first = await fetcher.fetch("a", Download(returns(b"x" * 100)))
    assert isinstance(first, Fetched)
    second = asyncio.create_task(fetcher.fetch("b", Download(returns(b"y" * 100))))
    await asyncio.sleep(30)
    assert not second.done()
    first.release()
    assert isinstance(await second, Fetched)


@virtual_time
async def test_a_content_larger_than_was_said_is_kept_where_there_is_room() -> None:
    calls = 0

    async def fetch() -> bytes:
        nonlocal calls
        calls += 1
        return b"x" * 90

    assert await content_of(downloads(NARROW), Download(fetch, size=1)) == b"x" * 90
    assert calls == 1


@virtual_time
async def test_a_content_larger_than_was_said_is_fetched_again_where_there_is_none() -> None:
    fetcher, reserved = downloads(NARROW), []

    async def fetch() -> bytes:
        reserved.append(fetcher.reserved_bytes)
        return b"x" * 90

    first = await fetcher.fetch("a", Download(returns(b"y" * 100)))
    assert isinstance(first, Fetched)
    second = asyncio.create_task(fetcher.fetch("b", Download(fetch, size=1)))
    await asyncio.sleep(1)
    assert (reserved, second.done()) == ([101], False)
    first.release()
    assert isinstance(await second, Fetched)
    assert (reserved, fetcher.reserved_bytes) == ([101, 100], 90)


@virtual_time
async def test_what_is_known_to_be_too_large_is_not_fetched() -> None:
    failure = await failure_of(downloads(NARROW), Download(raises(AssertionError("fetched")), size=101))
    assert failure == Failure(
        FailureKind.TOO_LARGE, "too large", "At most 100 bytes are indexed; the content has 101 bytes."
    )
    assert failure.lasting


@pytest.mark.parametrize(
    ("content", "found"), [(b"x" * 1234, "has 1,234 bytes"), ({"text": ["x" * 50, "x" * 50]}, "is larger than that")]
)
def test_what_turns_out_too_large_is_a_failure(content: Content, found: str) -> None:
    @virtual_time
    async def test() -> None:
        failure = await failure_of(downloads(NARROW), Download(returns(content)))
        assert failure.reason == f"At most 100 bytes are indexed; the content {found}."

    test()


@pytest.mark.parametrize(
    ("error", "expected", "lasting"),
    [
        (
            DocumentSkipped("It is encrypted."),
            Failure(FailureKind.SKIPPED, "DocumentSkipped", "It is encrypted."),
            True,
        ),
        (AccessDenied("Not for us."), Failure(FailureKind.DENIED, "AccessDenied", "Not for us."), False),
        (KeyError("id"), Failure(FailureKind.FAILED, "KeyError", "KeyError: 'id'"), False),
        (ValueError(), Failure(FailureKind.FAILED, "ValueError", "ValueError"), False),
        (OSError("at pass=hunter2"), Failure(FailureKind.FAILED, "OSError", "OSError: at pass=***"), False),
    ],
)
def test_an_error_that_would_come_again_is_a_failure_at_once(
    error: Exception, expected: Failure, lasting: bool
) -> None:
    @virtual_time
    async def test() -> None:
        fetcher = downloads()
        failure = await failure_of(fetcher, Download(raises(error)))
        assert (failure, failure.lasting, now_s()) == (expected, lasting, 0)

    test()


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@virtual_time
async def test_an_error_that_can_not_be_shown_is_named() -> None:
    assert (await failure_of(downloads(), Download(raises(Unspeakable())))).reason == "Unspeakable"


@virtual_time
async def test_a_secret_at_the_cut_of_a_long_reason_is_masked() -> None:
    said = "x" * (LONGEST_REASON - 3) + "hunter2"
    failure = await failure_of(downloads(), Download(raises(AccessDenied(said))))
    assert failure.reason == "x" * (LONGEST_REASON - 3) + "***"


@pytest.mark.parametrize("content", [None, "text", 5, bytearray(b"x")])
def test_what_is_no_content_is_a_failure(content: Any) -> None:
    @virtual_time
    async def test() -> None:
        failure = await failure_of(downloads(), Download(returns(content)))
        kind = type(content).__name__
        assert (failure.kind, failure.cause) == (FailureKind.FAILED, f"returned {kind}")
        assert failure.reason == f"The download returned neither bytes nor fields, but {kind}."

    test()


class Broken(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("broken")

    def __len__(self) -> int:
        return 1


@virtual_time
async def test_fields_that_can_not_be_read_are_a_failure() -> None:
    failure = await failure_of(downloads(), Download(returns(Broken())))
    assert failure == Failure(FailureKind.FAILED, "RuntimeError", "RuntimeError: broken")


@virtual_time
async def test_what_may_come_back_is_tried_again() -> None:
    fetch = raises(SourceUnreachable("gone"), SourceUnreachable("gone"), then=b"here")
    assert await content_of(downloads(), Download(fetch)) == b"here"
    assert now_s() == 1 + 2


@virtual_time
async def test_what_does_not_come_back_is_a_failure_that_says_how_often_it_was_tried() -> None:
    failure = await failure_of(downloads(), Download(raises(*[SourceUnreachable("Gone.")] * 9)))
    assert failure.kind is FailureKind.UNREACHABLE
    assert failure.reason == "Gone. Gave up after 3 attempts."


@virtual_time
async def test_one_throttle_makes_every_download_wait() -> None:
    fetcher = downloads()
    started: list[float] = []

    async def fetch() -> bytes:
        started.append(now_s())
        return b""

    throttled = asyncio.create_task(
        fetcher.fetch("a", Download(raises(Throttled("Slow down.", retry_after_s=30)), size=0))
    )
    await asyncio.sleep(1)
    await asyncio.gather(*(fetcher.fetch(str(n), Download(fetch, size=0)) for n in range(3)))
    assert started == [30, 30, 30]
    assert isinstance(await throttled, Fetched)
    assert now_s() == 31  # its own pause is added to what it was asked for


@virtual_time
async def test_a_throttle_makes_a_second_attempt_of_another_wait() -> None:
    fetcher, started = downloads(), []
    error: list[Exception] = [SourceUnreachable("gone")]

    async def fetch() -> bytes:
        started.append(now_s())
        await asyncio.sleep(1)
        if error:
            raise error.pop()
        return b""

    throttled = Download(raises(Throttled("Slow down.", retry_after_s=30)), size=0)
    await asyncio.gather(fetcher.fetch("a", Download(fetch, size=0)), fetcher.fetch("b", throttled))
    assert started == [0, 30]


@virtual_time
async def test_a_throttle_without_a_time_makes_everybody_wait_for_a_pause() -> None:
    fetcher = downloads()
    first = asyncio.create_task(fetcher.fetch("a", Download(raises(*[Throttled("Slow down.")] * 3), size=0)))
    await asyncio.sleep(0.5)
    await fetcher.fetch("b", Download(returns(b""), size=0))
    assert now_s() == 1
    failure = await first
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.lasting) == (FailureKind.THROTTLED, False)


@virtual_time
async def test_waiting_for_a_throttle_of_others_costs_no_attempt() -> None:
    fetcher = downloads()
    await fetcher.fetch("a", Download(raises(Throttled("Slow down.", retry_after_s=119)), size=0))
    other = asyncio.create_task(fetcher.fetch("b", Download(raises(Throttled("Slow down.", retry_after_s=100)))))
    await asyncio.sleep(1)
    fetch = raises(*[SourceUnreachable("gone")] * 2, then=b"here")
    assert await content_of(fetcher, Download(fetch)) == b"here"
    await other


@virtual_time
async def test_a_fetch_that_takes_too_long_is_ended_and_tried_again() -> None:
    fetcher = downloads(NARROW)
    failure = await failure_of(fetcher, Download(returns(b"", after_s=3600)))
    assert failure.reason == "The download did not end within 60 s. Gave up after 2 attempts."
    assert failure.kind is FailureKind.UNREACHABLE
    assert now_s() == 60 + 1 + 60


@virtual_time
async def test_a_fetch_that_is_cancelled_by_its_own_source_is_a_failure() -> None:
    failure = await failure_of(downloads(), Download(raises(*[asyncio.CancelledError()] * 9)))
    assert failure.reason == "The download was cancelled by the source itself. Gave up after 3 attempts."


@virtual_time
async def test_a_cancelled_fetch_ends_and_gives_its_room_back() -> None:
    fetcher, ended = downloads(), []

    async def fetch() -> bytes:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(1)
            ended.append(now_s())
        return b""

    task = asyncio.create_task(fetcher.fetch("a", Download(fetch)))
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (ended, fetcher.reserved_bytes, len(asyncio.all_tasks())) == ([6], 0, 1)


@virtual_time
async def test_a_fetch_that_can_not_be_stopped_is_left_behind() -> None:
    with structlog.testing.capture_logs() as logged:
        async with downloads(NARROW) as fetcher:
            task = asyncio.create_task(fetcher.fetch("a", Download(swallows_cancellation(for_s=1000))))
            await asyncio.sleep(10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (now_s(), fetcher.reserved_bytes) == (10 + 5, 0)
    assert now_s() == 10 + 5 + 5
    assert logged == [
        {"event": "Downloads that can't be stopped were left behind.", "downloads": 1, "log_level": "warning"}
    ]
    await asyncio.sleep(1000)
    assert len(asyncio.all_tasks()) == 1


@virtual_time
async def test_a_source_whose_fetches_pile_up_is_broken() -> None:
    fetcher = downloads(NARROW)
    stubborn = Download(swallows_cancellation(for_s=10_000), size=0)
    with pytest.raises(SourceUnreachable, match="2 downloads neither end nor can be cancelled"):
        for number in range(9):
            await fetcher.fetch(str(number), stubborn)
    await asyncio.sleep(10_000)
    assert await content_of(fetcher, Download(returns(b"better"))) == b"better"


@virtual_time
async def test_fetches_that_end_late_but_end_break_nothing() -> None:
    fetcher = downloads(NARROW)

    async def fetch() -> bytes:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(4)
        return b""

    results = await asyncio.gather(*(fetcher.fetch(str(n), Download(fetch, size=0)) for n in range(6)))
    assert [type(result) for result in results] == [Failure] * 6


@virtual_time
async def test_an_error_that_comes_while_being_stopped_is_not_reported_as_lost() -> None:
    lost: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context["message"]))
    fetcher = downloads()

    async def fetch() -> bytes:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise OSError("could not clean up") from None
        return b""

    task = asyncio.create_task(fetcher.fetch("a", Download(fetch)))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    await asyncio.sleep(1)
    gc.collect()
    assert lost == []


def test_a_content_is_counted_by_what_it_takes() -> None:
    assert size_of(b"12345", enough=100) == 5
    assert size_of({}, enough=100) == 64
    assert size_of("text", enough=100) is None
    fields: dict[str, Any] = {"a": [b"x" * 1000, {"b": ("y" * 1000, 5, None)}]}
    assert 2000 < (size_of(fields, enough=10_000) or 0) < 3000


def test_counting_fields_that_contain_themselves_ends() -> None:
    fields: dict[str, Any] = {}
    fields["self"] = [fields, fields]
    assert 10_000 < (size_of(fields, enough=10_000) or 0) < 10_200
