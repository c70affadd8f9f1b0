"""A report tells its numbers, and what a person has to know."""

from datetime import UTC, datetime

from connectors.store.sync_state import JobType
from connectors.sync.report import SyncReport


def report() -> SyncReport:
    return SyncReport(JobType.FULL, "docs", datetime(2026, 1, 1, tzinfo=UTC))


def test_all_numbers_and_nothing_else_are_counters() -> None:
    made = report()
    made.walked, made.sent_bytes, made.skipped, made.expected = 3, 7, True, 9
    found = made.counters()
    assert (found["walked"], found["sent_bytes"], found["created"]) == (3, 7, 0)
    assert found.keys() & {"skipped", "expected", "phase", "job_type", "warnings"} == set()
    assert set(map(type, found.values())) == {int}


def test_every_outcome_of_a_document_is_in_the_sum() -> None:
    made = report()
    made.created, made.updated, made.unchanged, made.dropped, made.letters, made.superseded = 1, 2, 4, 8, 16, 32
    made.deleted, made.held, made.repeated, made.content_failed = 64, 128, 256, 512
    assert made.accounted == 63


def test_the_wire_has_texts_for_moments_and_one_error() -> None:
    made = report()
    assert (made.wire()["started_at"], made.wire()["error"]) == ("2026-01-01T00:00:00+00:00", None)
    made.warnings += ["One thing.", "Another."]
    assert made.wire()["error"] == "One thing. Another."
