"""What the state store promises on every engine: inherited by one test class an engine."""

import asyncio
from datetime import UTC, datetime
from typing import ClassVar
from uuid import uuid4

import pytest

from connectors.engine import Engine
from connectors.errors import Conflict, RecordUnreadable
from connectors.store.record import Record
from connectors.store.state import INDEX, StateStore
from connectors.store.sync_state import Checkpoint, Completed, JobType, SyncState
from connectors.store.targets import TargetRecord

NOW = datetime(2026, 11, 21, 20, 15, 30, 123456, UTC)
HOSTILE = {"": 1, ".": {"..": [None, {"a..b": " "}]}, "a.b": "é😀", " ": 2**63, "n": 0.1, "deep": {"x": {"": {}}}}
IDS = ["plain", "a/b", 'quo"te', "100 %", "é😀", "x" * 500, "_all", "*", ".", "..", "null", "42", ""]


class Count(Record, frozen=True, kw_only=True):
    KIND: ClassVar[str] = "count"

    connector: str
    of: tuple[str, ...] = ()


class StateContract:
    """Its module provides the fixture `engine`. Every test keeps to connectors of its own."""

    @pytest.fixture
    async def store(self, engine: Engine) -> StateStore:
        return await StateStore.open(engine)

    @pytest.fixture
    def own(self) -> str:
        return uuid4().hex

    async def test_a_record_is_read_as_it_was_written_whatever_sources_make_up(
        self, store: StateStore, own: str
    ) -> None:
        checkpoint = Checkpoint(cursor=HOSTILE, recipe="r", target="t", started_at=NOW, saved_at=NOW)
        completed = Completed(run="j", at=NOW, recipe="r", target="t", token=HOSTILE, datasets={"": 3, "a.b..": 4})
        value = SyncState(connector=own, job_type=JobType.FULL, checkpoint=checkpoint, completed=completed)
        key = SyncState.key_of(own, JobType.FULL)
        assert await store.read(key, SyncState) is None
        written = await store.create(key, value)
        found = await store.read(key, SyncState)
        assert found == written
        assert found is not None
        assert found.value == value

    @pytest.mark.parametrize("target", IDS)
    async def test_every_id_is_a_key(self, store: StateStore, own: str, target: str) -> None:
        keys = [TargetRecord.key_of(f"{own}/{target}"), TargetRecord.key_for(own, target), TargetRecord.key_for(own)]
        for number, key in enumerate(keys):
            await store.create(key, TargetRecord(target=own, index=target, epoch=number))
        epochs = [found.value.epoch for key in keys if (found := await store.read(key, TargetRecord)) is not None]
        assert epochs == [0, 1, 2]

    async def test_of_two_who_replace_what_they_read_one_wins(self, store: StateStore, own: str) -> None:
        key = Count.key_for(own)
        first = await store.create(key, Count(connector=own))
        with pytest.raises(Conflict):
            await store.create(key, Count(connector=own, of=("b",)))
        second = await store.replace(key, first, Count(connector=own, of=("c",)))
        with pytest.raises(Conflict):
            await store.replace(key, first, Count(connector=own, of=("d",)))
        with pytest.raises(Conflict):
            await store.remove(key, first)
        assert await store.read(key, Count) == second
        await store.remove(key, second)
        assert await store.read(key, Count) is None
        with pytest.raises(Conflict):
            await store.remove(key, second)
        with pytest.raises(Conflict):
            await store.replace(key, second, Count(connector=own))

    async def test_what_many_change_at_once_holds_every_change(self, store: StateStore, own: str) -> None:
        key = Count.key_for(own)

        def adding(name: str, before: Count | None) -> Count:
            return Count(connector=own, of=(*(before.of if before else ()), name))

        async with asyncio.TaskGroup() as tasks:
            for number in range(8):
                name = f"w{number}"
                tasks.create_task(
                    store.change(key, Count, lambda before, name=name: adding(name, before)),  # type: ignore[misc]
                    name=name,
                )
        found = await store.read(key, Count)
        assert found is not None
        assert sorted(found.value.of) == [f"w{number}" for number in range(8)]

    async def test_a_change_that_changes_nothing_writes_nothing(self, store: StateStore, own: str) -> None:
        key = Count.key_for(own)
        written = await store.create(key, Count(connector=own, of=("a",)))
        changed = await store.change(key, Count, lambda before: Count(connector=own, of=("a",)))
        assert changed.revision == written.revision

    async def test_what_a_newer_version_added_is_kept_when_a_record_is_rewritten(
        self, engine: Engine, store: StateStore, own: str
    ) -> None:
        key = Count.key_for(own)
        await store.create(key, Count(connector=own))
        added = await engine.control.get(INDEX.name, key)
        assert added is not None
        newer = {**added.source, "beside": 1, "record": {**added.source["record"], "within": {"x": [1]}}}
        await engine.control.put(INDEX.name, key, newer)
        changed = await store.change(key, Count, lambda before: Count(connector=own, of=("a",)))
        found = await engine.control.get(INDEX.name, key)
        assert found is not None
        assert found.source["record"] == {"connector": own, "of": ["a"], "within": {"x": [1]}}
        assert (found.source["beside"], changed.value.of) == (1, ("a",))

    async def test_a_record_of_a_newer_format_is_refused_and_left_alone(
        self, engine: Engine, store: StateStore, own: str
    ) -> None:
        key = Count.key_for(own)
        stored = {"kind": "count", "connector": own, "format": 2, "record": {"connector": own}}
        await engine.control.put(INDEX.name, key, stored)
        with pytest.raises(RecordUnreadable, match="has format 2, and this version knows count up to 1") as caught:
            await store.change(key, Count, lambda before: Count(connector=own))
        assert caught.value.key == key
        found = await engine.control.get(INDEX.name, key)
        assert found is not None
        assert found.source == stored

    @pytest.mark.parametrize(
        ("stored", "reason"),
        [
            ({}, "it is of another kind"),
            ({"kind": "target", "format": 1, "record": {}}, "it is of another kind"),
            ({"kind": "count", "format": "1", "record": {}}, "it is of another kind"),
            ({"kind": "count", "format": 1}, "Expected `object`, got `null`"),
            ({"kind": "count", "format": 1, "record": {"connector": 1}}, "Expected `str`, got `int`"),
        ],
        ids=["empty", "another kind", "format", "no record", "type"],
    )
    async def test_garbage_is_told_with_its_key(
        self, engine: Engine, store: StateStore, own: str, stored: dict[str, object], reason: str
    ) -> None:
        await engine.control.put(INDEX.name, own, stored)
        with pytest.raises(RecordUnreadable, match=f"The record '{own}' is no count: {reason}"):
            await store.read(own, Count)

    async def test_records_are_found_by_their_labels_as_soon_as_they_are_written(
        self, store: StateStore, own: str
    ) -> None:
        for target in ("a", "b", "b"):
            key = TargetRecord.key_for(uuid4().hex)
            await store.create(key, TargetRecord(target=own + target, index=target, epoch=1, connector=own))
        await store.create(Count.key_for(own), Count(connector=own))
        everything = [found.value.index async for found in store.find(TargetRecord, connector=own)]
        some = [found.value.index async for found in store.find(TargetRecord, connector=own, target=f"{own}b")]
        assert (sorted(everything), some) == (["a", "b", "b"], ["b", "b"])
        assert [found.value.connector async for found in store.find(Count, connector=own)] == [own]
        assert [key async for key in store.keys(Count, connector=own)] == [Count.key_for(own)]

    async def test_what_was_found_can_be_replaced(self, store: StateStore, own: str) -> None:
        key = Count.key_for(own)
        await store.create(key, Count(connector=own))
        found = [one async for one in store.find(Count, connector=own)]
        await store.replace(key, found[0], Count(connector=own, of=("a",)))
        read = await store.read(key, Count)
        assert read is not None
        assert read.value.of == ("a",)

    async def test_all_records_of_a_connector_are_forgotten_but_those_of_a_kind(
        self, store: StateStore, own: str
    ) -> None:
        for number, connector in enumerate((own, own, f"{own}-other")):
            await store.create(Count.key_for(own, number), Count(connector=connector))
        state = SyncState(connector=own, job_type=JobType.FULL)
        await store.create(SyncState.key_of(own, JobType.FULL), state)
        target = TargetRecord.key_of(own)
        await store.create(target, TargetRecord(target=own, index="i", epoch=7, connector=own))
        assert await store.forget(own, but=TargetRecord) == 3
        assert [await store.read(Count.key_for(own, number), Count) is None for number in range(3)] == [
            True,
            True,
            False,
        ]
        assert await store.read(target, TargetRecord) is not None
        assert await store.forget(own, but=TargetRecord) == 0

    async def test_the_connectors_that_there_are_records_of_a_kind_of_are_told(
        self, store: StateStore, own: str
    ) -> None:
        for name in ("a", "b"):
            for number in range(2):
                one = Count(connector=f"{own}-{name}", of=(str(number),))
                await store.put(one.key_for(own, name, number), one)
        state = SyncState(connector=f"{own}-c", job_type=JobType.FULL)
        await store.put(SyncState.key_of(state.connector, JobType.FULL), state)
        found = {one for one in await store.connectors_of(Count) if one.startswith(own)}
        assert found == {f"{own}-a", f"{own}-b"}
