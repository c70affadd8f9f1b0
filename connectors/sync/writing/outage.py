"""An outage: a time in which an engine takes nothing, how long a sync bears it, and how often it speaks of it."""

from typing import Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.sync.report import SyncReport

log = logger.get(__name__)
TELL_EVERY_S: Final = 30.0
"""Many batches wait at once, each of which is tried again and again: the log has one line of all of them so often."""
WORTH_TELLING_S: Final = 5.0
"""Of a shorter outage it is not told that it is over."""


class Outage:
    """Watches whether an engine takes anything at all. After `longest_s` without anything, it gives up.

    Batches that the engine refuses in part are no outage: whatever it takes of them ends one.
    """

    def __init__(self, report: SyncReport, clock: Clock, longest_s: float) -> None:
        self._report = report
        self._clock = clock
        self._longest_s = longest_s
        self._since: float | None = None
        self._told_at: float | None = None

    def lasts(self, error: Exception, attempt: int, pause_s: float) -> None:
        """Note that something was not taken and will be tried again, or raise why when that took too long."""
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
        if now + pause_s - self._since > self._longest_s:
            error.add_note(f"Gave up after {attempt} attempts.")
            raise error
        self._report.waiting_for = str(error)
        is_news = self._told_at is None or now - self._told_at >= TELL_EVERY_S
        if is_news:
            self._told_at = now
        tell = log.info if is_news else log.debug
        tell(
            "The engine did not take a batch; trying again.", attempt=attempt, pause_s=round(pause_s, 1), why=str(error)
        )

    def passes(self) -> None:
        """Note that the engine took something."""
        if self._since is None:
            return
        lasted_s = self._clock.monotonic() - self._since
        self._since = None
        if lasted_s >= WORTH_TELLING_S:
            self._told_at = None
            log.info("The engine takes batches again.", after_s=round(lasted_s, 1))

    def over(self) -> None:
        """Note that a batch was taken whole: nobody has to know what it waited for."""
        self._report.waiting_for = None
