"""What a sync leaves to others while it runs, and behind it: the event loop, and memory."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from connectors.sync.ledger.ledger import Ledger
from tests.sync.rows import Stage, row, rows


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_others_have_a_turn_while_a_source_is_read_that_never_waits(stage: Stage) -> None:
    stage.script.documents = rows(3_000)
    await stage.sync()
    turns, at = 0, list[int]()

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def looks() -> None:
        at.append(turns)

    stage.script.documents = [looks, *rows(3_000), looks]
    task = asyncio.create_task(others())
    assert await stage.told() == {"walked": 3_000, "unchanged": 3_000, "passes": 1}
    task.cancel()
    assert at[1] - at[0] == 6  # as many as there were chunks


@pytest.mark.usefixtures("no_collection")
async def test_a_ledger_goes_with_its_sync(stage: Stage) -> None:
    stage.script.documents = rows(30)
    await stage.sync()
    stage.script.documents = [row(1, changed=True), *rows(30)[2:]]
    await stage.sync()
    assert [one for one in gc.get_objects() if isinstance(one, Ledger)] == []
