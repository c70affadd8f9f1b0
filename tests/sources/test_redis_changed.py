"""Whether Redis has changed: never a wrong no, whatever is done to the server, and a no where nothing was."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.sources._redis.standing import Standing
from connectors.storage import Storage
from fixtures.redis.server import MISSING, is_installed, server
from tests.sources.redis_servers import Store, changed, eventually, filled_by_hand, ruled

pytestmark = pytest.mark.skipif(not is_installed(), reason=MISSING)
DEBUG = ("--enable-debug-command", "yes")


@pytest.fixture
def store() -> Iterator[Store]:
    with filled_by_hand(*DEBUG) as one:
        yield one


async def token_of(store: Store, **given: object) -> Any:
    """Return a token of a moment at which the server can tell, as the engine keeps it."""
    await asyncio.to_thread(store.settle)
    _, token = await changed(store, None, **given)
    assert token is not None
    return json.loads(json.dumps(token))


async def test_what_is_only_read_has_not_changed(store: Store) -> None:
    store.client.hset("h", mapping={"a": 1})
    store.client.xadd("s", {"f": "v"})
    token = await token_of(store)
    store.client.hgetall("h")
    store.client.xrange("s")
    store.client.set("other", "x", xx=True)  # which is not there, so nothing is set
    store.client.delete("other")
    async with store.source() as source:
        assert len([one async for one in source.get_docs()]) == 2
    for _ in range(2):
        assert await changed(store, token) == (False, token)


CHANGES: dict[str, Callable[[Store], object]] = {
    "a text is set": lambda store: store.client.set("k", "1"),
    "a text is set to what it is": lambda store: store.client.set("kept", "1"),
    "a text is appended to": lambda store: store.client.append("kept", "1"),
    "a key is deleted": lambda store: store.client.delete("kept"),
    "a key is unlinked": lambda store: store.client.unlink("kept"),
    "a key is renamed": lambda store: store.client.rename("kept", "renamed"),
    "a key is moved": lambda store: store.client.move("kept", 5),
    "a key gets an expiry": lambda store: store.client.expire("kept", 1_000),
    "an element is added": lambda store: store.client.sadd("set", "new"),
    "all is flushed": lambda store: store.client.flushall(),
    "one database is flushed": lambda store: store.client.flushdb(),
    "databases are swapped": lambda store: store.client.swapdb(0, 1),
    "a script writes": lambda store: store.client.eval("redis.call('set', 'kept', '2')", 0),
    "a function writes": lambda store: (
        store.client.function_load(
            "#!lua name=mylib\nredis.register_function('f', function() redis.call('set', 'kept', '3') end)"
        )
        and store.client.fcall("f", 0)
    ),
    "a transaction writes": lambda store: store.client.pipeline().set("kept", "9").execute(),
    "a write is saved": lambda store: store.client.set("kept", "2") and store.client.save(),
    "a write is saved in the background": lambda store: store.client.set("kept", "2") and store.client.bgsave(),
    "all is flushed and saved": lambda store: store.client.config_set("save", "900 1") and store.client.flushall(),
    "all is reloaded": lambda store: store.client.set("kept", "2") and store.raw("DEBUG", "RELOAD"),
    "the counters are reset, and it is written": lambda store: (
        store.client.config_resetstat() and store.client.set("kept", "2")
    ),
    "a key is restored": lambda store: store.client.restore("kept", 0, store.client.dump("set"), replace=True),
    "a list is sorted into another": lambda store: store.client.sort("list", store="kept"),
    "a blocked client gets an element": lambda store: store.client.blpop(["list"], timeout=1),
    "an entry of a stream goes": lambda store: store.client.xtrim("stream", maxlen=0),
}


@pytest.fixture(scope="module")
def lasting() -> Iterator[Store]:
    """A server that is used again, as each has to have run for a while."""
    with filled_by_hand(*DEBUG) as one:
        yield one


@pytest.mark.parametrize("name", CHANGES)
async def test_it_has_changed_when(lasting: Store, name: str) -> None:
    store = lasting
    store.client.config_set("save", "")
    store.client.flushall()
    store.client.function_flush()
    store.client.set("kept", "1")
    store.client.sadd("set", "a")
    store.client.rpush("list", "2", "1")
    store.client.xadd("stream", {"f": "v"})
    token = await token_of(store)
    assert (await changed(store, token))[0] is False
    await asyncio.to_thread(CHANGES[name], store)
    assert (await changed(store, token))[0] is True


async def test_a_restart_is_a_change_though_all_is_there_again() -> None:
    with filled_by_hand("--dir", ".") as store:
        store.client.set("k", "1")
        store.client.save()
        token = await token_of(store)
        store.server.stop()
        await asyncio.to_thread(store.server.start)
        await asyncio.to_thread(store.settle)
        assert store.client.get("k") == b"1"
        assert (await changed(store, token))[0] is True


async def test_a_save_a_moment_ago_tells_nothing(store: Store) -> None:
    """Another one in the same second would look the same, and hide what was written between."""
    token = await token_of(store)
    await asyncio.to_thread(store.client.save)
    assert await changed(store, token) == (True, None)
    assert await changed(store, None) == (True, None)
    new = await token_of(store)
    assert await changed(store, new) == (False, new)


async def test_a_file_of_commands_that_is_read_again_is_a_change() -> None:
    """It sets the counter of changes back without a save."""
    with filled_by_hand(*DEBUG, "--appendonly", "yes") as store:
        store.client.set("k", "1")
        store.raw("DEBUG", "LOADAOF")
        token = await token_of(store)
        assert (await changed(store, token))[0] is False
        assert token["rdb_changes_since_last_save"] == 0
        store.client.set("k", "2")
        store.raw("DEBUG", "LOADAOF")
        now = await token_of(store)
        same = ("rdb_changes_since_last_save", "rdb_last_save_time", "databases")
        assert [now[name] for name in same] == [token[name] for name in same]
        assert (await changed(store, token))[0] is True


async def test_keys_that_were_evicted_are_missed_though_counters_are_reset() -> None:
    with filled_by_hand("--maxmemory-policy", "allkeys-random") as store:
        for number in range(200):
            store.client.set(f"k{number}", "x" * 10_000)
        token = await token_of(store)
        store.client.config_set("maxmemory", str(store.client.info("memory")["used_memory"] - 500_000))
        store.client.get("k1")
        await eventually(lambda: store.client.dbsize() < 200, wanted=True)
        store.client.config_resetstat()
        assert (await changed(store, token))[0] is True


async def test_keys_that_expired_are_missed_though_counters_are_reset(store: Store) -> None:
    store.client.set("k", "1", px=4_000)
    token = await token_of(store)
    await eventually(store.client.dbsize, 0)
    store.client.config_resetstat()
    assert (await changed(store, token))[0] is True


# Keys that have expired and of which no counter tells yet.


async def walked(store: Store, kept: Storage, token: object, **given: Any) -> tuple[bool, Any]:
    """Ask whether it has changed, and walk, as a job does."""
    filtering = given.pop("filtering", None)
    async with store.source(**given) as source:
        source.storage = kept
        answer = await source.changed(token, filtering)  # type: ignore[arg-type]
        async for _ in source.get_docs(filtering):
            pass
        return answer


async def asked(store: Store, kept: Storage, token: object, **given: Any) -> bool:
    filtering = given.pop("filtering", None)
    async with store.source(**given) as source:
        source.storage = kept
        return (await source.changed(token, filtering))[0]  # type: ignore[arg-type]


async def test_a_key_that_expires_later_lets_a_sync_be_skipped_until_then(store: Store) -> None:
    """Redis removes it some time after that, so the moment itself is remembered."""
    store.client.set("k", "1")
    store.client.set("t", "1", ex=1_000)
    store.raw("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    await asyncio.to_thread(store.settle)
    kept = Storage.in_memory()
    _, token = await walked(store, kept, None)
    assert await asked(store, kept, token) is False
    assert await asked(store, Storage.in_memory(), token) is True  # where nothing of it is known

    store.client.pexpire("t", 3_000)
    assert await asked(store, kept, token) is True
    _, token = await walked(store, kept, None)
    assert store.client.dbsize() == 2
    await eventually(lambda: store.client.pttl("t") < 900, wanted=True)
    assert await asked(store, kept, token) is True


async def test_a_key_that_has_expired_without_a_trace_is_a_change(store: Store) -> None:
    store.raw("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    store.client.set("t", "1", px=5_000)
    await asyncio.to_thread(store.settle)
    kept = Storage.in_memory()
    _, token = await walked(store, kept, None)
    await asyncio.sleep(5.1)  # as asking the key itself would remove it
    async with store.source() as source:
        standing = await (await source._server()).standing()
    assert standing.token == token
    assert await asked(store, kept, token) is True


async def test_what_was_remembered_of_other_keys_counts_for_nothing(store: Store) -> None:
    store.client.set("a", "1", ex=1_000)
    store.client.set("b", "1", ex=500)
    await asyncio.to_thread(store.settle)
    kept = Storage.in_memory()
    rules = ruled({"database": 0, "key_pattern": "a"})
    _, token = await walked(store, kept, None, filtering=rules)
    assert await asked(store, kept, token, filtering=rules) is False
    assert await asked(store, kept, token) is True
    assert await asked(store, kept, token, key_patterns=["b"]) is True


async def test_a_walk_that_broke_off_remembers_nothing(store: Store) -> None:
    for number in range(10):
        store.client.set(f"t{number}", "1", ex=1_000)
    await asyncio.to_thread(store.settle)
    kept = Storage.in_memory()
    async with store.source(batch_size=2) as source:
        source.storage = kept
        _, token = await source.changed(None)
        documents = source.get_docs()
        await anext(documents)
        await documents.aclose()  # type: ignore[attr-defined]
    assert await asked(store, kept, token) is True


# Servers that can't tell.


async def test_a_replica_has_always_changed(store: Store) -> None:
    """What it is sent as a whole counts as no change there."""
    store.client.set("k", "1")
    with filled_by_hand("--replicaof", f"127.0.0.1 {store.server.port}", "--repl-diskless-sync-delay", "0") as replica:
        await eventually(replica.client.dbsize, 1)
        await asyncio.to_thread(replica.settle)
        assert await changed(replica, None) == (True, None)
        replica.client.replicaof("NO", "ONE")
        token = await token_of(replica)
        assert (await changed(replica, token))[0] is False
        replica.client.replicaof("127.0.0.1", str(store.server.port))
        store.client.set("k", "2")
        await eventually(lambda: replica.client.get("k"), b"2")
        replica.client.replicaof("NO", "ONE")
        assert (await changed(replica, token))[0] is True


async def test_a_primary_with_replicas_can_tell(store: Store) -> None:
    store.client.set("k", "1")
    with filled_by_hand("--replicaof", f"127.0.0.1 {store.server.port}", "--repl-diskless-sync-delay", "0") as replica:
        await eventually(replica.client.dbsize, 1)
        token = await token_of(store)
        assert (await changed(store, token))[0] is False
        store.client.set("k", "2")
        assert (await changed(store, token))[0] is True


@pytest.fixture(scope="module")
def info() -> dict[str, str]:
    """What a server says that has been running for a while."""
    with server() as one, filled_by_hand() as store:
        del one
        store.client.set("k", "1")
        store.settle()
        found = Standing.of(_raw_info(store))
    return dict(found.info)


def _raw_info(store: Store) -> bytes:
    store.client.set_response_callback("INFO", lambda reply: reply)
    reply: bytes = store.raw("INFO")
    return reply


@pytest.mark.parametrize(
    "missing",
    [
        *("run_id", "master_replid", "role", "redis_mode", "loading", "executable", "server_time_usec"),
        *("rdb_last_save_time", "rdb_changes_since_last_save", "expired_keys", "evicted_keys"),
    ],
)
def test_a_field_that_is_not_told_means_changed(info: dict[str, str], missing: str) -> None:
    assert Standing(info).token is not None
    assert Standing({name: value for name, value in info.items() if name != missing}).token is None


@pytest.mark.parametrize(
    "other",
    [
        {"loading": "1"},
        {"async_loading": "1"},
        {"role": "slave"},
        {"role": "active-replica"},
        {"redis_mode": "cluster"},
        {"executable": "-"},
        {"run_id": ""},
        {"rdb_changes_since_last_save": "*"},
        {"db0": "keys=1,expires=0,avg_ttl=0,subexpiry=1"},
    ],
)
def test_a_server_in_another_state_means_changed(info: dict[str, str], other: dict[str, str]) -> None:
    assert Standing({**info, **other}).token is None


def test_what_moves_by_itself_is_no_part_of_a_token(info: dict[str, str]) -> None:
    later = {
        **info,
        "server_time_usec": str(int(info["server_time_usec"]) + 10**9),
        "total_commands_processed": "99999",
        "db0": "keys=1,expires=0,avg_ttl=77",
        "master_repl_offset": "1400",
    }
    assert Standing(later).token == Standing(info).token


@pytest.mark.parametrize(
    "other",
    [
        {"db0": "keys=2,expires=0,avg_ttl=0"},
        {"db0": "keys=1,expires=1,avg_ttl=0"},
        {"db7": "keys=1,expires=0,avg_ttl=0"},
        {"rdb_saves": "7"},
        {"expired_subkeys": "7"},
        {"aof_current_size": "7"},
    ],
)
def test_what_tells_of_a_change_is_a_part_of_it(info: dict[str, str], other: dict[str, str]) -> None:
    assert Standing({**info, **other}).token != Standing(info).token
