"""Refreshes: what was written becomes searchable in slices, between which others get their turn."""

import apsw

from connectors.engine.embedded.refusal import Refusal, disk_full
from connectors.engine.embedded.store.housekeeping import Housekeeping
from connectors.engine.embedded.store.index import Index
from connectors.engine.embedded.turn import Turn


class Refreshing:
    """Refreshes indices. For threads that do not hold the turn."""

    def __init__(self, turn: Turn, housekeeping: Housekeeping) -> None:
        self._turn = turn
        self._housekeeping = housekeeping

    def __call__(self, index: Index) -> None:
        """Make everything searchable that was written to an index so far, unless it goes away meanwhile."""
        wanted: int | None = None
        done = untidy = False
        while not done:
            with self._turn.taken():
                if wanted is None:  # what is being written by somebody else may come to nothing
                    wanted = index.file.last_row
                done = index.closed or index.refresh_step(wanted)
                untidy = done and not index.closed and index.file.gone_rows() > 0
        if untidy:
            self._housekeeping.tidy(index)

    def after_write(self, index: Index) -> None:
        """Refresh an index for somebody whose write is done, whatever becomes of the refresh.

        Raises a `Refusal` that says so, with a status that does not mean that nothing was written.
        """
        try:
            self(index)
        except apsw.FullError:
            raise _written_all_the_same(disk_full()) from None
        except Refusal as refusal:
            raise _written_all_the_same(refusal) from refusal

    def if_due(self, index: Index) -> None:
        """Refresh an index when its own interval is over."""
        if index.is_due:
            self(index)


def _written_all_the_same(refusal: Refusal) -> Refusal:
    return Refusal(500, "exception", f"It was written, but can't be searched yet: {refusal.reason}")
