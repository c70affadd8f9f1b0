"""MongoDB: answers that a server cuts, as no more than 16 MB fit in one."""

from collections.abc import Iterator
from typing import Any, Self

import bson
import pytest
from bson.raw_bson import RawBSONDocument

from connectors.changes import Delete, Upsert
from connectors.sources._mongodb.catalog import Collection
from connectors.sources._mongodb.key import alone, element_of
from connectors.sources._mongodb.latest import Latest
from connectors.sources._mongodb.page import PageSize, Reading, pages
from connectors.sources._mongodb.values import codec

ROOM = 1_000
SIZES = [300, 900, 1, 1, 990, 990, 5, 400, 400, 400, 1]


class Server:
    """A connection, its client, a session, a collection and a cursor at once, with room for few bytes in an answer."""

    timeout_ms = 1_000
    operation_time = None

    def __init__(self) -> None:
        self.documents = [bson.encode({"_id": number, "v": "x" * size}) for number, size in enumerate(SIZES)]
        self.alive = False
        self.answers = 0
        self._answer = b""

    async def again(self, work: Any) -> Any:
        return await work(self)

    def __getitem__(self, name: str) -> Self:
        return self

    def get_collection(self, name: str, **given: Any) -> Self:
        return self

    def start_session(self, **given: Any) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    def find_raw_batches(self, query: Any, projection: Any, *, limit: int = 0, **given: Any) -> Self:
        found = [one for one in self.documents if _matches(query, bson.decode(one)["_id"])]
        found = found[: limit or None]
        taken = list(_fitting(found))
        self._answer, self.alive = b"".join(taken), len(taken) < len(found)
        self.answers += 1
        return self

    async def __anext__(self) -> bytes:
        if not self._answer:
            raise StopAsyncIteration
        return self._answer

    async def close(self) -> None:
        pass


def _fitting(documents: list[bytes]) -> Iterator[bytes]:
    """Yield what fits; one document always does."""
    size = 0
    for one in documents:
        if size and size + len(one) > ROOM:
            return
        size += len(one)
        yield one


def _matches(query: Any, key: int) -> bool:
    condition = dict(query["_id"]) if isinstance(query, RawBSONDocument) else {}
    match condition:
        case {"$gt": least}:
            return bool(key > least)
        case {"$in": several}:
            return key in list(several)
        case {"$type": _}:
            return False
    return True


@pytest.fixture
def reading() -> Reading:
    return Reading(Collection("shop", "t"), {}, None, codec("standard"))


@pytest.mark.parametrize("rows", [1, 3, 100])
async def test_a_page_that_is_cut_is_not_the_last(reading: Reading, rows: int) -> None:
    server: Any = Server()
    found = [row async for part in pages(server, reading, PageSize(rows)) for row in part]
    assert [(row["_id"], len(row["v"])) for row in found if isinstance(row, dict)] == list(enumerate(SIZES))


@pytest.mark.parametrize("most", [1, 3, 100])
async def test_documents_behind_a_cut_are_not_taken_for_deleted(reading: Reading, most: int) -> None:
    server: Any = Server()
    elements = [element_of(bson.encode({"_id": number})) for number in range(len(SIZES) + 2)]
    changes = Latest(server, most).changes(reading, elements, lambda row: row)
    found = [one async for one in changes]
    assert {one.document["_id"] for one in found if isinstance(one, Upsert)} == set(range(len(SIZES)))
    assert [one for one in found if isinstance(one, Delete)] == [
        Delete(f"shop/t/{number}") for number in (len(SIZES), len(SIZES) + 1)
    ]
    assert len(found) == len(elements)


def test_an_element_alone_is_a_document() -> None:
    assert alone(element_of(bson.encode({"_id": 5, "v": 1}))) == bson.encode({"_id": 5})
