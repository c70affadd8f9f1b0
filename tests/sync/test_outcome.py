"""The outcome: what a connector's document says of the beginning of a sync, and after each end that it can have."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.aio.clock import SystemClock
from connectors.errors import ConnectorsError, JobCanceled, JobLost, SourceUnreachable, TargetInUse
from connectors.store.sync_state import JobType
from connectors.sync.outcome import LONGEST, Outcome
from connectors.sync.report import SyncReport
from connectors.sync.verdict import Reason, Verdict
from tests.sync.staged import connector_of, staged, workplace

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BEFORE = {"status": "configured", "error": "old", "last_sync_status": None, "description": "untouched"}


class Noon(SystemClock):
    """A clock that stands."""

    def now(self) -> datetime:
        """Return the same moment always."""
        return NOW


def report_of(job_type: JobType = JobType.FULL, **more: Any) -> SyncReport:
    return SyncReport(job_type, "docs-000001", NOW, created=3, updated=2, unchanged=9, deleted=1, **more)


async def told(folder: Path, how: str, *arguments: Any) -> dict[str, Any]:
    """Return what is other in a connector after it was told of a sync."""
    async with workplace(folder, staged()) as place:
        before = await connector_of(place, **BEFORE)
        await getattr(Outcome(place.connectors, "c", Noon()), how)(*arguments)
        after = await place.connectors.get("c")
        assert after is not None
        return {name: value for name, value in after.document.items() if before.document.get(name, ...) != value}


CONNECTED = (None, "connected")
COUNTED = {"last_indexed_document_count": 5, "last_deleted_document_count": 1}
AT = {"last_synced": "2026-01-02T03:04:05Z"}


async def test_completed_the_connector_is_connected_and_counted(tmp_path: Path) -> None:
    found = await told(tmp_path, "completed", report_of())
    assert found == {
        "status": "connected",
        "error": None,
        "last_sync_status": "completed",
        "last_sync_error": None,
        "last_sync_skipping": None,
        **AT,
        **COUNTED,
    }


async def test_completed_with_a_warning_that_is_the_error_of_the_sync_and_none_of_the_connector(tmp_path: Path) -> None:
    found = await told(tmp_path, "completed", report_of(warnings=["3 documents.", "4 deletions."]))
    assert (found["last_sync_error"], found["error"], found["status"]) == (
        "3 documents. 4 deletions.",
        None,
        "connected",
    )


async def test_completed_it_says_whether_it_was_skipped_and_why(tmp_path: Path) -> None:
    verdict = Verdict(Reason.UNCHANGED)
    found = await told(tmp_path, "completed", report_of(verdict=verdict))
    assert found["last_sync_skipping"] == verdict.wire()


async def test_of_who_may_read_what_it_is_not_said_that_it_was_skipped(tmp_path: Path) -> None:
    report = report_of(job_type=JobType.ACCESS_CONTROL)
    assert "last_sync_skipping" not in await told(tmp_path, "completed", report)


async def test_failed_the_error_is_that_of_sync_and_connector(tmp_path: Path) -> None:
    found = await told(tmp_path, "failed", report_of(), SourceUnreachable("No way.", hint="Look."))
    text = "SourceUnreachable: No way. Look."
    assert found == {
        "status": "error",
        "error": text,
        "last_sync_status": "error",
        "last_sync_error": text,
        "last_sync_skipping": None,
        **AT,
        **COUNTED,
    }


async def test_failed_by_a_fault_of_ours_its_words_are_not_stored(tmp_path: Path) -> None:
    found = await told(tmp_path, "failed", report_of(), ValueError("swordfish"))
    assert found["error"] == "ValueError: A fault of this program. Its log tells more."


async def test_failed_with_many_words_they_are_cut_to_what_an_engine_indexes(tmp_path: Path) -> None:
    found = await told(tmp_path, "failed", report_of(), SourceUnreachable("ü" * 50_000))
    assert found["error"] == f"SourceUnreachable: {'ü' * 50_000}"[: LONGEST - 1] + "…"


async def test_canceled_is_no_error_of_the_connector(tmp_path: Path) -> None:
    found = await told(tmp_path, "failed", report_of(), JobCanceled("Enough."))
    assert (found["status"], found["error"], found["last_sync_status"]) == ("connected", None, "canceled")


async def test_begun_it_is_in_progress_and_the_source_was_reached(tmp_path: Path) -> None:
    assert await told(tmp_path, "begun", report_of()) == {
        "status": "connected",
        "error": None,
        "last_sync_status": "in_progress",
        "last_sync_error": None,
    }


async def test_suspended_nothing_is_said_of_what_is_not_known_yet(tmp_path: Path) -> None:
    async with workplace(tmp_path, staged()) as place:
        await connector_of(place, last_indexed_document_count=7)
        outcome = Outcome(place.connectors, "c", Noon())
        await outcome.begun(report_of())
        await outcome.suspended(report_of())
        found = await place.connectors.get("c")
        assert found is not None
        names = ("last_sync_status", "last_sync_error", "last_synced", "last_indexed_document_count")
        assert [found.document[name] for name in names] == ["suspended", None, AT["last_synced"], 7]


async def test_suspended_before_it_began_it_tells_nothing(tmp_path: Path) -> None:
    assert await told(tmp_path, "suspended", report_of()) == {}


async def test_access_control_has_a_status_of_its_own(tmp_path: Path) -> None:
    found = await told(tmp_path, "completed", report_of(JobType.ACCESS_CONTROL))
    assert found == {
        "status": "connected",
        "error": None,
        "last_access_control_sync_status": "completed",
        "last_access_control_sync_error": None,
        **AT,
        **COUNTED,
    }


async def test_abandoned_a_sync_that_was_said_to_run_is_suspended_and_nothing_else_is_said(tmp_path: Path) -> None:
    async with workplace(tmp_path, staged()) as place:
        await connector_of(place, last_sync_status="completed", last_access_control_sync_status="in_progress")
        outcome = Outcome(place.connectors, "c", Noon())
        for job_type in (JobType.FULL, JobType.ACCESS_CONTROL):
            await outcome.abandoned(report_of(job_type))
        found = await place.connectors.get("c")
        assert found is not None
        names = ("last_sync_status", "last_access_control_sync_status", "last_synced")
        assert [found.document.get(name) for name in names] == ["completed", "suspended", None]


async def test_failed_as_another_connector_took_the_index_nobody_else_tells_that(tmp_path: Path) -> None:
    found = await told(tmp_path, "failed", report_of(), JobLost("Gone.", taken_by="another"))
    assert (found["last_sync_status"], found["error"]) == ("error", "JobLost: Gone.")


@pytest.mark.parametrize("error", [JobLost("Gone."), JobLost("Gone.", taken_by="c"), TargetInUse("Busy.")])
async def test_who_does_not_have_the_target_tells_nothing(tmp_path: Path, error: ConnectorsError) -> None:
    assert await told(tmp_path, "failed", report_of(), error) == {}


async def test_a_connector_that_is_gone_is_no_error(tmp_path: Path) -> None:
    async with workplace(tmp_path, staged()) as place:
        await Outcome(place.connectors, "nobody", Noon()).completed(report_of())
        assert await place.connectors.get("nobody") is None


@pytest.mark.parametrize("how", ["begun", "completed", "failed"])
async def test_of_settings_that_were_changed_meanwhile_a_sync_says_nothing(tmp_path: Path, how: str) -> None:
    async with workplace(tmp_path, staged()) as place:
        read = await connector_of(place, configuration={"host": {"value": "a"}})
        broken = {"status": "error", "error": "No such host.", "configuration": {"host": {"value": "b"}}}
        await place.connectors.update("c", lambda _: broken)
        arguments = [SourceUnreachable("No way.")] if how == "failed" else []
        await getattr(Outcome(place.connectors, "c", Noon(), read), how)(report_of(), *arguments)
        found = await place.connectors.get("c")
        assert found is not None
        assert (found.document["status"], found.document["error"]) == ("error", "No such host.")
        assert found.document["last_sync_status"] is not None


async def test_settings_that_were_only_filled_in_are_those_of_the_sync(tmp_path: Path) -> None:
    async with workplace(tmp_path, staged()) as place:
        read = await connector_of(place, configuration={"host": "a"})
        filled = {"host": {"value": "a", "label": "Host"}, "port": {"value": 1}}
        await place.connectors.update("c", lambda _: {"configuration": filled, "status": "configured"})
        await Outcome(place.connectors, "c", Noon(), read).completed(report_of())
        found = await place.connectors.get("c")
        assert found is not None
        assert found.document["status"] == "connected"
