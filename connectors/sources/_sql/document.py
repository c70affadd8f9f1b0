"""Documents: what a row of a table becomes, by one function for all rows of a dataset."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from connectors.dataset import LONGEST_ID, Dataset, Row, apart, content_of, document_id
from connectors.literal import instant_of
from connectors.source import Document

_PLAIN: Final = 10**18
"""Whole numbers below are written in ids as they are."""


def fields_of(dataset: str, origin: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the fields that say where a document is from."""
    return {f"{prefix}{name}": value for name, value in {"dataset": dataset, **origin}.items()}


def maker_of(
    dataset: Dataset, key: Sequence[str], origin: Mapping[str, str], prefix: str = ""
) -> Callable[[Row], Document]:
    """Return what makes documents of the rows of a dataset, which these columns tell apart; without any, all of them.

    `origin` says where the dataset is: fields of each document, whose names begin with `prefix`, and what ids begin
    with, in its order. A column of the name of such a field gets an underscore more.

    It is called once a row, so what is the same for all of them is done here, and what most of them are comes first.
    """
    cursor, head = dataset.cursor_field, fields_of(dataset.name, origin, prefix)
    taken = frozenset({"_id", *head})
    first_part, *others = (*origin.values(), dataset.name)
    before_key = document_id(first_part, (*others, 0))[:-1]
    first = key[0] if len(key) == 1 and len(before_key.encode()) < LONGEST_ID - 20 else None

    def id_of(row: Row) -> str:
        values = [row[one] for one in key] if key else [content_of(row)]
        return document_id(first_part, (*others, *values))

    def make(row: Row) -> Document:
        document = {**apart(row, taken)}  # quicker by itself than into a dict that holds something already
        document.update(head)
        value = row[first] if first is not None else None
        plain = type(value) is int and -_PLAIN < value < _PLAIN
        document["_id"] = f"{before_key}{value}" if plain else id_of(row)
        if cursor is not None and "_timestamp" not in row:
            moment = row.get(cursor)
            if type(moment) is not datetime:  # one without a zone is in UTC
                moment = instant_of(moment)
            if moment is not None:
                document["_timestamp"] = moment
        return document

    return make
