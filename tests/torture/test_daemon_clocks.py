"""Clocks: daemons whose clocks are hours wrong, are set, or are turned."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.torture.conftest import Report
from tests.torture.shifts.clocks import ClockHistory
from tests.torture.shifts.history import live
from tests.torture.test_daemon_chaos import IN_MEMORY

PROMISE = (
    "A round is two histories like those of the chaos around daemons, most of them over the moment at which clocks are "
    "turned in the zone of the service. Half of the daemons but the first are an hour or two ahead or behind, and "
    "clocks are set in the middle of it. All that was promised there holds, each tick has one job, and none is missed "
    "where a daemon whose clock is right works; nor do daemons correct each other without end."
)
HISTORIES = 2
SHORT = (2, 4, 5)


def history_of(seed: int, told: Counter[str]) -> None:
    with TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        live(ClockHistory, seed, Path(folder), told)
    assert told["times that a connector was told of a tick"] <= 2 * told["ticks"], f"seed {seed}"


def test_daemons_with_wrong_clocks_keep_their_promises() -> None:
    told = Counter[str]()
    for seed in SHORT:
        history_of(seed, told)
    for happened in ("clocks that were set", "jobs of ticks"):
        assert told[happened], f"in none of these histories there was: {happened}"


@pytest.mark.long_round
def test_daemons_with_wrong_clocks_keep_their_promises_for_long(seeds: range, report: Report) -> None:
    told = Counter[str]()
    for seed in range(seeds.start * HISTORIES, seeds.stop * HISTORIES):
        history_of(seed, told)
    names = ("clocks that were set", "ticks", "jobs of ticks", "times that a connector was told of a tick")
    facts = {name: told[name] for name in (*names, "daemons that were killed", "daemons that were cut off")}
    report.add("Clocks of daemons", PROMISE, seeds, facts)
