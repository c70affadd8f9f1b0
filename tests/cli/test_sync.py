"""`connectors sync` as a person meets it: what it prints, and its exit codes, with the embedded engine."""

import json
import re
from typing import Any

import pytest

from tests.cli.desk import Desk

AGAIN = "The same command goes on from there: what is written is not written again."
NONE_YET = "There is none yet. `connectors create` makes one, and `connectors sync --source` does so as it syncs."
COMMANDS = [
    *("sync", "dead-letters list", "dead-letters show", "dead-letters retry", "dead-letters drop"),
    *("deletes list", "deletes approve", "deletes discard"),
]
KEYS = [
    *("job_type", "index", "started_at", "finished_at", "adds_only", "deletes_only"),
    *("walked", "created", "updated", "unchanged", "dropped", "letters", "superseded", "present", "unindexed"),
    *("deleted", "held", "repeated", "recovered", "content_failed"),
    *("downloaded", "downloaded_bytes", "sent", "requests", "sent_bytes", "conflicts", "passes", "scans"),
    *("forced", "unsettled", "resumed_since", "behind_since", "caught_up_at", "phase"),
    *("waiting_for", "expected", "warnings", "remarks"),
    *("skipped", "skipping", "error"),
]


def without_times(text: str) -> str:
    return re.sub(r"in \d+\.\d s", "in 0.0 s", text)


def counts(report: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(report[name] for name in names)


def test_a_connector_is_synced_and_the_summary_says_what_was_done(desk: Desk) -> None:
    desk.put_many(3)
    desk.create()
    done = desk.run("sync", "shelf")
    assert (done.returncode, done.stderr) == (0, "")
    assert without_times(done.stdout) == (
        "Completed: 3 documents read, for the index shelf-000001, in 0.0 s.\n"
        "  3 created, 0 updated, 0 unchanged, 0 deleted\n"
    )


def test_the_keys_of_the_json_stay(desk: Desk) -> None:
    desk.put_many(2)
    desk.create()
    found = desk.json("sync", "shelf")
    [report] = found.pop("syncs")
    assert found == {"connector": "shelf", "outcome": "completed", "error": None, "hint": None}
    assert list(report) == KEYS
    assert counts(report, "job_type", "index", "created", "phase", "error") == ("full", "shelf-000001", 2, "done", None)


def test_the_next_sync_writes_and_deletes_only_what_differs(desk: Desk) -> None:
    desk.put({"_id": "a"}, {"_id": "b"}, {"_id": "c"})
    desk.create()
    desk.json("sync", "shelf")
    desk.put({"_id": "a"}, {"_id": "b", "new": 1}, {"_id": "d"})
    [report] = desk.json("sync", "shelf", "--full")["syncs"]
    assert counts(report, "created", "updated", "unchanged", "deleted") == (1, 1, 1, 1)
    assert desk.ids("shelf") == {"a", "b", "d"}
    stored = desk.connector("shelf")
    assert (stored["last_sync_status"], stored["last_indexed_document_count"]) == ("completed", 2)


SINCE = r"the sync of [-\d: ]+ UTC that ended [-\d: ]+ UTC"


@pytest.fixture
def unchanged(desk: Desk) -> Desk:
    """Give a desk with a connector whose source can tell that nothing has changed since it was synced."""
    desk.put("token 1", {"_id": "a"}, {"_id": "b"})
    desk.create()
    [report] = desk.json("sync", "shelf")["syncs"]
    assert (report["skipped"], report["skipping"]["reason"], report["created"]) == (False, "first", 2)
    return desk


def test_a_sync_that_is_skipped_says_why_and_since_when_and_how_to_have_it_all_the_same(unchanged: Desk) -> None:
    done = unchanged.run("sync", "shelf")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert re.fullmatch(f"Skipped: nothing has changed since {SINCE}.", first), first
    assert second == (
        "  The index shelf-000001 stands where that sync left it. Read all the same: connectors sync shelf --force"
    )
    told = unchanged.json("sync", "shelf")
    [report] = told["syncs"]
    assert (told["outcome"], report["skipped"], report["skipping"]["reason"]) == ("skipped", True, "unchanged")
    assert unchanged.connector("shelf")["last_sync_skipping"] == report["skipping"]
    assert "completed, skipped (unchanged since 2" in unchanged.run("list").stdout
    assert re.search(r"completed, skipped \(unchanged for \d+ s\) \d+ s ago", unchanged.run("status").stdout)
    [standing] = unchanged.json("status")["connectors"]
    assert standing["last_sync_skipping"] == report["skipping"]


def test_a_forced_sync_reads_everything(unchanged: Desk) -> None:
    [report] = unchanged.json("sync", "shelf", "--force")["syncs"]
    assert counts(report, "forced", "skipped", "walked", "unchanged", "sent") == (True, False, 2, 2, 0)
    assert report["skipping"]["reason"] == "forced"
    assert unchanged.connector("shelf")["last_sync_skipping"]["skipped"] is False


def test_a_sync_that_is_not_skipped_says_what_spoke_against_it_unless_the_source_changed(unchanged: Desk) -> None:
    rule = {"id": "r", "policy": "exclude", "field": "_id", "rule": "equals", "value": "none", "order": 0}
    (unchanged.folder / "rules.json").write_text(json.dumps([rule]))
    unchanged.json("rules", "set", "shelf", "--from-file", "rules.json", "--activate")
    done = unchanged.run("sync", "shelf")
    line = done.stdout.splitlines()[2]
    others = "Sync rules, settings, the pipeline or the version are others than those of"
    assert re.fullmatch(f"  It was not skipped. {others} {SINCE}.", line), line
    unchanged.put("token 2", {"_id": "b"})
    assert "not skipped" not in unchanged.run("sync", "shelf").stdout


@pytest.mark.parametrize("option", ["--incremental", "--access-control", "--deletes-only"])
def test_what_is_never_skipped_can_not_be_forced(unchanged: Desk, option: str) -> None:
    done = unchanged.run("sync", "shelf", option, "--force")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--force is for a full sync: one with {option} is never skipped." in done.stderr


def test_what_could_not_be_indexed_is_for_a_person_to_look_at(desk: Desk) -> None:
    desk.put({"_id": "a"}, "fail b it is torn")
    desk.create()
    done = desk.run("sync", "shelf")
    assert (done.returncode, done.stderr) == (3, "")
    assert without_times(done.stdout) == (
        "Completed: 2 documents read, for the index shelf-000001, in 0.0 s.\n"
        "  1 created, 0 updated, 0 unchanged, 0 deleted, 1 not indexed\n"
        "1 document could not be indexed.\n"
        "  Look why:      connectors dead-letters list shelf\n"
        "  When mended:   connectors dead-letters retry shelf\n"
    )
    assert desk.json("sync", "shelf", code=3)["outcome"] == "attention"


def test_deletions_that_are_held_are_for_a_person_to_look_at(desk: Desk) -> None:
    desk.put_many(2)
    desk.create()
    desk.json("sync", "shelf")
    desk.put()
    done = desk.run("sync", "shelf")
    assert (done.returncode, done.stdout.splitlines()[2:]) == (
        3,
        [
            "2 documents are gone from the source, and still in the index.",
            "  Look why:      connectors deletes list shelf",
            "  If that is so: connectors deletes approve shelf, and sync again",
        ],
    )


def test_what_the_source_remarks_is_told_and_needs_nobody(desk: Desk) -> None:
    desk.put({"_id": "a"}, "remark It is late.", "remark It is late.", {"_id": "b"})
    desk.create()
    done = desk.run("sync", "shelf")
    assert (done.returncode, done.stdout.splitlines()[2:]) == (0, ["  The source says: It is late."])
    found = desk.json("sync", "shelf")
    assert (found["outcome"], found["syncs"][0]["remarks"], found["syncs"][0]["error"]) == (
        "completed",
        ["It is late."],
        None,
    )
    assert desk.run("status").returncode == 0


def test_only_what_is_gone_is_deleted(desk: Desk) -> None:
    desk.put({"_id": "a"}, {"_id": "b"}, {"_id": "c"})
    desk.create()
    desk.json("sync", "shelf")
    desk.put({"_id": "a", "new": 1}, {"_id": "b"}, {"_id": "d"})
    done = desk.run("sync", "shelf", "--deletes-only")
    assert (done.returncode, done.stderr) == (0, "")
    assert without_times(done.stdout) == (
        "Completed: 3 ids read, for the index shelf-000001, in 0.0 s.\n"
        "  2 still there, 1 deleted\n"
        "  1 document is not indexed yet: a full sync adds what is new.\n"
    )
    assert desk.ids("shelf") == {"a", "b"}
    [report] = desk.json("sync", "shelf", "--deletes-only")["syncs"]
    names = ("job_type", "deletes_only", "walked", "present", "unindexed", "created", "deleted")
    assert counts(report, *names) == ("full", True, 3, 2, 1, 0, 0)
    stored = desk.connector("shelf")
    assert (stored["last_sync_status"], stored["last_indexed_document_count"]) == ("completed", 0)
    [report] = desk.json("sync", "shelf")["syncs"]
    assert counts(report, "created", "updated", "unchanged") == (1, 1, 1)


def test_deletes_that_are_held_are_told_and_approved_in_the_same_way(desk: Desk) -> None:
    desk.put_many(2)
    desk.create()
    desk.json("sync", "shelf")
    desk.put()
    done = desk.run("sync", "shelf", "--deletes-only")
    assert (done.returncode, done.stdout.splitlines()[1:]) == (
        3,
        [
            "  0 still there, 0 deleted, 2 held back from deletion",
            "2 documents are gone from the source, and still in the index.",
            "  Look why:      connectors deletes list shelf",
            "  If that is so: connectors deletes approve shelf, and sync again",
        ],
    )
    desk.run("deletes", "approve", "shelf")
    assert desk.json("sync", "shelf", "--deletes-only")["syncs"][0]["deleted"] == 2


def test_an_error_in_a_sync_that_only_deletes_is_told_with_what_it_did(desk: Desk) -> None:
    desk.put({"_id": "a"}, {"_id": "b"})
    desk.create()
    desk.json("sync", "shelf")
    desk.put({"_id": "a"}, "deny")
    done = desk.run("sync", "shelf", "--deletes-only")
    told = "1 id had been read, 0 deleted; nothing is written. The same command begins anew."
    assert (done.returncode, done.stderr.splitlines()) == (1, ["No more things.", "Ask for more.", told])
    assert desk.ids("shelf") == {"a", "b"}


def test_before_the_first_sync_there_is_nothing_to_delete(desk: Desk) -> None:
    desk.put_many(2)
    desk.create()
    done = desk.run("sync", "shelf", "--deletes-only")
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        ["There is no index shelf yet, from which anything could be gone.", "A full sync makes it."],
    )
    assert desk.connector("shelf")["last_sync_status"] is None


def test_deletes_only_makes_no_connector_of_a_source(desk: Desk) -> None:
    desk.put({"_id": "a"}, {"_id": "b"})
    command = ["sync", "--source", "things", "--set", f"file={desk.folder / 'things.txt'}", "--index", "pile"]
    done = desk.run(*command, "--deletes-only")
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        ["Nothing was synced from there into pile yet, so nothing can be gone.", "A full sync comes first."],
    )
    assert desk.json("list") == []
    desk.json(*command)
    desk.put({"_id": "a"})
    assert desk.json(*command, "--deletes-only")["syncs"][0]["deleted"] == 1


def test_an_error_of_the_source_is_told_with_what_was_done_before(desk: Desk) -> None:
    desk.put({"_id": "a"}, "deny")
    desk.create()
    done = desk.run("sync", "shelf", "--json")
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [
            "No more things.",
            "Ask for more.",
            f"1 document had been read, 0 created, 0 updated, 0 unchanged, 0 deleted; what was written stays. {AGAIN}",
        ],
    )
    found = json.loads(done.stdout)
    assert (found["outcome"], found["error"], found["hint"]) == ("failed", "No more things.", "Ask for more.")
    assert [counts(one, "walked", "finished_at") for one in found["syncs"]] == [(1, None)]
    stored = desk.connector("shelf")
    assert stored["last_sync_error"] == stored["error"] == "AccessDenied: No more things. Ask for more."


def test_an_unknown_connector_is_told_with_the_one_that_may_be_meant(desk: Desk) -> None:
    done = desk.run("sync", "shelf")
    assert (done.returncode, done.stderr) == (2, f"There is no connector 'shelf'.\n{NONE_YET}\n")
    desk.create()
    assert desk.run("sync", "shlef").stderr == "There is no connector 'shlef'.\nDid you mean shelf?\n"
    assert desk.run("sync", "Things").stderr == "There is no connector 'Things'.\nThat is the name of shelf.\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_without_an_id_the_connectors_are_listed(desk: Desk, command: str) -> None:
    desk.create()
    done = desk.run(*command.split())
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        "ID     NAME    SOURCE  INDEX  STATUS      LAST SYNC  SCHEDULE",
        "shelf  Things  things  shelf  configured  never      off",
        "",
    ]
    assert "Say which of these connectors, by its ID." in done.stderr


def test_without_an_id_the_connectors_are_listed_as_json_too(desk: Desk) -> None:
    desk.create()
    done = desk.run("sync", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (2, desk.json("list"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shelf", "--source", "things", "--index", "x"], "Name either the ID of a connector or a --source."),
        (["--source", "things"], "Say with --index where the source is synced to."),
        (["shelf", "--index", "x"], "--set, --index and --language describe a --source, and none is named."),
        (["--set", "a=b"], "--set, --index and --language describe a --source, and none is named."),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(desk: Desk, arguments: list[str], message: str) -> None:
    done = desk.run("sync", *arguments)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"Error: {message}")


def test_an_engine_that_is_not_there_is_told(desk: Desk) -> None:
    done = desk.run("sync", "shelf", CONNECTORS__ENGINE__HOST="http://127.0.0.1:1", CONNECTORS__ENGINE__ATTEMPTS="1")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "No connection to http://127.0.0.1:1: connection refused.",
    )
