"""`connectors deletes` as a person meets it: what it prints, and its exit codes, with the embedded engine."""

from typing import Any

import pytest

from tests.cli.desk import Desk

REASON = "The source yielded nothing, and the index holds 3 documents of it."


@pytest.fixture
def emptied(desk: Desk) -> Desk:
    """Give a desk whose connector holds three deletions."""
    desk.put_many(3)
    desk.create()
    desk.json("sync", "shelf")
    desk.put()
    desk.json("sync", "shelf", code=3)
    return desk


def held(desk: Desk) -> dict[str, Any]:
    [found] = desk.json("deletes", "list", "shelf")["held"]
    return dict(found)


def test_held_deletions_are_listed_with_the_reason(emptied: Desk) -> None:
    found = held(emptied)
    samples, run = sorted(found.pop("samples")), found.pop("run")
    assert (samples, bool(found.pop("created_at"))) == (["thing-0", "thing-1", "thing-2"], True)
    told = {"job_type": "full", "status": "held", "reason": REASON, "number": 3, "decided_at": None}
    assert found == told
    lines = emptied.run("deletes", "list", "shelf").stdout.splitlines()
    assert lines[0].split("  ")[0] == "RUN"
    assert lines[1].startswith(f"{run[:8]}  full  held    ")
    assert lines[1].endswith(f"  {REASON}")
    assert lines[2:] == [
        *("", "Delete them:   connectors deletes approve shelf", "Keep them:     connectors deletes discard shelf"),
    ]


def test_what_is_approved_is_deleted_by_the_next_sync(emptied: Desk) -> None:
    done = emptied.run("deletes", "approve", "shelf")
    assert (done.returncode, done.stdout) == (
        0,
        "Approved: 3 deletions. The next full sync deletes what is gone by then still:\n  connectors sync shelf\n",
    )
    assert held(emptied)["status"] == "approved"
    emptied.put({"_id": "thing-1"})
    [report] = emptied.json("sync", "shelf")["syncs"]
    assert (report["deleted"], report["held"]) == (2, 0)
    assert emptied.ids("shelf") == {"thing-1"}
    assert emptied.json("deletes", "list", "shelf") == {"connector": "shelf", "held": []}


def test_a_decision_as_json_tells_the_set(emptied: Desk) -> None:
    run = held(emptied)["run"]
    found = emptied.json("deletes", "approve", "shelf", run[:6])
    assert list(found) == ["connector", "run", "job_type", "status", "reason", "number", "created_at", "decided_at"]
    assert (found["connector"], found["run"], found["status"], found["number"]) == ("shelf", run, "approved", 3)
    assert found["decided_at"] is not None


def test_what_is_discarded_stays_and_is_held_anew_by_the_next_sync(emptied: Desk) -> None:
    done = emptied.run("deletes", "discard", "shelf")
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            "Discarded: 3 deletions. The documents stay in the index.",
            "A full sync that finds them gone from the source again holds them back anew.",
        ],
    )
    assert held(emptied)["status"] == "discarded"
    assert emptied.json("sync", "shelf", code=3)["syncs"][0]["held"] == 3
    assert len(emptied.ids("shelf")) == 3


def test_what_was_decided_is_not_decided_otherwise(emptied: Desk) -> None:
    run = held(emptied)["run"]
    emptied.json("deletes", "approve", "shelf")
    done = emptied.run("deletes", "discard", "shelf", run)
    assert (done.returncode, done.stderr) == (1, f"What '{run}' held can't become discarded: it is approved.\n")


@pytest.mark.parametrize("command", ["approve", "discard"])
def test_without_held_deletions_there_is_nothing_to_decide(desk: Desk, command: str) -> None:
    desk.create()
    done = desk.run("deletes", command, "shelf")
    hint = "`connectors deletes list shelf` lists what there is.\n"
    assert (done.returncode, done.stderr) == (2, f"No deletions of shelf are held back.\n{hint}")
    done = desk.run("deletes", command, "shelf", "abc")
    assert (done.returncode, done.stderr) == (2, f"Of shelf, no held set begins with 'abc'.\n{hint}")
    assert desk.run("deletes", "list", "shelf").stdout == "No deletions of shelf are held back.\n"
