"""Whoever else writes to the index, between syncs and during one: what is ours is mended, what is theirs stays."""

from collections.abc import Awaitable, Callable

import pytest

from tests.sync.rows import Stage, rows

Foreign = Callable[[Stage], Awaitable[None]]


async def edited(stage: Stage) -> None:
    await stage.edit("row3", number=-1)


async def overwritten(stage: Stage) -> None:
    await stage.overwrite("row3", number=-1)


async def deleted(stage: Stage) -> None:
    await stage.remove("row3")


async def deleted_and_written(stage: Stage) -> None:
    await stage.remove("row3")
    await stage.overwrite("row3", number=-1)


async def edited_without_a_change(stage: Stage) -> None:
    await stage.edit("row3")


async def written_far_ahead(stage: Stage) -> None:
    """Under a version that our epochs reach in a few hours."""
    found = await stage.engine.data.get(stage.index, "row3")
    assert found is not None
    line = b'{"index":{"_id":"row3","version":%d,"version_type":"external"}}\n' % (found.version + (3_600_000 << 21))
    await stage.engine.data.bulk(stage.index, line + b'{"number":-1}\n', operations=1)


async def deleted_far_ahead(stage: Stage) -> None:
    """Under such a version, which is nowhere to be read afterwards."""
    found = await stage.engine.data.get(stage.index, "row3")
    assert found is not None
    line = b'{"delete":{"_id":"row3","version":%d,"version_type":"external"}}\n' % (found.version + (3_600_000 << 21))
    await stage.engine.data.bulk(stage.index, line, operations=1)


EVENTS = [
    edited,
    overwritten,
    deleted,
    deleted_and_written,
    edited_without_a_change,
    written_far_ahead,
    deleted_far_ahead,
]


@pytest.mark.parametrize("event", EVENTS)
async def test_what_was_changed_between_two_syncs_is_mended(stage: Stage, event: Foreign) -> None:
    stage.script.documents = rows(25)
    await stage.sync()
    await stage.overwrite("theirs", number=1)
    await event(stage)
    told = await stage.told()
    assert (told["walked"], told["unchanged"], told["passes"]) == (25, 24, 1)
    assert not await stage.difference(rows(25))
    assert await stage.unmarked() == {"theirs"}
    assert await stage.told() == {"walked": 25, "unchanged": 25, "passes": 1}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("place", [0, 12, 25])
@pytest.mark.parametrize("changed", [False, True], ids=["same", "changed"])
async def test_what_is_changed_during_a_sync_is_mended_by_it(
    stage: Stage, event: Foreign, place: int, changed: bool
) -> None:
    stage.script.documents = rows(25)
    await stage.sync()
    wanted = rows(25, new=1) if changed else rows(25)

    async def once() -> None:
        if stage.script.walks == 2:
            await event(stage)
            await stage.overwrite("theirs", number=1)

    stage.script.documents = [*wanted[:place], once, *wanted[place:]]
    report = await stage.sync()
    assert (report.unsettled, report.letters) == (False, 0)
    assert not await stage.difference(wanted)
    assert await stage.unmarked() == {"theirs"}
    told = await stage.told()
    assert told == {"walked": 25, "unchanged": 25, "passes": 1}


async def test_documents_of_others_cost_a_comparison_and_no_second_walk(stage: Stage) -> None:
    stage.script.documents = rows(25)
    await stage.sync()
    stage.script.documents = [*rows(25), lambda: stage.overwrite("theirs", number=1)]
    assert await stage.told() == {"walked": 25, "unchanged": 25, "passes": 1, "scans": 1}


async def test_a_version_out_of_reach_is_a_letter(stage: Stage) -> None:
    stage.script.documents = rows(25)
    await stage.sync()
    line = b'{"index":{"_id":"row3","version":%d,"version_type":"external"}}\n' % (2**62)
    await stage.engine.data.bulk(stage.index, line + b'{"number":-1}\n', operations=1)
    told = await stage.told()
    assert (told["letters"], told["unchanged"]) == (1, 24)
    assert [(one.id, one.cause) for one in await stage.letters()] == [("row3", "version out of reach")]
    await stage.remove("row3")
    found = await stage.sync()
    assert (found.letters, found.created) in {(0, 1), (1, 0)}  # the tombstone has that version too, for a while
