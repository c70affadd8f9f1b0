"""The model of a sync: whatever goes wrong in whatever order, its rules keep an index equal to its source."""

from collections import Counter
from dataclasses import fields

import pytest

from tests.torture.conftest import Report
from tests.torture.model.rules import Rules
from tests.torture.model.world import Broken, World

PROMISE = (
    "A round is 400 histories of a model in which two workers sync one index in full and incrementally. Answers are "
    "lost, requests arrive late, twice or by half, workers die, are held up and taken over while they go on, others "
    "change and delete documents, a person changes the rules and moves the cursor, primaries fail over, the index is "
    "replaced or restored, records get lost. A sync that completes "
    "is right at the moment for which it says so, one is skipped only when nothing changed, no document is deleted "
    "that the deleting sync had read or that a later owner wrote, no version is written over a later one, and in the "
    "end one more sync alone makes the index equal to the source, and one more writes nothing."
)
HISTORIES = 400
STEPS = 400
ALL = Rules()
RULES = [one.name for one in fields(Rules)]
FIRST_REFUTATION: dict[str, int] = {
    "audited": 6,
    "connector_is_touched": 1402,
    "cursor_after_acknowledged": 587,
    "cursor_expects_revision": 20131,
    "cursor_holds_for_recipe": 32,
    "cursor_holds_for_target": 103,
    "deletes_expect_revision": 14,
    "drained_before_stamp": 0,
    "external_versions": 1,
    "fenced_by_higher_epoch": 36,
    "incremental_audited": 7,
    "once_in_flight": 5262,
    "reach_after_cursor": 8220,
    "reach_is_voided": 1159,
    "skip_compares_recipe": 4,
    "stamp_before_refresh": 75,
    "stamp_is_compared": 4,
    "state_is_fenced": 529,
    "terms_are_compared": 1167,
    "token_before_walk": 52,
    "version_is_compared": 7,
}
"""The first seed whose history goes wrong when a rule is broken."""


def explore(seeds: range, rules: Rules = ALL) -> Counter[str]:
    told: Counter[str] = Counter()
    for seed in seeds:
        world = World(seed, rules, told, [])
        try:
            world.run(STEPS)
        except Broken as error:
            error.add_note(f"Seed {seed}:\n" + "\n".join(world.trail or []))
            raise
    return told


def test_many_histories_end_well() -> None:
    told = explore(range(HISTORIES))

    for happened in ("completed", "skipped", "lost", "replaced", "unsettled", "crashes", "deletes", "checked skips"):
        assert told[happened], f"in none of these histories there was: {happened}"


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_needed(rule: str) -> None:
    seed = FIRST_REFUTATION[rule]

    with pytest.raises(Broken):
        explore(range(seed, seed + 1), Rules(**{rule: False}))


def test_the_same_seed_makes_the_same_history() -> None:
    first, second = World(7, trail=[]), World(7, trail=[])
    first.run(STEPS)
    second.run(STEPS)

    assert first.trail == second.trail


@pytest.mark.long_round
def test_very_many_histories_end_well(seeds: range, report: Report) -> None:
    told = explore(range(seeds.start * HISTORIES, seeds.stop * HISTORIES))

    facts = {"steps": told["steps"], "syncs that completed": told["completed"], "that were skipped": told["skipped"]}
    others = ("lost", "replaced", "unsettled", "crashes", "deletes")
    report.add("The model of a sync", PROMISE, seeds, facts | {name: told[name] for name in others})
