"""Clocks: histories in which those of daemons are hours wrong, are set, and are turned in the zone of the service."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from connectors.schedule.zone import Zone
from connectors.testing.virtual_time import START, VirtualClock
from tests.torture.shifts.daemon import StagedDaemon
from tests.torture.shifts.history import History

WRONG_S: Final = (7_200, -7_200, 3_600, -3_600, 90, -90)
RIGHT: Final = timedelta(seconds=3)
TURNED: Final = (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC))
"""When clocks are turned in Berlin: forward, and back."""


class ClockHistory(History):
    """A history in whose middle clocks are turned by law, and whose daemons have clocks that somebody sets."""

    zone: ClassVar[Zone] = ZoneInfo("Europe/Berlin")

    def __init__(self, seed: int, folder: Path, told: Counter[str]) -> None:
        super().__init__(seed, folder, told)
        self.book.right_clocks = False
        self.most_daemons = self.chance.choice([2, 3])
        self._right_from: dict[StagedDaemon, float] = {}

    @classmethod
    def begins(cls, chance: random.Random) -> datetime:
        """Return when it begins: most often half a minute before clocks are turned."""
        turned = chance.choice([*TURNED, None])
        return START if turned is None else turned - timedelta(seconds=30)

    def clock_of(self, number: int) -> VirtualClock:
        """Return the clock of a new daemon: the first one's is right, any other's may be."""
        wrong = self.chance.random() < 0.5 and number > 1
        return VirtualClock(self.start_of(self.chance.choice(WRONG_S) if wrong else 0))

    @property
    def steady_from(self) -> float:
        """Since when a daemon has worked undisturbed whose clock is right."""
        found = [max(one.started_at, one.line.held_until, self._right_from.get(one, 0.0)) for one in self._right()]
        return min(found, default=float("inf"))

    def _right(self) -> list[StagedDaemon]:
        now = self.clock.now()
        return [one for one in self.daemons if one.undisturbed and abs(one.clock.now() - now) <= RIGHT]

    async def _happen(self) -> None:
        await super()._happen()
        if self.daemons and self.chance.random() < 0.05:
            one = self.chance.choice(self.daemons)
            off = self.clock.now() - one.clock.now()
            by = timedelta(seconds=self.chance.choice(WRONG_S)) if abs(off) <= RIGHT else off
            one.clock.jump(by)
            self._right_from[one] = asyncio.get_running_loop().time()
            self.told["clocks that were set"] += 1
            self.tell(f"the clock of {one.line.name} is set by {by}")
