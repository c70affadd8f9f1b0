"""An index for the tests of searching: documents in the tables, without anything that stores them."""

import json
from typing import Any

import apsw

from connectors.engine.embedded.mapping.mapping import Mapping
from connectors.engine.embedded.query.plan import View
from connectors.engine.embedded.query.search import search
from connectors.engine.embedded.query.search_request import SearchRequest
from connectors.engine.embedded.store.indexer import TableIndexer
from connectors.engine.embedded.store.schema import TABLES

Json = dict[str, Any]


class SmallIndex:
    """Documents by id; a second document of an id takes the place of the first."""

    def __init__(self, properties: Json, name: str = "small") -> None:
        self.connection = apsw.Connection(":memory:")
        self.connection.execute(TABLES)
        self.mapping = Mapping.parse({"properties": properties})
        self.name = name
        self.row = 0

    def add(self, doc_id: str, source: Json, shard: int = 0) -> None:
        self.row += 1
        run = self.connection.execute
        entries, grown = self.mapping.index(source)
        self.mapping = grown or self.mapping
        run("UPDATE docs SET until = ? WHERE id = ? AND until IS NULL", (self.row, doc_id))
        raw = json.dumps(source).encode()
        run("INSERT INTO docs VALUES(?, ?, ?, 1, ?, 1, 0, ?, 0, NULL)", (self.row, shard, self.row - 1, doc_id, raw))
        TableIndexer(self.connection).add([(self.row, entries)])

    def add_all(self, sources: list[Json]) -> None:
        """Add documents whose ids are the numbers of their rows, at once."""
        rows = list(enumerate(sources, self.row + 1))
        docs = [(row, row - 1, str(row), json.dumps(source).encode()) for row, source in rows]
        self.connection.executemany("INSERT INTO docs VALUES(?, 0, ?, 1, ?, 1, 0, ?, 0, NULL)", docs)
        for _, source in rows:
            self.mapping = self.mapping.index(source)[1] or self.mapping
        TableIndexer(self.connection).add([(row, self.mapping.index(source)[0]) for row, source in rows])
        self.row += len(rows)

    def delete(self, doc_id: str) -> None:
        self.row += 1
        run = self.connection.execute
        run("UPDATE docs SET until = ? WHERE id = ? AND until IS NULL", (self.row, doc_id))
        run("INSERT INTO docs VALUES(?, 0, ?, 1, ?, 2, 1, NULL, 0, NULL)", (self.row, self.row - 1, doc_id))

    def view(self, upto: int | None = None, shards: frozenset[int] | None = None) -> View:
        numbers: dict[str, int] = dict(self.connection.execute("SELECT path, number FROM fields"))
        return View(self.connection, self.mapping, self.name, self.row if upto is None else upto, shards, numbers.get)

    def search(self, **body: Any) -> Json:
        return search([self.view()], SearchRequest.parse(body))

    def ids(self, query: Json) -> str:
        return "".join(hit["_id"] for hit in self.search(query=query, size=100, sort=["_seq_no"])["hits"])

    def scores(self, query: Json) -> dict[str, float]:
        return {hit["_id"]: round(hit["_score"], 6) for hit in self.search(query=query)["hits"]}
