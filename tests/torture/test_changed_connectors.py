"""Changed connectors: what somebody does to a connector while it is synced, and what the index is after that."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.engine.stamp import Stamp
from connectors.store.connector import ConnectorStatus
from connectors.store.job import JobStatus
from tests.services.kibana import rule, rules
from tests.services.works import ROOT
from tests.torture.archive import GROUPS, Archive, inverted
from tests.torture.conftest import Report
from tests.torture.exchange import Seen
from tests.torture.fleet import PATIENCE_S, Fleet, fleet, has_ended, holds, scheduled
from tests.torture.oracle import Content, expected

SHORT = range(1)
PROMISE = (
    "While a connector is synced somebody changes its settings, the kind of its source, its index, its rules, as a "
    "draft or as they are used, and the source, several times. Each sync ends well, and with what it began with. "
    "After one more sync the index holds what the last settings say and nothing of those before; an index that was "
    "left is not written to any more, and loses nothing."
)
DELETED = (
    "A connector is deleted while it is synced, or between the claim of a job and its lease: marked, or removed by "
    "`connectors delete`; or its settings are broken. A removal is refused while there is a sync. A mark cancels the "
    "sync, and what waits ends too. Afterwards nothing is written any more, nothing is gone from the index, the "
    "daemon syncs others, and who takes the mark back has the connector synced again. What is wrong with settings is "
    "told after the sync, too."
)
INDICES = ("one", "two")
PAUSE_S = 0.15


@dataclass(frozen=True)
class Settings:
    """What a connector is to sync, and to where."""

    index: str = "one"
    service_type: str = "archive"
    label: str = "first"
    excluded: str | None = None

    def changed(self, chance: random.Random) -> "Settings":
        """Return others, of which one thing is other."""
        match chance.randrange(4):
            case 0:
                return replace(self, index=_other(chance, self.index, INDICES))
            case 1:
                return replace(self, service_type=_other(chance, self.service_type, ("archive", "inverted")))
            case 2:
                return replace(self, label=_other(chance, self.label, ("first", "second", "third")))
        return replace(self, excluded=_other(chance, self.excluded, (None, *GROUPS)))

    def contents(self, archive: Archive) -> dict[str, Content]:
        """Return what the index should hold."""
        found = [one for one in archive.documents(self.label) if one["group"] != self.excluded]
        if self.service_type == "inverted":
            found = [{**one, "id": one["_id"]} for one in map(inverted, found)]
        return expected(found)

    def filtering(self, state: str = "valid") -> list[dict[str, Any]]:
        """Return the rules as Kibana writes them; edited ones are a draft, which is not used yet."""
        wanted = rules(*([rule(field="group", value=self.excluded)] if self.excluded else []), state=state)
        return [{"domain": "DEFAULT", "active": wanted if state == "valid" else rules(), "draft": wanted}]


def _other(chance: random.Random, now: Any, among: tuple[Any, ...]) -> Any:
    return chance.choice([one for one in among if one != now])


async def put(here: Fleet, before: Settings, after: Settings, *, as_draft: bool) -> None:
    """Change a connector as somebody does who edits it; rules as a draft, or as they are used."""
    if after.excluded != before.excluded:
        if not as_draft:
            await here.change("c", filtering=after.filtering())
            return
        active = (await here.connector("c")).document["filtering"][0]["active"]
        draft = after.filtering("edited")[0]["draft"]
        await here.change("c", filtering=[{"domain": "DEFAULT", "active": active, "draft": draft}])
        return
    values = {**(await here.connector("c")).configuration}
    configuration = {**values, "label": {**values["label"], "value": after.label}}
    await here.change("c", configuration=configuration, service_type=after.service_type, index_name=after.index)


async def settled(here: Fleet, settings: Settings) -> None:
    """Wait until a draft is used that somebody has made."""
    wanted = settings.filtering()[0]["active"]["rules"]

    async def is_used() -> bool:
        (found,) = (await here.connector("c")).document["filtering"]
        return bool(found["active"]["rules"] == wanted)

    await holds(is_used)


async def middle_of(here: Fleet, archive: Archive, job: str, pages: int) -> None:
    """Wait until the walk of a job has read so many pages more."""
    before = len(archive.readings())

    async def is_there() -> bool:
        return len(archive.readings()) >= before + pages or has_ended(await here.job(job))

    await holds(is_there)
    assert not has_ended(await here.job(job))


async def stamps(here: Fleet) -> Mapping[str, Stamp | None]:
    """Return where each index stands that there is."""
    return {
        name: await here.engine.indices.stamp(found[0].name)
        for name in INDICES
        if (found := await here.engine.indices.resolve(name))
    }


async def changing_round(seed: int, folder: Path, engine_url: str | None = None) -> Counter[str]:
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"changed {seed}")
    facts: Counter[str] = Counter()
    async with fleet(folder, engine_url) as here:
        settings = Settings()
        archive = await here.archive("c", seed, 80, pause_s=PAUSE_S, index_name="one", filtering=settings.filtering())
        await here.join()
        await here.join()
        await here.until(await here.want("c"), has_ended)
        for _ in range(4):
            archive.change(inserts=3, updates=5, deletes=3)
            job = await here.want("c")
            await middle_of(here, archive, job, chance.randrange(1, 4))
            began_with = settings
            for _ in range(chance.choice([1, 1, 2])):
                before, settings = settings, settings.changed(chance)
                await put(here, before, settings, as_draft=chance.random() < 0.5)
                facts["changes while a sync ran"] += 1
            if chance.random() < 0.5:
                archive.change(inserts=3, updates=5, deletes=3)
            ended = await here.until(job, has_ended)
            assert (ended.status, ended.error) == (JobStatus.COMPLETED, None), (seed, ended)
            assert (ended.metadata["sync"]["index"]) == f"{began_with.index}-000001"
            left = {name: one for name, one in (await stamps(here)).items() if name != settings.index}
            await settled(here, settings)
            last = await here.until(await here.want("c"), has_ended)
            assert (last.status, last.error) == (JobStatus.COMPLETED, None), (seed, last)
            assert not await here.differs("c", settings.contents(archive), settings.index), (seed, settings)
            assert {name: one for name, one in (await stamps(here)).items() if name != settings.index} == left
            facts["indices that were left"] += began_with.index != settings.index
            facts["documents deleted as the settings said"] += last.metadata["sync"]["deleted"]
        here.book.check()
        await check_living(here)
    return facts


async def check_living(here: Fleet) -> None:
    """Hold every daemon to be the process that was started, and one of them to sync another connector."""
    assert [one.daemon.process.returncode for one in here.members] == [None] * len(here.members)
    other = await here.archive("other", 1, 30)
    assert (await here.until(await here.want("other"), has_ended)).status is JobStatus.COMPLETED
    assert not await here.differs("other", other.contents())


async def delete(here: Fleet, *more: str) -> tuple[int, str]:
    """Delete the connector as a person does, and return the exit code and what was said."""
    command = [sys.executable, "-m", "connectors", "--config", str(here.config), "delete", "c", "--yes", *more]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=asyncio.subprocess.STDOUT, cwd=ROOT)
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode or 0, said.decode()


async def marked_round(seed: int, folder: Path) -> Counter[str]:
    """Mark a connector as deleted in the middle of a sync, and take that back."""
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"marked {seed}")
    async with fleet(folder) as here:
        archive = await here.archive("c", seed, 200, pause_s=PAUSE_S * 2, index_name="one", scheduling=scheduled())
        await here.join()
        await here.join()
        first = await here.until(await here.want("c"), has_ended)
        assert first.status is JobStatus.COMPLETED
        await here.unscheduled("c")
        archive.change(inserts=30, deletes=20)
        there = (await here.stored("c", "one")).keys()
        running, waiting = await here.want("c"), await here.want("c")
        await middle_of(here, archive, running, chance.randrange(1, 4))
        await here.change("c", deleted=True, scheduling=scheduled())
        ended = [await here.until(job, has_ended) for job in (running, waiting)]
        await here.looked()
        await here.quiet()
        assert [job.status for job in ended] == [JobStatus.CANCELED] * 2, ended
        jobs, left = {job.id for job in await here.jobs_of("c")}, await stamps(here)
        assert there - archive.contents().keys() <= (await here.stored("c", "one")).keys()
        await check_living(here)
        await here.looked()
        assert ({job.id for job in await here.jobs_of("c")}, await stamps(here)) == (jobs, left), seed
        await here.change("c", deleted=False, scheduling={})
        await here.looked()
        again = await here.until(await here.want("c"), has_ended)
        assert again.status is JobStatus.COMPLETED, again
        assert not await here.differs("c", archive.contents(), "one"), seed
        here.book.check()
    return Counter({"connectors that were marked in a sync": 1})


async def removed_round(seed: int, folder: Path) -> Counter[str]:
    """Remove a connector in the middle of a sync, which is refused, and then while there is none."""
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(f"removed {seed}")
    async with fleet(folder) as here:
        archive = await here.archive("c", seed, 160, pause_s=PAUSE_S * 6, index_name="one")
        await here.join()
        job = await here.want("c")
        await here.until(job, lambda job: job.status is JobStatus.IN_PROGRESS)
        await middle_of(here, archive, job, 1)
        with_index = ["--with-index"] if chance.random() < 0.5 else []
        code, said = await delete(here, *with_index)
        assert (code != 0, "is being written to by" in said) == (True, True), (code, said)
        assert (await here.until(job, has_ended)).status is JobStatus.COMPLETED
        assert not await here.differs("c", archive.contents(), "one"), seed
        code, said = await delete(here, *with_index)
        assert code == 0, said
        await check_gone(here, None if with_index else archive.contents())
    return Counter({"connectors whose removal was refused in a sync": 1})


async def overtaken_round(seed: int, folder: Path) -> Counter[str]:
    """Remove a connector just when a job of it was claimed that has no lease yet."""
    sys.stdout.write(f"seed {seed}\n")
    async with fleet(folder) as here:
        archive = await here.archive("c", seed, 80, index_name="one")
        member = await here.join()
        assert (await here.until(await here.want("c"), has_ended)).status is JobStatus.COMPLETED
        before = archive.contents()
        archive.change(inserts=30, deletes=20)
        codes: list[int] = []

        async def remove(_: Seen) -> None:
            if not codes:
                codes.append(-1)
                codes[0], said = await delete(here)
                assert codes == [0], said

        member.line.on_request(lambda seen: seen.request.method == "PUT" and "/target%2F" in seen.request.path, remove)
        await here.want("c")
        await holds(lambda: _is_removed(codes))
        await check_gone(here, before)
    return Counter({"connectors that were removed between a claim and its lease": 1})


async def _is_removed(codes: list[int]) -> bool:
    return codes == [0]


async def broken_round(seed: int, folder: Path) -> Counter[str]:
    """Give a connector settings in the middle of a sync that no sync can begin with, and better ones afterwards."""
    sys.stdout.write(f"seed {seed}\n")
    async with fleet(folder) as here:
        archive = await here.archive("c", seed, 200, pause_s=PAUSE_S * 3, index_name="one")
        await here.join()
        job = await here.want("c")
        await middle_of(here, archive, job, 1)
        configuration = {**(await here.connector("c")).configuration}
        nowhere = {**configuration["archive"], "value": "/outside/what/is/allowed"}
        await here.change("c", configuration={**configuration, "archive": nowhere})
        await holds(lambda: _is(here, ConnectorStatus.ERROR))
        why = (await here.connector("c")).document["error"]
        assert (await here.until(job, has_ended)).status is JobStatus.COMPLETED
        await here.looked()
        document = (await here.connector("c")).document
        assert (document["last_sync_status"], document["status"]) == ("completed", ConnectorStatus.ERROR), document
        assert document["error"] == why
        assert not await here.differs("c", archive.contents(), "one"), seed
        await here.change("c", configuration=configuration)
        await holds(lambda: _is(here, ConnectorStatus.CONNECTED))
        assert (await here.connector("c")).document["error"] is None
        await check_living(here)
    return Counter({"connectors whose settings were broken in a sync": 1})


async def _is(here: Fleet, status: ConnectorStatus) -> bool:
    return (await here.connector("c")).status is status


async def check_gone(here: Fleet, contents: dict[str, Content] | None) -> None:
    """Hold a connector to be gone, and its index to be what it was, and to stay so; None where that is gone too."""
    await here.looked()
    assert await here.desk.connectors.get("c") is None
    found = await here.engine.indices.resolve("one")
    assert bool(found) == (contents is not None), found
    assert contents is None or not await here.differs("c", contents, "one")
    left = await stamps(here)
    await check_living(here)
    await here.looked()
    assert (await here.jobs_of("c"), await stamps(here)) == ([], left)


ROUNDS = {"marked": marked_round, "removed": removed_round, "overtaken": overtaken_round, "broken": broken_round}


@pytest.mark.parametrize("seed", SHORT)
async def test_a_connector_that_is_changed_while_it_is_synced_is_right_after_the_next_sync(
    seed: int, tmp_path: Path
) -> None:
    await changing_round(seed, tmp_path)


@pytest.mark.parametrize("name", ["marked", "removed"])
async def test_a_connector_that_is_deleted_while_it_is_synced_is_written_for_no_more(name: str, tmp_path: Path) -> None:
    await ROUNDS[name](0, tmp_path)


@pytest.mark.long_round
async def test_connectors_that_are_changed_while_they_are_synced_are_right_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        facts += await changing_round(seed, tmp_path_factory.mktemp(f"changed{seed}"))
    report.add("Connectors that change while they are synced", PROMISE, seeds, dict(facts))


@pytest.mark.long_round
async def test_connectors_that_are_deleted_while_they_are_synced_are_written_for_no_more_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        one_round = list(ROUNDS.values())[seed % len(ROUNDS)]
        facts += await one_round(seed, tmp_path_factory.mktemp(f"deleted{seed}"))
    report.add("Connectors that are deleted or broken while they are synced", DELETED, seeds, dict(facts))
