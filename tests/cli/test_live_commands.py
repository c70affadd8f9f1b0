"""What commands say of live syncs."""

from datetime import UTC, datetime

import pytest

from connectors.cli.live_in_use import telling_of_live
from connectors.cli.standing import Run
from connectors.engine.records import Revision
from connectors.errors import TargetInUse
from connectors.store.connector import Connector
from connectors.store.job import SyncJob
from connectors.store.live import METADATA
from tests.cli.desk import Desk
from tests.cli.test_jobs_command import with_job
from tests.cli.test_show import with_changes

WHY = "The source can't tell of changes as they happen."
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_a_source_that_can_not_is_refused_where_it_is_set(desk: Desk) -> None:
    desk.create()
    done = desk.run("set", "shelf", "--sync", "live=true")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"sync.live: {WHY}" in done.stderr
    assert "sync" not in desk.connector("shelf")


def test_it_can_be_switched_off_whatever_the_source_can(desk: Desk) -> None:
    desk.create()
    with_changes(desk, "shelf", {"sync": {"live": True}})
    done = desk.run("set", "shelf", "--sync", "live=false")
    assert (done.returncode, done.stderr) == (0, "")


def test_check_says_that_the_source_can_not(desk: Desk) -> None:
    desk.create()
    with_changes(desk, "shelf", {"sync": {"live": True}})
    done = desk.run("check", "shelf")
    assert done.returncode == 2
    assert f"failed   settings   {WHY}" in done.stdout
    assert "connectors set shelf --sync live=false" in done.stdout


@pytest.mark.parametrize(("live", "hint"), [(True, "connectors set c --sync live=false"), (False, "Wait for it.")])
def test_an_index_in_use_by_a_live_sync_is_told_with_what_ends_that(*, live: bool, hint: str) -> None:
    schedule = {"full": {"enabled": True, "interval": "0 0 0 * * ?"}}
    document = {"status": "connected", "sync": {"live": live}, "scheduling": schedule}
    with pytest.raises(TargetInUse) as caught, telling_of_live(Connector("c", document, Revision(1, 1))):
        raise TargetInUse("The index is being written to.", hint="Wait for it.")
    assert hint in str(caught.value)


def test_a_run_says_that_it_is_live_and_how_far_behind() -> None:
    report = {"phase": "live", "behind_since": None, "walked": 3}
    document = {"status": "in_progress", "job_type": "incremental", "metadata": {**METADATA, "sync": report}}
    found = Run.of(SyncJob("j", document, Revision(1, 1)), NOW)
    assert (found.is_live, found.lag) == (True, NOW - NOW)


def test_jobs_and_status_name_it(desk: Desk) -> None:
    desk.create()
    report = {"phase": "live", "caught_up_at": "2026-11-30T11:00:00+00:00"}
    with_job(desk, "1", status="suspended", job_type="incremental", metadata={**METADATA, "sync": report})
    assert "live" in desk.run("jobs").stdout.splitlines()[1].split()
    assert "live sync suspended" in desk.run("status").stdout
    (told,) = desk.json("status", code=3)["connectors"]  # as no daemon is there
    assert told["waiting"][0]["live"] is True
