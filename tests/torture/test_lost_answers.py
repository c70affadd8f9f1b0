"""Lost answers: whatever happens on the way, a client knows of each of its writes whether it was applied, or asks."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import pytest

from connectors.engine import Engine, open_engine
from connectors.errors import EngineError
from connectors.settings import EngineSettings
from tests.engine.conftest import Impatient
from tests.torture.conftest import Report
from tests.torture.faulty_engine import FaultyEngine

WORKERS, INCREMENTS = 4, 6
SHORT = range(6)
PROMISE = (
    "Workers count up one document by compare-and-set over connections that break before, during and after a write. "
    "What a worker was told was applied is in the document once; what it was told was not applied is not in it; "
    "nothing hangs, and no error is outside the tree."
)


@dataclass
class Told:
    """What the client was told of each write, by the write's own name."""

    applied: set[str] = field(default_factory=set)
    not_applied: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)

    def of(self, write: str, outcome: EngineError | None) -> None:
        self.outcomes[type(outcome).__name__ if outcome else "written"] += 1
        if outcome is None:
            self.applied.add(write)
        elif outcome.maybe_applied:
            self.unknown.add(write)
        else:
            self.not_applied.add(write)


async def count_up(engine: Engine, worker: str, told: Told) -> None:
    for number in range(INCREMENTS):
        write = f"{worker}-{number}"
        try:
            found = await engine.control.get("docs", "counter")
        except EngineError:
            continue
        log = [*found.source["log"], write] if found else [write]
        outcome: EngineError | None = None
        try:
            if found is None:
                await engine.control.create("docs", "counter", {"log": log})
            else:
                await engine.control.put("docs", "counter", {"log": log}, expected=found.revision)
        except EngineError as error:
            outcome = error
        told.of(write, outcome)


async def one_round(seed: int) -> tuple[Told, Counter[str]]:
    told = Told()
    async with FaultyEngine(seed, fault_rate=0.1 + 0.5 * (seed % 5) / 4) as faulty, asyncio.timeout(60):
        settings = EngineSettings(host=faulty.url, attempts=3, control_timeout_s=0.1)
        async with open_engine(settings, Impatient()) as engine, asyncio.TaskGroup() as workers:
            for worker in range(WORKERS):
                workers.create_task(count_up(engine, f"w{worker}", told), name=f"worker {worker}")
        await faulty.settle()
    _, source = faulty.documents.get("counter", (0, {"log": []}))
    log: list[str] = source["log"]
    assert len(log) == len(set(log)), (seed, log)
    assert told.applied <= set(log), (seed, told.applied - set(log))
    assert not told.not_applied & set(log), (seed, told.not_applied & set(log))
    assert set(log) <= told.applied | told.unknown, seed
    return told, faulty.faults


@pytest.mark.parametrize("seed", SHORT)
async def test_a_client_is_never_told_a_lie_about_its_writes(seed: int) -> None:
    await one_round(seed)


@pytest.mark.long_round
async def test_a_client_is_never_told_a_lie_in_many_rounds(seeds: range, report: Report) -> None:
    facts: Counter[str] = Counter()
    for seed in seeds:
        told, faults = await one_round(seed)
        facts["writes that were confirmed"] += len(told.applied)
        facts["that were refused"] += len(told.not_applied)
        facts["whose end was left open, and said so"] += len(told.unknown)
        facts["faults"] += faults.total()
    report.add("Lost answers", PROMISE, seeds, dict(facts))
