"""A full sync makes the index equal to the source, and sends, scans and deletes no more than that takes."""

import pytest

from connectors.errors import SourceUnreachable
from tests.sync.rows import Stage, row, rows


async def test_a_first_sync_creates_every_document(stage: Stage) -> None:
    stage.script.documents = rows(25)
    assert await stage.told() == {"walked": 25, "created": 25, "sent": 25, "passes": 1, "scans": 1}
    assert not await stage.difference(rows(25))


async def test_a_second_sync_sends_nothing_and_does_not_scan(stage: Stage) -> None:
    stage.script.documents = rows(25)
    await stage.sync()
    assert await stage.told() == {"walked": 25, "unchanged": 25, "passes": 1}
    assert not await stage.difference(rows(25))


async def test_only_what_differs_is_sent(stage: Stage) -> None:
    stage.script.documents = rows(200)
    await stage.sync()
    stage.script.documents[17] = row(17, more=True)
    stage.script.documents[180] = row(180, more=False)
    assert await stage.told() == {"walked": 200, "unchanged": 198, "updated": 2, "sent": 2, "passes": 1}
    assert not await stage.difference(stage.script.documents)


async def test_what_is_gone_from_the_source_is_deleted(stage: Stage) -> None:
    stage.script.documents = rows(25)
    await stage.sync()
    stage.script.documents = rows(20)
    counters = {"walked": 20, "unchanged": 20, "deleted": 5, "sent": 5, "passes": 1, "scans": 1}
    assert await stage.told() == counters
    assert not await stage.difference(rows(20))


async def test_a_walk_that_fails_deletes_nothing(stage: Stage) -> None:
    stage.script.documents = rows(25)
    await stage.sync()
    stage.script.documents = [*rows(10, new=1), SourceUnreachable("The page 2 did not come.")]
    with pytest.raises(SourceUnreachable):
        await stage.sync()
    assert stage.last is not None
    assert (stage.last.deleted, stage.last.finished_at) == (0, None)
    wanted = rows(25)
    found = await stage.difference(wanted)
    assert (found.missing, found.extra) == ([], [])
    stage.script.documents = wanted
    await stage.sync()
    assert not await stage.difference(wanted)
