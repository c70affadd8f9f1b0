"""`connectors jobs` and `connectors job` as a person meets them, with the embedded engine."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.store.job import Trigger
from connectors.store.jobs import JobStore
from connectors.store.sync_state import JobType
from tests.cli.desk import Desk

BEGAN = datetime(2026, 11, 21, 20, 15, tzinfo=UTC)


def with_job(desk: Desk, job_id: str, *, minute: int = 0, connector: str = "shelf", **others: Any) -> None:
    """Write a job as somebody would have made it at a minute, and as it became."""

    async def write() -> None:
        async with desk.engine() as engine:
            store = await JobStore.open(engine)
            snapshot = {"id": connector, "index_name": connector}
            await store.create(job_id, snapshot, JobType.FULL, Trigger.SCHEDULED)
            await store.change(job_id, lambda _: {"created_at": BEGAN + timedelta(minutes=minute), **others})

    asyncio.run(write())


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """Give a desk with three jobs of a connector: one that failed, one that runs and one that waits."""
    desk.create()
    ended: dict[str, Any] = {
        "started_at": BEGAN,
        "completed_at": BEGAN + timedelta(seconds=90),
        "indexed_document_count": 1_200,
    }
    with_job(desk, "aaaaaaaa-1", status="error", error="AccessDenied: No\nway", **ended)
    metadata = {"claim": "x", "instance": "y", "held": 7, "sync": {"remarks": ["It is late."]}}
    running: dict[str, Any] = {"status": "in_progress", "started_at": BEGAN, "worker_hostname": "host"}
    with_job(desk, "aaaaaaaa-2", minute=1, **running, metadata=metadata, last_seen=BEGAN)
    with_job(desk, "bbbb", minute=2)
    return desk


SKIPPING = {"skipped": True, "reason": "unchanged", "text": "Nothing has changed since noon."}


def test_a_job_that_was_skipped_says_so_and_why(desk: Desk) -> None:
    desk.create()
    metadata = {"note": SKIPPING["text"], "sync": {"skipping": SKIPPING}}
    with_job(desk, "cccc", status="completed", started_at=BEGAN, completed_at=BEGAN, metadata=metadata)
    assert "  completed, skipped  2026-11-21 20:15 UTC  " in lines(desk, "jobs")[1]
    shown = lines(desk, "job", "show", "cccc")
    assert [line for line in shown if "Nothing" in line] == ["  skipped    Nothing has changed since noon."]
    assert desk.json("job", "show", "cccc")["skipping"] == SKIPPING


def test_a_job_that_was_not_skipped_says_why_and_one_that_says_nonsense_does_no_harm(desk: Desk) -> None:
    desk.create()
    skipping = {"skipped": False, "reason": "first", "text": "No sync has been completed before."}
    ended: dict[str, Any] = {"status": "completed", "started_at": BEGAN, "completed_at": BEGAN}
    with_job(desk, "cccc", **ended, metadata={"sync": {"skipping": skipping}})
    with_job(desk, "dddd", **ended, metadata={"sync": {"skipping": "yes"}})
    assert "  not skipped  No sync has been completed before." in lines(desk, "job", "show", "cccc")
    assert not [line for line in lines(desk, "job", "show", "dddd") if "skipped" in line]
    assert all("skipped" not in line for line in lines(desk, "jobs"))


def lines(desk: Desk, *arguments: str) -> list[str]:
    done = desk.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_jobs_are_listed_the_newest_first_by_as_much_of_their_ids_as_tells_them_apart(busy: Desk) -> None:
    assert lines(busy, "jobs") == [
        "JOB         CONNECTOR  SYNC  STATUS       WANTED                TOOK  INDEXED  DELETED  ERROR",
        "bbbb        shelf      full  pending      2026-11-21 20:17 UTC        0        0",
        "aaaaaaaa-2  shelf      full  in_progress  2026-11-21 20:16 UTC        0        0",
        "aaaaaaaa-1  shelf      full  error        2026-11-21 20:15 UTC  1:30  1,200    0        AccessDenied: No way",
    ]
    assert [one["id"] for one in busy.json("jobs", "--most", "2")] == ["bbbb", "aaaaaaaa-2"]


def test_a_job_of_a_custom_schedule_says_of_which(desk: Desk) -> None:
    desk.create()
    with_job(desk, "aaaa", metadata={"custom_schedule": "hot"})
    assert " ".join(lines(desk, "jobs")[1].split()).startswith("aaaa shelf full, hot pending ")
    assert "  custom schedule  hot" in lines(desk, "job", "show", "aaaa")


def test_jobs_of_one_connector_are_listed_alone(busy: Desk) -> None:
    busy.create("board", index="board")
    with_job(busy, "cccc", connector="board")
    assert [one["id"] for one in busy.json("jobs", "board")] == ["cccc"]
    done = busy.run("jobs", "bord")
    assert (done.returncode, done.stderr) == (2, "There is no connector 'bord'.\nDid you mean board?\n")


def test_without_jobs_that_is_told(desk: Desk) -> None:
    desk.create()
    more = "`connectors sync` syncs at once, and without a job."
    assert lines(desk, "jobs", "shelf") == [f"There are no jobs of shelf. {more}"]
    assert lines(desk, "jobs") == [f"There are no jobs. {more}"]
    assert desk.json("jobs") == []


def test_one_job_is_shown_whole(busy: Desk) -> None:
    assert lines(busy, "job", "show", "aaaaaaaa-2") == [
        "aaaaaaaa-2",
        "  connector        shelf",
        "  index            shelf",
        "  sync             full",
        "  trigger          scheduled",
        "  status           in_progress",
        "  wanted           2026-11-21 20:16:00 UTC",
        "  began            2026-11-21 20:15:00 UTC",
        "  last seen        2026-11-21 20:15:00 UTC",
        "  where            host",
        "  documents        0 indexed, 0 deleted, 0 in the index",
        "  the source says  It is late.",
        "  held             7",
    ]
    found = busy.json("job", "show", "bb")
    assert (found["id"], found["status"], found["metadata"]) == ("bbbb", "pending", {})


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ("zz", "There is no job 'zz'.\n`connectors jobs` lists them.\n"),
        ("aaaa", "Several jobs begin with 'aaaa'.\nSay more of it: aaaaaaaa-2, aaaaaaaa-1\n"),
    ],
)
@pytest.mark.parametrize("command", ["show", "cancel"])
def test_a_job_that_is_not_one_is_told(busy: Desk, command: str, job: str, message: str) -> None:
    done = busy.run("job", command, job)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_a_job_that_waits_is_canceled_at_once(busy: Desk) -> None:
    assert lines(busy, "job", "cancel", "bbbb") == ["The job bbbb is canceled: nobody had begun it."]
    assert lines(busy, "job", "cancel", "bbbb") == ["The job bbbb has ended already: canceled."]


def test_the_connector_of_a_job_that_was_begun_and_waits_to_be_gone_on_with_knows_that_it_is_canceled(
    busy: Desk,
) -> None:
    with_job(busy, "cccc", minute=3, status="suspended", started_at=BEGAN)
    busy.run("job", "cancel", "bbbb")
    assert busy.connector("shelf").get("last_sync_status") is None
    busy.run("job", "cancel", "cccc")
    assert busy.connector("shelf")["last_sync_status"] == "canceled"


def test_a_job_that_runs_is_asked_to_end(busy: Desk) -> None:
    assert lines(busy, "job", "cancel", "aaaaaaaa-2") == [
        "The job aaaaaaaa-2 is to end: whoever runs it on host does so as soon as that is seen."
    ]
    found = busy.json("job", "cancel", "aaaaaaaa-2")
    assert found == {"job": "aaaaaaaa-2", "before": "canceling", "status": "canceling"}


def test_a_job_that_has_ended_is_left_as_it_is(busy: Desk) -> None:
    assert lines(busy, "job", "cancel", "aaaaaaaa-1") == ["The job aaaaaaaa-1 has ended already: error."]


def test_of_the_report_of_a_job_it_is_told_what_there_is_to_tell(busy: Desk) -> None:
    report = {"walked": 3_000, "created": 0, "unchanged": 2_999, "letters": 1, "phase": "checking", "warnings": []}
    told = {"sync": report, "held_deletions": 0, "alone": False, "because": "replaced"}
    with_job(busy, "dddd", minute=3, status="in_progress", metadata=told)
    assert lines(busy, "job", "show", "dddd")[-4:] == [
        "  documents  0 indexed, 0 deleted, 0 in the index",
        "  phase      checking",
        "  so far     3,000 read, 2,999 unchanged, 1 not indexed",
        "  because    replaced",
    ]
    assert busy.json("job", "show", "dddd")["metadata"] == told
