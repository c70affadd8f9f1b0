"""MongoDB: which collections a change stream is of, and what its events mean."""

from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp

from connectors.errors import CursorExpired
from connectors.sources._mongodb.event import Events, latest
from connectors.sources._mongodb.key import element_of
from connectors.sources._mongodb.wanted import Wanted

SHOP = Wanted(("shop",), ("a", "log_*"))


@pytest.mark.parametrize(
    ("databases", "collections", "place"),
    [
        (("shop",), ("a",), ("shop", "a")),
        (("shop",), ("a", "b"), ("shop", 1)),
        (("shop",), ("a*",), ("shop", 1)),
        (("shop", "other"), ("a",), ("admin", 1)),
        (("*",), ("*",), ("admin", 1)),
    ],
)
def test_a_stream_is_as_small_as_it_may_be(
    databases: tuple[str, ...], collections: tuple[str, ...], place: tuple[str, Any]
) -> None:
    wanted = Wanted(databases, collections)
    assert wanted.place == place
    assert wanted.pipeline(None)[0] == {"$changeStream": {"allChangesForCluster": True} if place[0] == "admin" else {}}
    assert wanted.pipeline({"_data": "82"})[0]["$changeStream"]["resumeAfter"] == {"_data": "82"}


@pytest.mark.parametrize(
    ("wanted", "yes", "no"),
    [
        (SHOP, ["shop.a", "shop.log_1", "shop.log_"], ["shop.b", "other.a", "shop.log", "shop.system.views"]),
        (Wanted(("*",), ("*",)), ["shop.a", "x.y.z"], ["admin.a", "config.a", "local.a", "shop.system.buckets.a"]),
        (Wanted(("admin", "s?op"), ("[ab]",)), ["admin.a", "shop.b", "stop.a"], ["shop.c", "sop.a", "config.a"]),
    ],
    ids=str,
)
def test_names_and_patterns_say_what_is_wanted(wanted: Wanted, yes: list[str], no: list[str]) -> None:
    names = [(one, *one.split(".", 1)) for one in [*yes, *no]]
    assert [one for one, database, collection in names if wanted.has(database, collection)] == yes


def test_what_a_stream_lets_through_is_cut_down_to_what_may_be_wanted() -> None:
    where = SHOP.pipeline(None)[1]["$match"]["$or"]
    database, collection = {"$in": ["shop"]}, {"$regex": "^(?:a$|log_)"}
    assert where[:2] == [
        {"ns.db": database, "ns.coll": collection},
        {"to.db": database, "to.coll": collection},
    ]
    assert len(Wanted(("*",), ("*",)).pipeline(None)) == 2


def event(kind: str, namespace: str = "shop.a", **more: Any) -> RawBSONDocument:
    database, _, name = namespace.partition(".")
    where = {"db": database, "coll": name} if name else {"db": database}
    return RawBSONDocument(bson.encode({"operationType": kind, "ns": where, **more}))


def events(known: set[str]) -> Events:
    return Events(SHOP, known.__contains__)


def test_events_of_documents_are_their_keys() -> None:
    found = events({"shop.a"}).touched(
        [
            event("insert", documentKey={"_id": 1}),
            event("update", documentKey={"_id": "1"}),
            event("replace", documentKey={"_id": 1}),
            event("delete", "shop.log_1", documentKey={"_id": 1.0}),
            event("delete", "shop.b", documentKey={"_id": 1}),
        ]
    )
    one, text, real = (element_of(bson.encode({"_id": value})) for value in (1, "1", 1.0))
    assert found == {("shop", "a"): {one: None, text: None}, ("shop", "log_1"): {real: None}}


@pytest.mark.parametrize(
    ("happened", "message"),
    [
        (event("drop"), "'shop.a' was dropped"),
        (event("rename", to={"db": "x", "coll": "y"}), "'shop.a' was renamed to 'x.y'"),
        (
            event("rename", "x.y", to={"db": "shop", "coll": "log_5"}),
            "'x.y' was renamed to 'shop.log_5', which is read",
        ),
        (event("dropDatabase", "shop"), "database 'shop' was dropped"),
        (event("somethingNew", "shop.log_9"), "'shop.log_9' has an event 'somethingNew'"),
        (RawBSONDocument(bson.encode({"operationType": "invalidate"})), "its collection is gone"),
    ],
)
def test_events_that_only_a_full_sync_follows(happened: RawBSONDocument, message: str) -> None:
    with pytest.raises(CursorExpired, match=message):
        events({"shop.a"}).touched([happened])


@pytest.mark.parametrize(
    "happened",
    [
        event("drop", "shop.b"),
        event("drop", "shop.log_new"),  # of which nothing was read
        event("rename", "shop.b", to={"db": "shop", "coll": "c"}),
        event("dropDatabase", "other"),
        event("somethingNew", "shop.b"),
    ],
)
def test_events_of_others_mean_nothing(happened: RawBSONDocument) -> None:
    assert events({"shop.a"}).touched([happened]) == {}


def test_the_last_of_events_has_the_time() -> None:
    several = [event("insert", clusterTime=Timestamp(5, 2)), event("insert", clusterTime=Timestamp(5, 1))]
    assert latest(several) == Timestamp(5, 2)
    assert latest([event("insert")]) is None
