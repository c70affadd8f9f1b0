"""The stage: what all daemons of a history share: one engine, the network before it, and the tables that are synced."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from connectors.byoc import Filter
from connectors.engine.embedded.engine import EmbeddedEngine
from connectors.fields import Field, Fields
from connectors.source import BaseDataSource, Yielded
from connectors.sync.workplace import SyncLimits
from tests.torture.chaos.network import Line, Network
from tests.torture.shifts.book import Book


@dataclass
class Stage:
    """Where histories play."""

    folder: Path
    chance: random.Random
    engine: EmbeddedEngine
    network: Network
    book: Book
    limits: SyncLimits
    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    """The rows of each connector's table."""
    row_s: float = 0.0
    """How long it takes to read one."""
    workers: int = 0
    """How many processes there have been."""
    told: Counter[str] = field(default_factory=Counter)

    def source_on(self, line: Line) -> "type[RowsSource]":
        """Return the source as one process has it."""
        return type("BoundSource", (RowsSource,), {"stage": self, "line": line})


class RowsSource(BaseDataSource):
    """Reads one of the tables, each row when the seed says so. `Stage.source_on` makes the class for one process."""

    name = "Rows"
    service_type = "rows"
    fields = Fields(Field("table", "Table"))
    dls_enabled = True
    stage: ClassVar[Stage]
    line: ClassVar[Line]

    async def ping(self) -> None:
        """Find it there."""

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        """Yield the rows."""
        table = self.configuration["table"]
        with self.stage.book.walking(table, "content", self.line):
            for doc_id, value in list(self.stage.tables[table].items()):
                await asyncio.sleep(self.stage.row_s)
                await self.stage.network.turn(self.line)
                yield {"_id": doc_id, "value": value}

    async def get_access_control(self) -> AsyncIterator[dict[str, Any]]:
        """Yield somebody who may read it."""
        table = self.configuration["table"]
        with self.stage.book.walking(table, "access control", self.line):
            await self.stage.network.turn(self.line)
            yield {"_id": "ann", "identity": {"user": "ann"}, "query": {"template": {"params": {}, "source": {}}}}
