"""A later owner's documents: a sync that finds one is the owner of its target still, or ends and deletes nothing."""

from typing import Any

import pytest

from connectors.engine.bulk import index_line
from connectors.errors import JobLost
from connectors.store.targets import TargetRecord
from connectors.sync.index.mark import Mark, epoch_of, marked, version
from tests.sync.rows import Stage, rows

AHEAD = 60_000
"""Milliseconds: the epoch of a sync that begins in a minute."""


async def target(stage: Stage) -> TargetRecord:
    (found,) = [one.value async for one in stage.place.state.find(TargetRecord)]
    return found


async def write_under_a_later_epoch(stage: Stage) -> None:
    record = await target(stage)
    at = version(record.epoch + AHEAD, 1)
    body = marked(b'{"id":"later"}', Mark(5, 0, at, stage.connector))
    line = index_line("later", version=at) + body + b"\n"
    answer = await stage.engine.data.bulk(record.index, line, operations=1)
    assert not answer.errors


async def test_the_owner_of_the_target_rises_above_what_is_later(stage: Stage) -> None:
    stage.script.documents = rows(3)
    await stage.sync()
    await write_under_a_later_epoch(stage)
    before = (await target(stage)).epoch

    report = await stage.sync()

    assert report.deleted == 1
    assert (await target(stage)).epoch > before + AHEAD
    assert not await stage.difference(rows(3))


async def test_who_owns_the_target_no_more_deletes_nothing_of_a_later_owner(stage: Stage) -> None:
    stage.script.documents = rows(3)
    await stage.sync()

    async def taken_over() -> None:
        await write_under_a_later_epoch(stage)
        key = TargetRecord.key_of((await target(stage)).target)

        def other(record: TargetRecord | None) -> TargetRecord:
            assert record is not None
            return type(record)(target=record.target, index=record.index, epoch=record.epoch + AHEAD, owner="other")

        await stage.place.state.change(key, TargetRecord, other)

    steps: list[Any] = [*rows(3)]
    stage.script.documents = [*steps[:2], taken_over, steps[2]]

    with pytest.raises(JobLost):
        await stage.sync()

    found = await stage.engine.data.get((await target(stage)).index, "later")
    assert found is not None
    assert epoch_of(found.version) == (await target(stage)).epoch
