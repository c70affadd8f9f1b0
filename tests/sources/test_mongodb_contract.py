"""MongoDB: what every source promises, with keys and values of all types."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import pytest
from bson import Binary, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp

from connectors.errors import ConnectorsError, SourceUnreachable
from connectors.sources.mongodb import MongoDBDataSource
from connectors.testing.source_contract import Broken, SourceContract
from fixtures.mongodb.server import MongoDB
from tests.sources.mongo import Store, made
from tests.sources.pages import PAGES

Settings = Mapping[str, object]
FIRST = datetime(2024, 1, 31, 10, 0, 0, 500_000)  # noqa: DTZ001 - as the driver takes it, in UTC


def person(number: int) -> dict[str, Any]:
    return {
        "_id": ObjectId(f"65b9f0{number:018x}"),
        "name": f"Person {number}",
        "age": number % 90,
        "big": Int64(2**60 + number),
        "height": number / 8,
        "price": Decimal128(str(Decimal(number) / 4)),
        "flag": bool(number % 2),
        "at": FIRST + timedelta(hours=number),
        "note": None if number % 3 else ["a", "B", str(number), number, 1.5],
        "address": {"city": "Oslo" if number % 2 else "Rome", "zip": f"{number:05}", "more": [{"x": number}]},
        "photo": bytes([number % 256]) * 3,
        "own": Binary.from_uuid(UUID(int=number)),
        "mixed": [number, str(number), float(number), FIRST, ObjectId(f"{number:024x}"), True, None][number % 7],
    }


ODD: list[dict[str, Any]] = [
    {"_id": 1, "v": [Timestamp(1, 2), 5]},
    {"_id": "1", "v": Timestamp(1_700_000_000, 7)},
    {"_id": 1.5, "v": "/^a.b/i"},
    {"_id": True, "v": DBRef("people", ObjectId("65b9f0000000000000000001"))},
    {"_id": FIRST, "v": MinKey()},
    {"_id": ObjectId("65b9f0000000000000000001"), "v": MaxKey()},
    {"_id": "65b9f0000000000000000001", "v": Binary(b"odd", 128)},
    {"_id": {"a": 1, "b": "x"}, "v": float("nan")},
    {"_id": b"\0\xff", "v": Decimal128("NaN")},
    {"_id": "abc", "a.b": 1, "$c": 2, "v": {"d.e": {"$f": 3}}},
    {"_id": "w", "v": [[1, [2]], []], "database": "mine", "id": 7},
]


def filled(store: Store, people: int) -> Settings:
    store.filled("people", [person(number) for number in range(people)])
    store.filled("odd", ODD)
    return {**store.settings, "fetch_size": 4}


class TestMongoDB(SourceContract):
    source = MongoDBDataSource
    pages = PAGES
    most_predicates: ClassVar[int] = 300
    valid_rules = (
        [{"collection": "people", "find": {"filter": {"age": {"$gt": 3}}, "projection": ["name"], "batch_size": 2}}],
        [
            {
                "collection": "people",
                "aggregate": {"pipeline": [{"$match": {"at": {"$gt": {"$date": "2024-01-31T12:00:00Z"}}}}]},
            },
            {"collection": "odd", "find": {"filter": {"_id": {"$oid": "65b9f0000000000000000001"}}, "limit": 5}},
        ],
    )
    invalid_rules = (
        {"find": {}},
        [{"collection": "people"}],
        [{"collection": "people", "find": {}, "aggregate": {"pipeline": [{"$match": {}}]}}],
        [{"collection": "nobody", "find": {}}],
        [{"collection": "people", "find": {"unknown": 1}}],
        [{"collection": "people", "find": {}}, {"collection": "people", "find": {}}],
        [{"collection": "people", "find": {"filter": {"age": {"$nothing": 1}}}}],
        [{"collection": "people", "find": {"filter": {"$where": "true"}}}],
        [{"collection": "people", "find": {"filter": {"_id": {"$oid": "x"}}}}],
        [{"collection": "people", "find": {"allow_partial_results": True}}],
        [{"collection": "people", "aggregate": {"pipeline": []}}],
        [{"collection": "people", "aggregate": {"pipeline": [{"$match": {}}, {"$out": "others"}]}}],
        [{"collection": "people", "aggregate": {"pipeline": [{"$facet": {"a": [{"$merge": {"into": "others"}}]}}]}}],
    )

    @pytest.fixture
    def settings(self, mongo: Store) -> Settings:
        return filled(mongo, 12)

    @pytest.fixture
    def many(self, mongodb: MongoDB) -> Iterator[Settings]:
        with made(mongodb) as store:
            yield {**filled(store, 10_000), "fetch_size": 5_000}

    @pytest.fixture
    def unreachable(self, mongo: Store) -> tuple[Settings, type[ConnectorsError]]:
        return {**mongo.settings, "host": "mongodb://127.0.0.1:1", "connect_timeout_s": 1}, SourceUnreachable

    @pytest.fixture
    def broken(self, mongodb: MongoDB) -> Iterator[Broken]:
        with made(mongodb) as store:
            settings = {**filled(store, 3_000), "fetch_size": 100}
            yield Broken(settings, after_first=lambda: store.client.drop_database(store.name))

    @pytest.fixture
    def removal(self, mongo: Store) -> Callable[[], Any]:
        return lambda: mongo["people"].delete_one({"age": 4})

    @pytest.fixture
    def change(self, mongo: Store) -> Callable[[], Any]:
        return lambda: mongo["people"].update_one({"age": 3}, {"$set": {"name": "Nobody"}})
