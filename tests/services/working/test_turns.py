"""Turns: fair to every connector, one job at a time for each, and never more than there are places."""

import random
from collections import Counter
from typing import Any

import pytest

from connectors.engine.records import Revision
from connectors.services.working.turns import Places, next_jobs
from connectors.store.job import SyncJob
from connectors.store.lanes import Lane

MANY = Places(content=100, access_control=100)


def job(number: int, connector: str = "c", **document: Any) -> SyncJob:
    snapshot = {"id": connector, "service_type": document.pop("source", "sqlite")}
    snapshot |= {"configuration": document.pop("configuration", {})}
    usual = {"connector": snapshot, "job_type": "full", "status": "pending"}
    return SyncJob(f"j{number}", {**usual, **document}, Revision(number, 1))


def ids(jobs: list[SyncJob]) -> list[str]:
    return [one.id for one in jobs]


def test_of_each_connector_the_oldest_job_comes_first_and_alone() -> None:
    known = [job(1, "a"), job(2, "a"), job(3, "b", status="suspended"), job(4, "b")]
    assert ids(next_jobs(known, (), MANY, {})) == ["j1", "j3"]


def test_who_may_read_what_is_read_beside_the_content() -> None:
    known = [job(1), job(2, job_type="access_control"), job(3, job_type="incremental")]
    assert ids(next_jobs(known, (), MANY, {})) == ["j1", "j2"]


@pytest.mark.parametrize("status", ["in_progress", "canceling"])
def test_a_connector_whose_job_runs_elsewhere_waits(status: str) -> None:
    known = [job(1, status=status), job(2), job(3, "other")]
    assert ids(next_jobs(known, (), MANY, {})) == ["j3"]


def test_a_job_that_was_begun_here_counts_though_its_document_does_not_say_so_yet() -> None:
    assert next_jobs([job(1), job(2)], {"j1"}, MANY, {}) == []


def test_there_are_no_more_jobs_than_places() -> None:
    known = [job(number, f"c{number}") for number in range(5)]
    known += [job(number, f"c{number}", job_type="access_control") for number in range(5, 8)]
    places = Places(content=2, access_control=1)
    assert ids(next_jobs(known, (), places, {})) == ["j0", "j1", "j5"]
    assert ids(next_jobs(known, {"j3", "j6"}, places, {})) == ["j0"]
    assert next_jobs(known, {"j2", "j3", "j6"}, places, {}) == []


def test_a_source_has_its_own_limit_and_holds_up_no_other() -> None:
    known = [
        job(1, "a"),
        job(2, "b"),
        job(3, "c", source="mysql"),
        job(4, "d", source="mysql"),
        job(5, "e", source=None),
    ]
    assert ids(next_jobs(known, (), Places(content=9, of_source=1), {})) == ["j1", "j3", "j5"]


def test_a_host_has_its_own_limit_whatever_connectors_and_sources_read_from_it() -> None:
    def of(host: str | None) -> dict[str, Any]:
        return {} if host is None else {"url": {"value": f"https://{host}/path"}}

    hosts = ("db.example", "DB.example:443", "other", "db.example", None, None)
    known = [job(n, f"c{n}", source=f"s{n}", configuration=of(host)) for n, host in enumerate(hosts)]
    places = Places(content=9, access_control=9, of_host=2)
    assert ids(next_jobs(known, (), places, {})) == ["j0", "j1", "j2", "j4", "j5"]
    assert ids(next_jobs(known, {"j3"}, places, {})) == ["j0", "j2", "j4", "j5"]


def test_who_waited_longest_comes_first() -> None:
    known = [job(1, "a"), job(2, "b"), job(3, "c")]
    turns = {Lane("a", False): 7, Lane("b", False): 3}
    assert ids(next_jobs(known, (), MANY, turns)) == ["j3", "j2", "j1"]


def test_jobs_of_no_connector_are_run_each_by_itself_so_that_they_say_why_they_can_not() -> None:
    known = [SyncJob(f"j{n}", {"status": "pending"}, Revision(n, 1)) for n in range(2)]
    assert ids(next_jobs(known, (), MANY, {})) == ["j0", "j1"]


def test_a_connector_that_wants_much_does_not_starve_the_others() -> None:
    chance = random.Random(1)
    known = [job(number, "greedy") for number in range(500)]
    known += [job(500 + number, f"modest {number}") for number in range(20)]
    turns, done = dict[Lane, int](), Counter[str]()
    running: set[str] = set()
    for turn in range(60):
        for one in next_jobs(known, running, Places(content=2), turns):
            running.add(one.id)
            turns[Lane.of(one)] = turn
        ended = chance.choice(sorted(running))
        running.discard(ended)
        done.update(one.connector_id or "" for one in known if one.id == ended)
        known = [one for one in known if one.id != ended]
        if turn == 45:
            assert sum(name.startswith("modest") for name in done) == 20
