"""Beads and pebbles: sound sources whose documents are made up on the way, quick to walk and easy to break."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Upsert
from connectors.dataset import Dataset, Key, Row
from connectors.download import Content, Download
from connectors.errors import AccessDenied, SourceUnreachable
from connectors.fields import Field, Fields
from connectors.filtering.validation import AdvancedRules, AdvancedRulesValidator, SyncRuleValidationResult
from connectors.predicate import ALWAYS, Predicate, compiled
from connectors.source import BaseDataSource, Document, Token, Yielded

Result = SyncRuleValidationResult


@dataclass(frozen=True)
class World:
    """What there is to read: so many things, of which one can't be read, painted over so many times."""

    number: int
    bad: int = -1
    coats: int = 0

    def save(self, folder: Path, *, key: str) -> dict[str, object]:
        """Write it into a folder, and return the settings of a source of it."""
        folder.mkdir(exist_ok=True)
        (folder / "world").write_text(json.dumps([self.number, self.bad, self.coats]))
        return {"folder": str(folder), "key": key, "code": "7"}


class PebblesDataSource(BaseDataSource):
    """Has documents with downloads, and no more."""

    name = "Pebbles"
    service_type = "pebbles"
    fields = Fields(Field("folder", "Folder", type=Path, example="/srv/pebbles"), Field("key", "Key", sensitive=True))

    @cached_property
    def folder(self) -> Path:
        return Path(self.configuration["folder"])

    async def world(self) -> World:
        await asyncio.sleep(0)  # this little file is read without a thread, as it is read tens of thousands of times
        return World(*json.loads((self.folder / "world").read_text()))

    async def ping(self) -> None:
        if not self.configuration["key"].reveal().startswith("right"):
            raise AccessDenied("The key is wrong.")

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        async for row in self.rows():
            yield self.pebble(row), self.download(row)

    async def rows(self) -> AsyncIterator[Row]:
        world = await self.world()
        page = 100 if world.number > 100 else 4
        for number in range(world.number):
            if number % page == 0 < number:
                world = await self.world()
            if number == world.bad:
                raise SourceUnreachable(f"Number {number} can't be read.")
            color = "red" if number < world.coats else ("green", "blue", None)[number % 3]
            yield {"number": number, "color": color, "text": f"number {number}, " * 40}

    def pebble(self, row: Row) -> Document:
        return {"_id": str(row["number"]), "_timestamp": "2024-05-01T12:00:00Z", **row}

    def download(self, row: Row) -> Download:
        return Download(partial(self.content, row), content_version=str(row["color"]), size=3, name="a.txt")

    async def content(self, row: Row) -> Content:
        return b"abc"


class GravelDataSource(PebblesDataSource):
    """Goes on behind checkpoints of its own."""

    async def get_docs_from(
        self, cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Yielded | Checkpoint]:
        async for row in self.rows():
            if cursor is None or row["number"] > cursor["number"]:
                yield self.pebble(row), self.download(row)
                if row["number"] % 3 == 2:
                    yield Checkpoint({"number": row["number"]})


class Colors(AdvancedRulesValidator):
    def validate(self, advanced_rules: AdvancedRules) -> Result:
        if isinstance(advanced_rules, dict) and isinstance(advanced_rules.get("color"), str):
            return Result.valid_result(Result.ADVANCED_RULES)
        return Result.invalid_result(Result.ADVANCED_RULES, 'Write {"color": "..."}.')


class BeadsDataSource(PebblesDataSource):
    """Has rows, tokens, cursors, identities and rules besides."""

    name = "Beads"
    service_type = "beads"
    advanced_rules_enabled = True
    dls_enabled = True
    incremental_sync_enabled = True

    async def datasets(self) -> Sequence[Dataset]:
        columns: dict[str, object] = {name: {} for name in ("number", "color", "text")}
        return [Dataset("beads", schema={"properties": columns}, primary_key=("number",))]

    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row]:
        test, found = self.test(where), 0
        async for row in self.rows():
            if (after is None or row["number"] > after[0]) and test(row):
                found += 1
                yield {name: row[name] for name in row if columns is None or name in {"number", *columns}}
                if found == limit:
                    return

    def test(self, where: Predicate) -> Any:
        return compiled(where)

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        rules = filtering.get_advanced_rules() if filtering is not None else {}
        wanted = rules.get("color") if isinstance(rules, dict) else None
        async for row in self.rows():
            if wanted is None or row["color"] == wanted:
                yield self.bead(row), self.download(row)

    async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document]:
        wanted = {"_id", "dataset", *(filtering.fields if filtering is not None else ())}
        async for one in self.get_docs(filtering):
            document = one[0] if isinstance(one, tuple) else one
            if isinstance(document, dict):
                yield {name: value for name, value in document.items() if name in wanted}

    def bead(self, row: Row) -> Document:
        return self.document_of(Dataset("beads", primary_key=("number",)), row)

    async def get_doc(self, document_id: str) -> Yielded | None:
        async for row in self.rows():
            if self.bead(row)["_id"] == document_id:
                return self.bead(row)
        return None

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        world = await self.world()
        new = {"coats": world.coats, "number": world.number}
        return token != new, new

    async def get_docs_incrementally(
        self, sync_cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Change]:
        start, coats = (sync_cursor["from"], sync_cursor["coats"]) if sync_cursor else (0, 0)
        now = (await self.world()).coats
        async for row in self.rows():
            if row["number"] >= start or coats <= row["number"] < now:
                yield Upsert(self.bead(row))
                yield Checkpoint({"from": max(start, row["number"] + 1), "coats": coats})
        yield Checkpoint({"from": max(start, (await self.world()).number), "coats": now})

    async def get_access_control(self) -> AsyncIterator[Document]:
        for name in ("ann", "bob"):
            yield {"_id": name}

    def advanced_rules_validators(self) -> Sequence[Any]:
        return [Colors]


class RowsDataSource(BeadsDataSource):
    """Has rows, of which the framework makes documents."""

    advanced_rules_enabled = False
    get_docs = BaseDataSource.get_docs
