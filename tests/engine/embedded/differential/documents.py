"""Random documents of a mapping, and the lines of bulks that write, change and delete them."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.engine.embedded.differential import values
from tests.engine.embedded.differential.chance import Chance
from tests.engine.embedded.differential.mappings import UNIQUE, Json, Leaf, RandomMapping
from tests.engine.embedded.differential.words import Vocabulary


@dataclass(frozen=True)
class Writer:
    """Makes documents of one mapping.

    With several `shards` no document adds a field: which one is first to do so, and decides its type, is chance.
    """

    chance: Chance
    mapping: RandomMapping
    vocabulary: Vocabulary
    shards: int = 1
    uniques: Iterator[int] = field(default_factory=itertools.count)

    def insert(self, first: int, count: int) -> bytes:
        """Return a bulk that writes new documents, numbered from `first`."""
        return b"".join(self._write(str(number)) for number in range(first, first + count))

    def change(self, known: int, operations: int) -> bytes:
        """Return a bulk that changes and deletes some of the documents that there are."""
        lines = []
        for _ in range(operations):
            doc_id = str(self.chance.randrange(known))
            kind = self.chance.randrange(3)
            if kind == 0:
                lines.append(_line({"delete": {"_id": doc_id}}))
            elif kind == 1:
                lines.append(self._write(doc_id))
            else:
                part = self._object(self.mapping.body) | {UNIQUE: next(self.uniques)}
                lines.append(_line({"update": {"_id": doc_id}}) + _line({"doc": part}))
        return b"".join(lines)

    def _write(self, doc_id: str) -> bytes:
        return _line({"index": {"_id": doc_id}}) + _line(self.document() | {UNIQUE: next(self.uniques)})

    def document(self) -> Json:
        """Return a document; some have what no field can hold, or what the mapping does not know."""
        document = self._object(self.mapping.body)
        if self.chance.maybe(0.05):
            name, below = self.chance.one([*self.mapping.body["properties"].items()])
            # An object in a binary field is read by Elasticsearch as if it stood beside the field.
            if name != UNIQUE and below.get("type") != "binary":
                document[name] = self.chance.one(values.NOT_OF_TYPE)
        if self.shards == 1 and self.chance.maybe(0.15):
            document[f"new{self.chance.randrange(4)}"] = self._unknown()
        return document

    def _unknown(self) -> Any:
        return self.chance.one([
            self.vocabulary.text(self.chance), self.chance.randint(-5, 5), 1.5, True, None, [], "2024-01-31", [1, 2],
            {"x": self.vocabulary.word(self.chance)}, ["a", "b"], "2024/01/31", [None, 3],
        ])  # fmt: skip

    def _object(self, body: Json) -> Json:
        document: Json = {}
        for name, below in body["properties"].items():
            if self.chance.maybe(0.25):
                continue
            if "properties" in below:
                self._add_objects(document, name, below)
            elif name != UNIQUE:
                document[name] = self._field(Leaf(name, below))
        return document

    def _add_objects(self, document: Json, name: str, body: Json) -> None:
        kind = self.chance.random()
        if kind < 0.05:
            document[name] = None
        elif kind < 0.25:
            document[name] = [self._object(body) for _ in range(self.chance.randrange(4))]
        elif kind < 0.35:
            # The same object, its fields named by their paths.
            document |= {f"{name}.{key}": value for key, value in self._object(body).items()}
        else:
            document[name] = self._object(body)

    def _field(self, leaf: Leaf) -> Any:
        kind = self.chance.random()
        if kind < 0.06:
            return None
        if kind < 0.25:
            count = self.chance.randrange(5)
            return [None if self.chance.maybe(0.05) else self._value(leaf) for _ in range(count)]
        return self._value(leaf)

    def _value(self, leaf: Leaf) -> Any:
        if leaf.body.get("ignore_malformed", self.mapping.ignore_malformed) and self.chance.maybe(0.1):
            return self.chance.one(["no such value", "x1"])
        return values.value(self.chance, leaf, self.vocabulary)


def _line(value: Json) -> bytes:
    return msgspec.json.encode(value) + b"\n"
