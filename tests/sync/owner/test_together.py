"""Leases that are renewed together: with one request, and as safely as by themselves."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from connectors.aio.clock import SystemClock
from connectors.engine import Engine, open_engine
from connectors.engine.bulk import BulkAnswer
from connectors.engine.operations import Operations
from connectors.errors import EngineUnreachable, JobLost
from connectors.settings import EngineSettings
from connectors.store.state import StateStore
from connectors.store.targets import TargetRecord
from connectors.sync.index.target import Target
from connectors.sync.owner.instance import Instance
from connectors.sync.owner.lease import Claim, leased
from connectors.sync.owner.together import Together

TIMEOUT_S = 0.6
ME = Instance.current()


class Counting(Operations):
    """Operations that count bulk requests, and lose their answers as long as a test wants that."""

    def __init__(self, operations: Operations) -> None:
        vars(self).update(vars(operations))
        self.bulks: list[int] = []
        self.loses = False

    async def bulk(
        self, index: str, body: bytes, *, operations: int, pipeline: str | None = None, require_alias: bool = False
    ) -> BulkAnswer:
        answer = await super().bulk(index, body, operations=operations, pipeline=pipeline, require_alias=require_alias)
        self.bulks.append(operations)
        if self.loses:
            raise EngineUnreachable("The answer was lost.")
        return answer


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with open_engine(EngineSettings(data=tmp_path / "data")) as found:
        yield found


async def stores(engine: Engine) -> tuple[StateStore, Counting]:
    await StateStore.open(engine)
    counting = Counting(engine.control)
    return StateStore(counting), counting


def claim(number: int, together: Together, run: str = "r") -> Claim:
    target = Target(f"i{number}", f"i{number}", f"u{number}")
    return Claim(target, f"c{number}", run, ME, TIMEOUT_S, kept_by=together.keep)


async def record(state: StateStore, number: int) -> TargetRecord:
    found = await state.read(TargetRecord.key_of(f"u{number}"), TargetRecord)
    assert found is not None
    return found.value


async def renewed(state: StateStore, number: int, times: int) -> None:
    """Wait until a lease was renewed so often."""
    before = (await record(state, number)).lease
    async with asyncio.timeout(20):
        while (await record(state, number)).lease < before + times:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.02)


async def test_leases_are_renewed_with_one_request(engine: Engine) -> None:
    state, counting = await stores(engine)
    together = Together(state, SystemClock())
    async with (
        leased(state, claim(1, together), SystemClock()) as one,
        leased(state, claim(2, together), SystemClock()) as two,
        leased(state, claim(3, together), SystemClock()),
    ):
        for number in (1, 2, 3):
            await renewed(state, number, 2)
        assert set(counting.bulks) == {3}
        assert max(one.age_s, two.age_s) < TIMEOUT_S
        await one.renew()  # by itself, on top of what was written together
        assert (await record(state, 1)).lease >= 3
    assert [(await record(state, number)).owner for number in (1, 2, 3)] == [None] * 3


async def test_one_that_was_taken_over_is_lost_and_the_others_are_not(engine: Engine) -> None:
    state, _ = await stores(engine)
    together = Together(state, SystemClock())

    async def lose() -> None:
        async with leased(state, claim(1, together), SystemClock()):
            key = TargetRecord.key_of("u1")
            await state.change(key, TargetRecord, taken)
            await asyncio.Event().wait()

    async with leased(state, claim(2, together), SystemClock()):
        with pytest.raises(JobLost):
            async with asyncio.timeout(20):
                await lose()
        await renewed(state, 2, 2)
    assert (await record(state, 1)).owner == "somebody"


def taken(found: TargetRecord | None) -> TargetRecord:
    assert found is not None
    return msgspec.structs.replace(found, owner="somebody", run="other", epoch=found.epoch + 1)


async def test_answers_that_are_lost_do_no_harm(engine: Engine) -> None:
    state, counting = await stores(engine)
    together = Together(state, SystemClock())
    async with (
        leased(state, claim(1, together), SystemClock()) as one,
        leased(state, claim(2, together), SystemClock()) as two,
    ):
        counting.loses = True
        await renewed(state, 1, 3)
        await renewed(state, 2, 3)
        counting.loses = False
        await renewed(state, 1, 2)
        await one.confirm()
        await two.confirm()
