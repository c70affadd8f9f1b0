"""Silence: whose turn it is to speak, for how long, and what becomes of a source that says nothing any more."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from connectors.errors import SourceError
from connectors.store.sync_state import JobType
from connectors.sync.foreign import of_source
from connectors.sync.report import SyncReport
from connectors.sync.silence import FAREWELL_S, LOOKS, Hearing, Silence, listening
from connectors.testing.virtual_time import VirtualClock, virtual_time

Body = Callable[[Silence], Awaitable[None]]
LIMIT_S = 100.0


async def heard(
    body: Body, hung: list[str] | None = None, *, report: SyncReport | None = None, limit_s: float = LIMIT_S
) -> float:
    """Listen to what a body does, and return how long that took."""
    clock = VirtualClock()
    report = report or SyncReport(JobType.FULL, "docs", datetime.now(UTC))
    hearing = Hearing(limit_s, hung.append if hung is not None else pytest.fail)
    async with listening(report, hearing, clock) as silence:
        await body(silence)
    return clock.monotonic()


async def asked_for(silence: Silence, seconds: float) -> None:
    with silence.asked():
        await asyncio.sleep(seconds)


@virtual_time
async def test_a_source_that_answers_in_time_is_left_alone_however_often_it_is_asked() -> None:
    async def ask_often(silence: Silence) -> None:
        for _ in range(10):
            await asked_for(silence, LIMIT_S - 1)

    assert await heard(ask_often) == 10 * (LIMIT_S - 1)


@virtual_time
async def test_a_source_that_says_nothing_is_cancelled_and_the_error_says_how_long_it_was_waited_for() -> None:
    clock, report = VirtualClock(), SyncReport(JobType.FULL, "docs", datetime.now(UTC), walked=1_234)

    async def wait(silence: Silence) -> None:
        await asyncio.sleep(50)
        await asked_for(silence, 1e9)

    with pytest.raises(SourceError) as caught:
        await heard(wait, report=report)
    assert 50 + LIMIT_S <= clock.monotonic() <= 50 + 1.2 * LIMIT_S
    assert str(caught.value) == (
        "The source has said nothing for 100 s, after 1,234 documents. Find out what it waits for; if it has to take "
        "so long, raise service.source_timeout_s."
    )


@virtual_time
async def test_each_document_that_a_walk_yields_is_an_answer() -> None:
    report = SyncReport(JobType.FULL, "docs", datetime.now(UTC))

    async def walk(silence: Silence) -> None:
        with silence.asked():
            for _ in range(10):
                await asyncio.sleep(LIMIT_S - 1)
                report.walked += 1

    assert await heard(walk, report=report) == 10 * (LIMIT_S - 1)


@virtual_time
async def test_neither_the_time_of_others_nor_that_of_downloads_is_the_silence_of_a_source() -> None:
    async def wait(silence: Silence) -> None:
        await asyncio.sleep(3 * LIMIT_S)
        with silence.asked():
            await asyncio.sleep(LIMIT_S - 1)
            with silence.answered():
                await asyncio.sleep(3 * LIMIT_S)
            with silence.excused():
                await asyncio.sleep(3 * LIMIT_S)
            await asyncio.sleep(LIMIT_S - 1)

    assert await heard(wait) == 11 * LIMIT_S - 2


@virtual_time
async def test_a_source_that_does_not_let_itself_be_cancelled_is_reported_once() -> None:
    hung: list[str] = []

    async def cling(silence: Silence) -> None:
        with of_source(str, silence):
            end = asyncio.get_running_loop().time() + 10 * LIMIT_S
            while (left := end - asyncio.get_running_loop().time()) > 0:
                try:
                    await asyncio.sleep(left)
                except asyncio.CancelledError:
                    assert not hung

    with pytest.raises(SourceError):
        await heard(cling, hung)
    assert hung == ["its source did not end within 30 s after it was cancelled"]


@virtual_time
async def test_a_source_that_ends_slowly_after_it_was_cancelled_is_not_reported() -> None:
    async def end_slowly(silence: Silence) -> None:
        with silence.asked():
            try:
                await asyncio.sleep(1e9)
            finally:
                await asyncio.sleep(25)

    with pytest.raises(SourceError):
        await heard(end_slowly)


@virtual_time
async def test_a_source_that_others_cancel_is_reported_too_when_it_does_not_end() -> None:
    hung: list[str] = []

    async def cling(silence: Silence) -> None:
        with silence.asked():
            for _ in range(2):
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    continue

    task = asyncio.create_task(heard(cling, hung))
    await asyncio.sleep(10)
    task.cancel()
    await asyncio.wait([task])
    assert len(hung) == 1


@virtual_time
async def test_what_the_block_raises_is_raised() -> None:
    async def fail(_silence: Silence) -> None:
        raise TimeoutError("It is another one.")

    with pytest.raises(TimeoutError, match="It is another one"):
        await heard(fail)


@virtual_time
async def test_many_that_are_listened_to_wake_their_process_at_the_same_moments() -> None:
    woken: list[float] = []

    class Noting(VirtualClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            woken.append(round(self.monotonic(), 6))

    async def listen(after_s: float) -> None:
        await asyncio.sleep(after_s)
        report = SyncReport(JobType.FULL, "docs", datetime.now(UTC))
        async with listening(report, Hearing(LIMIT_S), Noting()):
            await asyncio.sleep(60.7 - after_s)

    await asyncio.gather(*map(listen, (0.1, 0.7, 1.0, 2.2, 2.9)))
    step_s = FAREWELL_S / LOOKS
    looks = Counter(woken)
    assert all(moment % step_s in (0, step_s) for moment in looks)
    assert [looks[step_s * number] for number in range(2, 21)] == [5] * 19


@pytest.mark.parametrize("begun_s", [0.0, 0.4, 1.4, 1.6, 2.9])
@virtual_time
async def test_a_source_that_says_nothing_from_the_start_has_its_time_whenever_that_is(begun_s: float) -> None:
    clock, limit_s = VirtualClock(), 30 * FAREWELL_S / LOOKS
    await asyncio.sleep(begun_s)
    with pytest.raises(SourceError):
        await heard(lambda silence: asked_for(silence, 1e9), limit_s=limit_s)
    assert limit_s <= clock.monotonic() - begun_s <= 1.1 * limit_s
