"""The trouble of a history: what others, chance and bad luck do to syncs, their engine and their source."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from connectors.store.state import INDEX as STATE
from connectors.store.targets import TargetRecord
from connectors.sync.index.mark import VERSION_BITS
from tests.torture.chaos.index import drawn
from tests.torture.chaos.world import HOSTS, IDS, World

FAULTS: Final = (
    "source_fails",
    "crash",
    "pause",
    "clock_jumps",
    "foreign_update",
    "foreign_write",
    "foreign_rewrite",
    "foreign_delete",
    "refresh",
    "replace",
    "vanish",
    "snapshot_taken",
    "restore",
    "record_lost",
    "approve",
)
"""Each is the name of a method."""
SELDOM: Final = 0.15


class Trouble:
    """Some of the things that go wrong, each as likely as a seed has it."""

    def __init__(self, world: World, faults: Sequence[str]) -> None:
        self._world = world
        self._chance = world.chance
        self._index = world.index
        self._faults = faults

    async def happen(self) -> None:
        """Let one of them happen."""
        if not self._faults:
            return
        name = self._chance.choice(self._faults)
        self._world.told[name.replace("_", " ")] += 1
        await getattr(self, name)()

    # To the source.

    async def source_fails(self) -> None:
        """Let a row be unreadable, or readable again."""
        table = self._world.table
        table.unreadable = set() if table.unreadable else {self._chance.choice(IDS)}
        self._world.tell(f"unreadable {table.unreadable}")

    # To processes.

    async def crash(self) -> None:
        """Kill one."""
        number = self._chance.randrange(HOSTS)
        one = self._world.processes[number]
        if one is not None:
            self._world.tell(f"{one.run} crashes")
            self._world.processes[number] = None
            await self._world.kill(one)
            self._world.told["syncs: died"] += 1

    async def pause(self) -> None:
        """Hold one up, until past its lease perhaps."""
        one = self._world.processes[self._chance.randrange(HOSTS)]
        if one is not None:
            limit = 2 * one.host.limits.lease_timeout_s
            one.line.held_until = asyncio.get_running_loop().time() + self._chance.uniform(0, limit)
            self._world.tell(f"{one.run} is held up")

    async def clock_jumps(self) -> None:
        """Set the clock of a host."""
        self._chance.choice(self._world.clocks).jump(timedelta(seconds=self._chance.uniform(-5, 5)))

    # To documents.

    async def foreign_update(self) -> None:
        """Change a part of a document."""
        doc_id = self._foreign(IDS, "partial update")
        self._index.update(doc_id, drawn(self._chance))

    async def foreign_write(self) -> None:
        """Write another document over one, perhaps with a version that is ahead."""
        doc_id = self._foreign(self._index.ids, "foreign write")
        ahead = self._chance.choice([None, None, None, 0, 10_000])
        ms = int(self._world.clocks[0].now().timestamp() * 1000)
        version = None if ahead is None else ms + ahead << VERSION_BITS
        self._index.overwrite(doc_id, drawn(self._chance), version=version)

    async def foreign_rewrite(self) -> None:
        """Write a document as it is."""
        self._index.rewrite(self._foreign(IDS, "foreign rewrite"))

    async def foreign_delete(self) -> None:
        """Delete a document."""
        self._index.delete(self._foreign(IDS, "foreign delete"))

    def _foreign(self, ids: Sequence[str], what: str) -> str:
        doc_id = self._chance.choice(ids)
        self._world.promises.taint(doc_id)
        self._world.tell(f"{what} of {doc_id}")
        return doc_id

    # To the index.

    async def refresh(self) -> None:
        """Refresh it."""
        self._index.refresh()

    async def replace(self) -> None:
        """Delete it and create it anew."""
        if self._chance.random() < SELDOM:
            self._index.remove()
            self._index.create()
            self._replaced("replaced")

    async def vanish(self) -> None:
        """Delete it."""
        if self._chance.random() < SELDOM:
            self._index.remove()
            self._replaced("gone")

    async def snapshot_taken(self) -> None:
        """Remember what it holds."""
        self._world.snapshot = self._index.snapshot()

    async def restore(self) -> None:
        """Put what it held then in the place of what it holds."""
        if self._chance.random() < SELDOM:
            self._index.restore(self._world.snapshot)
            self._replaced("restored")

    def _replaced(self, how: str) -> None:
        self._world.witness.replaced()
        self._world.tell(f"the index is {how}")

    # To what syncs know of each other.

    async def record_lost(self) -> None:
        """Delete the target's record."""
        uuid = self._index.uuid
        if uuid is not None and self._chance.random() < SELDOM:
            await self._world.direct.control.delete(STATE.name, TargetRecord.key_of(uuid))
            self._world.witness.record_lost()
            self._world.tell("the target's record is lost")

    async def approve(self) -> None:
        """Approve deletions that are held: no trouble, but at any moment."""
        await self._world.approve()
