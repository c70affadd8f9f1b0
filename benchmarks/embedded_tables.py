"""The tables of the embedded engine's measurements: values of two engines, side by side, and their ratio."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One measurement: a value of each engine, ours first; the ratio is the median of those of each round."""

    name: str
    values: Sequence[float]
    ratio: float | None


@dataclass(frozen=True)
class Table:
    """Measurements in one unit."""

    title: str
    unit: str
    lines: Sequence[Line]


def text(table: Table) -> str:
    """Return a table as Markdown."""
    head = f"\n### {table.title}\n\n| {table.unit} | embedded | Elasticsearch | ratio |\n| --- | ---: | ---: | ---: |"
    return "\n".join([head, *(_row(one) for one in table.lines)])


def _row(one: Line) -> str:
    shown = [f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in one.values]
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    return f"| {one.name} | {' | '.join([*shown, *['-'] * (2 - len(shown))])} | {ratio} |"


def line(name: str, rounds: Sequence[Sequence[float]]) -> Line:
    """Return the medians of several rounds of measurements of each engine."""
    values = [statistics.median(own) for own in zip(*rounds, strict=True)]
    return Line(name, values, statistics.median(one[0] / one[1] for one in rounds) if len(values) > 1 else None)
