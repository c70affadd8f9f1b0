"""`connectors dead-letters` as a person meets it: what it prints, and its exit codes, with the embedded engine."""

import asyncio
import json
from typing import Any

import pytest

from connectors.store.dead_letter import DeadLetter, LetterKind
from connectors.store.dead_letters import DeadLetters
from tests.cli.desk import Desk

TORN = ("read", "read", "it is torn")


@pytest.fixture
def torn(desk: Desk) -> Desk:
    """Give a desk whose connector has two letters of one cause, and one of another."""
    desk.put({"_id": "a"}, "fail b it is torn", "fail c it is torn")
    desk.create()
    desk.json("sync", "shelf", code=3)

    async def add() -> None:
        async with desk.engine() as engine:
            letters = await DeadLetters.open(engine)
            [one] = [one async for one in letters.letters("shelf") if one.id == "b"]
            await letters.put_many([DeadLetter(**{**fields_of(one), **OTHER})])

    asyncio.run(add())
    return desk


OTHER = {"id": "d", "kind": LetterKind.WRITE, "cause": "mapper_parsing_exception", "reason": "No.", "fields": ("x",)}


def fields_of(letter: DeadLetter) -> dict[str, Any]:
    return {name: getattr(letter, name) for name in letter.__struct_fields__}


def brief(letters: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    assert {tuple(one) for one in letters} == {("id", "kind", "cause", "reason", "fields", "at", "run")}
    return {(one["id"], one["kind"], one["cause"], one["reason"]) for one in letters}


def test_letters_are_listed_by_their_causes_the_most_frequent_first(torn: Desk) -> None:
    lines = torn.run("dead-letters", "list", "shelf").stdout.splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["CAUSE", "STEP", "LETTERS", "FOR", "EXAMPLE", "WHY"],
        ["read", "read", "2", "b,", "c", "it", "is", "torn"],
    ]
    assert lines[2].split() == ["mapper_parsing_exception", "write", "1", "d", "No."]
    assert lines[3:] == ["", "One in full: connectors dead-letters show shelf DOCUMENT"]


def test_the_list_as_json_has_samples(torn: Desk) -> None:
    found = torn.json("dead-letters", "list", "shelf")
    samples = [brief(one.pop("samples")) for one in found["causes"]]
    assert found == {
        "connector": "shelf",
        "total": 3,
        "causes": [
            {"kind": "read", "cause": "read", "count": 2},
            {"kind": "write", "cause": "mapper_parsing_exception", "count": 1},
        ],
    }
    assert samples == [{("b", *TORN), ("c", *TORN)}, {("d", "write", "mapper_parsing_exception", "No.")}]


def test_letters_are_shown_in_full(torn: Desk) -> None:
    assert brief(torn.json("dead-letters", "show", "shelf")) == {
        *{("b", *TORN), ("c", *TORN)},
        ("d", "write", "mapper_parsing_exception", "No."),
    }
    assert brief(torn.json("dead-letters", "show", "shelf", "--cause", "read")) == {("b", *TORN), ("c", *TORN)}
    lines = torn.run("dead-letters", "show", "shelf", "d").stdout.splitlines()
    assert lines[:5] == ["d", "  step   write", "  cause  mapper_parsing_exception", "  why    No.", "  fields x"]
    assert [line.split()[0] for line in lines[5:]] == ["at", "run"]


def test_what_there_is_no_letter_about_is_told_with_what_may_be_meant(torn: Desk) -> None:
    assert torn.run("dead-letters", "show", "shelf", "e").stderr == (
        "There is no letter about the document e.\n`connectors dead-letters show shelf` shows all that there are.\n"
    )
    for command in ("show", "retry", "drop"):
        done = torn.run("dead-letters", command, "shelf", "--cause", "raed")
        assert (done.returncode, done.stderr) == (
            2,
            "No letter of shelf has the cause 'raed'.\nDid you mean read?\n",
        )


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("list", {"connector": "shelf", "total": 0, "causes": []}),
        ("show", []),
        ("retry", {"connector": "shelf", "outcome": "nothing", "error": None, "hint": None, "sync": None}),
        ("drop", {"connector": "shelf", "dropped": 0}),
    ],
)
def test_without_letters_there_is_nothing_to_do(desk: Desk, command: str, found: Any) -> None:
    desk.create()
    assert desk.json("dead-letters", command, "shelf") == found
    told = desk.run("dead-letters", command, "shelf")
    assert (told.returncode, told.stdout) == (
        0,
        "Removed 0 letters of shelf.\n" if command == "drop" else "There are no dead letters of shelf.\n",
    )


def test_letters_of_a_cause_are_dropped(torn: Desk) -> None:
    found = torn.json("dead-letters", "drop", "shelf", "--cause", "read", "--yes")
    assert found == {"connector": "shelf", "dropped": 2}
    assert [one["id"] for one in torn.json("dead-letters", "show", "shelf")] == ["d"]


def test_nothing_is_dropped_where_nobody_can_be_asked(torn: Desk) -> None:
    done = torn.run("dead-letters", "drop", "shelf")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "Error: Remove 3 letters of shelf? Say --yes.")
    assert torn.json("dead-letters", "list", "shelf")["total"] == 3


def test_a_document_that_is_well_now_has_its_letter_removed_by_a_sync(torn: Desk) -> None:
    torn.put({"_id": "a"}, {"_id": "b"}, "fail c it is torn")
    torn.json("sync", "shelf", code=3)
    assert brief(torn.json("dead-letters", "show", "shelf")) == {("c", *TORN)}


def test_documents_that_are_well_now_are_indexed_by_a_retry(torn: Desk) -> None:
    torn.put({"_id": "a"}, {"_id": "b"}, "fail c it is torn")
    done = torn.run("dead-letters", "retry", "shelf", "--cause", "read")
    assert (done.returncode, done.stderr, done.stdout.splitlines()) == (
        3,
        "",
        [
            "Retried: 1 document well now, or gone.",
            "1 document could not be indexed.",
            "  Look why:      connectors dead-letters list shelf",
            "  When mended:   connectors dead-letters retry shelf",
        ],
    )
    assert torn.ids("shelf") == {"a", "b"}
    assert {one["id"] for one in torn.json("dead-letters", "show", "shelf")} == {"c", "d"}


def test_a_retry_of_one_document_leaves_the_others(torn: Desk) -> None:
    torn.put({"_id": "a"}, {"_id": "b"}, {"_id": "c"})
    found = torn.json("dead-letters", "retry", "shelf", "c")
    assert list(found) == ["connector", "outcome", "error", "hint", "sync"]
    assert (found["connector"], found["outcome"], found["sync"]["recovered"]) == ("shelf", "completed", 1)
    assert torn.ids("shelf") == {"a", "c"}


def test_a_retry_that_fails_is_told_in_json_too(torn: Desk) -> None:
    torn.put({"_id": "b"}, "deny")
    done = torn.run("dead-letters", "retry", "shelf", "--json")
    assert (done.returncode, done.stderr) == (1, "No more things.\nAsk for more.\n")
    found = json.loads(done.stdout)
    assert (found["outcome"], found["error"], found["hint"]) == ("failed", "No more things.", "Ask for more.")
    assert (found["sync"]["walked"], found["sync"]["finished_at"]) == (1, None)


def test_a_retry_of_what_has_no_letter_is_told(torn: Desk) -> None:
    done = torn.run("dead-letters", "retry", "shelf", "c", "x", "y")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "There is no letter about the documents x, y.")


def test_an_unknown_connector_is_an_error_of_every_command(desk: Desk) -> None:
    desk.create()
    for command in ("list", "show", "retry", "drop"):
        done = desk.run("dead-letters", command, "shlef")
        assert (done.returncode, done.stderr) == (2, "There is no connector 'shlef'.\nDid you mean shelf?\n")
