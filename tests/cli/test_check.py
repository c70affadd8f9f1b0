"""`connectors check` as a person meets it, with the embedded engine."""

import re

import pytest

from tests.cli.desk import Desk, Done
from tests.cli.test_show import with_changes


def lines_of(done: Done, desk: Desk) -> list[str]:
    """Return what was told, without times and the folder."""
    assert done.stderr == ""
    return re.sub(r" \(\d+ ms\)", "", done.stdout.replace(str(desk.folder), "/srv")).splitlines()


def test_a_connector_that_can_be_synced_is_told_step_by_step(desk: Desk) -> None:
    desk.put({"_id": "a", "name": "Lamp", "size": 7})
    desk.create()
    done = desk.run("check", "shelf")
    assert (done.returncode, lines_of(done, desk)) == (
        0,
        [
            "ok       engine     The embedded engine, at data",
            "ok       connector  shelf, Things",
            "ok       source     Things (things), of config.yml",
            "ok       settings   2 settings, all valid",
            "ok       reach      opened it, and it answered",
            "ok       rules      none",
            "ok       index      shelf, which is not there yet: the first sync makes it",
            "ok       pipeline   none, and none is needed",
            "ok       document   'a' with name, size",
        ],
    )
    desk.json("sync", "shelf")
    assert "ok       index      shelf, which is shelf-000001" in lines_of(desk.run("check", "shelf"), desk)


def test_what_needs_a_step_that_failed_is_skipped(desk: Desk) -> None:
    desk.create()
    with_changes(desk, "shelf", {"service_type": "thinks"})
    done = desk.run("check", "shelf")
    assert (done.returncode, lines_of(done, desk)[2:]) == (
        2,
        [
            "failed   source     There is no source 'thinks'.",
            "                    Did you mean things?",
            "skipped  settings   needs source",
            "skipped  reach      needs settings",
            "skipped  rules      needs reach",
            "ok       index      shelf, which is not there yet: the first sync makes it",
            "ok       pipeline   none, and none is needed",
            "skipped  document   needs reach and rules",
        ],
    )


def test_as_json_each_step_has_its_state_and_hint(desk: Desk) -> None:
    desk.put({"_id": "a"})
    desk.create()
    with_changes(desk, "shelf", {"pipeline": {"name": "mine"}, "index_name": None})
    steps = {one["name"]: one for one in desk.json("check", "shelf", code=2)}
    assert steps["index"] == {
        "name": "index",
        "state": "failed",
        "found": "The connector has no index to write to.",
        "hint": "connectors set shelf --index NAME",
        "took_ms": steps["index"]["took_ms"],
    }
    assert steps["pipeline"]["found"].startswith("The connector names the pipeline 'mine', and The embedded engine")
    assert [one["state"] for one in steps.values()].count("ok") == 7


def test_a_source_can_be_checked_without_a_connector(desk: Desk) -> None:
    desk.put({"_id": "a"})
    done = desk.run("check", "--source", "things", "--set", "file=things.txt")
    assert (done.returncode, lines_of(done, desk)[1:]) == (
        0,
        [
            "ok       source     Things (things), of config.yml",
            "ok       settings   2 settings, all valid",
            "ok       reach      opened it, and it answered",
            "ok       rules      none",
            "skipped  index      no --index is named",
            "ok       pipeline   none, and none is needed",
            "ok       document   'a' with no fields",
        ],
    )
    assert desk.json("list") == []


def test_without_an_engine_a_source_is_tried_all_the_same(desk: Desk) -> None:
    desk.put({"_id": "a"})
    host = {"CONNECTORS__ENGINE__HOST": "http://127.0.0.1:1"}
    done = desk.run("check", "--source", "things", "--set", "file=things.txt", "--index", "x", **host)
    assert (done.returncode, lines_of(done, desk)) == (
        1,
        [
            "failed   engine     No connection to http://127.0.0.1:1: connection refused.",
            "                    Is the engine running, and is engine.host its address?",
            "ok       source     Things (things), of config.yml",
            "ok       settings   2 settings, all valid",
            "ok       reach      opened it, and it answered",
            "ok       rules      none",
            "skipped  index      needs engine",
            "skipped  pipeline   needs engine",
            "ok       document   'a' with no fields",
        ],
    )


@pytest.mark.parametrize(
    ("things", "line", "code"),
    [
        ([], "ok       document   there is none", 0),
        (["fail a it is torn"], "ok       document   there is none (1 document can't be read)", 0),
        (["fail a torn", '{"_id": "b"}'], "ok       document   'b' with no fields (1 document can't be read)", 0),
        (["wait"], "skipped  document   none came within 0.3 s; a sync waits longer", 0),
        (["deny"], "failed   document   No more things.", 1),
        (["{"], "failed   document   The source failed: JSONDecodeError: ", 1),
    ],
    ids=["none", "failed", "after a failed one", "late", "denied", "fault"],
)
def test_the_first_document_is_read(desk: Desk, things: list[str], line: str, code: int) -> None:
    desk.put(*things)
    desk.create()
    done = desk.run("check", "shelf", "--limit", "0.3")
    [found] = [one for one in lines_of(done, desk) if "document  " in one]
    assert (done.returncode, found[: len(line)]) == (code, line)


def test_a_document_that_rules_drop_is_not_the_first_one(desk: Desk) -> None:
    desk.put({"_id": "a", "state": "draft"}, {"_id": "b", "state": "done"})
    desk.create()
    rule = {"id": "r", "policy": "exclude", "field": "state", "rule": "equals", "value": "draft", "order": 1}
    with_changes(desk, "shelf", {"filtering": [{"domain": "DEFAULT", "active": {"rules": [rule]}}]})
    lines = lines_of(desk.run("check", "shelf"), desk)
    assert "ok       rules      1 basic rule" in lines
    assert lines[-1] == "ok       document   'b' with state (1 document dropped by rules)"


def test_rules_that_are_wrong_are_told_each_on_a_line(desk: Desk) -> None:
    desk.put({"_id": "a"})
    desk.create()
    rules = [{"id": "r", "policy": "exclude", "field": "a", "rule": "resembles", "value": "b", "order": 1}, 7]
    with_changes(desk, "shelf", {"filtering": [{"domain": "DEFAULT", "active": {"rules": rules}}]})
    done = desk.run("check", "shelf")
    lines = lines_of(done, desk)
    first = next(number for number, line in enumerate(lines) if line.startswith("failed"))
    assert (done.returncode, lines[first].startswith("failed   rules      ")) == (2, True)
    assert lines[first + 1].startswith("                    ")


def test_an_index_of_another_connector_is_told(desk: Desk) -> None:
    desk.put({"_id": "a"})
    desk.create()
    desk.create("board", index="shelf")
    lines = lines_of(desk.run("check", "board"), desk)
    assert "failed   index      The connector 'shelf' writes to the index shelf too." in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shelf", "--source", "things"], "Error: Name either the ID of a connector or a --source."),
        (["--index", "x"], "Error: --set and --index describe a --source, and none is named."),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(desk: Desk, arguments: list[str], message: str) -> None:
    done = desk.run("check", *arguments)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, message)


def test_the_source_of_a_connector_has_what_it_remembers_and_another_one_remembers_nothing(desk: Desk) -> None:
    desk.put("remember")
    desk.create()
    found = [desk.json("check", "shelf")[-1]["found"] for _ in range(2)]
    assert found == ["'a' with times_1", "'a' with times_2"]
    impromptu = ["check", "--source", "things", "--set", f"file={desk.folder / 'things.txt'}"]
    assert [desk.json(*impromptu)[-1]["found"] for _ in range(2)] == ["'a' with times_1"] * 2


def test_what_keeps_the_values_of_a_source_is_told_of_when_it_is_away(desk: Desk) -> None:
    desk.put("remember")
    desk.create()
    url = "redis://127.0.0.1:1/0"
    done = desk.run("check", "shelf", CONNECTORS__STORAGE__BACKEND="redis", CONNECTORS__STORAGE__URL=url)
    assert done.returncode == 1
    assert f"The storage of sources, Redis at {url}, can't be used now: ConnectionError." in done.stdout


def test_a_file_that_keeps_values_outlives_the_embedded_engine_beside_it(desk: Desk) -> None:
    desk.put("remember")
    desk.create()
    done = [desk.run("check", "shelf", CONNECTORS__STORAGE__BACKEND="sqlite") for _ in range(3)]
    assert [lines_of(one, desk)[-1] for one in done] == [f"ok       document   'a' with times_{n}" for n in (1, 2, 3)]
    assert (desk.folder / "data" / "storage" / "values.db").exists()
