"""Two daemons, a source that changes or does not, foreign writes and lost state: a sync is never skipped wrongly."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec
import pytest

from connectors.store.job import JobStatus, SyncJob
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType, SyncState
from tests.torture.archive import Archive, walks
from tests.torture.conftest import Report
from tests.torture.fleet import Fleet, fleet, has_ended

SHORT: Final = (1,)
EVENTS: Final = ("nothing", "write", "nothing", "delete", "foreign delete", "lost token", "lost record")
"""What happens in a round, each in some order, and each maybe after syncs that were written to meanwhile."""
PROMISE: Final = (
    "Two daemons sync one connector, each without anything that the other keeps on its disk. Somebody writes to the "
    "source or does not, also while it is read, or to the index, and now and then what syncs left is lost in part or "
    "whole. After each sync in whose time nobody wrote, the index is equal to the source, document for document; what "
    "is skipped has read nothing; and as soon as nothing happens, syncs are skipped."
)
NAME: Final = "c"
KEY: Final = SyncState.key_of(NAME, JobType.FULL)


async def one_round(seed: int, folder: Path) -> Counter[str]:
    """Let all of it happen for some cycles, and return what did."""
    chance, facts = random.Random(f"skipped wrongly {seed}"), Counter[str]()
    async with fleet(folder) as here:
        archive = await here.archive(NAME, seed, 60, pause_s=0.02)
        for number in range(2):
            here.settings["sync"]["ledgers"] = str(folder / f"ledgers{number}")
            await here.join()
        await here.ready()
        await _synced(here, archive)
        for event in chance.sample(EVENTS, len(EVENTS)):
            facts += await _cycle(here, archive, chance, event)
        facts["syncs that were skipped at last"] += (await _settled(here, archive)) is True
    assert facts["syncs that were skipped"] > 0
    return facts


async def _cycle(here: Fleet, archive: Archive, chance: random.Random, event: str) -> Counter[str]:
    """Let something happen, maybe while syncs run, and see in the end that the index is equal."""
    facts = Counter[str]()
    if chance.random() < 0.5:
        wanted = [await here.want(NAME) for _ in range(2)]
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(chance.random() * 0.3)
            archive.change(updates=1, inserts=chance.randrange(2), deletes=chance.randrange(2))
            facts["writes while syncs ran or waited"] += 1
        for one in wanted:
            assert (await here.until(one, has_ended)).status is JobStatus.COMPLETED
    await _synced(here, archive)  # so that nothing but the event speaks against a skip
    facts[f"of {event}"] += 1
    match event:
        case "write":
            archive.change(updates=1)  # of one document
        case "delete":
            archive.change(deletes=1)
        case "foreign delete":
            await here.engine.data.delete(NAME, chance.choice(sorted(await here.stored(NAME))), refresh="now")
        case "lost token" | "lost record":
            await _lose(here, whole=event == "lost record")
    before = len(archive.readings())
    job = await _synced(here, archive)
    if _is_skipped(job):
        assert len(archive.readings()) == before
        facts["syncs that were skipped"] += 1
    facts["syncs that were not skipped"] += not _is_skipped(job)
    return facts


async def _settled(here: Fleet, archive: Archive) -> bool:
    """Return whether the second of two syncs is skipped in whose time nothing happens."""
    await _synced(here, archive)
    before = len(list(walks(archive.readings())))
    return _is_skipped(await _synced(here, archive)) and len(list(walks(archive.readings()))) == before


async def _synced(here: Fleet, archive: Archive) -> SyncJob:
    job = await here.until(await here.want(NAME), has_ended)
    assert (job.status, job.error) == (JobStatus.COMPLETED, None), here.log
    assert not await here.differs(NAME, archive.contents()), (job.metadata, here.log)
    return job


async def _lose(here: Fleet, *, whole: bool) -> None:
    """Lose what syncs have left, or the token of it."""
    state = await StateStore.open(here.engine)
    found = await state.read(KEY, SyncState)
    if found is None:
        return
    if whole:
        await state.delete(KEY)
    elif found.value.completed is not None:
        lost = msgspec.structs.replace(found.value.completed, token=None)
        await state.replace(KEY, found, msgspec.structs.replace(found.value, completed=lost))


def _is_skipped(job: SyncJob) -> bool:
    return job.metadata["sync"]["skipped"] is True


@pytest.mark.parametrize("seed", SHORT)
async def test_nothing_is_skipped_wrongly(seed: int, tmp_path: Path) -> None:
    assert (await one_round(seed, tmp_path))["syncs that were skipped at last"] == 1


@pytest.mark.long_round
async def test_nothing_is_skipped_wrongly_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await one_round(seed, tmp_path_factory.mktemp(f"skipped{seed}"))
    report.add("Skipped syncs", PROMISE, seeds, dict(facts))
