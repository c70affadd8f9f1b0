"""An index that is deleted, made anew or left by its alias in mid-sync ends the sync, and the next one is complete."""

from collections.abc import Awaitable, Callable

import pytest

from connectors.engine.indices import AliasChange
from connectors.errors import IndexReplaced
from connectors.store.sync_state import JobType
from connectors.sync.index.content_index import content_index
from tests.sync.rows import Stage, row, rows


async def deleted(stage: Stage) -> None:
    assert await stage.engine.indices.delete("docs-000001")


async def recreated(stage: Stage) -> None:
    await deleted(stage)
    new = content_index("docs", None, stage.engine.info.flavor)
    await stage.engine.indices.create("docs-000001", settings=new.settings, mappings=new.mappings, aliases=["docs"])


async def swapped(stage: Stage) -> None:
    await stage.engine.indices.create("docs-000002")
    changes = [AliasChange("docs-000001", "docs", remove=True), AliasChange("docs-000002", "docs")]
    await stage.engine.indices.change_aliases(changes)


async def swapped_for_writes(stage: Stage) -> None:
    await stage.engine.indices.create("docs-000002")
    changes = [AliasChange("docs-000001", "docs"), AliasChange("docs-000002", "docs", is_write_index=True)]
    await stage.engine.indices.change_aliases(changes)


EVENTS = [deleted, recreated, swapped, swapped_for_writes]


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("place", [0, 5, 25], ids=["at the start", "in a batch", "at the end"])
@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
async def test_a_replaced_index_ends_the_sync_and_the_next_one_is_complete(
    stage: Stage, event: Callable[[Stage], Awaitable[None]], place: int, known: bool
) -> None:
    if known:
        stage.script.documents = rows(25)
        await stage.sync()
    documents = rows(25, new=known) if place < 25 else rows(25)

    async def happens() -> None:
        await event(stage)

    stage.script.documents = [*documents[:place], happens, *documents[place:]]
    with pytest.raises(IndexReplaced):
        await stage.sync()
    names = [one.name for one in await stage.engine.indices.resolve("docs-0*")]
    expected = {"deleted": [], "recreated": ["docs-000001"]}.get(event.__name__, ["docs-000001", "docs-000002"])
    assert names == expected
    stage.script.documents = documents
    await stage.sync()
    [index] = await stage.engine.indices.resolve("docs") if event is not swapped_for_writes else [None]
    assert not await stage.difference(documents, index.name if index else "docs-000002")


async def test_what_was_known_of_another_index_is_not_used(stage: Stage) -> None:
    stage.script.documents, stage.script.token = rows(25), {"at": 1}
    await stage.sync()
    await recreated(stage)
    assert await stage.told() == {"walked": 25, "created": 25, "sent": 25, "passes": 1, "scans": 1}
    assert not await stage.difference(rows(25))


async def test_an_index_that_is_no_alias_and_is_deleted_is_not_made_anew(stage: Stage) -> None:
    new = content_index("plain", None, stage.engine.info.flavor)
    await stage.engine.indices.create("plain", settings=new.settings, mappings=new.mappings)
    stage = await stage.create("two", "plain")
    stage.script.documents = rows(25)
    await stage.sync()

    async def happens() -> None:
        await stage.engine.indices.delete("plain")
        stage.clock.jump(2)

    stage.script.documents = [*rows(9, new=1), happens, *rows(25, new=1)]
    with pytest.raises(IndexReplaced):
        await stage.sync()
    assert await stage.engine.indices.resolve("plain") == []


async def test_an_alias_of_somebody_elses_is_not_written_to(stage: Stage) -> None:
    """Whoever made it may have given it a routing, under which documents would not be found again."""
    await stage.engine.indices.create("theirs", aliases=["alias"])
    stage = await stage.create("two", "alias")
    stage.script.documents = rows(3)
    assert (await stage.sync()).index == "theirs"
    assert not await stage.difference(rows(3), "theirs")


async def test_an_index_that_goes_away_while_it_is_read_is_replaced(stage: Stage) -> None:
    stage.script.documents = rows(25)
    await stage.sync()
    stage.script.documents = [*rows(5), lambda: deleted(stage)]
    with pytest.raises(IndexReplaced, match="docs-000001"):
        await stage.sync()


async def test_nothing_is_deleted_when_the_alias_was_swapped(stage: Stage) -> None:
    stage.script.documents = rows(25)
    await stage.sync()
    stage.script.documents = [*rows(20), lambda: swapped(stage)]
    with pytest.raises(IndexReplaced):
        await stage.sync()
    assert not await stage.difference(rows(25), "docs-000001")


async def test_an_access_control_index_that_is_deleted_is_made_anew_by_the_next_sync(stage: Stage) -> None:
    stage.script.identities = [row(1, query={})]
    await stage.sync(JobType.ACCESS_CONTROL)
    stage.script.identities = [row(1, query={}), lambda: gone(stage)]
    with pytest.raises(IndexReplaced):
        await stage.sync(JobType.ACCESS_CONTROL)
    stage.script.identities = [row(1, query={})]
    await stage.sync(JobType.ACCESS_CONTROL)
    assert not await stage.difference([row(1, query={})], ".search-acl-filter-docs")


async def gone(stage: Stage) -> None:
    assert await stage.engine.indices.delete(".search-acl-filter-docs")
