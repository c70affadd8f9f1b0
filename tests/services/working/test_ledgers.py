"""Ledgers: within the limit for all, however large one is by itself, and nobody waits for ever."""

import random
from typing import Any

from connectors.engine.records import Revision
from connectors.services.working.ledgers import SMALL, bytes_of, within
from connectors.services.working.turns import Places, next_jobs
from connectors.store.job import SyncJob
from connectors.store.lanes import Lane


def job(name: str, **document: Any) -> SyncJob:
    return SyncJob(name, {"connector": {"id": name}, "status": "pending", **document}, Revision(1, 1))


def begun(sizes: dict[str, int], *, taken: int = 0, most: int = 100) -> list[str]:
    return [one.id for one in within([job(name) for name in sizes], sizes, taken, most)]


def test_a_ledger_takes_26_bytes_a_document() -> None:
    assert bytes_of(job("c"), 1_000_000) == 26_000_000


def test_an_index_of_which_nothing_is_known_counts_as_small_until_more_was_written() -> None:
    assert bytes_of(job("c"), None) == 26 * SMALL
    assert bytes_of(job("c", indexed_document_count=5), None) == 26 * SMALL
    assert bytes_of(job("c", indexed_document_count=2 * SMALL), None) == 52 * SMALL
    assert bytes_of(job("c", indexed_document_count="many"), 7) == 26 * 7


def test_only_incremental_syncs_have_no_ledger() -> None:
    found = {name: bytes_of(job("c", job_type=name), 10) for name in ("full", "incremental", "access_control")}
    assert found == {"full": 260, "incremental": 0, "access_control": 260}


def test_as_many_are_begun_as_there_is_memory_for() -> None:
    assert begun({"a": 60, "b": 40, "c": 1}) == ["a", "b"]
    assert begun({"a": 60}, taken=40) == ["a"]
    assert begun({"a": 60}, taken=41) == []


def test_one_that_is_larger_than_the_limit_runs_alone() -> None:
    assert begun({"large": 101, "a": 1}) == ["large"]
    assert begun({"large": 101}, taken=1) == []
    assert begun({"a": 1}, taken=101) == []


def test_one_that_finds_no_room_is_waited_for_by_all_that_need_any() -> None:
    assert begun({"a": 50, "large": 60, "b": 10, "incremental": 0}) == ["a", "incremental"]


def test_a_large_one_gets_its_turn_though_small_ones_never_end() -> None:
    chance = random.Random(1)
    sizes = {f"c{number}": chance.randint(1, 40) for number in range(20)} | {"large": 130}
    known = [job(name) for name in sizes]
    running, turns, begins = list[str](), dict[Lane, int](), dict[str, int]()
    for turn in range(300):
        chosen = next_jobs(known, running, Places(content=5), turns)
        for one in within(chosen, sizes, sum(sizes[name] for name in running), 100):
            running.append(one.id)
            turns[Lane.of(one)] = turn
            begins[one.id] = begins.get(one.id, 0) + 1
        taken = sum(sizes[name] for name in running)
        assert taken <= 100 or running == ["large"]
        running.remove(chance.choice(running))  # and it waits again at once
    assert set(begins) == set(sizes)
    assert max(begins.values()) - min(begins.values()) <= 1
