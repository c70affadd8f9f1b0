"""The history: syncs of one connector, and all that goes wrong meanwhile, as a seed has it."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Final

from connectors.store.dead_letters import INDEX as LETTERS
from connectors.store.sync_state import JobType
from tests.torture.chaos.index import NAME
from tests.torture.chaos.loop import ChaosLoop
from tests.torture.chaos.network import Weather
from tests.torture.chaos.process import Process
from tests.torture.chaos.promises import Broken
from tests.torture.chaos.trouble import FAULTS, Trouble
from tests.torture.chaos.world import HOSTS, World, seeded

MOST_STEPS_ALONE: Final = 5_000
"""A sync that nothing disturbs and that takes more hangs."""
MOST_ALONE: Final = 4
"""The last sync may have to go on from a checkpoint, hold deletions, and meet letters."""
OF_REPLACED: Final = frozenset({"IndexReplaced", "IndexMissing", "ScanIncomplete"})
OF_ENGINE: Final = frozenset({"EngineUnreachable", "EngineOverloaded", "EngineFailed"})
EXPECTED_ENDS: Final = OF_REPLACED | OF_ENGINE | {"completed", "skipped", "unsettled", "died", "JobLost", "TargetInUse"}


class History:
    """One history: `run` lets things happen, one by one, and raises `Broken` when a promise is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = chance = world.chance
        # Which of the things that go wrong go wrong in this history.
        faults = [name for name in FAULTS for _ in range(chance.choice([0, 0, 1, 1, 5]))]
        self._trouble = Trouble(world, faults)
        self._troubled = chance.choice([0.02, 0.05, 0.15])
        self._liveliness = chance.choice([0.01, 0.03, 0.1, 0.2])
        self._haste = chance.choice([0.005, 0.02, 0.1])
        """How often much time passes at once, so that leases end, and checkpoints are due."""
        self._lateness = chance.choice([0.1, 0.02, 0.005])
        """How soon things arrive that nobody waits for; what has not in the end, does so before the last sync."""
        self._rivalry = chance.choice([0.01, 0.03, 0.2])
        self._incremental = chance.choice([0.0, 0.3, 0.6])
        self._was_idle = False

    async def run(self, steps: int) -> None:
        """Let things happen so many times, and then check that all ends well."""
        try:
            await self._world.prepare()
            for _ in range(steps):
                await self._step()
            await self._end_well()
        finally:
            await self._world.close()

    async def _step(self) -> None:
        world, chance = self._world, self._chance
        await asyncio.sleep(self._moment())
        world.promises.time += 1
        self._look()
        if chance.random() < self._liveliness:
            world.change_source()
        if chance.random() < self._troubled:
            await self._trouble.happen()
        elif world.network.late and chance.random() < self._lateness:
            world.deliver_late()
        else:
            self._go_on()

    def _moment(self) -> float:
        """Return how long to wait: first of all until everything has come as far as it can."""
        if self._was_idle:
            return self._chance.choice([0.05, 0.5, 2.0])
        return self._chance.uniform(0.0, 15.0) if self._chance.random() < self._haste else 0.001

    def _go_on(self) -> None:
        world, chance = self._world, self._chance
        number = chance.randrange(HOSTS)
        if world.processes[number] is None:
            # While another one is at work a claim is a takeover: safe at any moment, if the rules are.
            busy = any(other is not None for other in world.processes)
            if not busy or chance.random() < self._rivalry:
                is_incremental = chance.random() < self._incremental
                world.start(number, JobType.INCREMENTAL if is_incremental else JobType.FULL)
        ready = world.network.ready(asyncio.get_running_loop().time())
        self._was_idle = not ready
        if ready:
            world.network.move(chance.choice(ready))

    # What syncs say when they end.

    def _look(self) -> None:
        """See who has come to an end, and check what was said."""
        processes = self._world.processes
        for number, one in enumerate(processes):
            if one is not None and one.ended:
                processes[number] = None
                self._ended(one)

    def _ended(self, one: Process) -> None:
        world, end = self._world, one.end
        world.told[f"syncs: {end}"] += 1
        world.tell(f"{one.run} ends: {end}")
        if end == "ConfigurationError" and self._is_stray():
            world.told["stray indices that a person removed"] += 1
            world.index.remove()
        elif end not in EXPECTED_ENDS:
            raise Broken(f"{one.run} ends with {end}") from one.error
        if end in OF_REPLACED and one.replacements == world.witness.replacements:
            raise Broken(f"{one.run} ends with {end}, and the index is the same") from one.error
        if end == "JobLost" and not one.overtaken:
            raise Broken(f"{one.run} is lost to nobody") from one.error
        if end == "skipped":
            world.promises.skipped(one)
        if end == "completed":
            world.promises.completed(one, self._letters(one))
            world.told[f"{one.job_type} syncs that completed"] += 1
        world.promises.left(one)

    def _is_stray(self) -> bool:
        """Return whether the index was made by a bulk to one that was gone: without an alias, and with no mapping."""
        found = self._world.index.ask("GET", f"/{NAME}").get(NAME)
        return found is not None and not found["aliases"] and "_meta" not in found["mappings"]

    def _letters(self, one: Process) -> set[str]:
        """Return the ids that a sync could not index; and those of earlier ones, where it read only what changed."""
        ask, is_any = self._world.index.ask, one.job_type is JobType.INCREMENTAL
        ask("POST", f"/{LETTERS.name}/_refresh")
        hits = ask("POST", f"/{LETTERS.name}/_search", {"size": 100})["hits"]["hits"]
        return {hit["_source"]["id"] for hit in hits if is_any or hit["_source"]["run"] == one.run}

    # The end.

    async def _end_well(self) -> None:
        """Let everything late arrive: one more sync alone makes the index equal, and one more writes nothing."""
        world = self._world
        for one in world.witness.everyone.values():
            await world.kill(one)
        world.processes[:] = [None] * HOSTS
        world.network.weather = Weather()
        while world.network.late:
            world.deliver_late()
        world.table.unreadable.clear()
        last = await self._alone()
        for _ in range(MOST_ALONE - 1):
            if self._is_clean(last):
                break
            await world.approve()
            last = await self._alone()
        if not self._is_clean(last):
            raise Broken(f"a sync alone ends {last.end}: {last.sync.report.wire()}") from last.error
        world.promises.equal("after the last sync")
        again = await self._alone()
        if again.end != "skipped" or again.sync.report.requests:
            raise Broken(f"a sync of what did not change ends {again.end}: {again.sync.report.wire()}") from again.error
        world.told["histories"] += 1

    def _is_clean(self, one: Process) -> bool:
        report = one.sync.report
        return one.end in {"completed", "skipped"} and not (report.letters or report.held or one.reading.resumed)

    async def _alone(self) -> Process:
        world = self._world
        one = world.start(0)
        for _ in range(MOST_STEPS_ALONE):
            await asyncio.sleep(0.001)
            ready = world.network.ready(asyncio.get_running_loop().time())
            if ready:
                world.network.move(ready[0], kindly=True)
            else:
                await asyncio.sleep(1.0)
            if one.ended:
                self._look()
                return one
        raise Broken(f"{one.run} hangs: {one.sync.report.wire()}")


def live(seed: int, folder: Path, steps: int, told: Counter[str] | None = None) -> list[str]:
    """Run one history to its end, and return its trail. Raises what it ends with, with the seed and the trail."""

    async def lived() -> list[str]:
        world = World(seed, folder, Counter() if told is None else told)
        try:
            await History(world).run(steps)
        except BaseException as error:
            error.add_note(f"Seed {seed}:\n" + "\n".join(world.trail))
            raise
        return world.trail

    with seeded(seed), asyncio.Runner(loop_factory=ChaosLoop) as runner:
        return runner.run(lived())
