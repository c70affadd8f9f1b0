"""What follows when a source can't tell what happened since a cursor, and where a sync begins that has none."""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from connectors.changes import Delete, Upsert
from connectors.errors import CursorExpired, SourceUnreachable
from connectors.source import Yielded
from connectors.store.connector import Connector
from connectors.store.sync_state import JobType
from connectors.sync.sync import Sync
from tests.sync.scripted import Scene, doc, docs

FULL = JobType.FULL


def without(number: int) -> dict[str, object]:
    """Return rules that drop one document."""
    rule = {"id": "r", "order": 0, "policy": "exclude", "field": "number", "rule": "equals", "value": str(number)}
    return {"rules": [rule]}


@pytest.fixture
async def telling(scene: Scene) -> Scene:
    """Provide a scene whose source has tokens, and a cursor for each."""
    await scene.change(service_type="telling")
    return scene


# A cursor that has expired.


async def test_an_expired_cursor_is_dropped_and_the_error_says_what_to_do(telling: Scene) -> None:
    telling.log.put(*docs(10))
    await telling.sync(FULL)
    await telling.sync()
    telling.log.write(Upsert(doc(10)))
    telling.log.kept_since = 11
    await telling.change(sync_cursor={"at": 5})
    with pytest.raises(CursorExpired, match=r"The log begins later\. A full sync has to follow: connectors sync one"):
        await telling.sync()
    assert await telling.cursor() is None
    assert telling.log.closed == 3


async def test_after_an_expired_cursor_no_full_sync_is_skipped(telling: Scene) -> None:
    telling.log.put(*docs(10))
    await telling.sync(FULL)
    assert (await telling.sync(FULL)).skipped
    await telling.change(sync_cursor={"at": 5})
    telling.log.kept_since = 11
    with pytest.raises(CursorExpired):
        await telling.sync()
    assert not (await telling.sync(FULL)).skipped
    telling.log.kept_since = 10
    telling.log.read_from.clear()
    await telling.sync()
    assert telling.log.read_from == [{"at": 10}]


async def test_after_an_expired_cursor_the_token_of_an_older_full_sync_is_no_beginning(telling: Scene) -> None:
    telling.log.put(*docs(10))
    await telling.sync(FULL)
    await telling.change(sync_cursor={"at": 5})
    telling.log.kept_since = 8
    with pytest.raises(CursorExpired):
        await telling.sync()
    telling.log.read_from.clear()
    await telling.sync()
    assert telling.log.read_from == [None]


# A sync without a cursor.


async def test_a_sync_without_a_cursor_begins_before_the_last_full_sync(telling: Scene) -> None:
    telling.log.put(*docs(10))
    await telling.sync(FULL)
    telling.log.write(Upsert(doc(3, more=1)), Delete("doc4"), Upsert(doc(20)))
    assert await telling.told() == {"walked": 2, "created": 1, "updated": 1, "deleted": 1}
    assert telling.log.read_from == [{"at": 10}]
    assert not await telling.difference()
    assert await telling.cursor() == {"at": 13}


async def test_what_changes_while_the_full_sync_walks_is_read_again(telling: Scene) -> None:
    telling.log.put(*docs(10))

    walked = telling.log.walked

    async def meanwhile() -> AsyncIterator[Yielded]:
        async for one in walked():
            yield one
            if len(telling.log.steps) == 10:
                telling.log.write(Upsert(doc(0, late=True)), Delete("doc1"))

    telling.log.walked = meanwhile  # type: ignore[method-assign]
    await telling.sync(FULL)
    await telling.sync()
    assert telling.log.read_from == [{"at": 10}]
    assert not await telling.difference()


async def test_a_source_without_a_cursor_for_a_token_reads_everything(telling: Scene) -> None:
    telling.log.tells_cursors = False
    telling.log.put(*docs(4))
    await telling.sync(FULL)
    assert await telling.told() == {"walked": 4, "unchanged": 4}
    assert telling.log.read_from == [None]


async def test_a_full_sync_of_other_rules_is_no_beginning(telling: Scene) -> None:
    telling.log.put(*docs(6))
    await telling.sync(FULL)
    await telling.change(filtering=without(2))
    await telling.sync()
    assert telling.log.read_from == [None]
    assert not await telling.difference([one for one in docs(6) if one["number"] != 2])


async def test_a_full_sync_is_no_beginning_when_something_was_written_with_other_rules_since(telling: Scene) -> None:
    telling.log.put(*docs(6))
    await telling.sync(FULL)
    await telling.change(filtering=without(2))
    telling.log.write(SourceUnreachable("The log ends here."))
    with suppress(SourceUnreachable):
        await telling.sync(checkpoint_every_s=99)
    telling.log.steps.pop()
    await telling.change(filtering=None, sync_cursor=None)
    telling.log.read_from.clear()
    await telling.sync()
    assert telling.log.read_from == [None]
    assert not await telling.difference()


async def test_a_full_sync_is_no_beginning_when_an_incremental_one_that_read_everything_was_cut_short(
    telling: Scene,
) -> None:
    telling.log.put(*docs(10))
    await telling.sync(FULL)
    await telling.change(filtering=without(7))
    await telling.sync()
    await telling.change(filtering=None)
    telling.log.steps.insert(6, SourceUnreachable("The log ends here."))
    with suppress(SourceUnreachable):
        await telling.sync()  # it has saved a cursor of the first rules, and not come to what the others dropped
    telling.log.steps.pop(6)
    assert await telling.cursor() == {"at": 5}
    await telling.change(sync_cursor=None)
    telling.log.read_from.clear()
    await telling.sync()
    assert telling.log.read_from == [None]
    assert not await telling.difference()


async def test_a_sync_with_other_settings_in_between_is_an_end_to_that_too(telling: Scene) -> None:
    telling.log.put(*docs(6))
    await telling.sync(FULL)
    other = await telling.connector()
    other = Connector(other.id, {**other.document, "filtering": without(2)}, other.revision)
    telling.log.put(doc(8))
    await Sync(telling.place, other, FULL, adds_only=True).run()
    telling.log.read_from.clear()
    await telling.sync()
    assert telling.log.read_from == [None]
    assert not await telling.difference()


async def test_a_replaced_index_is_no_beginning(telling: Scene) -> None:
    telling.log.put(*docs(6))
    await telling.sync(FULL)
    await telling.engine.indices.delete("docs-000001")
    await telling.sync()
    assert telling.log.read_from == [None]
    assert not await telling.difference()
