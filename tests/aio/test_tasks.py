import asyncio

import pytest

from connectors.aio.tasks import Tasks
from connectors.errors import EngineUnreachable, JobCanceled
from connectors.testing.virtual_time import virtual_time


async def fails_after(seconds: float, error: Exception) -> None:
    await asyncio.sleep(seconds)
    raise error


async def returns_after(seconds: float, value: str) -> str:
    await asyncio.sleep(seconds)
    return value


@virtual_time
async def test_leaving_the_block_waits_for_every_task() -> None:
    async with Tasks("group") as tasks:
        one = tasks.start(returns_after(5, "a"), name="one")
        two = tasks.start(returns_after(9, "b"), name="two")
    assert (one.result(), two.result()) == ("a", "b")


@virtual_time
async def test_a_task_carries_the_name_of_its_group() -> None:
    async with Tasks("bulk") as tasks:
        task = tasks.start(returns_after(0, ""), name="worker 1")
    assert task.get_name() == "bulk: worker 1"


@virtual_time
async def test_the_first_failure_cancels_the_others_and_is_raised_itself() -> None:
    with pytest.raises(EngineUnreachable, match="first"):
        async with Tasks("group") as tasks:
            tasks.start(fails_after(2, EngineUnreachable("second")), name="late")
            tasks.start(fails_after(1, EngineUnreachable("first")), name="early")
            other = tasks.start(returns_after(60, "x"), name="other")
    assert other.cancelled()


@virtual_time
async def test_what_fails_while_being_cancelled_is_a_note() -> None:
    async def fails_at_the_end() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("could not clean up")

    with pytest.raises(EngineUnreachable) as caught:
        async with Tasks("group") as tasks:
            tasks.start(fails_at_the_end(), name="one")
            tasks.start(fails_after(1, EngineUnreachable("first")), name="two")
    assert caught.value.__notes__ == ["Besides, in group: ValueError: could not clean up"]


@virtual_time
async def test_the_cause_of_the_first_failure_is_kept() -> None:
    async def fails() -> None:
        try:
            raise KeyError("cause")
        except KeyError as error:
            raise EngineUnreachable("effect") from error

    with pytest.raises(EngineUnreachable) as caught:
        async with Tasks("group") as tasks:
            tasks.start(fails(), name="one")
    assert isinstance(caught.value.__cause__, KeyError)


@virtual_time
async def test_an_error_of_the_block_comes_before_those_of_its_tasks() -> None:
    async def fails_when_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError("could not clean up") from None

    with pytest.raises(JobCanceled) as caught:
        async with Tasks("group") as tasks:
            tasks.start(fails_when_cancelled(), name="one")
            await asyncio.sleep(1)
            raise JobCanceled("somebody asked")
    assert caught.value.__notes__ == ["Besides, in group: ValueError: could not clean up"]


@virtual_time
async def test_an_error_of_the_block_alone_is_raised_itself() -> None:
    with pytest.raises(JobCanceled):
        async with Tasks("group") as tasks:
            task = tasks.start(returns_after(60, "x"), name="one")
            raise JobCanceled("somebody asked")
    assert task.cancelled()


@virtual_time
async def test_a_failing_task_interrupts_the_block() -> None:
    with pytest.raises(EngineUnreachable):
        async with Tasks("group") as tasks:
            tasks.start(fails_after(1, EngineUnreachable("x")), name="one")
            await asyncio.sleep(60)
    assert asyncio.get_running_loop().time() == 1


@virtual_time
async def test_cancelling_the_block_cancels_the_tasks() -> None:
    started: list[asyncio.Task[str]] = []

    async def block() -> None:
        async with Tasks("group") as tasks:
            started.append(tasks.start(returns_after(60, "x"), name="one"))
            await asyncio.sleep(60)

    outer = asyncio.create_task(block(), name="outer")
    await asyncio.sleep(1)
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    assert started[0].cancelled()
