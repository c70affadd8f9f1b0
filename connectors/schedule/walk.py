"""Walks: a place in the local time of a zone, from which the next moment of a schedule is looked for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from connectors.schedule.moments import Moments
from connectors.schedule.zone import CALM, Zone, offset_at, turned_between

_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True)
class Walk:
    """An instant, and what clocks show there.

    All moments up to `shown` are behind. `expected` is what clocks would show next had they not been turned: if that is
    later, they were turned back, and the moments before it come for the second time; if it is not later than `shown`,
    they were turned forward here, and the moments from it up to `shown` are left out.
    """

    zone: Zone
    here: datetime
    offset: timedelta
    shown: datetime
    expected: datetime

    @classmethod
    def begun(cls, instant: datetime, zone: Zone) -> Self:
        """Return the place at an instant, whose own moment counts as behind."""
        here = instant.astimezone(UTC).replace(microsecond=0)
        local = here.astimezone(zone)
        offset, shown = local.utcoffset() or timedelta(), local.replace(tzinfo=None, fold=0)
        if not local.fold:
            return cls(zone, here, offset, shown, shown + _SECOND)
        start = here - CALM
        expected = turned_between(start, here, zone) + offset_at(start, zone)
        return cls(zone, here, offset, shown, expected.replace(tzinfo=None))

    def turned(self, end: datetime) -> Self:
        """Return the place where clocks are turned, on the way to an instant that has another offset."""
        here = turned_between(self.here, end, self.zone)
        offset, clock = offset_at(here, self.zone), here.replace(tzinfo=None)
        return type(self)(self.zone, here, offset, clock + offset - _SECOND, clock + self.offset)

    def leaves_out(self, moments: Moments) -> bool:
        """Return whether clocks are turned forward here, over one of these moments."""
        if self.expected > self.shown:
            return False
        found = moments.after(self.expected - _SECOND)
        return found is not None and found <= self.shown

    def next_of(self, every: Moments, running: Moments) -> datetime | None:
        """Return the next moment, if clocks go on as they do here; what comes for the second time has to be running."""
        if self.expected - self.shown <= _SECOND:
            return every.after(self.shown)
        found = running.after(self.shown)
        if found is not None and found < self.expected:
            return found
        return every.after(self.expected - _SECOND)

    def instant_of(self, moment: datetime) -> datetime:
        """Return the instant at which clocks show a moment, if they go on as they do here."""
        return moment.replace(tzinfo=UTC) - self.offset
