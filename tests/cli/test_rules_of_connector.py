"""`connectors rules show`, `set` and `activate` as a person meets them, with the embedded engine."""

import asyncio
import json
from typing import Any

import pytest

from connectors.store.connectors import ConnectorStore
from tests.cli.desk import Desk

GOOD = {"id": "good", "policy": "exclude", "field": "size", "rule": ">", "value": "5"}
BAD = {"policy": "exclude", "field": "status", "rule": "equas", "value": "draft"}
WHY_BAD = "The rule 'rule-2' has the operator 'equas', which does not exist. Did you mean 'equals'?"


@pytest.fixture
def shelf(desk: Desk) -> Desk:
    """Give a desk with a connector that has no rules."""
    desk.put({"_id": "a", "size": 3}, {"_id": "b", "size": 7})
    desk.create()
    return desk


def change(desk: Desk, **fields: Any) -> None:
    """Change a connector as Kibana would."""

    async def write() -> None:
        async with desk.engine() as engine:
            await (await ConnectorStore.open(engine)).update("shelf", lambda _: fields)

    asyncio.run(write())


def write(desk: Desk, content: object, name: str = "rules.yml") -> str:
    (desk.folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return name


def lines(desk: Desk, *arguments: str, code: int = 0) -> list[str]:
    done = desk.run("rules", *arguments)
    assert (done.returncode, done.stderr) == (code, "")
    return done.stdout.splitlines()


def domain(desk: Desk) -> dict[str, Any]:
    [found] = desk.connector("shelf")["filtering"]
    return dict(found)


def ids(rules: dict[str, Any]) -> list[str]:
    return [one["id"] for one in rules["rules"]]


def test_without_rules_every_document_is_indexed(shelf: Desk) -> None:
    assert lines(shelf, "show", "shelf") == ["shelf: 0 basic rules in use", "Every document is indexed."]
    found = shelf.json("rules", "show", "shelf")
    assert (found["connector"], found["draft_is_in_use"]) == ("shelf", True)
    assert (found["active"], found["draft"]) == (domain(shelf)["active"], domain(shelf)["draft"])


def test_rules_of_a_file_are_a_draft_until_they_are_activated_and_are_obeyed_then(shelf: Desk) -> None:
    before = domain(shelf)["active"]
    write(shelf, "rules:\n  - {policy: exclude, field: size, rule: '>', value: '5'}\n")
    assert lines(shelf, "set", "shelf", "--from-file", "rules.yml") == [
        "The draft of shelf is edited: 1 basic rule.",
        "A daemon uses it once it has found it valid. At once: connectors rules activate shelf",
    ]
    assert (domain(shelf)["active"], ids(domain(shelf)["draft"])) == (before, ["rule-1", "DEFAULT"])
    assert domain(shelf)["draft"]["validation"] == {"state": "edited", "errors": []}
    assert lines(shelf, "show", "shelf") == [
        "shelf: 0 basic rules in use",
        "Every document is indexed.",
        "",
        "Draft, edited and not validated yet: 1 basic rule",
        "",
        "RULE    POLICY   FIELD  OPERATOR  VALUE",
        "rule-1  exclude  size   >         5",
        "",
        "To have it validated and used at once: connectors rules activate shelf",
    ]
    assert lines(shelf, "set", "shelf", "--from-file", "rules.yml")[0] == (
        "The draft of shelf is like that already: 1 basic rule."
    )
    assert lines(shelf, "activate", "shelf") == [
        "valid  shelf, draft: 1 basic rule",
        "They are in use from the next full sync on.",
    ]
    assert domain(shelf)["active"] == domain(shelf)["draft"]
    assert domain(shelf)["active"]["validation"] == {"state": "valid", "errors": []}
    nothing = ["Nothing to do: these are the rules of shelf that are in use."]
    assert lines(shelf, "activate", "shelf") == lines(shelf, "set", "shelf", "--from-file", "rules.yml") == nothing
    shelf.json("sync", "shelf")
    assert shelf.ids("shelf") == {"a"}


def test_a_draft_that_is_not_valid_is_told_by_the_ids_of_rules_and_stored_for_kibana(shelf: Desk) -> None:
    write(shelf, [GOOD, BAD])
    assert lines(shelf, "set", "shelf", "--from-file", "rules.yml", "--activate", code=1) == [
        "invalid  shelf, draft: 2 basic rules",
        "RULE    WHAT IS WRONG",
        f"rule-2  {WHY_BAD}",
    ]
    found = domain(shelf)
    wrong = {"state": "invalid", "errors": [{"ids": ["rule-2"], "messages": [WHY_BAD]}]}
    assert (ids(found["active"]), found["draft"]["validation"]) == (["DEFAULT"], wrong)
    assert lines(shelf, "show", "shelf")[3:] == [
        "Draft, not valid: 2 basic rules",
        "",
        "RULE    POLICY   FIELD   OPERATOR  VALUE",
        "good    exclude  size    >         5",
        "rule-2  exclude  status  equas     draft",
        "",
        "RULE    WHAT IS WRONG",
        f"rule-2  {WHY_BAD}",
        "",
        "To have it validated and used at once: connectors rules activate shelf",
    ]
    told = shelf.json("rules", "activate", "shelf", code=1)
    assert told == {
        "connector": "shelf",
        "changed": True,
        "draft_is_in_use": False,
        **wrong,
        "draft": domain(shelf)["draft"],
    }
    assert "connectors rules show shelf" in shelf.run("status").stdout


def test_one_command_sets_and_activates(shelf: Desk) -> None:
    told = shelf.json("rules", "set", "shelf", "--from-file", write(shelf, {"rules": [GOOD]}), "--activate")
    assert (told["changed"], told["draft_is_in_use"], told["state"], told["errors"]) == (True, True, "valid", [])
    assert told["draft"] == domain(shelf)["active"]
    told = shelf.json("rules", "set", "shelf", "--from-file", "rules.yml", "--activate")
    assert told == {
        "connector": "shelf",
        "changed": False,
        "draft_is_in_use": True,
        "draft": domain(shelf)["active"],
    }


def test_what_a_file_leaves_out_stays_as_it_is(shelf: Desk) -> None:
    lines(shelf, "set", "shelf", "--from-file", write(shelf, {"rules": [GOOD]}))
    lines(shelf, "set", "shelf", "--from-file", write(shelf, "advanced_rules: [{pattern: a}]"))
    draft = domain(shelf)["draft"]
    assert (ids(draft), draft["advanced_snippet"]["value"]) == (["good", "DEFAULT"], [{"pattern": "a"}])
    assert [line for line in lines(shelf, "show", "shelf") if "pattern" in line] == ['    "pattern": "a"']
    lines(shelf, "set", "shelf", "--from-file", write(shelf, {**draft, "advanced_snippet": {"value": {}}}))
    assert domain(shelf)["draft"]["advanced_snippet"]["value"] == {}


def test_a_source_that_can_not_be_reached_is_told_and_nothing_is_stored(shelf: Desk) -> None:
    lines(shelf, "set", "shelf", "--from-file", write(shelf, [GOOD]))
    broken = (shelf.folder / "things.py").read_text().replace("async def ping(self):\n        pass", BROKEN_PING)
    (shelf.folder / "broken.py").write_text(broken)
    (shelf.folder / "config.yml").write_text("sources: {things: 'broken:Things'}\nallowed_paths: [.]\n")
    done = shelf.run("rules", "activate", "shelf")
    message = "The source could not be asked about the draft of shelf: No more things."
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [message, "`connectors check shelf` tells more."]
    assert domain(shelf)["draft"]["validation"]["state"] == "edited"


BROKEN_PING = "async def ping(self):\n        raise AccessDenied('No more things.')"


def test_settings_that_are_wrong_are_another_matter(shelf: Desk) -> None:
    lines(shelf, "set", "shelf", "--from-file", write(shelf, [GOOD]))
    change(shelf, configuration={"file": {"value": "/etc/passwd"}})
    done = shelf.run("rules", "activate", "shelf")
    assert (done.returncode, done.stdout, "allowed_paths" in done.stderr) == (2, "", True)


def test_rules_that_are_switched_off_are_told(shelf: Desk) -> None:
    off = {"sync_rules": {"basic": {"enabled": False}, "advanced": {"enabled": False}}}
    change(shelf, is_native=True, features=off)
    done = shelf.run("rules", "set", "shelf", "--from-file", write(shelf, [GOOD]))
    assert (done.returncode, done.stderr) == (2, "Things has no sync rules, or they are switched off.\n")


def test_a_connector_without_a_source_has_nobody_to_ask(shelf: Desk) -> None:
    change(shelf, service_type=None)
    done = shelf.run("rules", "set", "shelf", "--from-file", write(shelf, [GOOD]))
    hint = "`connectors sources` lists those that there are."
    assert (done.returncode, done.stderr) == (2, f"The connector shelf has no source.\n{hint}\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "rules.yml can't be read: expected the node content, but found '<stream end>' (line 1).\n"),
        ("5", "rules.yml holds no rules.\n"),
        ({"rule": []}, "rules.yml holds no rules.\n"),
        ({"filtering": []}, "rules.yml holds no rules.\n"),
        ({"rules": [], "advanced_rule": 1}, "advanced_rule: Rules have no such part.\nDid you mean advanced_rules?\n"),
        (["a"], "The rule number 1 is 'a', not an object.\n"),
        ({"advanced_snippet": {"value": "x"}}, "The advanced rules are 'x', neither an object nor a list.\n"),
    ],
)
def test_a_file_that_holds_no_rules_changes_nothing(shelf: Desk, content: object, message: str) -> None:
    before = domain(shelf)
    done = shelf.run("rules", "set", "shelf", "--from-file", write(shelf, content))
    assert (done.returncode, done.stdout, done.stderr.startswith(message)) == (2, "", True), done.stderr
    assert domain(shelf) == before


@pytest.mark.parametrize("command", [("show",), ("activate",), ("set", "--from-file", "rules.yml")])
def test_who_names_no_connector_or_a_wrong_one_is_told_which_there_are(shelf: Desk, command: tuple[str, ...]) -> None:
    write(shelf, [GOOD])
    name, *options = command
    done = shelf.run("rules", name, "shelv", *options)
    assert (done.returncode, done.stderr) == (2, "There is no connector 'shelv'.\nDid you mean shelf?\n")
    done = shelf.run("rules", name, *options)
    assert (done.returncode, "shelf  Things" in done.stdout) == (2, True)


def test_rules_that_can_not_be_read_are_told(shelf: Desk) -> None:
    change(shelf, filtering=[5])
    done = shelf.run("rules", "show", "shelf")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "filtering[0] is 5, not an object.\n")
