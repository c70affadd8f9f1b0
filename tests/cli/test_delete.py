"""`connectors delete` as a person meets it, with the embedded engine."""

import asyncio
import re
import signal
from collections.abc import Iterator

import pytest

from connectors.engine.scan import Walk
from connectors.store import connectors, dead_letters, jobs, state
from tests.cli.desk import Desk
from tests.cli.test_jobs_command import with_job
from tests.cli.test_show import with_changes
from tests.cli.test_terminal import LINE, Terminal


def stored(desk: Desk) -> dict[str, int]:
    """Return how many documents there are in each index of the store."""

    async def read() -> dict[str, int]:
        async with desk.engine() as engine:
            found = {}
            for name in (connectors.INDEX.name, state.INDEX.name, dead_letters.INDEX.name, jobs.INDEX.name):
                await engine.control.refresh(name)
                found[name] = sum([len(page) async for page in engine.control.scan(Walk(name))])
            return found

    return asyncio.run(read())


@pytest.fixture
def full(desk: Desk) -> Desk:
    """Give a desk with a connector of which everything there can be is stored."""
    desk.put_many(3)
    desk.create()
    desk.json("sync", "shelf")
    desk.put("fail thing-0 torn")
    desk.json("sync", "shelf", code=3)
    desk.put()
    desk.json("sync", "shelf", code=3)
    desk.put({"_id": "thing-9"}, "fail other torn")
    desk.json("sync", "shelf", code=3)
    with_job(desk, "job-1")
    with_job(desk, "job-2")
    return desk


def test_everything_about_a_connector_is_deleted_and_its_index_stays(full: Desk) -> None:
    ids = full.ids("shelf")
    done = full.run("delete", "shelf", "--yes")
    assert (done.returncode, done.stderr, done.stdout.splitlines()) == (
        0,
        "",
        [
            "Deleted the connector shelf, with 1 dead letter and 2 jobs.",
            "The index shelf (shelf-000001) stays, with 1 document of it.",
        ],
    )
    assert list(stored(full).values()) == [0, 1, 0, 0]  # what is left is the epoch of the index
    assert full.ids("shelf") == ids == {"thing-9"}
    assert full.json("list") == []
    assert list((full.folder / "data" / "ledgers").glob("*")) == []


def test_with_its_index_nothing_is_left(full: Desk) -> None:
    found = full.json("delete", "shelf", "--with-index", "--yes")
    assert (found["connector"], found["deleted_indices"], found["dead_letters"], found["jobs"]) == (
        *("shelf", ["shelf-000001"], 1, 2),
    )
    assert list(stored(full).values()) == [0, 0, 0, 0]
    done = full.run("search", "shelf", "x")
    assert done.stderr.startswith("There is no index 'shelf', and no connector.")


def test_what_was_deleted_can_be_made_and_synced_again(full: Desk) -> None:
    full.json("delete", "shelf", "--yes")
    full.put_many(2)
    full.create()
    assert full.json("sync", "shelf")["outcome"] == "completed"
    assert full.json("deletes", "list", "shelf")["held"] == []


def test_other_connectors_keep_what_they_have(full: Desk) -> None:
    full.create("board", index="board")
    with_job(full, "job-3", connector="board")
    full.json("sync", "board", code=3)
    full.json("delete", "shelf", "--yes")
    assert [one["id"] for one in full.json("list")] == ["board"]
    assert [one["id"] for one in full.json("jobs", "board")] == ["job-3"]
    assert full.json("dead-letters", "list", "board")["total"] == 1


def test_a_connector_that_was_never_synced_is_deleted(desk: Desk) -> None:
    desk.create()
    done = desk.run("delete", "shelf", "--yes", "--with-index")
    assert (done.returncode, done.stdout) == (0, "Deleted the connector shelf.\n")


def test_documents_in_an_index_that_it_wrote_to_before_are_told(desk: Desk) -> None:
    desk.put_many(2)
    desk.create()
    desk.json("sync", "shelf")
    desk.json("set", "shelf", "--index", "board")
    desk.json("sync", "shelf")
    done = desk.run("delete", "shelf", "--yes", "--with-index")
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            "Deleted the connector shelf.",
            "Deleted the index board-000001, with 2 documents.",
            "The index shelf-000001, which it wrote to before, has 2 documents of it.",
        ],
    )


def test_a_removal_that_was_broken_off_is_done_again(full: Desk) -> None:
    with_changes(full, "shelf", {"deleted": True})
    assert full.run("show", "shelf").returncode == 2
    assert full.json("delete", "shelf", "--yes")["dead_letters"] == 1
    assert list(stored(full).values()) == [0, 1, 0, 0]


def test_without_anybody_to_ask_nothing_is_deleted(desk: Desk) -> None:
    desk.create()
    done = desk.run("delete", "shelf")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "Error: Delete the connector shelf? Say --yes.")
    assert desk.json("list") != []


def test_an_index_that_others_write_to_is_not_deleted(full: Desk) -> None:
    full.create("board", index="shelf-000001")
    done = full.run("delete", "shelf", "--with-index", "--yes")
    assert (done.returncode, done.stderr) == (
        2,
        "The index shelf is that of 'board' too.\nDelete the connector without --with-index.\n",
    )
    assert full.json("delete", "shelf", "--yes")["deleted_indices"] == []


def test_an_unknown_connector_is_told_with_the_one_that_may_be_meant(desk: Desk) -> None:
    desk.create()
    done = desk.run("delete", "shlef", "--yes")
    assert (done.returncode, done.stderr) == (2, "There is no connector 'shlef'.\nDid you mean shelf?\n")


@pytest.fixture
def syncing(desk: Desk) -> Iterator[Terminal]:
    """Give a terminal with a sync whose source waits."""
    desk.put(*({"_id": f"thing-{one}"} for one in range(1_200)), "wait")
    desk.create()
    terminal = Terminal(desk, "sync", "shelf", CONNECTORS__SYNC__HEARTBEAT_TIMEOUT_S="3")
    try:
        terminal.see(LINE)
        yield terminal
    finally:
        terminal.close()


def test_a_connector_that_is_being_synced_stays_and_it_is_told_by_whom(desk: Desk, syncing: Terminal) -> None:
    done = desk.run("delete", "shelf", "--yes", CONNECTORS__SYNC__HEARTBEAT_TIMEOUT_S="3")
    told = re.sub(r"process \d+ on [^, ]+", "PROCESS", done.stderr).splitlines()
    assert (done.returncode, told) == (
        1,
        [
            "Waiting for PROCESS, which has written to its index, to show whether it is alive (up to 3.0 s).",
            "The index shelf-000001 is being written to by PROCESS (connector shelf).",
            "Wait for that sync to end, or stop it.",
        ],
    )
    assert "deleted" not in desk.connector("shelf")
    syncing.send(signal.SIGKILL)
    syncing.end()
    assert desk.json("delete", "shelf", "--yes")["documents"] >= 0


def test_on_a_terminal_it_is_asked_for(desk: Desk) -> None:
    desk.create()
    for answer, code in (("n", 130), ("y", 0)):
        terminal = Terminal(desk, "delete", "shelf")
        terminal.see(r"Delete the connector shelf\? \[y/N\]: ")
        terminal.type(f"{answer}\n")
        terminal.end()
        terminal.close()
        assert terminal.code == code
    assert desk.json("list") == []


def test_on_a_terminal_the_name_of_an_index_is_to_be_typed(desk: Desk) -> None:
    desk.put_many(2)
    desk.create()
    desk.json("sync", "shelf")
    for answer, code, told in (
        ("shelve", 2, "'shelve' is not 'shelf'. Nothing was deleted."),
        ("shelf", 0, "Deleted the index shelf-000001, with 2 documents."),
    ):
        terminal = Terminal(desk, "delete", "shelf", "--with-index")
        terminal.see(r"The index shelf \(shelf-000001\) goes with 2 documents\.")
        terminal.see(r"Type the name of the index to delete it and the connector: ")
        terminal.type(f"{answer}\n")
        shown = terminal.end()
        terminal.close()
        assert (terminal.code, told in shown) == (code, True)
    assert desk.json("list") == []
