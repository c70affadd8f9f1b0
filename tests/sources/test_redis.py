"""Redis: what becomes of keys and values, which are read, and what is asked of the server, on a real one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.byoc import Filter
from connectors.errors import AccessDenied, ConfigurationError, ConnectorsError
from connectors.filtering.validation import SyncRuleValidationResult
from connectors.sources._redis.keys import Place
from connectors.sources._redis.selection import Selection
from connectors.sources.redis import RedisDataSource
from fixtures.redis.server import MISSING, is_installed
from tests.sources.redis_servers import Store, bodies, filled_by_hand, read, ruled, watched

pytestmark = pytest.mark.skipif(not is_installed(), reason=MISSING)
ODD = (
    *(b"", b" ", b"a", b"1", b"-1", b"1.5", b"null", b"true", b"a:b", b"a/b", b'"', b'"a"', b"%", b"%22", b"%2", b"/"),
    *(b"\0", b"\n", b"\xff", b"\xc3", b"\xed\xa0\x80", "é".encode(), "🦄".encode(), b"bytes:ff", b"bytes:", b"uuid:1"),
    *(b"k" * 500, b"k" * 501, b"\xff" * 500, b"\xff" * 501, "é".encode() * 300, b"k" * 70_000, b"*", b"[a]", b"%#"),
)


@pytest.fixture(scope="module")
def running() -> Iterator[Store]:
    with filled_by_hand() as one:
        yield one


@pytest.fixture
def store(running: Store) -> Store:
    running.client.flushall()
    return running


# What a document is.


async def test_each_type_has_a_field_of_its_own(store: Store) -> None:
    client = store.client
    client.set("text", "größe\0")
    client.set("number", 12)
    client.set("empty", "")
    client.set("bytes", b"\xff\0")
    client.hset("hash", mapping={"b": "2", "a": "ü", b"\xff": b"\xfe"})
    client.rpush("list", "b", "a", "b")
    client.rpush("list of bytes", "a", b"\xff")
    client.sadd("set", "b", "a", "ü")
    client.sadd("numbers", 3, 1, 20)
    client.zadd("zset", {"b": 1.5, "a": 2, b"\xff": -0.25, "least": float("-inf"), "most": float("inf")})
    client.xadd("stream", {"f": "v", "g": b"\xff"}, id="1-1")
    client.xadd("stream", {"f": "w"}, id="2-0")
    client.xgroup_create("no entries", "group", mkstream=True)
    client.pfadd("count", "a")
    client.geoadd("places", (13.5, 52.5, "Berlin"))
    found = await bodies(store.source())
    assert found.pop("count").keys() == {"key_type", "value_base64"}
    [berlin] = found.pop("places")["scored"]
    assert berlin["member"] == "Berlin"
    assert found == {
        "text": {"key_type": "string", "value": "größe\0"},
        "number": {"key_type": "string", "value": "12"},
        "empty": {"key_type": "string", "value": ""},
        "bytes": {"key_type": "string", "value_base64": b"\xff\0"},
        "hash": {
            "key_type": "hash",
            "fields": [
                {"field": "a", "value": "ü"},
                {"field": "b", "value": "2"},
                {"field_base64": b"\xff", "value_base64": b"\xfe"},
            ],
        },
        "list": {"key_type": "list", "items": ["b", "a", "b"]},
        "list of bytes": {"key_type": "list", "items_base64": [b"a", b"\xff"]},
        "set": {"key_type": "set", "members": ["a", "b", "ü"]},
        "numbers": {"key_type": "set", "members": ["1", "20", "3"]},
        "zset": {
            "key_type": "zset",
            "scored": [
                {"member": "least", "infinite_score": "-inf"},
                {"member_base64": b"\xff", "score": -0.25},
                {"member": "b", "score": 1.5},
                {"member": "a", "score": 2.0},
                {"member": "most", "infinite_score": "inf"},
            ],
        },
        "stream": {
            "key_type": "stream",
            "entries": [
                {"id": "1-1", "fields": [{"field": "f", "value": "v"}, {"field": "g", "value_base64": b"\xff"}]},
                {"id": "2-0", "fields": [{"field": "f", "value": "w"}]},
            ],
        },
        "no entries": {"key_type": "stream", "entries": []},
    }


async def test_keys_of_any_bytes_have_ids_of_their_own_and_are_found_by_them(store: Store) -> None:
    for number, key in enumerate(ODD):
        store.client.set(key, number)
        store.database(1).set(key, -number)
    found = await read(store.source(batch_size=10))
    assert len(found) == 2 * len(ODD)
    assert max(len(id_.encode()) for id_ in found) <= 512
    for key in ODD:
        document: Any = found[Place(0, key).id]
        assert (document.get("key_base64") or document["key"].encode(), document["database"]) == (key, 0)
    async with store.source() as source:
        for id_, document in found.items():
            assert await source.get_doc(id_) == document


@pytest.mark.parametrize(
    "id_",
    ["", "0", "0/", "a/b", "-1/a", "0/b", "7/a", "0/bytes:61", "0/bytes:f", "0/bytes:zz", '0/"a"', "0/%61", "\uff19/a"],
)
async def test_an_id_that_no_key_has_finds_nothing(store: Store, id_: str) -> None:
    store.client.set("a", "1")
    async with store.source() as source:
        assert await source.get_doc(id_) is None
        assert await source.get_doc("0/a") is not None


async def test_a_key_that_the_settings_leave_out_is_not_found_by_its_id(store: Store) -> None:
    for number in (0, 1):
        for key in ("a", "b", "b" * 600):
            store.database(number).set(key, "1")
    async with store.source(database="0", key_patterns="a*") as source:
        assert await source.get_doc("0/a") is not None
        for place in (Place(1, b"a"), Place(0, b"b"), Place(0, b"b" * 600), Place(1, b"b" * 600)):
            assert await source.get_doc(place.id) is None


async def test_an_expiry_is_an_instant_that_stays_the_same(store: Store) -> None:
    at = datetime(2040, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    store.client.set("t", "1", pxat=int(at.timestamp() * 1000))
    store.client.set("far", "1", pxat=2**60)
    store.client.set("none", "1")
    found = await bodies(store.source())
    assert found == {
        "t": {"key_type": "string", "value": "1", "expires_at": at},
        "far": {"key_type": "string", "value": "1"},
        "none": {"key_type": "string", "value": "1"},
    }
    assert await bodies(store.source()) == found


async def test_the_order_of_hashes_and_sets_is_not_the_server_s(store: Store) -> None:
    """It has a seed that is another one after each start, and documents would be written again for it."""
    names = [f"name {number}" for number in range(1_000)]
    store.client.sadd("set", *names)
    store.client.hset("hash", mapping=dict.fromkeys(names, "x"))
    assert [one.decode() for one in store.client.hkeys("hash")] != sorted(names)
    found = await bodies(store.source())
    assert found["set"]["members"] == sorted(names)
    assert [one["field"] for one in found["hash"]["fields"]] == sorted(names)


async def test_a_value_that_is_too_large_is_left_out_and_not_read(store: Store) -> None:
    store.client.set("small", "x" * 50_000)
    store.client.set("large", "x" * 200_000)
    store.client.hset("hash", mapping={f"f{number}": "x" for number in range(900)} | {"one": "x" * 200_000})
    store.client.rpush("list", *(["x" * 1_000] * 3_000))
    store.client.config_resetstat()
    found = await bodies(store.source(largest_value_bytes=100_000))
    assert len(found.pop("small")["value"]) == 50_000
    assert found == {
        "large": {"key_type": "string", "omitted": "size"},
        "hash": {"key_type": "hash", "omitted": "size"},
        "list": {"key_type": "list", "omitted": "size"},
    }
    calls = store.calls()
    assert (calls["get"], calls.get("hgetall"), calls.get("lrange")) == (1, None, None)


# Which keys are read.


@pytest.fixture
def several(store: Store) -> Store:
    """Three databases of keys of several types."""
    for number in (0, 3, 9):
        client = store.database(number)
        client.set("user:1", "a")
        client.hset("user:2", "f", "v")
        client.rpush("order:1", "x")
        client.sadd("order:2", "x")
        client.set("other", "x")
    return store


async def keys_of(source: RedisDataSource, *rules: dict[str, object]) -> set[str]:
    found = await read(source, ruled(*rules))
    return {f"{one['database']} {one['key']}" for one in found.values() if isinstance(one, dict)}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"database": "3"}, {"3 user:1", "3 user:2", "3 order:1", "3 order:2", "3 other"}),
        ({"database": "1, 3", "key_patterns": "user:*"}, {"3 user:1", "3 user:2"}),
        ({"key_patterns": "other"}, {"0 other", "3 other", "9 other"}),
        ({"key_patterns": "user:*, *:1", "database": "0"}, {"0 user:1", "0 user:2", "0 order:1"}),
        ({"key_patterns": "nothing"}, set()),
        ({"database": "15"}, set()),
    ],
)
async def test_settings_say_which_keys_are_read(several: Store, given: dict[str, object], wanted: set[str]) -> None:
    assert await keys_of(several.source(**given)) == wanted


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ([{"database": 0, "key_pattern": "user:*"}], {"0 user:1", "0 user:2"}),
        ([{"database": 0, "type": "string"}], {"0 user:1", "0 other"}),
        ([{"database": 0, "type": "string", "key_pattern": "user:*"}], {"0 user:1"}),
        ([{"database": 0, "type": ["hash", "set"]}], {"0 user:2", "0 order:2"}),
        ([{"database": 0, "key_pattern": ["*:1", "oth*"]}], {"0 user:1", "0 order:1", "0 other"}),
        (
            [{"database": 0, "key_pattern": "user:*"}, {"database": 0, "type": "hash"}, {"database": 9, "type": "set"}],
            {"0 user:1", "0 user:2", "9 order:2"},
        ),
        ([{"database": 1, "type": "json"}], set()),
    ],
)
async def test_rules_say_which_keys_are_read(several: Store, rules: list[dict[str, object]], wanted: set[str]) -> None:
    assert await keys_of(several.source(), *rules) == wanted


async def test_rules_choose_among_what_the_settings_allow(several: Store) -> None:
    rule: dict[str, object] = {"database": 0, "type": ["string", "hash"]}
    assert await keys_of(several.source(database="0", key_patterns="*:2"), rule) == {"0 user:2"}
    with pytest.raises(ConfigurationError, match="reads the databases 0, and not 3"):
        await keys_of(several.source(database="0"), {"database": 3, "type": "hash"})


@pytest.mark.parametrize("rules", ["a", [1], [{"type": "hash"}], [{"database": 0, "type": "map"}], [{"database": "a"}]])
async def test_rules_that_were_never_validated_are_refused(store: Store, rules: Any) -> None:
    async with store.source() as source:
        with pytest.raises(ConfigurationError):
            [one async for one in source.get_docs(ruled(*rules))]


async def results(source: RedisDataSource, rules: object) -> list[str]:
    [validator] = source.advanced_rules_validators()
    found = validator.validate(rules)
    found = found if isinstance(found, list | SyncRuleValidationResult) else await found
    return [one.validation_message for one in (found if isinstance(found, list) else [found])]


async def test_rules_are_validated_by_their_shape_and_by_the_server(store: Store) -> None:
    async with store.source(database="0,3,77") as source:
        assert await results(source, [{"database": 0, "type": "hash"}, {"database": 3, "key_pattern": "a"}]) == [""]
        assert await results(source, []) == [""]
        [no_kind] = await results(source, [{"database": 0}])
        assert "It fits none of what is possible" in no_kind
        assert "'key_pattern'" in no_kind
        assert "'type'" in no_kind
        [other, missing] = await results(source, [{"database": 5, "type": "hash"}, {"database": 77, "type": "hash"}])
        assert other.startswith("rules[0].database: This connector reads the databases 0, 3, 77, and not 5.")
        assert f"127.0.0.1:{store.server.port} has no database 77" in missing


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"database": "0, one"}, "'one' is no number of a database"),
        ({"database": "-1"}, "'-1' is no number of a database"),
        ({"database": "99999"}, "has no database 99999"),
    ],
)
async def test_a_database_that_is_not_there_is_a_wrong_setting(
    store: Store, given: dict[str, object], message: str
) -> None:
    async with store.source(**given) as source:
        with pytest.raises(ConfigurationError, match=message) as caught:
            await source.validate_config()
            await source.ping()
    assert caught.value.field == "database"


# What is asked of the server.


async def test_a_page_is_read_in_three_round_trips(store: Store) -> None:
    """SCAN, what the keys are, and their values: however many keys a page has."""
    pipeline = store.client.pipeline(transaction=False)
    for number in range(1_000):
        pipeline.set(f"a{number}", "x")
        pipeline.hset(f"b{number}", "f", "v")
        pipeline.rpush(f"c{number}", "x")
    pipeline.execute()
    store.client.config_resetstat()
    async with watched(store, 500) as (walk, seen):
        assert len([one async for one in walk.documents(0, Selection())]) == 3_000
    calls = store.calls()
    pages = calls["scan"]
    assert pages <= 7
    assert len(seen.trips) == 3 * pages
    wanted = {"type": 3_000, "memory|usage": 3_000, "pexpiretime": 3_000, "get": 1_000, "hgetall": 1_000}
    assert {name: calls[name] for name in wanted} == wanted
    assert calls.keys() == {*wanted, "lrange", "scan", "info", "config|resetstat"}


async def test_one_pattern_and_one_type_are_left_to_the_server(several: Store) -> None:
    several.client.config_resetstat()
    assert await keys_of(several.source(key_patterns="user:*"), {"database": 0, "type": "hash"}) == {"0 user:2"}
    assert several.calls()["type"] == 1


async def test_values_of_a_round_trip_are_few_where_they_are_large(store: Store) -> None:
    for number in range(20):
        store.client.set(f"k{number}", "x" * 1_000_000)
    async with watched(store, 1_000) as (walk, seen):
        assert len([one async for one in walk.documents(0, Selection())]) == 20
    gets = [sum(1 for one in commands if one[0] == "GET") for commands in seen.trips]
    assert sum(gets) == 20
    assert 1 <= max(gets) <= 4


async def listed(store: Store, filtering: Filter | None = None, **given: object) -> tuple[list[Any], dict[str, int]]:
    """Return what is yielded for ids alone, and what the server was asked for."""
    async with store.source(**given) as source:
        await source.ping()
        store.client.config_resetstat()
        found = [one async for one in source.get_ids(filtering)]
        asked = store.calls()
    return found, {name: count for name, count in asked.items() if name not in {"info", "select", "config|resetstat"}}


def excluding(*fields: str) -> Filter:
    wire = {"policy": "exclude", "rule": "equals", "value": "none"}
    return Filter({"rules": [{**wire, "field": field, "id": field, "order": 0} for field in fields]})


async def test_for_ids_alone_keys_are_scanned_and_nothing_else(several: Store) -> None:
    for filtering in (None, excluding("key", "database"), ruled({"database": 0, "type": "hash"})):
        found, asked = await listed(several, filtering)
        assert asked.keys() == {"scan"}
        async with several.source() as source:
            walked = [one async for one in source.get_docs(filtering)]
        assert sorted(one["_id"] for one in found) == sorted(one["_id"] for one in walked if isinstance(one, dict))
        assert all(one.keys() == {"_id", "key", "database"} for one in found)


@pytest.mark.parametrize(
    ("filtering", "wanted"),
    [
        (excluding("key_type"), {"scan", "type"}),
        (excluding("expires_at", "_id"), {"scan", "pexpiretime"}),
        (ruled({"database": 0, "type": ["hash", "string"]}), {"scan", "type"}),
        (excluding("fields.value"), {"scan", "type", "memory|usage", "pexpiretime", "get", "hgetall"}),
    ],
)
async def test_rules_have_asked_what_they_look_at(several: Store, filtering: Filter, wanted: set[str]) -> None:
    several.client.set("brief", "x", ex=10_000)
    found, asked = await listed(several, filtering, database=["0"])
    assert asked.keys() - {"lrange", "smembers"} == wanted
    async with several.source(database=["0"]) as source:
        walked = {one["_id"]: one async for one in source.get_docs(filtering) if isinstance(one, dict)}
    assert len(found) == len(walked)
    for one in found:
        assert one.items() <= walked[one["_id"]].items()
    if "pexpiretime" in wanted:
        assert [one["key"] for one in found if "expires_at" in one] == ["brief"]


# Who may read.


def user(store: Store, *rights: str) -> dict[str, object]:
    store.raw("ACL", "SETUSER", "connectors", "reset", "on", ">open sesame, 1704", *rights)
    return {"username": "connectors", "password": "open sesame, 1704"}


SUFFICES = ("~*", "+@read", "+info", "+select")
LEAST = (
    "~*",
    *("+info", "+select", "+scan", "+type", "+memory|usage", "+pexpiretime", "+exists", "+get", "+hgetall"),
    *("+lrange", "+smembers", "+zrange", "+xrange"),
)


@pytest.mark.parametrize("rights", [SUFFICES, LEAST])
async def test_what_the_docs_say_suffices(several: Store, rights: tuple[str, ...]) -> None:
    several.client.zadd("z", {"a": 1})
    several.client.xadd("s", {"a": 1})
    given = user(several, *rights)
    for rules in ((), ({"database": 0, "type": "zset"},)):
        everything = await keys_of(several.source(), *rules)
        assert await keys_of(several.source(**given), *rules) == everything != set()
    async with several.source(**given, database="0,3") as source:
        await source.ping()
        await source.changed(None)
        await source.health()
        assert await results(source, [{"database": 3, "type": "hash"}]) == [""]
    assert several.raw("ACL", "LOG") == []


@pytest.mark.parametrize("missing", [one for one in LEAST if one.startswith("+")])
async def test_nothing_of_that_can_be_left_out(several: Store, missing: str) -> None:
    several.client.zadd("z", {"a": 1})
    several.client.xadd("s", {"a": 1})
    given = user(several, *(one for one in LEAST if one != missing))
    with pytest.raises(AccessDenied, match="does not allow this"):
        await read(several.source(**given))
    several.raw("ACL", "LOG", "RESET")


async def test_a_user_of_some_keys_reads_these_by_their_pattern(several: Store) -> None:
    given = user(several, "~user:*", "+@read", "+info", "+select")
    with pytest.raises(AccessDenied):
        await read(several.source(**given))
    assert await keys_of(several.source(**given, key_patterns="user:*", database="0")) == {"0 user:1", "0 user:2"}
    several.raw("ACL", "LOG", "RESET")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"username": "connectors", "password": "open barley"}, "refuses the user 'connectors'"),
        ({"username": "nobody", "password": "x"}, "refuses the user 'nobody'"),
    ],
)
async def test_who_is_not_let_in_is_told_so(store: Store, given: dict[str, object], message: str) -> None:
    user(store, *SUFFICES)
    async with store.source(**given) as source:
        with pytest.raises(AccessDenied, match=message) as caught:
            await source.ping()
    assert "open barley" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "error"), [({}, AccessDenied), ({"password": "wrong"}, AccessDenied), ({"password": "hunter2"}, None)]
)
async def test_a_password_without_a_user(given: dict[str, object], error: type[ConnectorsError] | None) -> None:
    with filled_by_hand("--requirepass", "hunter2") as store:
        async with store.source(**given) as source:
            if error is None:
                await source.ping()
                return
            with pytest.raises(error, match="refuses us"):
                await source.ping()


async def test_a_password_where_none_is_wanted(store: Store) -> None:
    async with store.source(password="hunter2") as source:
        with pytest.raises(AccessDenied, match="refuses us"):
            await source.ping()


async def test_a_cluster_is_refused() -> None:
    with filled_by_hand("--cluster-enabled", "yes") as store:
        async with store.source() as source:
            with pytest.raises(ConfigurationError, match="node of a Redis Cluster") as caught:
                await source.ping()
    assert caught.value.field == "host"


async def test_health_tells_what_it_is(several: Store) -> None:
    async with several.source() as source:
        found = dict(await source.health())
    assert found.pop("version").startswith("7.")
    assert found.pop("memory").endswith("M")
    assert isinstance(found.pop("tells_changes"), bool)
    assert found == {"role": "master", "keys": {"0": 5, "3": 5, "9": 5}}
