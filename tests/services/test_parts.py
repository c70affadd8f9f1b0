"""The parts of a daemon: started again when they fail, made anew when their settings change, and ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from connectors.aio.tasks import Tasks
from connectors.errors import EngineUnreachable
from connectors.services.parts import Part, Parts
from tests.services.shop import Watch


class Pauses(Watch):
    """Notes every pause, and takes none."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


@dataclass
class Stage:
    """Parts that note what becomes of them."""

    parts: Parts
    clock: Pauses
    seen: list[str] = field(default_factory=list)

    def part(self, name: str, made_of: object = None) -> Part:
        """Return one that runs until it is ended."""

        def make() -> Callable[[], Awaitable[None]]:
            self.seen.append(f"{name} of {made_of}")

            async def run() -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    self.seen.append(f"{name} of {made_of} ended")

            return run

        return Part(name, make, made_of)

    def failing(self, *errors: Exception | None, after_s: float = 0.0) -> tuple[Part, asyncio.Event]:
        """Return one that fails so, one time after the other, and then runs; and what tells that it does."""
        left, runs = list(errors), asyncio.Event()

        async def run() -> None:
            self.clock.seconds += after_s
            if left:
                if (error := left.pop(0)) is not None:
                    raise error
                return
            runs.set()
            await asyncio.Event().wait()

        return Part("failing", lambda: run), runs


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    clock = Pauses()
    async with asyncio.timeout(20), Tasks("parts") as tasks:
        parts = Parts(tasks, clock)
        yield Stage(parts, clock)
        await parts.end(*parts.names)


async def test_a_part_that_is_made_of_the_same_goes_on_and_another_is_made_anew() -> None:
    async with stage() as here:
        await here.parts.become([here.part("a", 1), here.part("b", 1)])
        await asyncio.sleep(0)
        assert here.seen == ["a of 1", "b of 1"]
        await here.parts.become([here.part("a", 1), here.part("b", 2)])
        await asyncio.sleep(0)
        assert here.seen[2:] == ["b of 1 ended", "b of 2"]
        assert here.parts.names == ["a", "b"]
    assert sorted(here.seen[4:]) == ["a of 1 ended", "b of 2 ended"]


async def test_parts_are_ended_by_their_names() -> None:
    async with stage() as here:
        await here.parts.become([here.part("a"), here.part("b")])
        await asyncio.sleep(0)
        await here.parts.end("a", "of nobody")
        assert (here.parts.names, here.seen[2:]) == (["b"], ["a of None ended"])


async def test_a_part_that_fails_is_started_again_after_pauses_that_grow(caplog: pytest.LogCaptureFixture) -> None:
    async with stage() as here:
        part, runs = here.failing(EngineUnreachable("It is away."), ValueError("?"), None)
        await here.parts.become([part])
        await runs.wait()
        assert here.clock.pauses == [1.0, 2.0, 4.0]
    assert "It is away." in caplog.text
    assert "failed by a fault of this program" in caplog.text


async def test_one_that_ran_for_long_begins_with_short_pauses_again() -> None:
    async with stage() as here:
        part, runs = here.failing(*[EngineUnreachable("?")] * 3, after_s=61.0)
        await here.parts.become([part])
        await runs.wait()
        assert here.clock.pauses == [0.5] * 3
