"""The rounds of torture tests, and the report that a long run writes."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SHORT_TIMEOUT_S = 240
"""A round of real processes takes seconds; on a machine that has other things to do, minutes."""
REPORT = Path(__file__).parent.parent.parent / "docs" / "torture-report.md"
HEAD = """\
# Torture report

What the last long run of each test of `make torture` tried, how often and with which seeds, and what was lost. Each
seed makes one round, and the same seed makes the same round again: `make torture ROUNDS=1 FIRST_SEED=<seed>`.
"""


@dataclass
class Report:
    """What the torture tests did, for a page that keeps what earlier runs did of other tests."""

    path: Path = REPORT
    sections: dict[str, str] = field(default_factory=dict)

    def add(self, test: str, promise: str, seeds: range, facts: dict[str, int]) -> None:
        """Say that a test kept its promise with these seeds, and what happened in it."""
        happened = "; ".join(f"{count:,} {what}" for what, count in facts.items())
        on = f"{datetime.now(UTC):%Y-%m-%d}"
        rounds = f"{len(seeds):,} rounds, seeds {seeds.start} to {seeds.stop - 1}, on {on}."
        text = textwrap.fill(promise, 120, break_long_words=False, break_on_hyphens=False)
        self.sections[test] = f"{text}\n\n- {rounds}\n- {happened}.\n- Lost: nothing."

    def write(self) -> None:
        """Write the page."""
        sections = {**self._before(), **self.sections}
        body = [f"## {test}\n\n{sections[test]}" for test in sorted(sections)]
        self.path.write_text("\n\n".join([HEAD.rstrip(), *body]) + "\n", encoding="utf-8")

    def _before(self) -> dict[str, str]:
        """Return the sections of the page as it is."""
        if not self.path.exists():
            return {}
        _, *parts = self.path.read_text(encoding="utf-8").split("\n## ")
        return {title: text.strip() for title, _, text in (part.partition("\n") for part in parts)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the short rounds time; the long ones are given theirs on the command line."""
    for item in items:
        timed = item.get_closest_marker("long_round") or item.get_closest_marker("timeout")
        if HERE in item.path.parents and not timed:
            item.add_marker(pytest.mark.timeout(SHORT_TIMEOUT_S))


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """Collect what the long rounds did; a failed test leaves the last report as it is."""
    kept = Report()
    yield kept
    if kept.sections and not request.session.testsfailed:
        kept.write()


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds that `--rounds` and `--first-seed` ask for."""
    first: int = request.config.getoption("--first-seed")
    rounds: int = request.config.getoption("--rounds")
    return range(first, first + rounds)
