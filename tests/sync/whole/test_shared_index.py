"""Two connectors in one index, and documents that are neither's: each connector changes its own alone."""

import pytest

from connectors.engine.indices import AliasChange
from connectors.errors import ConfigurationError
from connectors.store.sync_state import JobType
from tests.sync.rows import Stage, row, rows

SHARED = {"shared_index": True}


async def two(stage: Stage, **settings: object) -> Stage:
    """Return the stage of a second connector to the same index; the first has synced 10 documents."""
    await stage.change(sync=settings)
    stage.script.documents = rows(10)
    await stage.sync()
    return await stage.create("two", "docs", sync=settings)


def others(count: int) -> list[dict[str, object]]:
    return [{"_id": f"other{number}", "number": number} for number in range(count)]


async def test_a_second_connector_is_refused(stage: Stage) -> None:
    second = await two(stage)
    with pytest.raises(ConfigurationError, match="The connector 'one' writes to the index docs-000001 too"):
        await second.sync()


@pytest.mark.parametrize("sharing", ["one", "two"])
async def test_both_have_to_share(stage: Stage, sharing: str) -> None:
    second = await two(stage)
    await stage.among(sharing).change(sync=SHARED)
    with pytest.raises(ConfigurationError, match="The connector 'one' writes"):
        await second.sync()


@pytest.mark.parametrize("name", ["docs-000001", "elsewhere"])
async def test_another_name_for_the_same_index_makes_no_difference(stage: Stage, name: str) -> None:
    await two(stage)
    if name == "elsewhere":
        await stage.engine.indices.change_aliases([AliasChange("docs-000001", "elsewhere")])
    third = await stage.create("three", name)
    with pytest.raises(ConfigurationError, match="The connector 'one' writes to the index docs-000001 too"):
        await third.sync()


async def test_a_connector_that_was_deleted_or_moved_is_nobody(stage: Stage) -> None:
    second = await two(stage)
    await stage.change(index_name="elsewhere")
    second.script.documents = rows(10)
    told = await second.told()
    assert (told["created"], told["walked"]) == (10, 10)
    await stage.change(index_name="docs", deleted=True)
    assert (await second.told())["unchanged"] == 10


async def test_each_keeps_and_deletes_its_own_alone(stage: Stage) -> None:
    second = await two(stage, **SHARED)
    await stage.overwrite("nobody's", number=1)
    second.script.documents = others(10)
    assert await second.told() == {"walked": 10, "created": 10, "sent": 10, "passes": 1, "scans": 1}
    stage.script.documents, second.script.documents = rows(8), others(7)
    assert (await stage.told())["deleted"] == 2
    assert (await second.told())["deleted"] == 3
    assert not await stage.difference(rows(8))
    assert not await second.difference(others(7))
    assert await stage.unmarked() == {"nobody's"}


async def test_a_document_of_another_connector_is_a_letter_that_names_it(stage: Stage) -> None:
    second = await two(stage, **SHARED)
    second.script.documents = [*others(15), row(3, number=-1), row(4, number=-1)]
    told = await second.told()
    assert told == {"walked": 17, "created": 15, "letters": 2, "sent": 15, "passes": 1, "scans": 1}
    assert [(one.id, one.cause) for one in await second.letters()] == [
        ("row3", "another connector's"),
        ("row4", "another connector's"),
    ]
    assert "'one'" in (await second.letters())[0].reason
    assert not await stage.difference(rows(10))
    assert not await second.difference(others(15))


async def test_what_belongs_to_nobody_any_more_is_taken_over(stage: Stage) -> None:
    second = await two(stage, **SHARED)
    second.script.documents = [row(3, number=-1)]
    assert (await second.told())["letters"] == 1
    await stage.change(deleted=True)
    told = await second.told()
    assert (told["created"], "letters" in told) == (1, False)
    assert await second.letters() == []
    assert not await second.difference([row(3, number=-1)])


async def test_outside_a_shared_index_only_what_is_in_the_way_is_looked_at(stage: Stage) -> None:
    second = await two(stage)
    await stage.change(index_name="elsewhere")
    found = await stage.engine.data.get(stage.index, "row3")
    assert found is not None
    high = found.version + (1 << 40)
    line = b'{"index":{"_id":"row3","version":%d,"version_type":"external_gte"}}\n' % high
    body = b'{"number":3,"id":"row3","_sync":{"f":1,"d":0,"o":1,"c":"one"}}\n'
    await stage.engine.data.bulk(stage.index, line + body, operations=1)
    second.script.documents = rows(10)
    told = await second.told()
    assert (told["created"], told["letters"], told["conflicts"]) == (9, 1, 1)
    assert [one.id for one in await second.letters()] == ["row3"]


async def test_who_may_read_what_is_never_shared(stage: Stage) -> None:
    second = await two(stage, **SHARED)
    stage.script.identities = second.script.identities = rows(2)
    await stage.sync(JobType.ACCESS_CONTROL)
    with pytest.raises(ConfigurationError, match="The connector 'one' writes"):
        await second.sync(JobType.ACCESS_CONTROL)


async def test_documents_without_a_mark_are_adopted_when_the_source_has_them(stage: Stage) -> None:
    stage.script.documents = rows(3)
    await stage.sync()
    await stage.overwrite("row7", number=-1, more="theirs")
    await stage.overwrite("nobody's", number=-1)
    stage.script.documents = rows(8)
    assert (await stage.told())["created"] == 5
    assert not await stage.difference(rows(8))
    assert await stage.unmarked() == {"nobody's"}
