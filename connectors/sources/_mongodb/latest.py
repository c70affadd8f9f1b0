"""The latest: documents of keys as they are now, or that there are none, by one question about all of them."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bson.timestamp import Timestamp
from pymongo.read_concern import ReadConcern

from connectors.changes import Delete, Failed, Upsert
from connectors.dataset import Row
from connectors.source import Document
from connectors.sources._mongodb.connection import Client, Connection
from connectors.sources._mongodb.key import among, element_of
from connectors.sources._mongodb.page import PAGE_BYTES, PageSize, Reading, first_answer, split

MAJORITY: Final = ReadConcern("majority")
Made = Callable[[Row], Document]


@dataclass
class Latest:
    """Reads documents as they are at the time of the last event that is known, or later.

    A member that lags behind waits until it has come to that time, and answers with nothing that could be undone.
    """

    connection: Connection
    most: int
    time: Timestamp | None = None
    _sizes: dict[str, PageSize] = field(default_factory=dict)

    def advance(self, time: Timestamp | None) -> None:
        """Let answers be of no earlier time."""
        if time is not None and (self.time is None or time > self.time):
            self.time = time

    async def changes(
        self, reading: Reading, elements: Sequence[bytes], made: Made
    ) -> AsyncGenerator[Upsert | Failed | Delete, None]:
        """Yield what has become of each document of some keys."""
        size = self._sizes.setdefault(reading.collection.namespace, PageSize(self.most))
        left = list(elements)
        while left:
            portion, left = _portion(left, size.rows)
            data, is_cut = await self._found(reading, portion)
            found = [element_of(one) for one in split(data)]
            size.learn(len(found) or len(portion), len(data))
            for part in reading.rows(data):
                for row in part:
                    yield row if isinstance(row, Failed) else Upsert(made(row))
            there = set(found)
            missing = [one for one in portion if one not in there]
            if is_cut:
                left = missing + left
            else:
                for element in missing:
                    yield Delete(reading.id_of(element))

    async def _found(self, reading: Reading, elements: Sequence[bytes]) -> tuple[bytes, bool]:
        """Return the documents of some keys, as far as they are in one answer, and whether it was cut."""
        one, key = reading.collection, among(elements)
        query: Mapping[str, Any] = {"$and": [key, reading.where]} if reading.where else key

        async def fetch(client: Client) -> tuple[bytes, bool]:
            async with client.start_session(causal_consistency=True) as session:
                if self.time is not None:
                    session.advance_operation_time(self.time)
                found = client[one.database].get_collection(one.name, read_concern=MAJORITY)
                cursor = found.find_raw_batches(
                    query,
                    reading.projection,
                    batch_size=len(elements) + 1,
                    max_time_ms=self.connection.timeout_ms,
                    session=session,
                )
                answer = await first_answer(cursor)
                self.advance(session.operation_time)
                return answer

        return await self.connection.again(fetch)


def _portion(elements: list[bytes], rows: int) -> tuple[list[bytes], list[bytes]]:
    """Return as many keys as one question may have, and those behind them."""
    end = next(_ends(elements[:rows]), rows)
    return elements[:end], elements[end:]


def _ends(elements: Sequence[bytes]) -> Iterator[int]:
    size = 0
    for place, one in enumerate(elements):
        size += len(one)
        if size > PAGE_BYTES and place:
            yield place
