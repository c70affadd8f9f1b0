"""Pages: documents as their bytes, in the order of their keys, each page small enough to be held in memory."""

import asyncio
import struct
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions
from bson.errors import BSONError

from connectors.changes import Failed
from connectors.dataset import Row, document_id
from connectors.sources._mongodb import key
from connectors.sources._mongodb.catalog import Collection
from connectors.sources._mongodb.connection import Client, Connection
from connectors.sources._mongodb.values import EXACT

Part = list[Row | Failed]
Options = CodecOptions[dict[str, Any]]
FIRST_ROWS: Final = 250
"""Documents of the first page: nothing is known then of how large they are."""
PAGE_BYTES: Final = 4 * 1024 * 1024
"""How large a page is meant to be. No answer of a server has more than some 16 MB."""
ROWS_AT_ONCE: Final = 250
"""How many documents of a page are decoded at once. Others get their turn between parts."""
UNDECODABLE: Final = (BSONError, UnicodeDecodeError, OverflowError, RecursionError)
"""What may come of bytes that are no BSON, or hold what Python has no value for."""
_LENGTH: Final = struct.Struct("<i")


@dataclass
class PageSize:
    """How many documents the next page has: twice as many as the one before, as long as that is within its bytes."""

    most: int
    rows: int = FIRST_ROWS

    def __post_init__(self) -> None:
        self.rows = max(1, min(self.rows, self.most))

    def learn(self, rows: int, size: int) -> None:
        """Take in what a page was."""
        self.rows = max(1, min(2 * self.rows, PAGE_BYTES * rows // max(1, size), self.most))


@dataclass(frozen=True)
class Reading:
    """What is read of a collection: the conditions beside the key, and which fields. Without any these are all."""

    collection: Collection
    where: Mapping[str, Any]
    projection: Mapping[str, Any] | None
    options: Options

    async def page(self, connection: Connection, condition: Mapping[str, Any] | None, rows: int) -> tuple[bytes, bool]:
        """Return so many documents at the most, in the order of their keys, and whether no more of them fit.

        An answer has some 16 MB at the most, so it may have fewer than there are.
        """
        parts = [one for one in (condition, self.where) if one]
        query: Mapping[str, Any] = {"$and": parts} if len(parts) > 1 else parts[0] if parts else {}

        async def fetch(client: Client) -> tuple[bytes, bool]:
            found = client[self.collection.database][self.collection.name]
            cursor = found.find_raw_batches(
                query,
                self.projection,
                sort=[("_id", 1)],
                limit=rows,
                batch_size=rows + 1,  # so that nothing stays open behind what is all in one answer
                max_time_ms=connection.timeout_ms,
            )
            return await first_answer(cursor)

        return await connection.again(fetch)

    async def sample(self, connection: Connection, order: int | None, rows: int) -> bytes:
        """Return so many documents from one end of a collection; in no order where it has none."""

        async def fetch(client: Client) -> bytes:
            found = client[self.collection.database][self.collection.name]
            sort = None if order is None else [("_id", order)]
            cursor = found.find_raw_batches({}, sort=sort, limit=-rows, max_time_ms=connection.timeout_ms)
            batches: list[Any] = [one async for one in cursor]
            return b"".join(batches)

        return await connection.again(fetch)

    def streamed(self, connection: Connection) -> AsyncGenerator[bytes, None]:
        """Yield all documents as they come, in no order, by one cursor."""

        async def begin(client: Client) -> Any:  # noqa: ANN401 - a cursor of raw batches
            found = client[self.collection.database][self.collection.name]
            return found.find_raw_batches(self.where, self.projection, max_time_ms=connection.timeout_ms)

        return connection.streamed(begin)

    def rows(self, data: bytes) -> Iterator[Part]:
        """Yield the documents of a page in parts. One that can't be decoded is a `Failed`."""
        for part in _parts(data):
            documents: list[bytes] | None = None
            try:
                found: Part = list(bson.decode_all(part, self.options))
            except UNDECODABLE:
                documents = list(split(part))
                found = [self._decoded(one) for one in documents]
            for place, row in enumerate(found):
                if type(row) is dict and type(value := row.get("_id")) not in key.PLAIN:
                    documents = documents if documents is not None else list(split(part))
                    row["_id"] = self._key(documents[place], value)
            yield found

    def id_of(self, element: bytes) -> str:
        """Return the id of the document of a key, which need not be there any more."""
        return self._id_of(key.alone(element))

    def _key(self, document: bytes, value: object) -> object:
        try:
            return key.row_value(key.element_of(document), value)
        except ValueError:  # not the first, as in what a pipeline makes
            alone = bson.encode({"_id": bson.decode(document, EXACT)["_id"]}, codec_options=EXACT)
            return key.row_value(key.element_of(alone), value)

    def _decoded(self, document: bytes) -> Row | Failed:
        try:
            return bson.decode(document, self.options)
        except UNDECODABLE as error:
            reason = f"It can't be decoded: {error}"
        return Failed(self._id_of(document), reason)

    def _id_of(self, document: bytes) -> str:
        """Return the id of a document of which nothing but the `_id` need be readable."""
        one = self.collection
        try:
            element = key.element_of(document)
            value = key.row_value(element, bson.decode(key.alone(element), self.options)["_id"])
            return key.id_of(one.database, one.name, value)
        except (BSONError, ValueError):
            digest = blake2b(document, digest_size=16).hexdigest()
            return document_id(one.database, (one.name, f"bytes-{digest}"))


async def pages(
    connection: Connection, reading: Reading, size: PageSize, after: bytes | None = None
) -> AsyncGenerator[Part, None]:
    """Yield the documents behind a key. A page is fetched whole: nothing is open while others are slow."""
    conditions: list[Mapping[str, Any] | None] = [None] if after is None else [*key.behind(after)]
    while conditions:
        data, is_cut = await reading.page(connection, conditions[0], size.rows)
        if not data:
            conditions.pop(0)
            continue
        rows = 0
        for part in reading.rows(data):
            rows += len(part)
            yield part
            await asyncio.sleep(0)
        is_short = rows < size.rows and not is_cut
        if is_short and conditions[0] is None:
            return  # all types of keys were asked for
        behind = key.behind(key.element_of(_last(data)))
        conditions = [*(behind[1:] if is_short and len(behind) > 1 else behind)]
        size.learn(rows, len(data))


async def first_answer(cursor: Any) -> tuple[bytes, bool]:  # noqa: ANN401 - a cursor of raw batches
    """Return the first answer of a cursor, and whether it was cut as no more would fit; the rest is not asked for."""
    try:
        data: Any = await anext(cursor, b"")
        return bytes(data), bool(cursor.alive)
    finally:
        await cursor.close()


def _parts(data: bytes) -> Iterator[bytes]:
    """Yield the documents of a batch, some at once."""
    start = end = rows = 0
    while end < len(data):
        end += _LENGTH.unpack_from(data, end)[0]
        rows += 1
        if rows == ROWS_AT_ONCE or end >= len(data):
            yield data[start:end]
            start, rows = end, 0


def _last(data: bytes) -> memoryview:
    """Return the last document of a batch."""
    start, end = 0, 0
    while end < len(data):
        start, end = end, end + _LENGTH.unpack_from(data, end)[0]
    return memoryview(data)[start:]


def split(data: bytes) -> Iterator[bytes]:
    """Yield the documents of a batch."""
    start = 0
    while start < len(data):
        end = start + _LENGTH.unpack_from(data, start)[0]
        yield data[start:end]
        start = end
