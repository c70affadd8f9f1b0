"""A standing: what of a connector needs a person, and when its syncs come."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.cli.standing import Coming, Rhythm, Run, Standing, schedules_of
from connectors.engine.records import Revision
from connectors.schedule import Windows, delay_of
from connectors.store.connector import Connector
from connectors.store.held import HeldSet, HeldStatus
from connectors.store.job import SyncJob
from connectors.store.sync_state import JobType
from connectors.store.ticks import SeenSchedule

NOW = datetime(2026, 11, 30, 6, 10, tzinfo=UTC)
RHYTHM = Rhythm(NOW, UTC, jitter=timedelta(), lease_timeout=timedelta(seconds=60))
WELL = {"service_type": "shop", "status": "connected"}
HOURLY = "0 0 * * * ?"
HELD = HeldSet(
    connector="c",
    run="r",
    target="t",
    job_type=JobType.FULL,
    reason="The source yielded nothing.",
    created_at=NOW - timedelta(hours=3),
    number=1_200,
    status=HeldStatus.HELD,
)


def connector(**document: Any) -> Connector:
    return Connector("c", {**WELL, **document}, Revision(1, 1))


def standing(found: Connector | None = None, **parts: Any) -> Standing:
    return Standing(found or connector(), RHYTHM, **parts)


def job(**document: Any) -> SyncJob:
    return SyncJob("j", {"connector": {"id": "c"}, "job_type": "full", **document}, Revision(1, 1))


def troubles(found: Standing) -> list[tuple[str, str, str | None]]:
    return [(one.kind, one.text, one.command) for one in found.troubles]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"last_sync_status": "completed", "last_access_control_sync_status": "canceled"},
        {"last_sync_status": "suspended", "last_sync_error": "whatever"},
        {"status": "configured", "last_sync_status": "in_progress"},
        {"filtering": {"draft": {"validation": {"state": "edited"}}}},
        {"filtering": [5, {"domain": "OTHER", "draft": {"validation": {"state": "invalid"}}}]},
    ],
)
def test_a_connector_that_is_well_needs_nobody(document: dict[str, Any]) -> None:
    assert troubles(standing(connector(**document))) == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"status": "error", "error": "No way"}, [("error", "No way", "connectors check c")]),
        ({"status": "error"}, [("error", "It is in error, and does not say why.", "connectors check c")]),
        ({"status": "created"}, [("settings", "Nobody has configured it yet.", "connectors show c")]),
        ({"status": "needs_configuration"}, [("settings", "It lacks settings.", "connectors show c")]),
        (
            {"status": None},
            [("settings", "Its status says nothing, so it is never synced by a schedule.", "connectors show c")],
        ),
        ({"service_type": None}, [("source", "It does not say which source it reads.", "connectors show c")]),
        (
            {"last_sync_status": "error", "last_sync_error": "Gone"},
            [("sync", "The last sync failed: Gone", "connectors sync c")],
        ),
        (
            {"status": "error", "error": "Gone", "last_sync_status": "error", "last_sync_error": "Gone"},
            [("error", "Gone", "connectors check c")],
        ),
        (
            {"last_access_control_sync_status": "error"},
            [
                (
                    "sync",
                    "The last access-control sync failed: it does not say why",
                    "connectors sync c --access-control",
                )
            ],
        ),
        (
            {"last_sync_status": "completed", "last_sync_error": "Others wrote."},
            [("sync", "Of the last sync: Others wrote.", "connectors sync c")],
        ),
        (
            {"filtering": [{"domain": "DEFAULT", "draft": {"validation": {"state": "invalid"}}}]},
            [
                (
                    "rules",
                    "Its edited sync rules are not valid, so those before them are in use.",
                    "connectors rules show c",
                )
            ],
        ),
    ],
)
def test_what_needs_a_person_is_told_with_the_command_to_begin_with(
    document: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    assert troubles(standing(connector(**document))) == expected


def test_what_a_sync_left_is_told_once_and_not_in_its_own_words_too() -> None:
    found = connector(last_sync_status="completed", last_sync_error="1,200 deletions are held, and letters written.")
    assert troubles(standing(found, held=[HELD], letters=1)) == [
        (
            "held_deletions",
            "1,200 deletions held back for 3 h: The source yielded nothing.",
            "connectors deletes list c",
        ),
        ("dead_letters", "1 dead letter of documents that could not be indexed.", "connectors dead-letters list c"),
    ]


@pytest.mark.parametrize(("silent_s", "is_lost"), [(180, False), (181, True)])
def test_a_sync_that_nobody_took_over_needs_a_person(silent_s: float, is_lost: bool) -> None:
    seen_at = (NOW - timedelta(seconds=silent_s)).isoformat()
    run = Run.of(job(status="in_progress", last_seen=seen_at, worker_hostname="host"), NOW)
    text = "A sync on host has shown no sign of life for 3 min, and no daemon took it over."
    expected = [("lost", text, "connectors job show j")] if is_lost else []
    assert troubles(standing(running=[run])) == expected


def test_a_run_says_how_far_it_has_come() -> None:
    found = job(
        status="in_progress",
        created_at="2026-11-30T06:00:00Z",
        started_at="2026-11-30T06:01:00Z",
        last_seen="2026-11-30T06:09:00Z",
        worker_hostname="host",
        indexed_document_count=3,
        deleted_document_count=1,
        metadata={"sync": {"walked": 70, "expected": None, "phase": "checking"}},
    )
    assert Run.of(found, NOW) == Run(
        job="j",
        job_type=JobType.FULL,
        status="in_progress",
        since=datetime(2026, 11, 30, 6, 1, tzinfo=UTC),
        seen_at=datetime(2026, 11, 30, 6, 9, tzinfo=UTC),
        where="host",
        phase="checking",
        counts={"read": 70, "indexed": 3, "deleted": 1},
    )


def test_a_run_that_waits_has_come_nowhere() -> None:
    found = job(status="suspended", created_at="2026-11-30T06:00:00Z", worker_hostname="host", metadata={"sync": 5})
    assert Run.of(found, NOW) == Run("j", JobType.FULL, "suspended", datetime(2026, 11, 30, 6, tzinfo=UTC), None, None)


def test_the_process_that_syncs_without_a_job_is_named() -> None:
    assert Run.without_job("host|place|12|34", NOW).where == "process 12 on host"
    assert Run.without_job("somebody", NOW).where == "somebody"


# --- what comes ---------------------------------------------------------------------------------------------------


def scheduled(**others: Any) -> Connector:
    schedule = {"enabled": True, "interval": HOURLY}
    features = {"incremental_sync": {"enabled": True}}
    return connector(scheduling={"full": schedule, "incremental": schedule}, features=features, **others)


def test_a_schedule_that_no_daemon_has_seen_counts_from_now_on() -> None:
    seven = datetime(2026, 11, 30, 7, tzinfo=UTC)
    coming, faults = schedules_of(scheduled(), RHYTHM, {})
    assert coming == [Coming(JobType.FULL, HOURLY, seven, None), Coming(JobType.INCREMENTAL, HOURLY, seven, None)]
    assert faults == ()


def test_a_tick_without_a_job_is_due_since_then() -> None:
    seen = {"full": SeenSchedule(form=HOURLY, since=NOW - timedelta(days=1))}
    coming, _ = schedules_of(scheduled(last_sync_scheduled_at="2026-11-30T03:00:00Z"), RHYTHM, seen)
    assert [one.due_since for one in coming] == [datetime(2026, 11, 30, 6, tzinfo=UTC), None]


def test_a_tick_is_due_when_the_job_of_this_connector_is_to_be_made() -> None:
    rhythm = replace(RHYTHM, jitter=timedelta(minutes=8))
    seen = {"full": SeenSchedule(form=HOURLY, since=NOW - timedelta(days=1))}
    (full, incremental), _ = schedules_of(scheduled(), rhythm, seen)
    delay = delay_of("c", rhythm.jitter)
    assert timedelta() < delay <= timedelta(minutes=8)
    assert full.due_since == datetime(2026, 11, 30, 6, tzinfo=UTC) + delay
    assert (incremental.at, incremental.due_since) == (datetime(2026, 11, 30, 7, tzinfo=UTC) + delay, None)


def test_a_custom_schedule_comes_too() -> None:
    custom = {"weekly": {"enabled": True, "interval": HOURLY}, "never": {"enabled": False, "interval": HOURLY}}
    seen = {"full": SeenSchedule(form=HOURLY, since=NOW - timedelta(days=1))}
    coming, faults = schedules_of(connector(custom_scheduling=custom), RHYTHM, seen)
    assert coming == [Coming(JobType.FULL, HOURLY, datetime(2026, 11, 30, 7, tzinfo=UTC), None, "weekly")]
    assert faults == ()


def test_a_custom_schedule_that_is_wrong_is_told() -> None:
    found = connector(custom_scheduling={"weekly": {"enabled": True, "interval": "weekly"}})
    _, (fault,) = schedules_of(found, RHYTHM, {})
    assert fault.startswith("custom_scheduling.weekly.interval: ")
    assert troubles(standing(found, faults=[fault])) == [("schedule", fault, "connectors show c")]


@pytest.mark.parametrize("own", [True, False])
def test_what_is_due_waits_for_a_window(own: bool) -> None:
    """At ten past six, with a tick each hour: what was due at six waits, or is due since its window opened."""
    seen = {"full": SeenSchedule(form=HOURLY, since=NOW - timedelta(days=1))}

    def full(window: str) -> Coming:
        rhythm = RHYTHM if own else replace(RHYTHM, windows=Windows.parse([window]))
        found = scheduled(**({"sync": {"windows": [window]}} if own else {}))
        return schedules_of(found, rhythm, seen)[0][0]

    def at(hour: int, minute: int = 0, day: int = 30) -> datetime:
        return datetime(2026, 11, day, hour, minute, tzinfo=UTC)

    assert (full("22:00-23:00").at, full("22:00-23:00").due_since) == (at(22), None)
    assert (full("06:05-06:15").due_since, full("06:05-06:15").at) == (at(6, 5), at(6, 5) + timedelta(days=1))
    assert (full("06:00-12:00").due_since, full("06:00-12:00").at) == (at(6), at(7))


def test_a_schedule_of_another_form_counts_from_now_on() -> None:
    seen = {"full": SeenSchedule(form="0 0 0 * * ?", since=NOW - timedelta(days=1))}
    assert [one.due_since for one in schedules_of(scheduled(), RHYTHM, seen)[0]] == [None, None]


def test_a_schedule_that_is_wrong_is_told_unless_the_connector_says_so_itself() -> None:
    scheduling = {"full": {"enabled": True, "interval": "hourly"}}
    found = connector(scheduling=scheduling)
    coming, (fault,) = schedules_of(found, RHYTHM, {})
    assert coming == []
    assert troubles(standing(found, faults=[fault])) == [("schedule", fault, "connectors set c --full CRON")]
    told = connector(scheduling=scheduling, status="error", error=f"{fault} And more.")
    assert [kind for kind, _, _ in troubles(standing(told, faults=[fault]))] == ["error"]
