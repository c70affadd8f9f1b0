"""The roster: what somebody changed is known at the next look, and what is gone within a minute."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.aio.clock import SystemClock
from connectors.engine import Engine, open_engine
from connectors.services.scheduling.roster import WHOLE_EVERY, Roster
from connectors.settings import EngineSettings
from connectors.store.connector import Connector
from connectors.store.connectors import INDEX, LATE, MOST_CHANGED, NAME, ConnectorStore


class Watch(SystemClock):
    """A clock that a test lets run."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class World:
    engine: Engine
    store: ConnectorStore
    watch: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        self.roster = Roster(self.store, self.watch)

    async def is_right(self) -> None:
        """Check that the roster has each connector as it is stored, and no other."""
        assert self.roster.connectors == {one.id: one async for one in self.store.all()}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_engine(EngineSettings(data=tmp_path / "data")) as engine:
        yield World(engine, await ConnectorStore.open(engine))


async def create(world: World, *names: str, **document: Any) -> None:
    for name in names:
        await world.store.create(name, document)


async def test_what_is_new_changed_or_marked_as_deleted_is_known_at_the_next_look(world: World) -> None:
    assert await world.roster.look() == set()
    await create(world, "a", "b")
    assert await world.roster.look() == {"a", "b"}
    assert await world.roster.look() == set()
    await world.store.update("a", lambda _: {"name": "A"})
    await create(world, "c")
    assert await world.roster.look() == {"a", "c"}
    await world.store.update("b", lambda _: {"deleted": True})
    assert await world.roster.look() == {"b"}
    await world.is_right()


async def test_what_was_removed_is_known_with_the_next_reading_of_all(world: World) -> None:
    await create(world, "a", "b")
    await world.roster.look()
    await world.engine.control.delete(NAME, "a")
    assert await world.roster.look() == set()
    world.watch.seconds += WHOLE_EVERY.total_seconds()
    assert await world.roster.look() == {"a"}
    await world.is_right()


async def test_more_changes_than_one_answer_holds_are_known_at_once(world: World) -> None:
    await create(world, "a")
    await world.roster.look()
    names = {f"n{number}" for number in range(MOST_CHANGED + 1)}
    await create(world, *names)
    assert await world.roster.look() == names
    await world.is_right()


async def test_an_index_that_was_made_anew_is_known_within_a_minute(world: World) -> None:
    await create(world, *(f"old{number}" for number in range(30)))
    await world.roster.look()
    await world.engine.indices.delete(INDEX.name)
    world.store = await ConnectorStore.open(world.engine)
    await create(world, "new")
    world.watch.seconds += WHOLE_EVERY.total_seconds()
    assert "new" in await world.roster.look()
    await world.is_right()


async def test_a_look_that_fails_is_made_good_by_the_next_one(world: World) -> None:
    await create(world, "a")
    await world.roster.look()
    await world.engine.indices.delete(INDEX.name)
    with pytest.raises(Exception, match="no such index"):
        await world.roster.look()
    world.store = await ConnectorStore.open(world.engine)
    await create(world, "b")
    world.watch.seconds += WHOLE_EVERY.total_seconds()
    await world.roster.look()
    await world.is_right()


async def test_only_what_is_other_than_before_is_read(world: World) -> None:
    read: list[set[str]] = []

    class Counting(ConnectorStore):
        async def get_many(self, connector_ids: Collection[str]) -> list[Connector]:
            read.append(set(connector_ids))
            return await super().get_many(connector_ids)

    await create(world, "a", "b")
    await create(world, "c", deleted=True)
    world.roster = Roster(Counting(world.engine.control), world.watch)
    await world.roster.look()
    await world.roster.look()
    world.watch.seconds += WHOLE_EVERY.total_seconds()
    await world.roster.look()
    await world.store.update("b", lambda _: {"name": "B"})
    await world.roster.look()
    assert read == [{"a", "b", "c"}, {"b"}]
    await world.is_right()


async def test_what_is_removed_between_two_questions_is_gone(world: World) -> None:
    class Late(ConnectorStore):
        async def get_many(self, connector_ids: Collection[str]) -> list[Connector]:
            for one in connector_ids:
                await world.engine.control.delete(NAME, one)
            return await super().get_many(connector_ids)

    await create(world, "a", "b")
    await world.roster.look()
    await world.store.update("a", lambda _: {"name": "A"})
    world.roster._store = Late(world.engine.control)
    assert await world.roster.look() == {"a"}
    assert await world.roster.look() == set()
    await world.is_right()


async def test_what_is_written_while_others_are_read_is_known_at_the_next_look(world: World) -> None:
    class Busy(ConnectorStore):
        async def get_many(self, connector_ids: Collection[str]) -> list[Connector]:
            await create(world, *(f"n{number}" for number in range(2 * LATE)))
            await world.store.update("a", lambda _: {"name": "AA"})
            return await super().get_many(connector_ids)

    await create(world, "a")
    await world.roster.look()
    await world.store.update("a", lambda _: {"name": "A"})
    world.roster._store = Busy(world.engine.control)
    assert await world.roster.look() == {"a"}
    world.roster._store = world.store
    assert await world.roster.look() == {f"n{number}" for number in range(2 * LATE)}
    await world.is_right()
