"""Checkpoints: a full sync that was interrupted goes on, and what it does not know it does not do."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace as replaced

from connectors.byoc import Filter
from connectors.changes import Checkpoint, Cursor, Failed
from connectors.dataset import Dataset, Key, Row
from connectors.download import Download
from connectors.engine import Engine, open_engine
from connectors.engine.bulk import BulkAnswer
from connectors.engine.operations import Document, Operations
from connectors.engine.records import Written
from connectors.grants import Grants
from connectors.predicate import ALWAYS, Predicate
from connectors.registry import Registry
from connectors.row_walk import ROWS_OF_A_CHECKPOINT
from connectors.settings import EngineSettings
from connectors.source import BaseDataSource, Yielded
from connectors.store.connector import Connector
from connectors.store.dead_letters import INDEX as LETTERS
from connectors.store.dead_letters import DeadLetters
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType, SyncState
from connectors.sync.report import SyncReport
from connectors.sync.sync import Sync
from connectors.sync.workplace import SyncLimits, Workplace, open_workplace
from connectors.sync.writing.writer import WriterLimits
from tests.torture.oracle import actual, difference, expected

ROWS = 3 * ROWS_OF_A_CHECKPOINT
LIMITS = SyncLimits(checkpoint_every_s=0.0, writer=WriterLimits(batch_documents=100))


class Numbers(BaseDataSource):
    """A table of numbers, which may stop for good at one of them."""

    name = "Numbers"
    service_type = "numbers"
    rows: ClassVar[dict[int, str]] = {}
    stop_at: ClassVar[int | None] = None
    stopped: ClassVar[asyncio.Event]
    read_rows: ClassVar[list[int]] = []

    async def ping(self) -> None:
        """Is there."""

    async def datasets(self) -> Sequence[Dataset]:
        return [Dataset("numbers", primary_key=("n",))]

    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row | Failed]:
        for n, text in sorted(self.rows.items()):
            if after is None or n > after[0]:
                if n == Numbers.stop_at:
                    Numbers.stopped.set()
                    await asyncio.Event().wait()
                self.read_rows.append(n)
                yield {"n": n, "text": text}
                await asyncio.sleep(0)


class OnlyNumbers(Registry):
    def source(self, service_type: str) -> type[Any]:
        return Numbers


@pytest.fixture(autouse=True)
def rows() -> None:
    Numbers.rows = {n: f"text {n}" for n in range(ROWS)}
    Numbers.stop_at, Numbers.stopped, Numbers.read_rows = None, asyncio.Event(), []


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Workplace]:
    async with open_engine(EngineSettings(data=tmp_path / "data")) as engine:
        yield await open_workplace(engine, OnlyNumbers(), grants=Grants(), limits=LIMITS)


@pytest.fixture
async def connector(place: Workplace) -> Connector:
    document = {"service_type": "numbers", "index_name": "numbers", "configuration": {}}
    return await place.connectors.create("one", document)


async def sync(place: Workplace, connector: Connector) -> SyncReport:
    Numbers.read_rows = []
    return await Sync(place, connector).run()


async def interrupted(place: Workplace, connector: Connector, at: int) -> None:
    """Sync up to a row, until a checkpoint behind it was saved, and end there as if killed."""
    Numbers.stop_at, Numbers.stopped = at, asyncio.Event()
    task = asyncio.create_task(Sync(place, connector).run())
    await Numbers.stopped.wait()
    while (await state(place)).checkpoint is None:  # noqa: ASYNC110 - nobody but the store tells
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    Numbers.stop_at = None


async def state(place: Workplace) -> SyncState:
    found = await place.state.read(SyncState.key_of("one", JobType.FULL), SyncState)
    assert found is not None
    return found.value


async def check_equal(engine: Engine) -> None:
    documents = [
        {"_id": f"numbers/{n}", "id": f"numbers/{n}", "dataset": "numbers", "n": n, "text": text}
        for n, text in Numbers.rows.items()
    ]
    assert not difference(expected(documents), await actual(engine, "numbers", "one"))


async def test_a_sync_goes_on_behind_the_last_checkpoint(place: Workplace, connector: Connector) -> None:
    await interrupted(place, connector, at=2 * ROWS_OF_A_CHECKPOINT + 10)

    report = await sync(place, connector)

    assert report.resumed_since is not None
    assert len(Numbers.read_rows) in {ROWS_OF_A_CHECKPOINT, 2 * ROWS_OF_A_CHECKPOINT}
    assert (await state(place)).checkpoint is None
    await check_equal(place.engine)


async def test_a_resumed_sync_deletes_nothing_and_the_next_one_does(place: Workplace, connector: Connector) -> None:
    await sync(place, connector)
    del Numbers.rows[1]
    Numbers.rows[ROWS] = "new"
    await interrupted(place, connector, at=ROWS)

    resumed = await sync(place, connector)
    whole = await sync(place, connector)

    assert (resumed.created, resumed.deleted, resumed.resumed_since is not None) == (1, 0, True)
    assert (whole.deleted, whole.resumed_since) == (1, None)
    await check_equal(place.engine)


async def test_after_two_resumed_syncs_the_next_one_begins_anew(place: Workplace, connector: Connector) -> None:
    for _ in range(2):
        await interrupted(place, connector, at=2 * ROWS_OF_A_CHECKPOINT + 10)
        assert (await sync(place, connector)).resumed_since is not None
    await interrupted(place, connector, at=2 * ROWS_OF_A_CHECKPOINT + 10)

    assert (await sync(place, connector)).resumed_since is None
    assert len(Numbers.read_rows) == ROWS
    assert (await state(place)).without_deletes == 0


@pytest.mark.parametrize("change", ["rules", "age"])
async def test_a_checkpoint_of_another_recipe_or_too_old_is_not_used(
    place: Workplace, connector: Connector, change: str
) -> None:
    await interrupted(place, connector, at=2 * ROWS_OF_A_CHECKPOINT + 10)
    if change == "rules":
        rule = {"id": "1", "policy": "exclude", "field": "n", "rule": "equals", "value": "7", "order": 1}
        connector = await place.connectors.update("one", lambda _: {"filtering": {"rules": [rule]}})
        del Numbers.rows[7]
    else:
        found = await place.state.read(SyncState.key_of("one", JobType.FULL), SyncState)
        assert found is not None
        assert found.value.checkpoint is not None
        old = found.value.checkpoint.saved_at - timedelta(hours=2)

        def aged(value: SyncState | None) -> SyncState:
            assert value is not None
            assert value.checkpoint is not None
            return replaced(value, checkpoint=replaced(value.checkpoint, saved_at=old))

        await place.state.change(SyncState.key_of("one", JobType.FULL), SyncState, aged)

    report = await sync(place, connector)

    assert report.resumed_since is None
    await check_equal(place.engine)


async def test_a_checkpoint_is_not_used_when_other_rules_were_obeyed_since(
    place: Workplace, connector: Connector
) -> None:
    await interrupted(place, connector, at=2 * ROWS_OF_A_CHECKPOINT + 10)
    rule = {"id": "1", "policy": "exclude", "field": "n", "rule": "equals", "value": "7", "order": 1}
    await without_a_checkpoint(place, await place.connectors.update("one", lambda _: {"filtering": {"rules": [rule]}}))

    report = await sync(place, await place.connectors.update("one", lambda _: {"filtering": {"rules": []}}))

    assert report.resumed_since is None
    await check_equal(place.engine)


class Notes(BaseDataSource):
    """A row that can't be read, one with content that takes long, a checkpoint behind both, and then the end."""

    name = "Notes"
    service_type = "notes"
    place: ClassVar[Workplace]
    happened: ClassVar[list[str]]
    saved: ClassVar[asyncio.Event]

    async def ping(self) -> None:
        """Is there."""

    async def get_docs_from(
        self, cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Yielded | Checkpoint]:
        del cursor, filtering
        yield Failed("locked", "It is locked.")
        yield {"_id": "note"}, Download(self.content, content_version="1")
        yield Checkpoint({"behind": "note"})
        await self.saved.wait()

    async def content(self) -> bytes:
        for _ in range(30):  # time enough for a checkpoint that does not wait for this
            await self.place.state.read("nothing", SyncState)
        self.happened.append("fetched")
        return b"text"


class OnlyNotes(Registry):
    def source(self, service_type: str) -> type[Any]:
        return Notes


class Watched(Operations):
    """Operations that tell of the letters and the checkpoints that are written."""

    def __init__(self, operations: Operations) -> None:
        vars(self).update(vars(operations))

    async def put(self, index: str, doc_id: str, document: Document, **options: Any) -> Written:
        if b'"checkpoint":{' in bytes(document):  # type: ignore[arg-type]
            Notes.happened.append("checkpoint")
            Notes.saved.set()
        return await super().put(index, doc_id, document, **options)

    async def bulk(self, index: str, *given: Any, **options: Any) -> BulkAnswer:
        answer = await super().bulk(index, *given, **options)
        Notes.happened.append("letters" if index == LETTERS.name else "written")
        return answer


async def test_a_checkpoint_is_saved_behind_contents_that_are_fetched_and_letters_that_are_kept(
    place: Workplace, connector: Connector
) -> None:
    control, data = Watched(place.engine.control), Watched(place.engine.data)
    engine = replace(place.engine, control=control, data=data)
    state, letters = StateStore(control, place.clock), DeadLetters(control, place.clock)
    Notes.place, Notes.happened, Notes.saved = place, [], asyncio.Event()

    await Sync(replace(place, engine=engine, state=state, letters=letters, registry=OnlyNotes()), connector).run()

    before = Notes.happened[: Notes.happened.index("checkpoint")]
    assert sorted(set(before)) == ["fetched", "letters", "written"]
    assert before.index("fetched") < len(before) - 1 - before[::-1].index("written")


async def test_without_the_time_there_is_no_checkpoint(place: Workplace, connector: Connector) -> None:
    await without_a_checkpoint(place, connector)

    assert (await state(place)).checkpoint is None


async def without_a_checkpoint(place: Workplace, connector: Connector) -> None:
    """Sync up to the last row, and end there as if killed, long before a checkpoint is due."""
    unhurried = replace(place, limits=replace(LIMITS, checkpoint_every_s=3600.0))
    Numbers.stop_at, Numbers.stopped = ROWS - 1, asyncio.Event()
    task = asyncio.create_task(Sync(unhurried, connector).run())
    await Numbers.stopped.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    Numbers.stop_at = None
