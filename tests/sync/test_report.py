from datetime import UTC, datetime

import msgspec

from connectors.store.sync_state import JobType
from connectors.sync.report import SyncReport
from connectors.sync.verdict import Reason, Verdict

BEGUN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OUTCOMES = ("created", "updated", "unchanged", "dropped", "letters", "superseded")


def report() -> SyncReport:
    return SyncReport(JobType.FULL, "docs", BEGUN)


def test_every_outcome_of_a_document_is_accounted_once() -> None:
    for outcome in OUTCOMES:
        one = report()
        setattr(one, outcome, 3)
        assert one.accounted == 3, outcome
    others = set(report().counters()) - set(OUTCOMES)
    for name in others:
        one = report()
        setattr(one, name, 3)
        assert one.accounted == 0, name


def test_of_a_sync_that_only_deletes_only_ids_are_accounted() -> None:
    for outcome in ("present", "unindexed", "dropped", "superseded"):
        one = SyncReport(JobType.FULL, "docs", BEGUN, deletes_only=True)
        setattr(one, outcome, 3)
        one.letters = 2  # about what could not be deleted
        assert one.accounted == 3, outcome


def test_the_counters_are_all_the_numbers_and_nothing_else() -> None:
    one = report()
    one.walked, one.conflicts, one.expected, one.forced = 5, 2, 9, True
    counters = one.counters()
    assert {name: number for name, number in counters.items() if number} == {"walked": 5, "conflicts": 2}
    assert sorted(counters) == [
        "conflicts",
        "content_failed",
        "created",
        "deleted",
        "downloaded",
        "downloaded_bytes",
        "dropped",
        "held",
        "letters",
        "passes",
        "present",
        "recovered",
        "repeated",
        "requests",
        "scans",
        "sent",
        "sent_bytes",
        "superseded",
        "unchanged",
        "unindexed",
        "updated",
        "walked",
    ]


def test_a_sync_without_warnings_has_no_error() -> None:
    one = report()
    assert one.error is None
    one.warnings += ["Two deletions are held.", "One document could not be indexed."]
    assert one.error == "Two deletions are held. One document could not be indexed."


def test_the_wire_has_times_as_texts_and_the_error() -> None:
    one = report()
    one.finished_at = BEGUN
    one.warnings.append("Something.")
    wire = one.wire()
    assert {name: wire[name] for name in ("job_type", "started_at", "finished_at", "resumed_since", "error")} == {
        "job_type": "full",
        "started_at": "2026-01-02T03:04:05+00:00",
        "finished_at": "2026-01-02T03:04:05+00:00",
        "resumed_since": None,
        "error": "Something.",
    }
    assert (wire["skipped"], wire["skipping"]) == (False, None)


def test_the_wire_says_whether_it_was_skipped_and_why() -> None:
    one = report()
    one.verdict = Verdict(Reason.UNCHANGED, "before", BEGUN, BEGUN)
    wire = one.wire()
    assert "verdict" not in wire
    assert (wire["skipped"], wire["skipping"]) == (True, one.verdict.wire())
    assert msgspec.json.decode(msgspec.json.encode(wire)) == wire
