"""A source that keeps a log of its changes, as a test writes it, and a scene in which it is synced."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Delete, Failed, Upsert
from connectors.engine import Engine, open_engine
from connectors.errors import CursorExpired
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.settings import EngineSettings
from connectors.source import BaseDataSource, Token, Yielded
from connectors.store.connector import Connector
from connectors.store.dead_letter import DeadLetter
from connectors.store.sync_state import JobType, SyncState
from connectors.sync.report import SyncReport
from connectors.sync.sync import Sync
from connectors.sync.workplace import SyncLimits, Workplace, open_workplace
from connectors.sync.writing.writer import WriterLimits
from tests.torture.oracle import Difference, actual, difference, expected

Event = Callable[[], Awaitable[None]]
Step = Change | Exception | Event | object
"""What the log holds: a change is yielded, an exception raised, an event awaited as the source is read."""
INDEX = "docs-000001"
QUIET = frozenset({"requests", "sent_bytes", "downloaded_bytes", "sent", "passes", "scans", "expected"})


@dataclass
class Log:
    """The changes of a source in their order, and how it tells of them."""

    steps: list[Step] = field(default_factory=list)
    page: int = 5
    """So many changes lie between two checkpoints; 0 for none at all."""
    by_id: bool = True
    """Whether single documents can be read."""
    fails: Exception | None = None
    """What reading a single document raises, and a walk when it has yielded the first half."""
    kept_since: int = 0
    """What happened before that is forgotten: a cursor that is older has expired."""
    read_from: list[Cursor | None] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)
    closed: int = 0
    written: asyncio.Event = field(default_factory=asyncio.Event)
    tells_cursors: bool = True
    """Whether a token has a cursor, of the source that tells whether anything changed."""

    def write(self, *steps: Step) -> None:
        """Add to the end."""
        self.steps += steps
        self.written.set()

    def put(self, *documents: dict[str, Any]) -> None:
        """Add that documents are new or different."""
        self.write(*map(Upsert, documents))

    @property
    def now(self) -> dict[str, Upsert]:
        """What the source holds when all of the log has happened."""
        found: dict[str, Upsert] = {}
        for step in self.steps:
            match step:
                case Upsert():
                    found[str(step.document.get("_id"))] = step
                case Delete():
                    found.pop(step.id, None)
        return found

    async def told(self, cursor: Cursor | None) -> AsyncIterator[Change]:
        """Yield the changes behind a cursor."""
        at = self._behind(cursor)
        steps = self.steps[at:]
        for number, step in enumerate(steps, at + 1):
            if isinstance(step, Exception):
                raise step
            if callable(step):
                await step()
            else:
                yield step  # type: ignore[misc]
            if self.page and (number % self.page == 0 or number == at + len(steps)):
                yield Checkpoint({"at": number})

    async def live(self, cursor: Cursor) -> AsyncIterator[Change]:
        """Yield the changes behind a cursor, and then those that are written meanwhile."""
        at = self._behind(cursor)
        while True:
            while at < len(self.steps):
                step = self.steps[at]
                at += 1
                if isinstance(step, Exception):
                    raise step
                if callable(step):
                    await step()
                else:
                    yield step  # type: ignore[misc]
                if self.page and (at % self.page == 0 or at == len(self.steps)):
                    yield Checkpoint({"at": at})
            self.written.clear()
            await self.written.wait()

    def _behind(self, cursor: Cursor | None) -> int:
        self.read_from.append(cursor)
        at = int(cursor["at"]) if cursor is not None else 0
        if cursor is not None and at < self.kept_since:
            raise CursorExpired("The log begins later.")
        return at

    async def walked(self) -> AsyncIterator[Yielded]:
        """Yield what there is now, and what can't be read: what that was before does not count."""
        failed = self._failed()
        there = [one for doc_id, one in self.now.items() if doc_id not in failed]
        for place, one in enumerate(there):
            if self.fails is not None and place >= len(there) // 2:
                raise self.fails
            yield one.document, one.download
        for letter in failed.values():
            yield letter

    async def one(self, doc_id: str) -> Yielded | None:
        """Return a document as it is now, or that it can't be read."""
        self.asked_for.append(doc_id)
        if self.fails is not None:
            raise self.fails
        if (failed := self._failed().get(doc_id)) is not None:
            return failed
        found = self.now.get(doc_id)
        return None if found is None else (found.document, found.download)

    def _failed(self) -> dict[str, Failed]:
        """Return the documents of which the last word is that they can't be read."""
        last: dict[str, Step] = {}
        for step in self.steps:
            match step:
                case Upsert():
                    last[str(step.document.get("_id"))] = step
                case Delete() | Failed():
                    last[step.id] = step
        return {doc_id: step for doc_id, step in last.items() if isinstance(step, Failed)}


class OneLog(Registry):
    """A registry in which every source is that of one log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def source(self, service_type: str) -> type[Any]:
        log = self._log

        class Full(BaseDataSource):
            name = "Logged"

            async def ping(self) -> None:
                """Reach nothing."""

            async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
                del filtering
                async for one in log.walked():
                    yield one

            async def close(self) -> None:
                log.closed += 1

        class Logged(Full):
            def get_docs_incrementally(
                self, sync_cursor: Cursor | None, filtering: Filter | None = None
            ) -> AsyncIterator[Change]:
                del filtering
                return log.told(sync_cursor)

        class ById(Logged):
            async def get_doc(self, document_id: str) -> Yielded | None:
                return await log.one(document_id)

        if service_type == "full":
            return Full
        if service_type == "telling":
            return telling(log, ById)
        if service_type == "live":
            return live(log, telling(log, ById))
        return ById if log.by_id else Logged


def telling(log: Log, base: type[Any]) -> type[Any]:
    """Return a source that tells whether anything changed since a token, and which cursor that is."""

    class Telling(base):  # type: ignore[misc]
        async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
            del filtering
            return token is None or token["of"] != len(log.steps), {"of": len(log.steps)}

        def cursor_of(self, token: Token) -> Cursor | None:
            return {"at": token["of"]} if log.tells_cursors else None

    return Telling


def live(log: Log, base: type[Any]) -> type[Any]:
    """Return a source that tells of changes as they are written to the log."""

    class Live(base):  # type: ignore[misc]
        def get_docs_live(self, sync_cursor: Cursor, filtering: Filter | None = None) -> AsyncIterator[Change]:
            del filtering
            return log.live(sync_cursor)

    return Live


@dataclass
class Scene:
    """An embedded engine with one connector, whose source tells of `log`."""

    place: Workplace
    log: Log
    last: SyncReport | None = None
    """What the last sync that was begun reported, though it may have failed."""

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self.place.engine

    async def connector(self) -> Connector:
        """Return the connector as it is stored."""
        found = await self.place.connectors.get("one")
        assert found is not None
        return found

    async def change(self, **fields: object) -> None:
        """Change fields of the connector."""
        await self.place.connectors.update("one", lambda _: fields)

    async def cursor(self) -> object:
        """Return the cursor in the connector's document."""
        return (await self.connector()).sync_cursor

    async def sync(self, job_type: JobType = JobType.INCREMENTAL, **limits: Any) -> SyncReport:
        """Sync, and return the report."""
        place = replace(self.place, limits=replace(self.place.limits, **limits))
        sync = Sync(place, await self.connector(), job_type)
        self.last = sync.report
        return await sync.run()

    async def told(self, job_type: JobType = JobType.INCREMENTAL) -> dict[str, int]:
        """Sync, and return the counters of what became of documents that are not 0."""
        return told(await self.sync(job_type))

    async def difference(self, documents: list[dict[str, Any]] | None = None) -> Difference:
        """Return how what the index has of ours differs from the source, or from these documents."""
        wanted = [one.document for one in self.log.now.values()] if documents is None else documents
        stored = [{"id": one["_id"], **one} for one in wanted]
        return difference(expected(stored), await actual(self.engine, INDEX, "one"))

    async def stored(self, doc_id: str) -> Mapping[str, Any] | None:
        """Return a document as the index has it, without its mark."""
        found = await self.engine.data.get(INDEX, doc_id)
        return None if found is None else {name: value for name, value in found.source.items() if name != "_sync"}

    async def letters(self) -> list[DeadLetter]:
        """Return the letters of the connector in the order of their ids."""
        found = [one async for one in self.place.letters.letters("one")]
        return sorted(found, key=lambda one: (one.id, one.kind))

    async def state(self) -> SyncState:
        """Return what syncs left behind."""
        found = await self.place.state.read(SyncState.key_of("one", JobType.FULL), SyncState)
        assert found is not None
        return found.value

    # What somebody else does.

    async def overwrite(self, doc_id: str, **fields: object) -> None:
        """Write a document as somebody who knows nothing of marks."""
        await self.engine.data.put(INDEX, doc_id, fields)

    async def edit(self, doc_id: str, **fields: object) -> None:
        """Change some fields of a document and keep the others, our mark too, as a partial update does."""
        found = await self.engine.data.get(INDEX, doc_id)
        assert found is not None
        await self.engine.data.put(INDEX, doc_id, {**found.source, **fields})


def told(report: SyncReport) -> dict[str, int]:
    """Return the counters of a report that are about documents and are not 0."""
    counted = {name: value for name, value in report.wire().items() if type(value) is int}
    return {name: value for name, value in counted.items() if value and name not in QUIET}


def doc(number: int, **fields: object) -> dict[str, Any]:
    """Return a document."""
    return {"_id": f"doc{number}", "number": number, **fields}


def docs(count: int, **fields: object) -> list[dict[str, Any]]:
    """Return some documents."""
    return [doc(number, **fields) for number in range(count)]


async def open_scene(stack: AsyncExitStack, folder: Path) -> Scene:
    """Return a scene of small batches and a cursor that is saved at each checkpoint."""
    engine = await stack.enter_async_context(open_engine(EngineSettings(data=folder / "data")))
    log = Log()
    limits = SyncLimits(writer=WriterLimits(batch_documents=10), checkpoint_every_s=0)
    place = await open_workplace(engine, OneLog(log), grants=Grants(), copies=folder / "ledgers", limits=limits)
    await place.connectors.create("one", {"service_type": "log", "index_name": "docs", "configuration": {}})
    return Scene(place, log)
