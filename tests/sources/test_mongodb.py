"""MongoDB: what becomes of its values and keys, which collections are read, in what pages, and what goes wrong."""

import json
import math
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import bson
import pytest
import trustme
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import UuidRepresentation
from bson.datetime_ms import DatetimeMS
from pymongo import errors

from connectors.byoc import Filter
from connectors.changes import Checkpoint, Failed
from connectors.dataset import Dataset
from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
    Throttled,
)
from connectors.sources._mongodb import key
from connectors.sources._mongodb.address import Address
from connectors.sources._mongodb.catalog import Collection, collections_of
from connectors.sources._mongodb.catalog import _matching as matching
from connectors.sources._mongodb.errors import explained
from connectors.sources._mongodb.page import PAGE_BYTES, PageSize, Reading
from connectors.sources._mongodb.schema import schema_of
from connectors.sources._mongodb.values import EXACT, Hex, codec, instant_text
from fixtures.mongodb.server import MongoDB
from tests.sources.mongo import Commands, Store, made, source_of

OID = ObjectId("65b9f0000000000000000001")
MOMENT = datetime(2024, 1, 2, 3, 4, 5, 678_000)  # noqa: DTZ001 - in UTC, as the driver takes it
OWN = UUID("123e4567-e89b-12d3-a456-426655440000")
HERE = Address("mongodb://db.example.org", "me", {}, is_encrypted=False, is_direct=False)
OPTIONS = codec("standard")


def decoded(value: Any, uuids: str = "standard") -> Any:
    return bson.decode(bson.encode({"v": value}), codec(uuids))["v"]


# Values.


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1, 1),
        (Int64(2**63 - 1), 2**63 - 1),
        (1.5, 1.5),
        (Decimal128("1.50"), Decimal("1.50")),
        ("Größe", "Größe"),
        (True, True),
        (None, None),
        (MOMENT, MOMENT),
        (DatetimeMS(253_402_300_800_000), "+10000-01-01T00:00:00.000+00:00"),
        (DatetimeMS(-62_135_596_800_001), "0000-12-31T23:59:59.999+00:00"),
        (OID, "65b9f0000000000000000001"),
        (b"\0\xff", b"\0\xff"),
        (Binary(b"ab", 128), b"ab"),
        (Binary.from_uuid(OWN), OWN),
        (Binary(b"short", 4), b"short"),
        (Regex("^a/b", "im"), "/^a/b/im"),
        (Timestamp(1_700_000_000, 7), datetime(2023, 11, 14, 22, 13, 20)),  # noqa: DTZ001 - see above
        (Code("return 1"), "return 1"),
        (Code("return a", {"a": OID}), {"code": "return a", "scope": {"a": str(OID)}}),
        (DBRef("people", OID, "shop", more=1), {"$ref": "people", "$id": str(OID), "$db": "shop", "more": 1}),
        (MinKey(), "MinKey"),
        (MaxKey(), "MaxKey"),
        ([OID, {"a.b": Decimal128("2"), "": {"$c": []}}], [str(OID), {"a.b": Decimal(2), "": {"$c": []}}]),
    ],
)
def test_each_type_has_a_form(value: Any, wanted: Any) -> None:
    assert decoded(value) == wanted


@pytest.mark.parametrize("uuids", ["python_legacy", "java_legacy", "csharp_legacy"])
def test_uuids_of_the_old_kind_are_those_of_who_wrote_them(uuids: str) -> None:
    old = Binary.from_uuid(OWN, getattr(UuidRepresentation, uuids.upper()))
    assert decoded(old, uuids) == OWN
    assert decoded(old) == bytes(old)
    assert decoded(Binary.from_uuid(OWN), uuids) == OWN


def test_of_fields_with_one_name_the_last_counts() -> None:
    body = b"\x10a\x00\x01\x00\x00\x00\x10a\x00\x02\x00\x00\x00\x00"
    assert bson.decode((len(body) + 4).to_bytes(4, "little") + body, OPTIONS) == {"a": 2}


@pytest.mark.parametrize("milliseconds", [0, -1, 2**62, -(2**62), 253_402_300_799_999])
def test_instants_of_any_year_have_a_text(milliseconds: int) -> None:
    text = instant_text(milliseconds)
    if abs(milliseconds) < 2**50:
        assert datetime.fromisoformat(text).timestamp() * 1000 == milliseconds
    assert text.endswith("+00:00")


# Keys.

KEYS: list[Any] = [
    MinKey(),
    None,
    math.nan,
    -5,
    Decimal128("0.5"),
    1,
    1.5,
    Int64(2**40),
    "",
    "1",
    "65b9f0000000000000000001",
    "abc",
    {"a": 1},
    {"a": {"b": [OID]}},
    b"x",
    Binary.from_uuid(OWN),
    OID,
    ObjectId("65b9f0000000000000000002"),
    False,
    True,
    MOMENT,
    Timestamp(5, 6),
    MaxKey(),
]
OTHERS: list[Any] = [
    Code("f"),
    Code("f", {"a": 1}),
    Binary(b"x", 7),
    Binary.from_uuid(OWN, UuidRepresentation.JAVA_LEGACY),
    DatetimeMS(2**55),
]


@pytest.mark.parametrize("value", [*KEYS, *OTHERS], ids=repr)
def test_a_key_is_the_same_after_it_was_a_row_or_json(value: Any) -> None:
    encoded = bson.encode({"_id": value, "more": 1})
    element = key.element_of(encoded)
    row = key.row_value(element, bson.decode(encoded, OPTIONS)["_id"])
    place = json.loads(json.dumps(key.as_json(element)))
    for again in (row, key.of_json(place, OPTIONS)):
        found = key.element_of_value(again)
        assert found == element or isinstance(value, Int64)
        assert repr(bson.decode(key.alone(found), EXACT)["_id"]) == repr(bson.decode(encoded, EXACT)["_id"])


def test_other_keys_have_other_ids() -> None:
    ids = set()
    for value in [*KEYS, *OTHERS, "ObjectId:x", '{"a": 1}', "null", "true", "nan", "MinKey"]:
        encoded = bson.encode({"_id": value})
        ids.add(key.id_of("shop", "a", key.row_value(key.element_of(encoded), bson.decode(encoded, OPTIONS)["_id"])))
    assert len(ids) == len(KEYS) + len(OTHERS) + 6
    assert 'shop/a/ObjectId:"65b9f0000000000000000001"' in ids
    assert {"shop/a/1", 'shop/a/"1"', "shop/a/true", "shop/a/null"} <= ids


def test_a_long_name_leaves_ids_short() -> None:
    assert len(key.id_of("d" * 60, "c" * 400, Hex(OID)).encode()) <= 400


@pytest.mark.parametrize("place", [{"x": 1}, {"_id": {"$oid": "no"}}, {"_id": {"$date": "no"}}])
def test_what_is_no_key_is_refused(place: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        key.of_json(place, OPTIONS)


def test_a_type_that_no_key_has_is_refused() -> None:
    with pytest.raises(ValueError, match="can't be read on behind"):
        key.behind(key.element_of(bson.encode({"_id": Regex("a")})[:4] + b"\x0b_id\x00" + b"\x04\x00\x00\x00"))


def keys_for(store: Store) -> list[Any]:
    """Return keys in their order. The stand-in puts NaN behind other numbers, and compares no bytes with a UUID."""
    return [one for one in KEYS if store.server.is_real or not (one != one or isinstance(one, Binary))]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_keys_of_all_types_are_read_in_pages_of_any_size(mongo: Store, size: int) -> None:
    keys = keys_for(mongo)
    mongo.filled("t", [{"_id": value, "n": number} for number, value in enumerate(keys)])
    rows = await mongo.rows("t", given={"fetch_size": size})
    assert [row["n"] for row in rows if isinstance(row, dict)] == list(range(len(keys)))


async def test_reading_goes_on_behind_a_key_of_each_type(mongo: Store) -> None:
    keys = keys_for(mongo)
    mongo.filled("t", [{"_id": value} for value in keys])
    async with mongo.opened(fetch_size=4) as (one, datasets):
        rows = [row async for row in one.read(datasets["t"]) if isinstance(row, dict)]
        assert len(rows) == len(keys)
        for place, row in enumerate(rows):
            stored = json.loads(json.dumps(one.place_of((row["_id"],))))
            rest = [other async for other in one.read(datasets["t"], after=one.key_at(stored))]
            assert repr(rest) == repr(rows[place + 1 :])


async def test_a_walk_of_object_ids_has_checkpoints(mongo: Store) -> None:
    mongo.filled("t", [{"_id": ObjectId(f"{number:024x}")} for number in range(2_500)])
    async with mongo.source() as one:
        found = [place.cursor async for place in one.get_docs_from(None) if isinstance(place, Checkpoint)]
        assert [place["key"] for place in found] == [{"_id": {"$oid": f"{n:024x}"}} for n in (999, 1_999)]
        rest = [document async for document in one.get_docs_from(found[-1]) if isinstance(document, tuple)]
        assert len(rest) == 500


def test_pages_follow_the_size_of_documents() -> None:
    size = PageSize(5_000)
    size.learn(250, 250 * 100)
    assert size.rows == 500
    size.learn(500, 500 * 1_000_000)
    assert size.rows == PAGE_BYTES // 1_000_000
    size.learn(4, 4 * 16_000_000)
    assert size.rows == 1


# Documents.


def document_in(found: Any) -> dict[str, Any]:
    document: dict[str, Any] = found[0]
    return document


def test_a_document_that_cannot_be_decoded_is_failed_alone() -> None:
    good, bad = (
        bson.encode({"_id": 1, "v": "abcd"}),
        bson.encode({"_id": 2, "v": "abcd"}).replace(b"abcd", b"ab\xff\xff"),
    )
    worse = bson.encode({"_id": "abcd"}).replace(b"abcd", b"ab\xff\xff")
    reading = Reading(Collection("shop", "a"), {}, None, OPTIONS)
    [[first, second, third, fourth]] = list(reading.rows(good + bad + worse + good))
    assert first == fourth == {"_id": 1, "v": "abcd"}
    assert isinstance(second, Failed)
    assert second.id == "shop/a/2"
    assert "can't be decoded" in second.reason
    assert isinstance(third, Failed)
    assert third.id.startswith("shop/a/")


async def test_documents_of_all_sizes_are_read(mongo: Store) -> None:
    deep: dict[str, Any] = {"end": 1}
    for _ in range(95):
        deep = {"d": deep}
    wide = {f"c{number}": number for number in range(1_000)}
    mongo.filled("t", [{"_id": 1, "deep": deep}, {"_id": 2, **wide}])
    most = 16 * 1024 * 1024 - len(bson.encode({"_id": 3, "x": ""}))
    for number in (3, 4):  # more of them the stand-in would put into one answer that the driver refuses
        mongo.filled("t", [{"_id": number, "x": "x" * most}])
    rows = await mongo.rows("t")
    assert [len(row["x"]) for row in rows[2:] if isinstance(row, dict)] == [most] * 2
    assert rows[0] == {"_id": 1, "deep": deep}
    assert rows[1] == {"_id": 2, **wide}


async def test_the_id_of_a_document_keeps_its_shape(mongo: Store) -> None:
    mongo.filled("t", [{"_id": {"a": 1, "b": OID}, "database": "mine", "_id_": 7}])
    async with mongo.source() as one:
        [document] = [document_in(found) async for found in one.get_docs()]
    assert document["_id__"] == {"a": 1, "b": str(OID)}
    assert (document["_id_"], document["database_"]) == (7, "mine")
    assert (document["dataset"], document["database"]) == (f"{mongo.name}.t", mongo.name)


def test_rows_without_an_id_are_told_apart_by_all_they_hold(mongo: Store) -> None:
    one = mongo.source()
    dataset = Dataset("shop.v", "shop")
    first, second = one.document_of(dataset, {"a": 1}), one.document_of(dataset, {"a": 2})
    assert first["_id"] != second["_id"]
    assert one.document_of(dataset, {"a": 1}) == first


def test_a_schema_tells_all_types_that_were_seen() -> None:
    rows: list[Any] = [
        {"_id": Hex(OID), "a": 1, "b": [1, "x"], "c": {"d": True}, "e": None, "f": MOMENT, "g": OWN, "h": b"x"},
        {"_id": Hex(OID), "a": "x", "c": {"d": 1.5}, "e": 1},
        Failed("x", "no"),
    ]
    assert schema_of(rows) == {
        "type": "object",
        "properties": {
            "_id": {"type": "string"},
            "a": {"type": ["integer", "string"]},
            "b": {"type": "array", "items": {"type": ["integer", "string"]}},
            "c": {"type": "object", "properties": {"d": {"type": ["boolean", "number"]}}},
            "e": {"type": ["null", "integer"]},
            "f": {"type": "string", "format": "date-time"},
            "g": {"type": "string", "format": "uuid"},
            "h": {"type": "string", "contentEncoding": "base64"},
        },
        "required": ["_id"],
    }


# Which collections.


async def test_patterns_choose_among_databases_and_collections(mongo: Store, mongodb: MongoDB) -> None:
    with made(mongodb) as other:
        for store in (mongo, other):
            for name in ("a", "log_1", "log_2"):
                store.filled(name, [{"_id": 1}])
        names = [f"{store.name}.{name}" for store in (mongo, other) for name in ("log_1", "log_2")]
        given = {**mongo.settings, "database": "test_*", "collection": "log_*"}
        async with source_of(given) as one:
            assert {dataset.name for dataset in await one.datasets()} >= set(names)
            assert all(".log_" in dataset.name for dataset in await one.datasets())
        async with mongo.source(database=[mongo.name, other.name], collection="a") as one:
            assert [dataset.name for dataset in await one.datasets()] == [f"{mongo.name}.a", f"{other.name}.a"]


async def test_an_estimate_of_documents_is_told(mongo: Store) -> None:
    mongo.filled("t", [{"_id": number} for number in range(7)])
    async with mongo.opened() as (_, datasets):
        assert datasets["t"].rows == 7


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"database": "nowhere"}, "database", "There is no database 'nowhere'. There are "),
        ({"database": ["nowhere", "test_*"]}, "database", "There is no database 'nowhere'"),
        ({"collection": "nothing"}, "collection", "There is no collection 'nothing'"),
    ],
)
async def test_what_is_not_there_is_said_with_what_is(mongo: Store, given: Any, field: str, words: str) -> None:
    mongo.filled("here", [{"_id": 1}])
    async with mongo.source(**given) as one:
        with pytest.raises(ConfigurationError, match=words) as caught:
            await one.ping()
    assert caught.value.field == field
    assert (mongo.name if field == "database" else "here") in str(caught.value)


class Guarded:
    """A client whose user may see no lists but of the names that they may read."""

    name = "shop"

    async def list_database_names(self) -> list[str]:
        raise errors.OperationFailure("not authorized", 13)

    def __getitem__(self, name: str) -> "Guarded":
        return self

    async def list_collections(self, **given: Any) -> Any:
        if not given.get("nameOnly"):
            raise errors.OperationFailure("not authorized", 13)

        async def found() -> Any:
            yield {"name": "people", "type": "collection"}

        return found()


async def test_a_user_who_may_read_one_collection_reads_it() -> None:
    guarded: Any = Guarded()
    [one] = await collections_of(guarded, ["shop"], ["*"])
    assert one.namespace == "shop.people"
    assert not one.compares_plainly  # as it may have a collation
    with pytest.raises(errors.OperationFailure):
        await collections_of(guarded, ["sh*"], ["*"])


async def test_views_are_read_where_they_are_named_or_match() -> None:
    known = {name: Collection("shop", name, kind) for name, kind in (("a", "collection"), ("va", "view"))}
    assert [sorted(matching(wanted, known)) for wanted in ("*", "va", "v*", "?a", "b")] == [
        ["a"],
        ["va"],
        ["va"],
        ["va"],
        [],
    ]


async def test_a_collection_that_is_replaced_while_it_is_read_has_not_ended(mongo: Store) -> None:
    mongo.filled("t", [{"_id": number} for number in range(100)])
    async with mongo.opened(fetch_size=10) as (one, datasets):
        with pytest.raises(SourceError, match="dropped or replaced"):
            async for _ in one.read(datasets["t"]):
                mongo["t"].drop()


async def test_health_tells_the_server(mongo: Store) -> None:
    mongo.filled("t", [{"_id": 1}])
    async with mongo.source() as one:
        health = await one.health()
    assert health["collections"] == 1
    assert health["server"]


async def test_pages_leave_no_cursor_open(mongo: Store) -> None:
    mongo.filled("t", [{"_id": number} for number in range(1_000)])
    commands = Commands()
    async with mongo.source(fetch_size=100) as one:
        one.listeners = (commands,)
        datasets = await one.datasets()
        commands.names.clear()
        assert len([row async for row in one.read(datasets[0])]) == 1_000
    assert set(commands.names) - {"endSessions"} == {"find", "listCollections"}


# Settings.


async def address_error(**given: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        await source_of({"database": "shop", **given}).validate_config()
    return caught.value


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"host": "mongodb://ada:hunter2hunter2@db"}, "host", "a user or a password in the connection string"),
        ({"host": "mongodb://ada:hunter2/hunter2@db/x"}, "host", "a user or a password"),
        ({"host": "mongodb://db/?q=ada:hunter2hunter2@db"}, "host", "option 'q'"),
        ({"host": "http://db"}, "host", "no address of MongoDB"),
        ({"host": "mongodb://"}, "host", "names no host"),
        ({"host": "db:x"}, "host", "is no host"),
        ({"host": "db:99999"}, "host", "is no host"),
        ({"host": "%2Ftmp%2Fmongodb.sock"}, "host", "names no host"),
        ({"host": "mongodb://db/?tls=true"}, "ssl_enabled", "tls=true"),
        ({"host": "mongodb://db/?ssl=false", "ssl_enabled": True}, "ssl_enabled", "tls=false"),
        ({"host": "mongodb+srv://db.example.org/?tls=false", "ssl_enabled": True}, "ssl_enabled", "tls=false"),
        ({"host": "mongodb://db/?tls=maybe"}, "host", "true or false"),
        ({"host": "mongodb://db/?directConnection=true"}, "direct_connection", "directConnection=true"),
        ({"host": "mongodb://db/?tlsCAFile=/etc/passwd"}, "host", "Set ssl_ca instead"),
        ({"host": "mongodb://db/?tlsInsecure=true"}, "host", "Set tls_insecure instead"),
        (
            {"host": "mongodb://db/?authMechanismProperties=AWS_SESSION_TOKEN:hunter2hunter2"},
            "host",
            "can't be used here",
        ),
        ({"host": "mongodb://db/?authMechanism=MONGODB-OIDC"}, "host", "belongs to this machine"),
        ({"host": "mongodb://db/?readPreference=whatever"}, "host", "There are primary"),
        ({"host": "mongodb://db/?readPreference=nearest", "read_preference": "primary"}, "host", "Both"),
        ({"host": "db", "password": "hunter2hunter2"}, "user", "no user"),
        ({"host": "db", "user": "ada"}, "password", "no password"),
        ({"host": "db/?authMechanism=PLAIN", "user": "ada", "password": "hunter2hunter2"}, "ssl_enabled", "as it is"),
        ({"host": "db/?authMechanism=MONGODB-AWS"}, "user", "needs a user"),
        ({"host": "db/?authMechanism=MONGODB-X509"}, "ssl_client_certificate", "needs a certificate"),
    ],
)
async def test_an_address_that_cannot_be_is_refused_without_its_secrets(given: Any, field: str, words: str) -> None:
    error = await address_error(**given)
    assert error.field == field
    assert words in str(error)
    assert "hunter2" not in str(error)


def test_a_password_in_the_connection_string_is_not_shown_by_the_source() -> None:
    one = source_of({"database": "shop", "host": "mongodb://ada:hunter2hunter2@db.example.org"})
    assert "hunter2" not in f"{one!r} {one.configuration!r}"
    assert "mongodb://***@db.example.org" in repr(one)


def test_a_connection_string_says_how_to_read() -> None:
    host = "mongodb://a.example.org,[::1]:27018/accounts?replicaSet=rs0&readPreference=secondary&retryWrites=true&w=majority"
    one = source_of({"host": host, "database": "shop", "read_concern": "majority"})._connection.address
    assert list(one.places()) == [("a.example.org", 27_017), ("::1", 27_018)]
    assert one.options == {
        "replicaSet": "rs0",
        "readPreference": "secondary",
        "readConcernLevel": "majority",
        "authSource": "accounts",
    }
    assert str(one) == "a.example.org,[::1]:27018"


def test_what_the_dns_knows_is_encrypted_and_looked_up_by_the_driver() -> None:
    one = source_of({"host": "mongodb+srv://db.example.org", "database": "shop"})._connection.address
    assert one.is_encrypted
    assert list(one.places()) == []


async def test_options_reach_the_driver(mongo: Store) -> None:
    mongo.filled("t", [{"_id": 1}])
    url = f"{mongo.server.url}/?readPreference=nearest&maxStalenessSeconds=120&retryReads=false&appName=mine"
    async with mongo.source(host=url, read_concern="local") as one:
        await one.ping()
        client = one._connection.client()
        assert client.read_preference.mongos_mode == "nearest"
        assert client.read_concern.level == "local"
        assert not client.options.retry_reads


@pytest.fixture
def authority() -> str:
    return trustme.CA().cert_pem.bytes().decode()


async def test_certificates_are_taken_from_the_settings(mongo: Store, authority: str) -> None:
    mongo.filled("t", [{"_id": 1}])
    async with mongo.source(ssl_enabled=True, ssl_ca=authority.replace("\n", " "), connect_timeout_s=2) as one:
        with pytest.raises(ConnectorsError):
            await one.ping()  # the stand-in has no encryption
    async with mongo.source(ssl_enabled=True, ssl_ca="no certificate") as one:
        with pytest.raises(ConfigurationError):
            await one.ping()


# What goes wrong.


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (errors.OperationFailure("Authentication failed.", 18), AccessDenied, "refuses the user 'me'"),
        (errors.OperationFailure("bad auth", 8000), AccessDenied, "authSource"),
        (errors.OperationFailure("not authorized on shop", 13), AccessDenied, "role `read`"),
        (errors.NotPrimaryError("not primary"), SourceUnreachable, "not primary"),
        (errors.OperationFailure("not primary", 10107), SourceUnreachable, "changing its roles"),
        (errors.OperationFailure("shutdown", 91), SourceUnreachable, "goes down"),
        (errors.CursorNotFound("cursor id 1 not found", 43), SourceUnreachable, "took too long"),
        (errors.ExecutionTimeout("operation exceeded time limit", 50), SourceError, "statement_timeout_s"),
        (errors.OperationFailure("too much", 462), Throttled, "too much"),
        (errors.OperationFailure("unknown operator: $x", 2), SourceError, "(error 2)"),
        (
            errors.ServerSelectionTimeoutError("No servers, Timeout: 1s, Topology Description: <x>"),
            SourceUnreachable,
            "No servers.",
        ),
        (errors.AutoReconnect("SSL handshake failed: CERTIFICATE_VERIFY_FAILED"), ConfigurationError, "not trusted"),
        (errors.AutoReconnect("[SSL: WRONG_VERSION_NUMBER]"), ConfigurationError, "no encrypted connections"),
        (errors.NetworkTimeout("timed out"), SourceUnreachable, "timed out"),
        (errors.WaitQueueTimeoutError("busy"), Throttled, "busy"),
        (errors.ConfigurationError("unknown option"), ConfigurationError, "does not take"),
        (ConnectionResetError("reset"), SourceUnreachable, "reset"),
        (errors.PyMongoError(""), SourceError, "PyMongoError"),
    ],
)
def test_errors_of_the_driver_say_what_to_do(error: Exception, kind: type[ConnectorsError], words: str) -> None:
    found = explained(error, HERE)
    assert type(found) is kind
    assert words in str(found)
    assert "Topology" not in str(found)


async def test_a_source_that_was_closed_connects_to_nothing(mongo: Store) -> None:
    one = mongo.source()
    one._connection.client()
    await one.close()
    with pytest.raises(SourceError, match="closed"):
        await one.ping()


# Advanced rules.


def asked(value: Any) -> Filter:
    return Filter({"advanced_snippet": {"value": value}})


async def found_by(store: Store, rules: Any, **given: Any) -> list[Any]:
    async with store.source(**given) as one:
        return [found async for found in one.get_docs(asked(rules))]


async def test_one_collection_takes_the_shape_of_one_object(mongo: Store) -> None:
    mongo.filled("t", [{"_id": number, "v": number % 3} for number in range(10)])
    rules = {
        "find": {"filter": {"v": {"$in": [1, 2]}}, "sort": {"_id": -1}, "skip": 1, "limit": 3, "projection": {"v": 1}}
    }
    assert [one["_id_"] for one in await found_by(mongo, rules)] == [7, 5, 4]
    grouped = {"aggregate": {"pipeline": [{"$group": {"_id": "$v", "n": {"$sum": 1}}}], "allowDiskUse": True}}
    found = {one["_id"]: one["n"] for one in await found_by(mongo, grouped)}
    assert found == {f"{mongo.name}/t/{value}": count for value, count in ((0, 4), (1, 3), (2, 3))}


async def test_a_rule_makes_the_same_document(mongo: Store) -> None:
    mongo.filled("t", [{"_id": value} for value in KEYS])
    async with mongo.source() as one:
        walked = [document_in(found) async for found in one.get_docs()]
    by_rule = await found_by(mongo, {"find": {}})
    assert sorted(map(repr, by_rule)) == sorted(map(repr, walked))


async def test_a_result_without_an_id_is_a_document_too(mongo: Store) -> None:
    mongo.filled("t", [{"_id": number, "v": number} for number in range(3)])
    found = await found_by(mongo, {"find": {"projection": {"_id": False, "v": True}}})
    assert len({one["_id"] for one in found}) == 3
    assert all("_id_" not in one for one in found)


async def test_rules_that_the_source_cannot_obey_end_the_walk(mongo: Store) -> None:
    mongo.filled("a", [{"_id": 1}])
    mongo.filled("b", [{"_id": 1}])
    with pytest.raises(ConfigurationError, match="reads 2 collections"):
        await found_by(mongo, {"find": {}})
    with pytest.raises(ConfigurationError, match="writes, and nothing may"):
        await found_by(
            mongo, [{"collection": "a", "aggregate": {"pipeline": [{"$lookup": {"pipeline": [{"$out": "x"}]}}]}}]
        )


async def test_a_name_in_several_databases_needs_its_own(mongo: Store, mongodb: MongoDB) -> None:
    with made(mongodb) as other:
        for store in (mongo, other):
            store.filled("t", [{"_id": store.name}])
        given = {"database": [mongo.name, other.name]}
        with pytest.raises(ConfigurationError, match="name the `database`"):
            await found_by(mongo, [{"collection": "t", "find": {}}], **given)
        [one] = await found_by(mongo, [{"database": other.name, "collection": "t", "find": {}}], **given)
        assert one["_id_"] == other.name


async def test_what_has_no_order_is_read_as_it_comes(mongo: Store) -> None:
    mongo.filled("t", [{"_id": number} for number in range(1_000)])
    async with mongo.source() as one:
        reading = Reading(Collection(mongo.name, "t", "view"), {"_id": {"$lt": 700}}, None, one._options)
        found = [row async for part in one._parts(reading, None, None) for row in part]
    assert sorted(row["_id"] for row in found if isinstance(row, dict)) == list(range(700))
