"""What is gone from the source is deleted, or held for a person's word when there is reason to doubt it."""

from collections.abc import AsyncIterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.changes import Failed
from connectors.dataset import Dataset
from connectors.store.held import HeldSet, HeldSets, HeldStatus
from connectors.store.sync_state import JobType
from tests.sync.rows import Event, Stage, row, rows

GUARD = {"delete_guard": {"count": 3, "share": 0.2}}


@pytest.fixture
async def synced(stage: Stage) -> Stage:
    """Return a stage whose index holds 30 documents, of which 6 may go at once."""
    await stage.change(sync=GUARD)
    stage.script.documents = rows(30)
    await stage.sync()
    return stage


async def held(stage: Stage) -> list[HeldSet]:
    return await stage.place.held.of(stage.connector)


async def ids_of(stage: Stage, one: HeldSet) -> list[str]:
    return sorted([doc_id async for page in stage.place.held.ids(one) for doc_id in page])


async def walk(stage: Stage, documents: list[Any], **counters: int) -> None:
    """Sync, and compare every counter; each document is unchanged unless something else is said of it."""
    stage.script.documents = documents
    told = await stage.told()
    told.pop("scans", None)
    count = sum(not isinstance(one, Dataset) for one in documents)
    assert told == {"walked": count, "unchanged": count, "passes": 1, **counters}


async def test_as_many_as_the_guard_allows_are_deleted(synced: Stage) -> None:
    await walk(synced, rows(24), deleted=6, sent=6)
    assert not await synced.difference(rows(24))
    assert await held(synced) == []


async def test_one_more_is_held_and_said(synced: Stage) -> None:
    await walk(synced, rows(23), held=7)
    assert not await synced.difference(rows(30))
    [one] = await held(synced)
    assert (one.number, one.status, await ids_of(synced, one)) == (
        7,
        HeldStatus.HELD,
        sorted(f"row{number}" for number in range(23, 30)),
    )
    assert synced.last is not None
    [warning] = synced.last.warnings
    assert warning == (
        "7 deletions are held: 7 of 30 documents are gone from the source, and 6 is the limit. "
        "`connectors deletes list one` tells more."
    )


async def test_few_documents_may_all_go_but_not_when_the_source_yields_nothing(stage: Stage) -> None:
    stage.script.documents = rows(3)
    await stage.sync()
    stage.script.documents = []
    assert await stage.told() == {"held": 3, "passes": 1, "scans": 1}
    stage.script.documents = rows(1)
    assert await stage.told() == {"walked": 1, "unchanged": 1, "deleted": 2, "sent": 2, "passes": 1, "scans": 1}
    assert await held(stage) == []


async def test_a_dataset_that_is_gone_is_held(stage: Stage) -> None:
    left = [Dataset("left"), *rows(20)]
    both = [*left, Dataset("gone"), row(20)]
    stage.script.documents = both
    await stage.sync()
    await walk(stage, left, held=1)
    assert (await held(stage))[0].reason == "The source had documents of gone, and has none any more."
    await walk(stage, left, held=1)  # nobody has decided, and the next walk knows no less
    await walk(stage, both)
    assert await held(stage) == []


async def test_what_documents_say_of_a_dataset_misleads_nobody(stage: Stage) -> None:
    """It may be a column of theirs: one value of it that is gone is no dataset that is gone."""
    left = [Dataset("one"), *rows(20, dataset="left")]
    stage.script.documents = [*left, row(20, dataset="gone")]
    await stage.sync()
    await walk(stage, left, deleted=1, sent=1)
    assert await held(stage) == []


async def test_what_is_approved_is_deleted_by_the_next_walk_if_it_is_gone_still(synced: Stage) -> None:
    await walk(synced, rows(20), held=10)
    [one] = await held(synced)
    await synced.place.held.approve("one", one.run)
    await walk(synced, rows(22), deleted=8, sent=8)
    assert not await synced.difference(rows(22))
    assert await held(synced) == []
    await walk(synced, rows(22))


async def test_what_is_gone_besides_what_was_approved_is_judged_by_itself(synced: Stage) -> None:
    await walk(synced, rows(20), held=10)
    [one] = await held(synced)
    await synced.place.held.approve("one", one.run)
    await walk(synced, rows(10), deleted=10, held=10, sent=10)
    assert not await synced.difference(rows(20))
    [other] = await held(synced)
    assert await ids_of(synced, other) == [f"row{number}" for number in range(10, 20)]


async def test_an_approval_lapses_when_everything_came_back(synced: Stage) -> None:
    await walk(synced, rows(20), held=10)
    [one] = await held(synced)
    await synced.place.held.approve("one", one.run)
    await walk(synced, rows(30))
    assert [found.status for found in await held(synced)] == [HeldStatus.LAPSED]
    await walk(synced, rows(20), held=10)
    assert [found.status for found in await held(synced)] == [HeldStatus.HELD]


async def test_what_is_discarded_is_asked_about_again(synced: Stage) -> None:
    await walk(synced, rows(20), held=10)
    [one] = await held(synced)
    await synced.place.held.discard("one", one.run)
    await walk(synced, rows(20), held=10)
    [again] = await held(synced)
    assert (again.run == one.run, again.status) == (False, HeldStatus.HELD)


async def test_a_newer_set_takes_the_place_of_the_last(synced: Stage) -> None:
    await walk(synced, rows(20), held=10)
    await walk(synced, rows(15), held=15)
    [one] = await held(synced)
    assert one.number == 15


class Interrupted(HeldSets):
    """Held sets; when the first one was written, something happens."""

    def __init__(self, stage: Stage, event: Event) -> None:
        super().__init__(stage.place.state, stage.clock)
        self._events = [event]

    async def hold(self, held: HeldSet, ids: AsyncIterable[Sequence[str]]) -> HeldSet:
        done = await super().hold(held, ids)
        for event in self._events[:1]:
            await event()
            self._events.clear()
        return done


async def test_what_a_second_walk_found_again_is_not_held_any_more(synced: Stage) -> None:
    async def change_both() -> None:
        await synced.edit("row1", number=-1)
        synced.script.documents = rows(30)

    synced.place = replace(synced.place, held=Interrupted(synced, change_both))
    synced.script.documents = rows(10)
    told = await synced.told()
    assert (told["passes"], told.get("held"), told.get("deleted")) == (2, None, None)
    assert synced.last is not None
    assert synced.last.warnings == []
    assert await held(synced) == []
    assert not await synced.difference(rows(30))


async def test_deletions_are_said_once_however_many_walks_it_took(synced: Stage) -> None:
    synced.place = replace(synced.place, held=Interrupted(synced, lambda: synced.edit("row1", number=-1)))
    synced.script.documents = rows(10)
    told = await synced.told()
    assert (told["passes"], told["held"]) == (2, 20)
    assert synced.last is not None
    assert len(synced.last.warnings) == 1
    assert [one.number for one in await held(synced)] == [20]


async def test_an_id_that_could_not_be_read_keeps_its_document(synced: Stage) -> None:
    await walk(synced, [*rows(29), Failed("row29", "locked")], unchanged=29, letters=1)
    assert not await synced.difference(rows(30))


async def test_what_a_rule_drops_is_deleted(synced: Stage) -> None:
    rule = {"id": "r", "policy": "exclude", "field": "number", "rule": ">", "value": "27", "order": 1}
    await synced.change(filtering=[{"domain": "DEFAULT", "active": {"rules": [rule]}}])
    await walk(synced, rows(30), unchanged=28, dropped=2, deleted=2, sent=2)
    assert not await synced.difference(rows(28))


async def test_a_document_that_somebody_changed_since_it_was_found_gone_is_deleted_all_the_same(synced: Stage) -> None:
    async def edit() -> None:
        await synced.edit("row29", number=-1)

    synced.script.documents = [*rows(29), edit]
    await synced.sync()
    assert not await synced.difference(rows(29))


async def test_revoked_users_are_held_apart_from_documents(synced: Stage) -> None:
    synced.script.identities = rows(30)
    await synced.sync(JobType.ACCESS_CONTROL)
    synced.script.identities = rows(10)
    assert (await synced.told(JobType.ACCESS_CONTROL))["held"] == 20
    await walk(synced, rows(10), held=20)
    kinds = {one.job_type: one.run for one in await held(synced)}
    assert kinds.keys() == {JobType.ACCESS_CONTROL, JobType.FULL}
    await synced.place.held.approve("one", kinds[JobType.ACCESS_CONTROL])
    await walk(synced, rows(10), held=20)
    assert (await synced.told(JobType.ACCESS_CONTROL))["deleted"] == 20
    assert not await synced.difference(rows(10), ".search-acl-filter-docs")
    assert not await synced.difference(rows(30))
