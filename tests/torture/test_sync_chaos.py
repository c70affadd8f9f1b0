"""The chaos: real syncs keep the promises of the model under the same disorder."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.torture.chaos.history import live
from tests.torture.conftest import Report

PROMISE = (
    "A round is ten histories in which real syncs, full and incremental, write to an embedded engine in virtual time. "
    "Requests and answers are lost, arrive late, twice or by half, are refused as a whole or in part; processes die, "
    "are held up past their leases and taken over while they go on, with clocks that differ; the source changes while "
    "it is read; others change, overwrite, delete and rewrite documents; the index is replaced, restored or gone, and "
    "its record too. What completes is right at the moment for which it says so, what is skipped had nothing to do, "
    "nothing is deleted that the deleting sync had read or that a later owner wrote, no older version is written over "
    "a newer one, a copy of a ledger that is trusted is true, nobody loses a lease to nobody, and in the end one more "
    "sync alone makes the index equal to the source, and one more sends nothing."
)
STEPS = 400
HISTORIES = 10
SHORT = range(40)
IN_MEMORY = Path("/dev/shm")
"""Where there is one, thousands of small writes that are synced cost no time."""


def explore(seeds: range) -> Counter[str]:
    told: Counter[str] = Counter()
    for seed in seeds:
        history_of(seed, told)
    return told


def history_of(seed: int, told: Counter[str] | None = None) -> list[str]:
    with TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        return live(seed, Path(folder), STEPS, told)


@pytest.mark.timeout(300)
def test_many_histories_end_well() -> None:
    told = explore(SHORT)

    ends = ("completed", "skipped", "died", "JobLost", "IndexReplaced", "TargetInUse")
    others = ("deletes", "held deletions", "late parcels", "trusted copies", "incremental syncs that completed")
    for happened in (*(f"syncs: {end}" for end in ends), *others):
        assert told[happened], f"in none of these histories there was: {happened}"


def test_the_same_seed_makes_the_same_history() -> None:
    assert history_of(7) == history_of(7)


@pytest.mark.long_round
def test_very_many_histories_end_well(seeds: range, report: Report) -> None:
    told = explore(range(seeds.start * HISTORIES, seeds.stop * HISTORIES))

    facts = {name.removeprefix("syncs: "): told[name] for name in sorted(told) if name.startswith("syncs: ")}
    report.add("The chaos around real syncs", PROMISE, seeds, facts | {"deletes": told["deletes"]})
