"""Measuring: the same work done in several ways, in turn, so that a drifting machine hits all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 7


@dataclass(frozen=True)
class Row:
    """How one way did: its median, and that as a multiple of the first way's, pair by pair."""

    name: str
    median: float
    ratio: float


def compare(ways: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS) -> list[Row]:
    """Time each way once a round, after one round that does not count; the first way is the yardstick."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, work in ways.items():
            started = time.perf_counter()
            work()
            if number:
                times[name].append(time.perf_counter() - started)
    return rows(times)


def rows(times: Mapping[str, list[float]]) -> list[Row]:
    """Return the medians, and the median of the ratios of each round."""
    base = next(iter(times.values()))
    return [
        Row(name, statistics.median(own), statistics.median(a / b for a, b in zip(own, base, strict=True)))
        for name, own in times.items()
    ]


def table(title: str, found: list[Row], *, unit: str, per: float = 1.0) -> str:
    """Return the rows as a table; a median is divided by `per` and shown in that unit."""
    head = f"\n### {title}\n\n| way | median, {unit} | ratio |\n| --- | ---: | ---: |"
    return "\n".join([head, *(f"| {row.name} | {row.median / per:.3g} | {row.ratio:.2f} |" for row in found)])
