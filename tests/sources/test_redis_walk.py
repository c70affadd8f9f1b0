"""The walk while others write, and while the server comes and goes."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from connectors.changes import Failed
from connectors.errors import SourceError, SourceUnreachable
from connectors.sources._redis.command import Command
from connectors.sources._redis.selection import Selection
from fixtures.redis.server import MISSING, is_installed
from tests.sources.redis_servers import Store, filled_by_hand, read, watched

pytestmark = pytest.mark.skipif(not is_installed(), reason=MISSING)


@pytest.fixture
def store() -> Iterator[Store]:
    with filled_by_hand() as one:
        yield one


def keep(store: Store, count: int) -> None:
    """Set keys that stay."""
    store.client.mset({f"kept:{number}": str(number) for number in range(count)})


@pytest.mark.timeout(300)
async def test_what_stays_is_yielded_while_the_table_grows_and_shrinks(store: Store) -> None:
    keep(store, 100_000)
    stop = threading.Event()
    rounds = 0

    def write() -> None:
        nonlocal rounds
        while not stop.is_set():
            names = [f"passing:{rounds}:{number}" for number in range(120_000)]
            store.client.mset(dict.fromkeys(names, "x"))
            for start in range(0, len(names), 10_000):
                store.client.delete(*names[start : start + 10_000])
            rounds += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        async with store.source(batch_size=1_000) as source:
            found: dict[str, str] = {}
            yielded = 0
            async for one in source.get_docs():
                assert isinstance(one, dict)
                yielded += 1
                if one["key"].startswith("kept:"):
                    found[one["key"]] = one["value"]
    finally:
        stop.set()
        await asyncio.to_thread(writer.join)
    assert found == {f"kept:{number}": str(number) for number in range(100_000)}
    assert rounds


def once(moment: str, act: Any) -> Any:
    """Do something before the first round trip in which such a command is."""
    done: list[bool] = []

    def before(commands: Sequence[Command]) -> None:
        if not done and any(one[0] == moment for one in commands):
            done.append(True)
            act()

    return before


async def test_a_key_that_goes_in_between_is_gone(store: Store) -> None:
    client = store.client
    client.set("string", "1")
    client.hset("hash", "f", "v")
    client.rpush("list", "1")
    client.sadd("set", "1")
    client.zadd("zset", {"1": 1})
    client.xadd("stream", {"f": "v"})
    keep(store, 3)
    names = ("string", "hash", "list", "set", "zset", "stream")
    for moment in ("GET", "TYPE"):
        async with watched(store, 100, once(moment, lambda: client.delete(*names))) as (walk, _):
            found = [one async for one in walk.documents(0, Selection())]
        assert sorted(one["key"] for one in found if isinstance(one, dict)) == ["kept:0", "kept:1", "kept:2"]
        assert len(found) == 3


async def test_a_key_that_expires_in_mid_walk_is_gone(store: Store) -> None:
    keep(store, 5)
    store.client.set("brief", "1", px=60_000)

    def expire() -> None:
        store.client.pexpire("brief", 1)
        while store.client.pttl("brief") != -2:
            pass

    async with watched(store, 100, once("GET", expire)) as (walk, _):
        assert len([one async for one in walk.documents(0, Selection())]) == 5


async def test_a_key_whose_value_is_of_another_type_meanwhile_is_read_again(store: Store) -> None:
    store.client.set("k", "1")
    keep(store, 2)

    def change() -> None:
        store.client.delete("k")
        store.client.rpush("k", "a", "b")

    async with watched(store, 100, once("GET", change)) as (walk, seen):
        found = {one["key"]: one async for one in walk.documents(0, Selection()) if isinstance(one, dict)}
    assert (found["k"]["key_type"], found["k"]["items"], len(found)) == ("list", ["a", "b"], 3)
    assert len(seen.trips) == 5


async def test_a_key_that_is_never_of_one_type_is_reported(store: Store) -> None:
    store.client.set("k", "1")
    keep(store, 2)

    def change(commands: Sequence[Command]) -> None:
        kinds = {one[0] for one in commands if b"k" in one}
        if "GET" in kinds:
            store.client.delete("k")
            store.client.rpush("k", "a")
        elif "LRANGE" in kinds:
            store.client.set("k", "1")

    async with watched(store, 100, change) as (walk, _):
        found = [one async for one in walk.documents(0, Selection())]
    assert [one for one in found if isinstance(one, Failed)] == [
        Failed("0/k", "Its value was of another type each time it was read.")
    ]
    assert len(found) == 3


async def test_a_key_that_is_back_after_it_was_away_is_not_taken_for_a_repeated_one(store: Store) -> None:
    """SCAN may return a key twice; of two that follow each other the second is left out, if the first was read."""
    keep(store, 3)

    class Twice:
        def __init__(self, inner: Any) -> None:
            self.inner, self.scans = inner, 0

        async def ask(self, database: int, commands: Sequence[Command]) -> Any:
            if commands[0][0] != "SCAN":
                return await self.inner.ask(database, commands)
            self.scans += 1
            if self.scans == 2:
                store.client.set("away", "1")
            return [[b"0" if self.scans == 2 else b"1", [b"away", b"kept:1", b"kept:1"]]]

        def check(self, reply: Any) -> None:
            self.inner.check(reply)

    async with watched(store, 100) as (walk, seen):
        walk.server = Twice(seen)  # type: ignore[assignment]
        found = [one["key"] async for one in walk.documents(0, Selection()) if isinstance(one, dict)]
    assert found == ["kept:1", "away"]


async def test_a_walk_goes_on_when_its_connection_was_lost(store: Store) -> None:
    keep(store, 5_000)
    async with store.source(batch_size=100) as source:
        found = set()
        async for one in source.get_docs():
            assert isinstance(one, dict)
            found.add(one["key"])
            if len(found) in {500, 1_500}:
                for client in store.client.client_list():
                    if client["id"] != str(store.client.client_id()):
                        store.client.client_kill_filter(_id=client["id"])
    assert len(found) == 5_000


@pytest.mark.parametrize("retries", [0, 3])
async def test_a_server_that_was_restarted_in_mid_walk_ends_it(store: Store, retries: int) -> None:
    """Its keys may be others, and a cursor means nothing to it."""
    keep(store, 5_000)
    async with store.source(batch_size=100, retry_count=retries) as source:
        documents = source.get_docs()
        await anext(documents)
        store.server.stop()
        await asyncio.to_thread(store.server.start)
        with pytest.raises(SourceError, match="was restarted while it was read" if retries else "reached"):
            async for _ in documents:
                pass
        assert await read(store.source()) == {}  # and is read anew, as it is


async def test_a_server_that_stays_away_ends_the_walk(store: Store) -> None:
    keep(store, 1_000)
    async with store.source(batch_size=100, retry_count=1) as source:
        documents = source.get_docs()
        await anext(documents)
        store.server.stop()
        with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1:\d+ can't be reached"):
            async for _ in documents:
                pass


async def test_a_server_that_says_nothing_is_waited_for_within_a_limit(store: Store) -> None:
    keep(store, 1_000)
    async with store.source(batch_size=100, retry_count=0, answer_timeout_s=1) as source:
        documents = source.get_docs()
        await anext(documents)
        with store.server.held_up(), pytest.raises(SourceUnreachable, match="did not answer within 1 s"):
            async for _ in documents:
                pass
        with store.server.held_up(), pytest.raises(SourceUnreachable, match="within 1 s"):
            await source.ping()
        await source.ping()


async def test_a_pause_of_the_server_is_waited_for(store: Store) -> None:
    keep(store, 1_000)
    async with store.source(batch_size=100, retry_count=20, answer_timeout_s=1) as source:
        documents = source.get_docs()
        await anext(documents)
        with store.server.held_up():
            next_ones = asyncio.create_task(_rest(documents))
            await asyncio.sleep(1.5)
        assert await next_ones == 999


async def _rest(documents: Any) -> int:
    return len([one async for one in documents])


async def test_a_source_that_was_closed_connects_no_more(store: Store) -> None:
    keep(store, 1_000)
    source = store.source(batch_size=100)
    documents = source.get_docs()
    await anext(documents)
    await source.close()
    with pytest.raises(SourceError, match="was closed"):
        await _rest(documents)
    with pytest.raises(SourceError, match="was closed"):
        await source.ping()


async def test_several_may_read_at_once(store: Store) -> None:
    keep(store, 1_000)
    store.database(1).mset({f"other:{number}": "x" for number in range(1_000)})
    async with store.source(batch_size=50) as source:
        walks = [_rest(source.get_docs()) for _ in range(3)]
        counts, one = await asyncio.gather(asyncio.gather(*walks), source.get_doc('1/"other:7"'))
    assert isinstance(one, dict)
    assert (counts, one["value"]) == ([2_000] * 3, "x")
