"""MongoDB: what changed since a cursor, by its change stream."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Decimal128, Int64, MinKey, ObjectId, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne

from connectors.changes import Checkpoint, Delete, Failed, Upsert
from connectors.errors import ConfigurationError, CursorExpired
from connectors.sources._mongodb.catalog import Collection
from connectors.sources._mongodb.feed import Feed, Reader
from connectors.sources._mongodb.page import Reading
from connectors.sources._mongodb.position import Position
from fixtures.mongodb.server import MongoDB
from tests.sources.mongo import Commands, Store, applied, changes_of, filter_of, last, made, touched, walked

Change = Callable[[Any], object]
KEYS: list[Any] = [
    1,
    "1",
    2.5,
    Int64(2**40),
    Decimal128("7.10"),
    True,
    None,
    ObjectId("65b9f0000000000000000001"),
    "65b9f0000000000000000001",
    datetime(2024, 1, 2, tzinfo=UTC),
    "datetime:2024-01-02T00:00:00+00:00",
    b"\0\1",
    Binary(b"\0\2", 128),
    Binary.from_uuid(UUID(int=5)),
    Binary(UUID(int=6).bytes, 3),
    {"a": 1},
    {"a": Int64(2)},
    {"b": 1, "a": 1},
    Timestamp(5, 6),
    MinKey(),
    "a/b%",
]


@pytest.fixture
def filled(mongo: Store) -> Store:
    for name in ("a", "b"):
        mongo.filled(name, [{"_id": number, "v": 1} for number in range(5)])
    return mongo


async def cursor_now(store: Store, rules: Any = None, **given: Any) -> Any:
    """Return the cursor of this moment, by a sync of everything."""
    return last(await changes_of(store, None, rules, **given))


OPERATIONS: dict[str, tuple[Change, list[int]]] = {
    "insert_one": (lambda a: a.insert_one({"_id": 9}), [9]),
    "insert_many": (lambda a: a.insert_many([{"_id": number} for number in (8, 9)]), [8, 9]),
    "update_one": (lambda a: a.update_one({"_id": 1}, {"$set": {"v": 2}}), [1]),
    "update_many": (lambda a: a.update_many({"_id": {"$gt": 2}}, {"$inc": {"v": 2}, "$unset": {"w": 1}}), [3, 4]),
    "replace_one": (lambda a: a.replace_one({"_id": 1}, {"w": [1]}), [1]),
    "upsert": (lambda a: a.update_one({"_id": 7}, {"$set": {"v": 2}}, upsert=True), [7]),
    "upsert of a whole": (lambda a: a.replace_one({"_id": 7}, {"w": 2}, upsert=True), [7]),
    "find_one_and_update": (lambda a: a.find_one_and_update({"_id": 2}, {"$set": {"v": 3}}), [2]),
    "find_one_and_replace": (lambda a: a.find_one_and_replace({"_id": 2}, {"w": 3}), [2]),
    "find_one_and_delete": (lambda a: a.find_one_and_delete({"_id": 2}), [2]),
    "delete_one": (lambda a: a.delete_one({"_id": 2}), [2]),
    "delete_many": (lambda a: a.delete_many({"_id": {"$lt": 2}}), [0, 1]),
    "bulk_write": (
        lambda a: a.bulk_write(
            [
                InsertOne({"_id": 6}),
                UpdateOne({"_id": 1}, {"$set": {"v": 5}}),
                ReplaceOne({"_id": 6}, {"w": 1}),
                DeleteOne({"_id": 1}),
            ]
        ),
        [6, 1],
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(
    "given", [{}, {"collection": "a"}, {"collection": ["a", "b*"]}, {"database": ["test_*"]}], ids=str
)
async def test_every_operation_yields_what_it_touched(filled: Store, name: str, given: dict[str, Any]) -> None:
    operation, ids = OPERATIONS[name]
    cursor, before = await cursor_now(filled, **given), await walked(filled, **given)
    operation(filled["a"])
    found = await changes_of(filled, cursor, **given)
    now = await walked(filled, **given)
    assert before != now
    assert applied(before, found) == now
    assert touched(found) == [f"{filled.name}/a/{number}" for number in ids]
    assert touched(await changes_of(filled, last(found), **given)) == []


async def test_without_a_cursor_everything_is_yielded_and_then_what_came_meanwhile(filled: Store) -> None:
    async with filled.source() as one:
        walk = one.get_docs_incrementally(None)
        found = [await anext(walk)]
        filled["a"].delete_one({"_id": 0})
        filled["b"].insert_one({"_id": 9})
        found += [change async for change in walk]
    assert applied({}, found) == await walked(filled)
    assert touched(await changes_of(filled, last(found))) == []


async def test_keys_of_all_types_are_told_apart(mongo: Store) -> None:
    mongo.filled("odd", [{"_id": key, "v": 1} for key in KEYS])
    cursor, before = await cursor_now(mongo), await walked(mongo)
    assert len(before) == len(KEYS)
    for number, key in enumerate(KEYS):
        if number % 2:
            mongo["odd"].delete_one({"_id": key})
        else:
            mongo["odd"].update_one({"_id": key}, {"$set": {"v": 2}})
    found = await changes_of(mongo, cursor)
    assert len(touched(found)) == len(set(touched(found))) == len(KEYS)
    assert sum(isinstance(one, Delete) for one in found) == len(KEYS) // 2
    assert applied(before, found) == await walked(mongo)


async def test_a_number_that_comes_back_as_another_type_is_another_document(mongo: Store) -> None:
    mongo.filled("a", [{"_id": 1}, {"_id": 2}])
    cursor, before = await cursor_now(mongo), await walked(mongo)
    mongo["a"].delete_one({"_id": 1})
    mongo["a"].insert_one({"_id": 1.0})
    found = await changes_of(mongo, cursor)
    assert found[:-1] == [
        Upsert({"_id": f"{mongo.name}/a/1.0", "_id_": 1.0, **_origin(mongo)}),
        Delete(f"{mongo.name}/a/1"),
    ]
    assert applied(before, found) == await walked(mongo)


def _origin(store: Store) -> dict[str, str]:
    return {"dataset": f"{store.name}.a", "database": store.name, "collection": "a"}


async def test_a_document_that_can_not_be_decoded_is_a_failure_and_no_other(mongo: Store, mongodb: MongoDB) -> None:
    if not mongodb.is_real:
        pytest.skip("The stand-in keeps no text that is no UTF-8.")
    mongo.filled("a", [{"_id": 1}])
    cursor = await cursor_now(mongo)
    mongo["a"].insert_many([RawBSONDocument(b"\x19\0\0\0\x10_id\0\2\0\0\0\2v\0\2\0\0\0\xff\0\0"), {"_id": 3}])
    *found, _ = await changes_of(mongo, cursor)
    assert [type(one) for one in found] == [Failed, Upsert]
    assert touched(found) == [f"{mongo.name}/a/2", f"{mongo.name}/a/3"]


async def test_many_changes_of_one_document_are_one(filled: Store) -> None:
    cursor = await cursor_now(filled)
    for number in range(50):
        filled["a"].update_one({"_id": number % 2}, {"$inc": {"v": 1}})
    found = await changes_of(filled, cursor)
    assert touched(found) == [f"{filled.name}/a/{number}" for number in (0, 1)]


async def test_ten_thousand_changes_at_once_are_read_in_few_questions(mongo: Store) -> None:
    mongo.filled("a", [{"_id": number, "v": 0} for number in range(10_000)])
    cursor, before = await cursor_now(mongo, fetch_size=4_000), await walked(mongo)
    mongo["a"].update_many({"_id": {"$lt": 5_000}}, {"$inc": {"v": 1}})
    mongo["a"].delete_many({"_id": {"$gte": 8_000}})
    mongo.filled("a", [{"_id": f"n{number}"} for number in range(3_000)])
    commands = Commands()
    found = await changes_of(mongo, cursor, commands=commands, fetch_size=4_000)
    assert len(touched(found)) == len(set(touched(found))) == 10_000
    assert applied(before, found) == await walked(mongo)
    assert sum(isinstance(one, Checkpoint) for one in found) >= 3
    assert commands.names.count("find") <= 9  # portions that double, and then of the size of a page


async def test_documents_are_read_no_earlier_than_their_events_are(filled: Store) -> None:
    cursor = await cursor_now(filled)
    filled["a"].update_one({"_id": 1}, {"$set": {"v": 2}})
    commands = Commands()
    await changes_of(filled, cursor, commands=commands, read_concern="local")
    [concern] = [one["readConcern"] for one in commands.sent if "find" in one]
    assert concern["level"] == "majority"
    assert concern["afterClusterTime"] >= filled.client.admin.command("ping")["operationTime"]


async def test_where_nothing_changed_no_document_is_asked_for(filled: Store) -> None:
    cursor = await cursor_now(filled)
    commands = Commands()
    found = await changes_of(filled, cursor, commands=commands)
    assert [type(one) for one in found] == [Checkpoint]
    assert commands.names.count("aggregate") == 1  # which is the stream
    assert set(commands.names) <= {
        "listDatabases",
        "listCollections",
        "ping",
        "aggregate",
        "getMore",
        "killCursors",
        "endSessions",
    }


async def test_large_documents_come_in_several_answers(mongo: Store) -> None:
    mongo.filled("a", [{"_id": -1}])
    cursor, before = await cursor_now(mongo), await walked(mongo)
    mongo.filled("a", [{"_id": number, "text": "x" * 3_000_000} for number in range(8)])
    found = await changes_of(mongo, cursor)
    assert applied(before, found) == await walked(mongo)
    assert len(touched(found)) == 8


# Collections.


async def test_a_new_collection_of_a_pattern_is_new_documents(filled: Store) -> None:
    given: dict[str, Any] = {"collection": ["a", "n*"]}
    cursor, before = await cursor_now(filled, **given), await walked(filled, **given)
    filled.filled("new", [{"_id": 1}, {"_id": 2}])
    filled.filled("other", [{"_id": 1}])
    found = await changes_of(filled, cursor, **given)
    assert touched(found) == [f"{filled.name}/new/{number}" for number in (1, 2)]
    assert applied(before, found) == await walked(filled, **given)
    filled["new"].delete_one({"_id": 1})
    assert touched(await changes_of(filled, last(found), **given)) == [f"{filled.name}/new/1"]
    filled["new"].drop()
    with pytest.raises(CursorExpired, match=r"'test_\d+.new' was dropped"):
        await changes_of(filled, last(found), **given)


async def test_a_new_database_of_a_pattern_is_new_documents(mongodb: MongoDB) -> None:
    with made(mongodb) as one, made(mongodb) as other, made(mongodb) as third:
        one.filled("a", [{"_id": 1}])
        given: dict[str, Any] = {"database": [one.name, f"{other.name}*"]}
        cursor = await cursor_now(one, **given)
        other.filled("a", [{"_id": 2}])
        third.filled("a", [{"_id": 3}])
        assert touched(await changes_of(one, cursor, **given)) == [f"{other.name}/a/2"]
        other.client.drop_database(other.name)
        with pytest.raises(CursorExpired, match="dropped"):
            await changes_of(one, cursor, **given)


@pytest.mark.parametrize(
    ("happens", "message"),
    [
        (lambda store: store["b"].drop(), "b' was dropped or renamed"),
        (lambda store: store["b"].rename("away"), "b' was dropped or renamed"),
        (lambda store: (store["b"].drop(), store.filled("b", [{"_id": 1}])), "b' was dropped and made anew"),
        (lambda store: store["z"].rename("b_in"), "z' was renamed to 'test_.*b_in', which is read"),
    ],
)
async def test_what_becomes_of_a_collection_as_a_whole_needs_a_full_sync(
    filled: Store, happens: Change, message: str
) -> None:
    filled.filled("z", [{"_id": 1}])
    given: dict[str, Any] = {"collection": ["a*", "b*"]}
    cursor = await cursor_now(filled, **given)
    happens(filled)
    with pytest.raises(CursorExpired, match=message):
        await changes_of(filled, cursor, **given)
    assert touched(await changes_of(filled, await cursor_now(filled, **given), **given)) == []


async def test_what_becomes_of_other_collections_makes_no_difference(filled: Store) -> None:
    filled.filled("z", [{"_id": 1}])
    filled.filled("y", [{"_id": 1}])
    cursor = await cursor_now(filled, collection=["a*", "b"])
    filled["z"].drop()
    filled["y"].rename("x")
    filled["a"].insert_one({"_id": 9})
    assert touched(await changes_of(filled, cursor, collection=["a*", "b"])) == [f"{filled.name}/a/9"]


# Cursors.


@pytest.mark.parametrize("after", [{"_data": "no token"}, {"_data": "82000000000000000000" + "2b0229296e04"}], ids=str)
async def test_a_cursor_of_a_place_that_is_lost_has_expired(filled: Store, after: Any) -> None:
    cursor = await cursor_now(filled)
    with pytest.raises(CursorExpired, match="can't go on"):
        await changes_of(filled, {**cursor, "after": after})


async def test_a_cursor_of_another_server_has_expired(filled: Store) -> None:
    """Its place may look good here, as one at which nothing happened is but a time."""
    cursor = await cursor_now(filled)
    foreign = dict.fromkeys(cursor["collections"], "00000000-0000-0000-0000-000000000001")
    with pytest.raises(CursorExpired, match="another server"):
        await changes_of(filled, {**cursor, "collections": foreign})


async def test_a_cursor_of_other_settings_has_expired(filled: Store) -> None:
    cursor = await cursor_now(filled, collection="a")
    with pytest.raises(CursorExpired, match="other databases and collections"):
        await changes_of(filled, cursor)


@pytest.mark.parametrize("cursor", [{}, {"after": "text", "collections": {}}, {"after": {}, "collections": 5}], ids=str)
async def test_what_is_no_cursor_has_expired(filled: Store, cursor: Any) -> None:
    with pytest.raises(CursorExpired, match="no place"):
        await changes_of(filled, cursor)


def test_a_place_behind_a_key_of_another_type_has_bytes_and_is_stored() -> None:
    """Of a long, for one: its token says that it was no int."""
    position = Position({"_data": "82", "_typeBits": b"\x82\x00"}, {"shop.a": None}, (("shop",), ("*",)))
    stored = json.loads(json.dumps(position.cursor))
    assert Position.of(stored, (("shop",), ("*",))).after == position.after
    with pytest.raises(CursorExpired, match="no place"):
        Position.of({**stored, "after": {"_data": {"$binary": {"base64": 5}}}}, (("shop",), ("*",)))


async def test_the_token_of_a_full_sync_is_a_cursor(filled: Store) -> None:
    async with filled.source() as one:
        _, token = await one.changed(None)
    filled["a"].insert_one({"_id": 9})
    async with filled.source() as one:
        assert token is not None
        cursor = one.cursor_of(json.loads(json.dumps(token)))
        assert one.cursor_of({"after": None}) is None
    assert touched(await changes_of(filled, cursor)) == [f"{filled.name}/a/9"]


async def test_the_token_of_a_question_that_says_no_is_a_cursor(filled: Store) -> None:
    async with filled.source() as one:
        _, token = await one.changed(None)
        changed, token = await one.changed(token)
        assert token is not None
        cursor = one.cursor_of(token)
    assert not changed
    filled["a"].delete_one({"_id": 1})
    assert touched(await changes_of(filled, cursor)) == [f"{filled.name}/a/1"]


# Rules.


async def test_a_find_is_decided_on_each_document(filled: Store) -> None:
    rules = [{"collection": "a", "find": {"filter": {"v": {"$lt": 3}}, "projection": ["v"], "sort": {}}}]
    cursor, before = await cursor_now(filled, rules), await walked(filled, rules)
    assert len(before) == 5
    filled["a"].update_one({"_id": 1}, {"$set": {"v": 5, "more": 1}})
    filled["a"].update_one({"_id": 2}, {"$set": {"v": 2, "more": 1}})
    filled["a"].insert_one({"_id": 9, "v": 1, "more": 1})
    filled["b"].insert_one({"_id": 9, "v": 1})
    found = await changes_of(filled, cursor, rules)
    assert applied(before, found) == await walked(filled, rules)
    assert touched(found) == [f"{filled.name}/a/{number}" for number in (2, 9, 1)]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"find": {"sort": {"v": 1}, "limit": 2}}, "'sort'"),
        ({"find": {"skip": 1}}, "'skip'"),
        ({"find": {"limit": 1}}, "'limit'"),
        ({"find": {"projection": {"_id": 0, "v": 1}}}, "projection"),
        ({"find": {"filter": {"$expr": {"$lt": ["$v", "$$NOW"]}}}}, "on the time"),
        ({"aggregate": {"pipeline": [{"$match": {"v": 1}}]}}, "aggregate"),
    ],
    ids=str,
)
async def test_a_rule_about_more_than_one_document_is_refused(filled: Store, rule: Any, why: str) -> None:
    cursor = await cursor_now(filled)
    rules = [{"collection": "a", **rule}]
    for begin in (None, cursor):
        with pytest.raises(ConfigurationError, match=why) as raised:
            await changes_of(filled, begin, rules)
        assert raised.value.field == "filtering"
    async with filled.source() as one:
        with pytest.raises(ConfigurationError, match=why):
            await anext(one.get_docs_live(cursor, filter_of(rules)))


@pytest.mark.parametrize("kind", ["view", "timeseries"])
async def test_what_has_no_change_stream_is_refused_by_its_name(filled: Store, kind: str) -> None:
    """The stand-in has neither views nor time series."""

    async def chosen() -> list[Collection]:
        return [Collection("shop", "a"), Collection("shop", "c", kind)]

    async with filled.source() as one:
        reader = Reader(chosen, lambda found: Reading(found, {}, None, one._options), one.document_of, 10)
        feed = Feed(one._connection, one._wanted, reader)
        with pytest.raises(ConfigurationError, match=r"no change streams: shop.c\.") as raised:
            await feed.begin()
    assert raised.value.field == "collection"
