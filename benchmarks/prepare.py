"""What it costs to make a document bytes: from a dict to the lines of a bulk request, and by which serializer."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
import orjson

from benchmarks.measure import Row, compare
from connectors.engine.bulk import index_line
from connectors.sync.document.encoding import encoded
from connectors.sync.document.prepared import Preparer, fingerprint
from connectors.sync.document.shape import Shape
from connectors.sync.index.mark import Mark, marked, version

Document = dict[str, Any]
BYTES: Final = 20_000_000
"""How much is serialized in a round."""
AT: Final = version(1_700_000_000_000, 1)
CONNECTOR: Final = "k3Jx0pYBq1xVd2nBz5uT"


def document(size: int) -> Document:
    """Return a document of plain values with about so many bytes of JSON."""
    found: Document = {
        "_id": "notes/4711",
        "_timestamp": "2024-01-02T03:04:05+00:00",
        "title": "Report of the third quarter",
        "size": 123_456,
        "path": "/home/ann/q3.pdf",
        "owner": {"name": "ann", "rank": 1.5},
        "tags": ["a", "b"],
        "draft": False,
    }
    number = 0
    while len(orjson.dumps(found)) < size - 50:
        found[f"column_{number}"] = "words " * (
            size // 150
        )  # 25 columns in the end: larger documents have longer texts
        number += 1
    return found


def typed() -> Document:
    """Return a row of 200 bytes as databases have them, of which JSON lacks three values."""
    moment = datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    return {
        "_id": "orders/4711",
        "_timestamp": moment,
        "ordered": moment,
        "price": Decimal("1234.50"),
        "customer": "Ann of Cleves",
        "city": "Amsterdam",
        "paid": True,
        "items": 12,
    }


def documents(size: int) -> int:
    """Return how many documents of a size are serialized in a round."""
    return min(BYTES // size, 50_000)


def serializers(size: int) -> list[Row]:
    """Return seconds for `documents(size)`: names in order, and a function at hand for what JSON lacks."""
    one, count = document(size), documents(size)
    as_msgspec = msgspec.json.Encoder(order="sorted", enc_hook=str).encode
    return compare(
        {
            "orjson, names as they come": lambda: repeat(lambda: orjson.dumps(one), count),
            "orjson, sorted": lambda: repeat(lambda: orjson.dumps(one, str, orjson.OPT_SORT_KEYS), count),
            "msgspec, sorted": lambda: repeat(lambda: as_msgspec(one), count),
            "encoded()": lambda: repeat(lambda: encoded(one), count),
        }
    )


def whole(one: Document, count: int) -> list[Row]:
    """Return seconds for so many documents from the dict to the bulk lines, beside the barest possible loop."""
    prepare = Preparer(Shape("notes"))
    head = b'{"index":{"_id":"notes/4711"}}\n'

    def bare() -> bytes:
        return head + orjson.dumps(one, str) + b"\n"

    def prepared() -> bytes:
        found = prepare(one)
        mark = Mark(fingerprint(found.metadata, 0), 0, AT, CONNECTOR)
        return index_line(found.id, version=AT) + marked(found.body, mark) + b"\n"

    return compare(
        {
            "orjson alone, a ready action line": lambda: repeat(bare, count),
            "unchanged: prepared, fingerprint": lambda: repeat(lambda: fingerprint(prepare(one).metadata, 0), count),
            "changed: prepared, fingerprint, mark, action line": lambda: repeat(prepared, count),
        }
    )


def repeat(work: Callable[[], object], count: int) -> None:
    """Do it so many times."""
    for _ in range(count):
        work()
