"""Documents: what a row of a collection becomes, by one function for all rows of a dataset."""

from collections.abc import Callable, Collection
from typing import Final

from connectors.dataset import LONGEST_ID, Dataset, Row, apart, content_of, document_id
from connectors.source import Document
from connectors.sources._mongodb.key import OddKey, id_of
from connectors.sources._mongodb.values import Hex

GIVEN_FIELDS: Final = frozenset({"_id", "dataset", "database", "collection"})
_IN_THE_WAY: Final = GIVEN_FIELDS - {"_id"} | {"_id_"}
_OBJECT_ID: Final = 60
"""Bytes that an ObjectId takes of an id, and some."""
_NONE: Final = object()


def maker_of(dataset: Dataset) -> Callable[[Row], Document]:
    """Return what makes documents of the rows of a dataset.

    It is called once a row, so what is the same for all of them is done here, and what most of them are comes first.
    """
    database = dataset.group or ""
    collection = dataset.name[len(database) + 1 :]
    prefix = document_id(database, (collection, 0))[:-1]
    is_short, of_object_ids = len(prefix.encode()) < LONGEST_ID - _OBJECT_ID, f'{prefix}ObjectId:"'
    head = {"dataset": dataset.name, "database": database, "collection": collection}

    def make(row: Row) -> Document:
        value = row.get("_id", _NONE)
        if type(value) is Hex and is_short and _IN_THE_WAY.isdisjoint(row):
            document: Document = {**row, **head}
            document["_id_"] = value
            document["_id"] = f'{of_object_ids}{value}"'
            return document
        shown = {**row, "_id": value.shown} if isinstance(value, OddKey) else row
        document = {**apart(shown, GIVEN_FIELDS), **head}
        if value is _NONE:
            document["_id"] = document_id(database, (collection, content_of(row)))
        else:
            document["_id"] = id_of(database, collection, value)
        return document

    return make


def fields_behind(names: Collection[str]) -> set[str]:
    """Return the fields of a row that fields of its document are made of, or are in.

    A field that was in the way of ours has more underscores than it had, so those with fewer are among them.
    """
    found: set[str] = set()
    for name in names:
        first = name.partition(".")[0]
        stem = first.rstrip("_")
        shortest = len(stem) if stem in GIVEN_FIELDS else len(first)
        found |= {name, *(first[:length] for length in range(shortest, len(first) + 1))}
    return found
