"""T1 and T8 for live syncs: workers and daemons are killed or stopped while things happen, and nothing is lost."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from connectors.store.job import ENDED, SyncJob
from connectors.store.live import is_live
from tests.services.daemons import Daemon, daemon
from tests.services.live import LiveWorks, live_works
from tests.services.works import until
from tests.torture.conftest import Report
from tests.torture.live_log import LiveLog

PATIENCE_S = 90.0
PROMISE = (
    "Live syncs, while processes that run them are killed, stand still past their lease, or give way to full syncs: "
    "when things are quiet the index is as the source is, document for document, and there is one live sync."
)
Round = Callable[[Path, random.Random], Awaitable[None]]


def happen(log: LiveLog, chance: random.Random, count: int) -> None:
    """Let some documents change, come and go."""
    for _ in range(count):
        name = f"d{chance.randrange(60)}"
        if chance.random() < 0.2 and name in log.documents():
            log.delete(name)
        else:
            log.put(name, number=chance.randrange(10**6))


async def while_it_happens(log: LiveLog, chance: random.Random, blow: Callable[[], Awaitable[None]]) -> None:
    """Let things happen before, while and after something is done."""
    happen(log, chance, 30)
    await asyncio.sleep(chance.uniform(0, 0.4))
    happen(log, chance, 10)
    await blow()
    happen(log, chance, 30)


def workers_of(running: Daemon) -> list[int]:
    """Return the worker processes of a daemon."""
    pid = running.process.pid
    found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [one for one in found if b"working.process" in Path(f"/proc/{one}/cmdline").read_bytes()]


async def begun(works: LiveWorks) -> LiveLog:
    """Return the log of a connector whose documents may all be deleted."""
    log = await works.connect("a", sync={"live": True, "delete_guard": {"count": 10**6, "share": 1}})
    for number in range(40):
        log.put(f"d{number}", number=number)
    return log


async def is_begun_anew(works: LiveWorks, before: SyncJob) -> bool:
    """Return whether the live sync is run by somebody else than before."""
    job = await works.live("a")
    return job is not None and job.metadata.get("claim") != before.metadata.get("claim")


async def check(works: LiveWorks) -> None:
    """Hold that the index is as the log says, that there is one live sync, and that it writes what happens."""
    await works.equal("a", PATIENCE_S)
    await works.lives("a", PATIENCE_S)
    jobs = await works.jobs("a")
    assert len([one for one in jobs if is_live(one) and one.status not in ENDED]) == 1
    works.logs["a"].put("last", number=1)
    await works.equal("a", PATIENCE_S)


async def killed_workers(folder: Path, chance: random.Random) -> None:
    """Kill the worker processes of a daemon."""
    async with live_works(folder) as works:
        log = await begun(works)
        async with daemon(works.of.config) as running:
            await works.lives("a", PATIENCE_S)

            async def kill() -> None:
                for pid in workers_of(running):
                    os.kill(pid, signal.SIGKILL)

            await while_it_happens(log, chance, kill)
            await check(works)


async def killed_daemon(folder: Path, chance: random.Random) -> None:
    """Kill a daemon, and begin another one."""
    async with live_works(folder) as works:
        log = await begun(works)
        async with daemon(works.of.config) as first:
            await works.lives("a", PATIENCE_S)

            async def kill() -> None:
                await first.stop(signal.SIGKILL)

            await while_it_happens(log, chance, kill)
        async with daemon(works.of.config):
            await check(works)


async def stopped_owner(folder: Path, chance: random.Random) -> None:
    """Let a daemon stand still for longer than its lease, beside another one, and then go on."""
    async with live_works(folder) as works:
        log = await begun(works)
        async with daemon(works.of.config) as first:
            await works.lives("a", PATIENCE_S)
            before = await works.live("a")
            assert before is not None
            stopped = [first.process.pid, *workers_of(first)]

            async def stop() -> None:
                for pid in stopped:
                    os.kill(pid, signal.SIGSTOP)

            async with daemon(works.of.config):
                await while_it_happens(log, chance, stop)
                try:
                    await until(lambda: is_begun_anew(works, before), PATIENCE_S)
                    await works.equal("a", PATIENCE_S)
                    happen(log, chance, 20)
                finally:
                    for pid in stopped:
                        os.kill(pid, signal.SIGCONT)
                happen(log, chance, 20)
                await check(works)


async def full_sync_and_held_deletions(folder: Path, chance: random.Random) -> None:
    """Let a full sync come in between, and then more deletions than are allowed."""
    async with live_works(folder) as works:
        log = await begun(works)
        async with daemon(works.of.config):
            await works.lives("a", PATIENCE_S)
            happen(log, chance, 30)
            wanted = await works.of.want("a")
            happen(log, chance, 30)
            await works.of.until(wanted, lambda one: one.completed_at is not None)
            await check(works)
            before = await works.live("a")
            assert before is not None
            await works.change("a", sync={"live": True, "delete_guard": {"count": 3, "share": 0}})
            await until(lambda: is_begun_anew(works, before), PATIENCE_S)
            await works.lives("a", PATIENCE_S)
            names = sorted(log.documents())
            for name in names[:8]:
                log.delete(name)

            async def are_held() -> bool:
                job = await works.live("a")
                report = job.metadata.get("sync") if job is not None else None
                return isinstance(report, dict) and report.get("held") == 5

            await until(are_held, PATIENCE_S)
            stored = await works.of.engine.data.get_many("a-000001", names[:8])
            assert sum(one is not None for one in stored) == 5


ROUNDS: dict[str, Round] = {
    "killed workers": killed_workers,
    "killed daemons": killed_daemon,
    "owners that stood still": stopped_owner,
    "full syncs and held deletions": full_sync_and_held_deletions,
}


@pytest.mark.parametrize("kind", ROUNDS)
async def test_nothing_is_lost_of_what_happens_meanwhile(tmp_path: Path, kind: str) -> None:
    await ROUNDS[kind](tmp_path, random.Random(0))


@pytest.mark.long_round
async def test_nothing_is_lost_of_what_happens_meanwhile_in_many_rounds(
    seeds: range, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for seed in seeds:
        for kind, one_round in ROUNDS.items():
            await one_round(tmp_path_factory.mktemp(f"{kind.replace(' ', '-')}-{seed}"), random.Random(seed))
    report.add("Live syncs", PROMISE, seeds, dict.fromkeys(ROUNDS, len(seeds)))
