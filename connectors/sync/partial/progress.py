"""Progress of a live sync: what its rounds come to together, and since when the index is behind the source."""

from typing import Final

from connectors.aio.clock import Clock
from connectors.sync.report import SyncReport

_NOT_SUMMED: Final = frozenset({"held", "expected"})


class Progress:
    """Keeps the report of a live sync, of which each round has one of its own."""

    def __init__(self, total: SyncReport, clock: Clock) -> None:
        self._total = total
        self._clock = clock
        self._before = total.counters()

    def behind(self) -> None:
        """Take note that something came which is not written yet."""
        if self._total.behind_since is None:
            self._total.behind_since = self._clock.now()

    def caught_up(self) -> None:
        """Take note that all that came is written."""
        self._total.behind_since = None

    def tell(self, of_round: SyncReport) -> None:
        """Have the report say what this round has come to so far, beside those before it."""
        total = self._total
        for name, number in of_round.counters().items():
            if name not in _NOT_SUMMED:
                setattr(total, name, self._before.get(name, 0) + number)
        total.waiting_for = of_round.waiting_for

    def end(self, of_round: SyncReport) -> None:
        """Have the report say what a round has come to in the end. Raises `Miscounted`."""
        self.tell(of_round)
        total = self._total
        total.check_sum()
        total.unsettled |= of_round.unsettled
        if of_round.warnings:
            total.warnings = list(of_round.warnings)  # of the last round that had any: there may be years of them
        self._before = total.counters()
