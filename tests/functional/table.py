"""The table that a functional test prints: a line for each stage, as soon as it is over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

HEADS: Final = (
    "stage",
    "documents",
    "created",
    "updated",
    "deleted",
    "s",
    "a second",
    "peak MB",
    "requests",
    "MB sent",
)
WIDTHS: Final = (38, 9, 8, 8, 8, 6, 8, 8, 8, 8)
MB: Final = 1_000_000


@dataclass(frozen=True)
class Stage:
    """What a stage did: the time that it took, the memory of the daemon, and what the report of its sync says."""

    name: str
    seconds: float
    peak_bytes: int
    report: Mapping[str, Any]
    is_sync: bool = False
    """Whether the time is that of one sync and nothing else, so that documents a second mean something."""

    @property
    def line(self) -> str:
        """The stage as a line of the table."""
        counts = [self.report.get(name, 0) for name in ("walked", "created", "updated", "deleted")]
        rate = f"{counts[0] / self.seconds:,.0f}" if self.is_sync and counts[0] else "-"
        peak = f"{self.peak_bytes / MB:,.0f}" if self.peak_bytes else "-"
        sent = [f"{self.report.get('requests', 0):,}", f"{self.report.get('sent_bytes', 0) / MB:.1f}"]
        return _line(self.name, *(f"{count:,}" for count in counts), f"{self.seconds:.1f}", rate, peak, *sent)


def head() -> str:
    """Return the line that says what is in the columns."""
    return _line(*HEADS)


def _line(first: str, *others: str) -> str:
    cells = [one.rjust(width) for one, width in zip(others, WIDTHS[1:], strict=True)]
    return "  ".join([first.ljust(WIDTHS[0]), *cells])
