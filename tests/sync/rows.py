"""Whole syncs of a source that a test scripts: what it yields, what happens between two yields, and how it fails."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.aio.clock import SystemClock
from connectors.byoc import Filter
from connectors.download import Content
from connectors.engine import Engine, open_engine
from connectors.engine.indices import Indices
from connectors.engine.stamp import Stamp
from connectors.errors import ConnectorsError
from connectors.fields import Field, Fields
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.settings import EngineSettings
from connectors.source import BaseDataSource, Document, Token, Yielded
from connectors.store.connector import Connector
from connectors.store.dead_letter import DeadLetter
from connectors.store.sync_state import JobType, SyncState
from connectors.sync.report import SyncReport
from connectors.sync.sync import Sync
from connectors.sync.workplace import SyncLimits, Workplace, open_workplace
from connectors.sync.writing.writer import WriterLimits
from tests.torture.oracle import Difference, actual, difference, expected

SECRET = "hunter2"
Event = Callable[[], Awaitable[None]]
"""What happens while the source is read: a foreign write, an index that goes away."""


class Jumping(SystemClock):
    """The system's clock, ahead of it by as much as a test says."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return super().now() + timedelta(seconds=self._ahead_s)

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return super().monotonic() + self._ahead_s

    def jump(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._ahead_s += seconds


@dataclass
class Script:
    """What a source does. An exception among its documents is raised there, an `Event` awaited, a download awaited."""

    documents: list[Any] = field(default_factory=list)
    identities: list[Any] = field(default_factory=list)
    token: Token | None = None
    """Equal tokens say that nothing changed; None says nothing."""
    on_close: Exception | None = None
    at_end_of_walk: Exception | None = None
    walks: int = 0
    closed: int = 0


async def _told(script: Script, steps: list[Any]) -> AsyncIterator[Any]:
    script.walks += 1
    try:
        for step in list(steps):
            if isinstance(step, Exception):
                raise step
            if callable(step):
                await step()
            else:
                yield step
    finally:
        if script.at_end_of_walk is not None:
            raise script.at_end_of_walk


def _slim(step: Any) -> Any:
    """Return a document with no more than has to be known of it in a sync that only deletes."""
    document = step[0] if isinstance(step, tuple) else step
    if type(document) is not dict:
        return step
    return {name: value for name, value in document.items() if name in {"_id", "dataset", "part"}}


class OneScript(Registry):
    """A registry of sources that follow one script each; the service type is the name of the script."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        super().__init__()
        self._scripts = scripts

    def source(self, service_type: str) -> type[Any]:
        script = self._scripts[service_type]

        class Scripted(BaseDataSource):
            name = "Scripted"
            fields = Fields(
                Field("password", "Password", sensitive=True, required=False, default=""),
                Field("part", "Part of the source", required=False, default=""),
            )

            async def ping(self) -> None:
                """Reach nothing."""

            async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
                del filtering
                return script.token is None or token != script.token, script.token

            def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
                del filtering
                return _told(script, script.documents)

            def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document]:
                del filtering
                return _told(script, [_slim(step) for step in script.documents])

            def get_access_control(self) -> AsyncIterator[Document]:
                return _told(script, script.identities)

            async def close(self) -> None:
                script.closed += 1
                if script.on_close is not None:
                    raise script.on_close

        return Scripted


@dataclass
class Stage:
    """An embedded engine, a connector whose source follows `script`, and what it takes to sync it and look at it."""

    place: Workplace
    script: Script
    scripts: dict[str, Script]
    clock: Jumping
    connector: str = "one"
    index: str = "docs-000001"
    last: SyncReport | None = None
    """What the last sync that was begun reported, though it may have failed."""

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self.place.engine

    def among(self, connector: str) -> "Stage":
        """Return the stage with another connector in front."""
        return replace(self, connector=connector, script=self.scripts[connector])

    async def create(self, connector: str, index: str, **document: object) -> "Stage":
        """Create one more connector, with a script of its own."""
        self.scripts[connector] = Script()
        fields = {"service_type": connector, "index_name": index, "configuration": {"password": {"value": SECRET}}}
        await self.place.connectors.create(connector, {**fields, **document})
        return self.among(connector)

    async def change(self, **fields: object) -> None:
        """Change fields of the connector."""
        await self.place.connectors.update(self.connector, lambda _: fields)

    async def sync(
        self, job_type: JobType = JobType.FULL, *, deletes_only: bool = False, force: bool = False, **limits: Any
    ) -> SyncReport:
        """Sync, and return the report, whose sum has to be right."""
        place = replace(self.place, limits=replace(self.place.limits, **limits))
        sync = Sync(place, await self.known(), job_type, deletes_only=deletes_only, force=force)
        self.last = sync.report
        report = await sync.run()
        assert report.walked == report.accounted
        return report

    async def told(self, job_type: JobType = JobType.FULL) -> dict[str, int]:
        """Sync, and return those counters that are not 0; bytes and requests are nobody's promise."""
        return told(await self.sync(job_type))

    async def known(self) -> Connector:
        """Return the connector as it is stored."""
        found = await self.place.connectors.get(self.connector)
        assert found is not None
        return found

    async def difference(self, documents: list[dict[str, Any]], index: str | None = None) -> Difference:
        """Return how the index differs from these documents, as they should be stored."""
        stored = [{"id": one["_id"], **one} for one in documents]
        return difference(expected(stored), await actual(self.engine, index or self.index, self.connector))

    async def letters(self) -> list[DeadLetter]:
        """Return the letters of the connector in the order of their ids."""
        found = [one async for one in self.place.letters.letters(self.connector)]
        return sorted(found, key=lambda one: (one.id, one.kind))

    async def state(self, job_type: JobType = JobType.FULL) -> SyncState:
        """Return what syncs left behind."""
        found = await self.place.state.read(SyncState.key_of(self.connector, job_type), SyncState)
        assert found is not None
        return found.value

    # What somebody else does.

    async def overwrite(self, doc_id: str, **fields: object) -> None:
        """Write a document as somebody who knows nothing of marks."""
        await self.engine.data.put(self.index, doc_id, fields)

    async def edit(self, doc_id: str, **fields: object) -> None:
        """Change some fields of a document and keep the others, our mark too, as a partial update does."""
        found = await self.engine.data.get(self.index, doc_id)
        assert found is not None
        await self.engine.data.put(self.index, doc_id, {**found.source, **fields})

    async def remove(self, doc_id: str) -> None:
        """Delete a document."""
        await self.engine.data.delete(self.index, doc_id)

    async def unmarked(self) -> set[str]:
        """Return the ids of the documents that no connector marked."""
        found = set()
        await self.engine.data.refresh(self.index)
        for hit in (await self.engine.data.search(self.index, {"size": 1_000})).hits:
            if "_sync" not in (hit.source or {}):
                found.add(hit.id)
        return found


_QUIET = frozenset({"requests", "sent_bytes", "downloaded_bytes"})


def told(report: SyncReport) -> dict[str, int]:
    """Return the counters of a report that are not 0."""
    return {name: number for name, number in report.counters().items() if number and name not in _QUIET}


def row(number: int, /, **fields: object) -> dict[str, Any]:
    """Return a document."""
    return {"_id": f"row{number}", "number": number} | fields


def rows(count: int, **fields: object) -> list[dict[str, Any]]:
    """Return some documents."""
    return [row(number, **fields) for number in range(count)]


@dataclass
class Fetching:
    """A download that counts how often it is fetched, and raises its errors first."""

    content: Content
    errors: list[Exception] = field(default_factory=list)
    fetched: int = 0

    async def __call__(self) -> Content:
        self.fetched += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.content


class Blind(Indices):
    """Indices of an engine that does not tell where they stand, or may not be asked."""

    def __init__(self, indices: Indices, error: ConnectorsError | None = None) -> None:
        vars(self).update(vars(indices))
        self._error = error

    async def stamp(self, name: str) -> Stamp | None:
        """Return nothing, or raise."""
        del name
        if self._error is not None:
            raise self._error
        return None


async def open_stage(stack: AsyncExitStack, folder: Path) -> Stage:
    """Return a stage with one connector, of small batches so that a sync has several."""
    engine = await stack.enter_async_context(open_engine(EngineSettings(data=folder / "data")))
    scripts: dict[str, Script] = {}
    limits = SyncLimits(writer=WriterLimits(batch_documents=10))
    clock = Jumping()
    place = await open_workplace(
        engine, OneScript(scripts), grants=Grants(), copies=folder / "ledgers", limits=limits, clock=clock
    )
    empty = Stage(place, Script(), scripts, clock)
    return await empty.create("one", "docs")
