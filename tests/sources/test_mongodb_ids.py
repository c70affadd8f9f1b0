"""MongoDB: what is read of a server for ids alone, as the server itself tells."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.dataset import Dataset
from connectors.errors import SourceError
from connectors.sources._mongodb.catalog import Collection
from connectors.sources._mongodb.document import fields_behind
from connectors.sources.mongodb import MongoDBDataSource
from tests.sources.mongo import Store

PEOPLE: Final = 700


@pytest.fixture
def filled(mongo: Store) -> Store:
    people = [{"_id": number, "text": "x" * 100, "country": "NO", "a": {"b": number}} for number in range(PEOPLE)]
    mongo.filled("people", people)
    mongo.filled("odd", [{"_id": "1", "dataset": "mine"}, {"_id": 1, "dataset_": 2, "dataset": "x"}, {"_id": {"a": 1}}])
    return mongo


def rules(*fields: str) -> Filter:
    wire = {"policy": "exclude", "rule": "equals", "value": "none"}
    return Filter({"rules": [{**wire, "field": field, "id": field, "order": 0} for field in fields]})


async def ids_and_reads(
    store: Store, source: MongoDBDataSource, filtering: Filter | None = None
) -> tuple[list[Any], list[dict[str, Any]]]:
    """Return what `get_ids` yields, and the commands by which the server was read meanwhile."""
    database = store.client[store.name]
    async with source:
        await source.ping()
        database.command("profile", 2)
        found = [one async for one in source.get_ids(filtering)]
        database.command("profile", 0)
    return found, [one["command"] for one in database["system.profile"].find()]


async def test_for_ids_alone_the_server_is_asked_for_nothing_but_ids(filled: Store) -> None:
    found, reads = await ids_and_reads(filled, filled.source(fetch_size=100))
    documents = [one for one in found if isinstance(one, dict)]
    assert [one.name.partition(".")[2] for one in found if isinstance(one, Dataset)] == ["odd", "people"]
    assert len({one["_id"] for one in documents}) == PEOPLE + 3
    assert all(one.keys() == {"_id", "_id_", "dataset", "database", "collection"} for one in documents)
    assert len(reads) > PEOPLE // 100
    assert [(one["find"] in {"odd", "people"}, one["projection"]) for one in reads] == [(True, {"_id": 1})] * len(reads)


@pytest.mark.parametrize(
    ("fields", "projection"),
    [
        (("country",), ["_id", "country"]),
        (("collection", "_id"), ["_id", "collection"]),
        (("_id_",), ["_id", "_id_"]),
        (("dataset_",), ["_id", "dataset", "dataset_"]),
        (("a.b",), None),  # which may be a name
    ],
)
async def test_rules_have_read_what_they_look_at(
    filled: Store, fields: Sequence[str], projection: list[str] | None
) -> None:
    filtering = rules(*fields)
    found, reads = await ids_and_reads(filled, filled.source(), filtering)
    assert [sorted(one["projection"]) if "projection" in one else None for one in reads] == [projection] * len(reads)
    async with filled.source() as source:
        walked = {one[0]["_id"]: one[0] async for one in source.get_docs() if isinstance(one, tuple)}
    documents = {one["_id"]: one for one in found if isinstance(one, dict)}
    assert documents.keys() == walked.keys()
    for name in {field.partition(".")[0] for field in fields}:
        assert {id_: one.get(name) for id_, one in documents.items()} == {
            id_: one.get(name) for id_, one in walked.items()
        }


def test_a_field_that_was_in_the_way_is_found_under_its_own_name() -> None:
    assert fields_behind(["dataset__.x"]) == {"dataset", "dataset_", "dataset__", "dataset__.x"}
    assert fields_behind(["name_"]) == {"name_"}


class Views(MongoDBDataSource):
    """Takes each collection to be a view."""

    async def _chosen(self) -> Sequence[Collection]:
        return [replace(one, kind="view") for one in await super()._chosen()]

    async def _check_stayed(self, collection: Collection) -> None:
        await super()._check_stayed(replace(collection, kind="collection"))


async def test_views_are_read_whole_as_their_documents_may_have_no_id(filled: Store) -> None:
    source = Views(filled.source().configuration)
    found, reads = await ids_and_reads(filled, source)
    assert sum(1 for one in found if isinstance(one, dict)) == PEOPLE + 3
    assert not any("projection" in one for one in reads)


async def test_a_collection_that_is_replaced_while_its_ids_are_read_has_not_ended(filled: Store) -> None:
    async with filled.source(fetch_size=100, collection=["people"]) as source:
        with pytest.raises(SourceError, match="dropped or replaced"):
            async for one in source.get_ids():
                assert not isinstance(one, Failed)
                filled["people"].drop()
