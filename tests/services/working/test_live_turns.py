"""Turns of live syncs: behind all others of their connector, and in places of their own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.engine.records import Revision
from connectors.services.working.turns import Places, next_jobs, to_look
from connectors.store.job import SyncJob
from connectors.store.live import METADATA, lag_of

MANY = Places(content=100, access_control=100)
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def job(number: int, connector: str = "c", *, live: bool = False, **document: Any) -> SyncJob:
    kind = {"job_type": "incremental", "metadata": METADATA} if live else {"job_type": "full"}
    usual = {"connector": {"id": connector, "service_type": "log"}, "status": "pending", **kind}
    return SyncJob(f"j{number}", {**usual, **document}, Revision(number, 1))


def ids(jobs: list[SyncJob]) -> list[str]:
    return [one.id for one in jobs]


def test_a_live_sync_comes_behind_all_others_of_its_connector_though_it_is_older() -> None:
    known = [job(1, live=True), job(2), job(3, "d", live=True)]
    assert sorted(ids(next_jobs(known, (), MANY, {}))) == ["j2", "j3"]
    assert ids(next_jobs(known[:1], (), MANY, {})) == ["j1"]


def test_live_syncs_take_no_places_of_others_and_have_so_many_of_their_own() -> None:
    known = [job(number, f"l{number}", live=True) for number in range(3)] + [job(9, "f")]
    places = Places(content=1, live=2, of_source=1)
    assert ids(next_jobs(known, (), places, {})) == ["j9", "j0", "j1"]
    assert ids(next_jobs(known, {"j0", "j1"}, places, {})) == ["j9"]


def test_a_live_sync_keeps_its_lane() -> None:
    known = [job(1, live=True, status="in_progress"), job(2)]
    assert next_jobs(known, (), MANY, {}) == []


@pytest.mark.parametrize(
    ("others", "status", "own", "looks"),
    [
        ([job(2)], "in_progress", {"j1"}, True),
        ([], "canceling", {"j1"}, True),
        ([], "in_progress", {"j1"}, False),
        ([job(2)], "in_progress", set[str](), False),
        ([job(2, "other")], "in_progress", {"j1"}, False),
        ([job(2, job_type="access_control")], "in_progress", {"j1"}, False),
        ([job(2, metadata={"format": 99})], "in_progress", {"j1"}, False),
        ([job(2, live=True)], "in_progress", {"j1"}, False),
    ],
)
def test_a_live_sync_that_runs_here_is_to_look_when_it_may_have_to_end(
    others: list[SyncJob], status: str, own: set[str], looks: bool
) -> None:
    known = [job(1, live=True, status=status), *others]
    assert to_look(known, own) == (["j1"] if looks else [])


def told(**report: Any) -> dict[str, Any]:
    return {**METADATA, "sync": report}


@pytest.mark.parametrize(
    ("status", "report", "lag_s"),
    [
        ("in_progress", {"phase": "live", "caught_up_at": "2026-11-30T11:59:40+00:00"}, 0),
        (
            "in_progress",
            {
                "phase": "live",
                "behind_since": "2026-11-30T11:59:50+00:00",
                "caught_up_at": "2026-11-30T11:59:50+00:00",
            },
            10,
        ),
        ("in_progress", {"phase": "starting", "caught_up_at": "2026-11-30T11:59:00+00:00"}, 60),
        ("suspended", {"phase": "live", "caught_up_at": "2026-11-30T11:58:00+00:00"}, 120),
        ("suspended", {"phase": "suspended", "caught_up_at": "2026-11-30T12:58:00+00:00"}, 0),
        ("suspended", {"phase": "suspended"}, None),
    ],
)
def test_the_lag_is_as_the_job_says(status: str, report: dict[str, Any], lag_s: float | None) -> None:
    expected = timedelta(seconds=lag_s) if lag_s is not None else None
    assert lag_of(job(1, live=True, status=status, metadata=told(**report)), NOW) == expected


def test_of_a_job_that_says_nothing_no_lag_is_known() -> None:
    assert lag_of(job(1, live=True), NOW) is None
