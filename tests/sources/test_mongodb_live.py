"""MongoDB: what changes, as it happens."""

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, cast

import pytest

from connectors.changes import Change, Checkpoint, Delete, Upsert
from connectors.errors import ConfigurationError, CursorExpired, SourceUnreachable
from connectors.sources.mongodb import MongoDBDataSource
from fixtures.mongodb.server import MongoDB
from tests.sources.mongo import Commands, Store, applied, changes_of, last, made, touched, walked
from tests.torture.cut_line import CutLine

Live = AsyncGenerator[Change, None]
PATIENCE_S = 60


@pytest.fixture
def filled(mongo: Store) -> Store:
    for name in ("a", "b"):
        mongo.filled(name, [{"_id": number, "v": 1} for number in range(5)])
    return mongo


@asynccontextmanager
async def living(store: Store, **given: Any) -> AsyncIterator[tuple[MongoDBDataSource, Live, Commands]]:
    """Provide a stream from now on, whose source tells what it sends."""
    scope = {name: value for name, value in given.items() if name in {"collection", "database"}}
    cursor = last(await changes_of(store, None, **scope))
    commands = Commands()
    async with store.source(**given) as one:
        one.listeners = (commands,)
        live = cast("Live", one.get_docs_live(cursor))
        try:
            yield one, live, commands
        finally:
            await live.aclose()


async def batch(live: Live) -> list[Change]:
    """Return the next changes, and the checkpoint behind them."""
    found: list[Change] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < 2 or not isinstance(found[-1], Checkpoint):
            change = await anext(live)
            if found or not isinstance(change, Checkpoint):
                found.append(change)
    return found


async def test_a_change_is_told_as_it_happens_and_one_answer_at_once(filled: Store) -> None:
    async with living(filled) as (_, live, commands):
        waiting = asyncio.ensure_future(batch(live))
        await commands.asked_for_more.wait()
        asked = commands.names.count("getMore")
        filled["a"].insert_many([{"_id": number} for number in (7, 8, 9)])
        found = await waiting
        while len(touched(found)) < 3:  # an answer may come between two of them
            found += await batch(live)
        assert touched(found) == [f"{filled.name}/a/{number}" for number in (7, 8, 9)]
        checkpoints = sum(isinstance(one, Checkpoint) for one in found)
        assert commands.names.count("getMore") <= asked + checkpoints  # none is asked for before all is told
        filled["b"].delete_one({"_id": 1})
        *changes, end = await batch(live)
        assert changes == [Delete(f"{filled.name}/b/1")]
    assert isinstance(end, Checkpoint)
    assert touched(await changes_of(filled, end.cursor)) == []


async def test_it_begins_with_what_changed_since_the_cursor(filled: Store) -> None:
    async with living(filled) as (_, live, _commands):
        filled["a"].update_one({"_id": 1}, {"$set": {"v": 2}})
        found = await batch(live)
    assert [type(one) for one in found] == [Upsert, Checkpoint]
    assert touched(found) == [f"{filled.name}/a/1"]


async def test_a_cursor_does_not_grow_old_while_nothing_happens(filled: Store, mongodb: MongoDB) -> None:
    async with living(filled) as (_, live, _commands):
        first = await anext(live)
        with made(mongodb) as other:
            other.filled("a", [{"_id": 1}])
            async with asyncio.timeout(PATIENCE_S):
                second = await anext(live)
    assert isinstance(first, Checkpoint)
    assert isinstance(second, Checkpoint)
    assert first.cursor["after"] != second.cursor["after"]


@pytest.mark.parametrize(("given", "await_ms"), [({}, 30_000), ({"statement_timeout_s": 2}, 2_000)], ids=str)
async def test_a_server_is_not_waited_for_longer_than_it_may_keep_silent(
    filled: Store, given: dict[str, Any], await_ms: int
) -> None:
    async with living(filled, **given) as (_, live, commands):
        filled["a"].insert_one({"_id": 9})
        await batch(live)
        waiting = asyncio.ensure_future(anext(live))
        await commands.asked_for_more.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
    assert {one["maxTimeMS"] for one in commands.sent if "getMore" in one} == {await_ms}


async def test_a_stream_whose_cursor_was_killed_is_gone_on_with(filled: Store) -> None:
    async with living(filled) as (_, live, commands):
        await anext(live)
        for number in (7, 8):
            filled.kill(commands.streams[-1])
            filled["a"].insert_one({"_id": number})
            assert touched(await batch(live)) == [f"{filled.name}/a/{number}"]
    assert len(commands.streams) == 3


async def test_a_stream_whose_line_is_cut_is_gone_on_with(filled: Store, mongodb: MongoDB) -> None:
    async with CutLine(port_of(mongodb)) as line:
        host = f"mongodb://127.0.0.1:{line.port}"
        async with living(filled, host=host, direct_connection=True, retry_count=3) as (_, live, _commands):
            await anext(live)
            for number, after in ((7, 0), (8, 1), (9, 60)):
                line.cut_after(after) if after else line.cut()
                filled["a"].insert_one({"_id": number})
                assert touched(await batch(live)) == [f"{filled.name}/a/{number}"]
            assert line.cuts == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a connection of the driver's own
async def test_a_server_that_stays_away_is_an_error_that_may_pass(filled: Store, mongodb: MongoDB) -> None:
    async with CutLine(port_of(mongodb)) as line:
        host = f"mongodb://127.0.0.1:{line.port}"
        async with living(filled, host=host, direct_connection=True, connect_timeout_s=1) as (_, live, _commands):
            await anext(live)
            line.close()
            with pytest.raises(SourceUnreachable, match="can't be reached"):
                while True:
                    await anext(live)
    gc.collect()


@pytest.mark.parametrize(
    ("happens", "message"),
    [
        (lambda store: store["b"].drop(), "b' was dropped"),
        (lambda store: store["b"].rename("away"), "b' was renamed to 'test_.*away'"),
        (lambda store: store["z"].rename("b_in"), "z' was renamed to 'test_.*b_in', which is read"),
        (lambda store: store.client.drop_database(store.name), "was dropped"),
    ],
)
async def test_what_becomes_of_a_collection_as_a_whole_ends_it(
    filled: Store, happens: Callable[[Store], object], message: str
) -> None:
    filled.filled("z", [{"_id": 1}])
    async with living(filled, collection=["a*", "b*"]) as (_, live, _commands):
        await anext(live)
        happens(filled)
        with pytest.raises(CursorExpired, match=message):
            await batch(live)


async def test_the_stream_of_a_collection_ends_with_it(filled: Store) -> None:
    async with living(filled, collection="b") as (_, live, _commands):
        await anext(live)
        filled["b"].drop()
        with pytest.raises(CursorExpired, match="was dropped"):
            await batch(live)


async def test_a_new_collection_of_a_pattern_is_new_documents(filled: Store) -> None:
    before = await walked(filled)
    async with living(filled, collection=["*"]) as (_, live, _commands):
        await anext(live)
        filled["new"].insert_one({"_id": 1})
        found = await batch(live)
    assert applied(before, found) == await walked(filled)
    assert found[-1].cursor["collections"].keys() >= {f"{filled.name}.new"}  # type: ignore[union-attr]


# Servers of their own.


class Alone(MongoDB):
    """A server that is in no replica set."""

    properties: ClassVar[Any] = {**MongoDB.properties, "standalone": "true"}


async def test_a_server_in_no_replica_set_is_told_so(mongodb: MongoDB) -> None:
    if mongodb.is_real:
        pytest.skip("Only the stand-in can be one.")
    async with Alone() as server:
        with made(server) as store:
            store.filled("a", [{"_id": 1}])
            with pytest.raises(ConfigurationError, match=r"no change streams.*replica set") as raised:
                await changes_of(store, None)
            async with store.source() as one:
                assert (await one.health())["change_streams"] is False
    assert raised.value.field == "host"


async def test_a_server_that_lost_its_log_has_the_cursor_expire(mongodb: MongoDB) -> None:
    if mongodb.is_real:
        pytest.skip("Only the stand-in loses its log with each start.")
    async with MongoDB() as server:
        with made(server) as store:
            store.filled("a", [{"_id": 1}])
            async with living(store, retry_count=5) as (_, live, _commands):
                await anext(live)
                cursor = last(await changes_of(store, None))
                await server.kill()
                await server.start()
                with pytest.raises(CursorExpired, match="can't go on"):
                    await batch(live)
            store.filled("a", [{"_id": 1}])
            with pytest.raises(CursorExpired, match="another server"):
                await changes_of(store, cursor)
            with pytest.raises(CursorExpired, match="can't go on"):
                await changes_of(store, {**cursor, "collections": {}})


def port_of(server: MongoDB) -> int:
    """Return the port of a server on this machine."""
    return int(server.url.split("/")[2].rpartition(":")[2])
