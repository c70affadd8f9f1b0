"""Letters: a sound source that does all that a source can do, over a folder with one file of lines."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, Any

from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Delete, Upsert
from connectors.dataset import Dataset, Key, Row
from connectors.download import Download
from connectors.errors import AccessDenied, ConfigurationError, SourceUnreachable
from connectors.fields import Field, Fields
from connectors.filtering.validation import AdvancedRules, AdvancedRulesValidator, SyncRuleValidationResult
from connectors.predicate import ALWAYS, Predicate, compiled
from connectors.source import BaseDataSource, Document, Token, Yielded

PAGE = 500
COLUMNS = ("number", "sender", "sent", "words", "tags")
SCHEMA = {"type": "object", "properties": {name: {} for name in COLUMNS}}


class Senders(AdvancedRulesValidator):
    def validate(self, advanced_rules: AdvancedRules) -> SyncRuleValidationResult:
        rule = SyncRuleValidationResult.ADVANCED_RULES
        if isinstance(advanced_rules, Mapping) and isinstance(advanced_rules.get("senders"), list):
            return SyncRuleValidationResult.valid_result(rule)
        return SyncRuleValidationResult.invalid_result(rule, 'Write {"senders": [...]}.')


class LettersDataSource(BaseDataSource):
    """The letters in a folder: `letters`, a line of JSON each, and `key`, which opens them."""

    name = "Letters"
    service_type = "letters"
    fields = Fields(
        Field("folder", "Folder", type=Path, example="/srv/letters"),
        Field("key", "Key", sensitive=True),
        Field("page_size", "Letters per page", type=int, default=PAGE, greater_than=0, shapes=False),
    )
    advanced_rules_enabled = True
    dls_enabled = True
    incremental_sync_enabled = True

    @property
    def file(self) -> Path:
        return Path(self.configuration["folder"]) / "letters"

    async def ping(self) -> None:
        try:
            key = await asyncio.to_thread((self.file.parent / "key").read_text)
        except OSError as error:
            raise SourceUnreachable(f"The folder of letters can't be read: {error}.") from error
        if key != self.configuration["key"].reveal():
            raise AccessDenied("The key does not open the letters.", hint="Ask for another one.")

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        content = await asyncio.to_thread(self.file.read_bytes)
        new = {"hash": sha256(content).hexdigest()}
        return new != token, new

    def advanced_rules_validators(self) -> Sequence[Any]:
        return [Senders]

    async def datasets(self) -> Sequence[Dataset]:
        return [Dataset("letters", schema=SCHEMA, primary_key=("number",), cursor_field="sent")]

    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row]:
        matches, left = compiled(where), limit
        async for row in self._rows():
            if (after is None or row["number"] > after[0]) and matches(row):
                yield {name: row[name] for name in COLUMNS if columns is None or name in {"number", *columns}}
                left = None if left is None else left - 1
                if left == 0:
                    return

    async def _rows(self) -> AsyncGenerator[Row, None]:
        file: IO[str] = await asyncio.to_thread(self.file.open, encoding="utf-8")
        with file:
            while lines := await asyncio.to_thread(self._page, file):
                for row in lines:
                    yield row

    def _page(self, file: IO[str]) -> list[Row]:
        try:
            rows = [json.loads(line) for line in islice(file, self.configuration["page_size"])]
        except ValueError as error:
            raise SourceUnreachable(f"A page of letters can't be read: {error}.") from None
        return [{**row, "sent": datetime.fromisoformat(row["sent"])} for row in rows]

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        filtering = filtering or Filter()
        rules = filtering.get_advanced_rules()
        senders = rules.get("senders") if isinstance(rules, Mapping) else None
        for dataset in await self.datasets():
            async for row in self.read(dataset):
                if senders is None or row["sender"] in senders:
                    yield self.document_of(dataset, row), self.download_of(row)

    def download_of(self, row: Row) -> Download:
        return Download(partial(self.text, row), content_version=str(row["words"]), size=row["words"])

    async def text(self, row: Row) -> bytes:
        return b"x" * int(row["words"])

    async def get_doc(self, document_id: str) -> Yielded | None:
        [dataset] = await self.datasets()
        async for row in self.read(dataset):
            document = self.document_of(dataset, row)
            if document["_id"] == document_id:
                return document, self.download_of(row)
        return None

    async def get_docs_incrementally(
        self, sync_cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Change]:
        [dataset] = await self.datasets()
        known = (sync_cursor or {}).get("known", {})
        now = {}
        async for row in self.read(dataset):
            document = self.document_of(dataset, row)
            now[document["_id"]] = str(row)
            if known.get(document["_id"]) != str(row):
                yield Upsert(document, self.download_of(row))
                yield Checkpoint({"known": {**known, **now}})
        for id_ in known.keys() - now.keys():
            yield Delete(id_)
        yield Checkpoint({"known": now})

    async def get_access_control(self) -> AsyncIterator[Document]:
        yield {"_id": "ann"}
        yield {"_id": "bob"}

    async def validate_config(self) -> None:
        if self.configuration["page_size"] > 1_000_000:
            raise ConfigurationError("That is too large a page.", field="page_size")


def letter(number: int) -> str:
    sent = f"2024-05-{number % 28 + 1:02}T12:00:00+00:00"
    row = {"number": number, "sender": "añb%c_"[number % 6], "sent": sent, "words": number % 9, "tags": ["a", "b"]}
    return json.dumps({**row, "tags": row["tags"] if number % 2 else None}) + "\n"


def write_letters(folder: Path, letters: int, *, key: str, last_line: str = "") -> dict[str, object]:
    """Write a folder of letters and return the settings of its source."""
    folder.mkdir()
    (folder / "key").write_text(key)
    lines = [letter(number) for number in range(letters)]
    (folder / "letters").write_text("".join(lines) + last_line, encoding="utf-8")
    return {"folder": str(folder), "key": key}
