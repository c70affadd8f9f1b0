"""MongoDB: whether anything has changed, by a change stream that is opened for this question."""

import asyncio
from typing import Any, Self

import pytest
from bson.timestamp import Timestamp

from connectors.byoc import Filter
from connectors.sources._mongodb import stream
from connectors.sources._mongodb.catalog import Collection
from fixtures.mongodb.server import MongoDB
from tests.sources.mongo import Commands, Store, made


async def asked(store: Store, token: Any, rules: Any = None, **given: Any) -> tuple[bool, Any]:
    """Ask a new source, as another process does."""
    filtering = None if rules is None else Filter({"advanced_snippet": {"value": rules}})
    async with store.source(**given) as one:
        return await one.changed(token, filtering)


@pytest.fixture
def filled(mongo: Store) -> Store:
    for name in ("a", "b"):
        mongo.filled(name, [{"_id": number, "v": 1} for number in range(5)])
    return mongo


@pytest.mark.parametrize(
    "given", [{}, {"collection": "a"}, {"collection": ["a", "b"]}, {"database": ["test_*"]}], ids=str
)
async def test_nothing_has_changed_until_something_does(filled: Store, given: dict[str, Any]) -> None:
    changed, token = await asked(filled, None, **given)
    assert changed
    for _ in range(2):
        changed, token = await asked(filled, token, **given)
        assert not changed
    filled["a"].update_one({"_id": 1}, {"$set": {"v": 2}})
    changed, later = await asked(filled, token, **given)
    assert changed
    assert (await asked(filled, later, **given))[0] is False
    assert (await asked(filled, token, **given))[0] is True


@pytest.mark.parametrize("change", ["insert", "replace", "delete", "drop", "create"])
async def test_every_kind_of_change_is_one(filled: Store, change: str) -> None:
    _, token = await asked(filled, None)
    changes: dict[str, Any] = {
        "insert": lambda: filled["a"].insert_one({"_id": 9}),
        "replace": lambda: filled["a"].replace_one({"_id": 1}, {"v": 3}),
        "delete": lambda: filled["b"].delete_one({"_id": 1}),
        "drop": filled["b"].drop,
        "create": lambda: filled["c"].insert_one({"_id": 1}),
    }
    changes[change]()
    assert (await asked(filled, token))[0]


async def test_changes_of_others_do_not_count(filled: Store, mongodb: MongoDB) -> None:
    _, token = await asked(filled, None, collection="a")
    with made(mongodb) as other:
        other.filled("a", [{"_id": 1}])
        filled["b"].insert_one({"_id": 9})
        assert (await asked(filled, token, collection="a"))[0] is False


async def test_rules_may_look_at_other_collections_of_the_database(filled: Store) -> None:
    rules = [{"collection": "a", "aggregate": {"pipeline": [{"$lookup": {"from": "b"}}]}}]
    _, token = await asked(filled, None, rules, collection="a")
    assert (await asked(filled, token, rules, collection="a"))[0] is False
    filled["b"].insert_one({"_id": 9})
    assert (await asked(filled, token, rules, collection="a"))[0] is True


@pytest.mark.parametrize("pipeline", [[{"$sample": {"size": 1}}], [{"$match": {"$expr": {"$gt": ["$v", "$$NOW"]}}}]])
async def test_rules_of_the_moment_are_always_asked(filled: Store, pipeline: Any) -> None:
    rules = [{"collection": "a", "aggregate": {"pipeline": pipeline}}]
    assert await asked(filled, None, rules) == (True, None)


@pytest.mark.parametrize(
    "after", [{"_data": "no token"}, {"_data": "82000000000000000000" + "2b0229296e04"}, None, "text", {}], ids=str
)
async def test_a_token_that_is_none_or_is_lost_counts_as_a_change(filled: Store, after: Any) -> None:
    _, token = await asked(filled, None)
    changed, later = await asked(filled, {**token, "after": after})
    assert changed
    assert (await asked(filled, later))[0] is False


async def test_an_unchanged_source_is_asked_for_no_document(filled: Store) -> None:
    _, token = await asked(filled, None)
    commands = Commands()
    async with filled.source() as one:
        one.listeners = (commands,)
        assert (await one.changed(token))[0] is False
    assert "find" not in commands.names
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


async def test_many_changes_at_once_are_seen_as_one(filled: Store) -> None:
    _, token = await asked(filled, None)
    filled.filled("a", [{"_id": number} for number in range(100, 3_000)])
    changed, later = await asked(filled, token)
    assert changed
    assert (await asked(filled, later))[0] is False


async def test_a_change_at_any_moment_is_seen_then_or_later(filled: Store) -> None:
    _, token = await asked(filled, None)
    for number in range(20, 25):
        (changed, after), _ = await asyncio.gather(
            asked(filled, token), asyncio.to_thread(filled["a"].insert_one, {"_id": number})
        )
        if not changed:
            changed, after = await asked(filled, after)
        assert changed
        _, token = await asked(filled, after)


def test_time_series_have_no_stream() -> None:
    scope = stream.Scope((Collection("shop", "t", "timeseries"),), whole_databases=False)
    nobody: Any = None
    assert asyncio.run(stream.asked(nobody, scope, None)) == (True, None)


@pytest.mark.parametrize(
    ("token", "wanted"),
    [
        ({"_data": "8265B9F00000000003" + "2B0229296E04"}, Timestamp(0x65B9F000, 3)),
        ({"_data": "8165B9F00000000003"}, None),
        ({"_data": "82no time at all  "}, None),
        ({"_data": b"82"}, None),
        (None, None),
    ],
)
def test_a_token_begins_with_its_time(token: Any, wanted: Timestamp | None) -> None:
    assert stream.time_of(token) == wanted


def test_the_latest_time_of_an_answer_counts() -> None:
    answer = {"operationTime": Timestamp(1, 1), "$clusterTime": {"clusterTime": Timestamp(2, 1)}}
    assert stream.time_in(answer) == Timestamp(2, 1)
    assert stream.time_in({"ok": 1}) is None


async def test_a_stream_that_cannot_be_opened_has_no_place(filled: Store) -> None:
    nameless = stream.Scope((Collection("", ""),), whole_databases=False)
    async with filled.source() as one:
        assert await stream.moment(one._connection, nameless) is None


class Behind:
    """A connection, its client and a stream at once: one that comes step by step to where the server is."""

    def __init__(self, *steps: tuple[bool, int]) -> None:
        self._steps = list(steps)
        self.resume_token: Any = None

    async def once(self, work: Any) -> Any:
        return await work(self)

    @property
    def admin(self) -> "Behind":
        return self

    async def command(self, name: str) -> dict[str, Any]:
        return {"ok": 1, "operationTime": Timestamp(5, 1)}

    def __getitem__(self, name: str) -> "Behind":
        return self

    async def watch(self, **given: Any) -> "Behind":
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def try_next(self) -> dict[str, Any] | None:
        is_event, seconds = self._steps.pop(0)
        self.resume_token = {"_data": f"82{seconds:08X}000000012B04"}
        return {"operationType": "insert"} if is_event else None


@pytest.mark.parametrize(
    ("steps", "unchanged"),
    [
        ([(False, 5)], True),
        ([(False, 3), (False, 4), (False, 6)], True),
        ([(False, 3), (False, 4), (True, 5)], False),
        ([(True, 3)], False),
    ],
)
async def test_a_stream_is_read_to_where_the_server_was(steps: Any, unchanged: bool) -> None:
    behind: Any = Behind(*steps)
    scope = stream.Scope((Collection("shop", "a"),), whole_databases=False)
    found = await stream._unchanged_since(behind, scope, {"_data": "82"})
    assert (found == behind.resume_token) if unchanged else found is None
    assert not behind._steps
