"""The progress of a sync: a line that changes on a terminal, and now and then one that stays anywhere else."""

import asyncio
import io
import shutil
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO, cast

from connectors.aio.clock import Clock
from connectors.aio.tasks import Tasks
from connectors.aio.throttle import AdaptiveLimiter
from connectors.cli.wording import counted, in_bytes, in_time

if TYPE_CHECKING:
    from connectors.sync.report import SyncReport

EACH_S: Final = 0.2
"""How often the line of a terminal is drawn."""
PLAIN_EACH_S: Final = 10.0
"""How often a line is printed elsewhere."""
PACE_OVER_S: Final = 15.0
"""Over how long the documents of a second are counted: less would jump, more would lag behind."""
WIDEST: Final = 120
BAR: Final = 20
ERASED: Final = "\r\x1b[K"


@dataclass(frozen=True)
class Moment:
    """How far a sync has come, and how fast it is."""

    report: "SyncReport"
    seconds: float
    """Since it began."""
    pace: float
    """Documents a second."""
    bulks: int
    most_bulks: int

    @property
    def share(self) -> float | None:
        """Which part of the source was read; None when the source can't tell how much there is, or reads nothing."""
        expected = self.report.expected
        if not expected or self.report.phase != "reading":
            return None
        return min(self.report.walked / expected, 1.0)

    @property
    def left_s(self) -> float | None:
        """How long the reading will take at this pace."""
        expected = self.report.expected
        if self.share is None or expected is None or self.pace <= 0:
            return None
        return max(expected - self.report.walked, 0) / self.pace

    def line(self, width: int) -> str:
        """Return it for a terminal, no wider than that."""
        report = self.report
        parts = [report.phase]
        if self.share is not None:
            done = round(self.share * BAR)
            parts[0] += f" [{'#' * done}{'-' * (BAR - done)}] {self.share:.0%}"
        parts += [*self._amounts(), in_time(self.seconds)]
        if self.left_s is not None:
            parts[-1] = f"{in_time(self.left_s)} left"
        parts.append(f"bulks {self.bulks}/{self.most_bulks}")
        if report.waiting_for is not None:
            parts.insert(1, f"the engine takes nothing: {_one_line(report.waiting_for)}")
        text = "  ".join(parts)
        return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"

    def plain(self) -> str:
        """Return it as a line that stays."""
        text = f"{self.report.phase}: {', '.join(self._amounts())}, {in_time(self.seconds)}"
        if self.left_s is not None:
            text += f", {in_time(self.left_s)} left"
        if self.report.waiting_for is not None:
            text += f"; the engine takes nothing: {_one_line(self.report.waiting_for)}"
        return text

    def _amounts(self) -> list[str]:
        report = self.report
        documents = counted(report.walked, "id" if report.deletes_only else "document")
        if self.share is not None and report.expected is not None:
            documents = f"{report.walked:,} of {max(report.expected, report.walked):,} documents"
        amounts = [documents, f"{self.pace:,.0f}/s", f"{in_bytes(report.sent_bytes)} sent"]
        if report.downloaded:
            amounts.append(f"{in_bytes(report.downloaded_bytes)} fetched")
        return amounts


class Screen(io.TextIOBase):
    """A terminal with one line at its bottom that changes, above which everything else is written."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._out = out
        self._bottom = ""

    def isatty(self) -> bool:
        """Return that it is a terminal."""
        return True

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def write(self, text: str, /) -> int:
        """Write whole lines above the one that changes."""
        self._out.write(f"{ERASED}{text}{self._bottom if text.endswith(chr(10)) else ''}")
        self._out.flush()
        return len(text)

    def show(self, line: str) -> None:
        """Change the line at the bottom; an empty one takes no place."""
        self._bottom = line
        self._out.write(f"{ERASED}{line}")
        self._out.flush()


class Progress:
    """Shows how the syncs of one command come on, one after the other."""

    def __init__(self, out: TextIO, limiter: AdaptiveLimiter, clock: Clock) -> None:
        self._out = out
        self._limiter = limiter
        self._clock = clock
        self._report: SyncReport | None = None
        self._began = 0.0
        self._walked: deque[tuple[float, int]] = deque()

    def begin(self, report: "SyncReport") -> None:
        """Show this sync from now on."""
        self._report = report
        self._began = self._clock.monotonic()
        self._walked = deque([(self._began, report.walked)])

    def waiting(self, owner: str, patience_s: float) -> None:
        """Say that somebody else's lease is watched."""
        self._out.write(
            f"Waiting for {owner}, which has written to this index, to show whether it is alive "
            f"(up to {in_time(patience_s)}).\n"
        )
        self._out.flush()

    @asynccontextmanager
    async def running(self, log_to: Callable[[TextIO | None], None]) -> AsyncIterator[None]:
        """Show it while the block runs. On a terminal the log goes above the line that changes."""
        screen = Screen(self._out) if self._out.isatty() else None
        before = self._out
        if screen is not None:
            self._out = cast("TextIO", screen)
            log_to(self._out)
        try:
            async with Tasks("progress") as tasks:
                showing = tasks.start(self._show(screen), name="showing")
                try:
                    yield
                finally:
                    showing.cancel()
        finally:
            self._out = before
            if screen is not None:
                screen.show("")
                log_to(None)

    async def _show(self, screen: Screen | None) -> None:
        while True:
            if screen is not None:
                await asyncio.sleep(EACH_S)
                if (moment := self._moment()) is not None:
                    screen.show(moment.line(min(shutil.get_terminal_size().columns, WIDEST) - 1))
            else:
                await asyncio.sleep(PLAIN_EACH_S)
                if (moment := self._moment()) is not None:
                    self._out.write(f"{moment.plain()}\n")
                    self._out.flush()

    def _moment(self) -> Moment | None:
        report = self._report
        if report is None:
            return None
        now = self._clock.monotonic()
        self._walked.append((now, report.walked))
        while len(self._walked) > 2 and self._walked[1][0] <= now - PACE_OVER_S:
            self._walked.popleft()
        since, before = self._walked[0]
        pace = (report.walked - before) / (now - since) if now > since else 0.0
        return Moment(report, now - self._began, pace, self._limiter.limit, self._limiter.most)


def _one_line(text: str) -> str:
    return " ".join(text.split())
