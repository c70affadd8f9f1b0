"""`connectors show` as a person meets it, with the embedded engine."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.store.connectors import ConnectorStore
from tests.cli.desk import Desk


def with_changes(desk: Desk, connector_id: str, changes: Mapping[str, Any]) -> None:
    """Write into a connector as somebody else would."""

    async def write() -> None:
        async with desk.engine() as engine:
            store = await ConnectorStore.open(engine)
            await store.update(connector_id, lambda _: changes)

    asyncio.run(write())


def shown(desk: Desk, *arguments: str) -> str:
    done = desk.run("show", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    told = re.sub(r"/srv/things.txt +\n", "/srv/things.txt\n", done.stdout.replace(str(desk.folder), "/srv"))
    told = re.sub(r"VALUE +NOTE", "VALUE  NOTE", told)  # as wide as the name of the folder is long
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-01-01 00:00 UTC", told)


def test_a_new_connector_is_shown_whole(desk: Desk) -> None:
    desk.create()
    assert (
        shown(desk, "shelf")
        == """\
shelf: Things
  source    things (Things)
  index     shelf, which is not there yet: the first sync makes it
  pipeline  search-default-ingestion
  status    configured

Settings
NAME      VALUE  NOTE
file      /srv/things.txt
password

Schedules
SYNC                 WHEN
full            off  0 0 0 * * ?
incremental     off  0 0 0 * * ?
access control  off  0 0 0 * * ?

Sync rules
None: every document is indexed.

Syncs
  last  never

No dead letters, and no deletions held back.
"""
    )


def test_custom_schedules_are_shown_with_their_settings_but_nothing_secret(desk: Desk) -> None:
    desk.create()
    given = {"file": {"label": "", "value": "/srv/hot.txt"}, "password": {"label": "", "value": "hunter2"}}
    hot = {"name": "Hot", "enabled": True, "interval": "0 0/15 * * * ?", "configuration_overrides": given}
    odd = {"configuration_overrides": {"fiel": {"value": "swordfish"}}, "last_synced": "2026-01-01T00:00:00Z"}
    with_changes(desk, "shelf", {"custom_scheduling": {"hot": hot, "odd": odd}})
    told = shown(desk, "shelf").partition("Custom schedules\n")[2].partition("\n\n")[0]
    assert [" ".join(line.split()) for line in told.splitlines()] == [
        "KEY NAME WHEN LAST SYNC SETTINGS",
        "hot Hot on 0 0/15 * * * ? never file=/srv/hot.txt, password=***",
        "odd off 2026-01-01 00:00 UTC The connector has no such settings: 'fiel'. Known: file, password.",
    ]
    assert desk.json("show", "shelf")["custom_scheduling"] == {
        "hot": {
            "name": "Hot",
            "enabled": True,
            "interval": "0 0/15 * * * ?",
            "last_synced": None,
            "settings": {"file": "/srv/hot.txt", "password": "***"},
            "error": None,
        },
        "odd": {
            "name": None,
            "enabled": False,
            "interval": None,
            "last_synced": "2026-01-01T00:00:00+00:00",
            "settings": {"fiel": "***"},
            "error": "The connector has no such settings: 'fiel'. Known: file, password.",
        },
    }


def test_what_waits_for_a_person_is_told_with_the_command_that_tells_more(desk: Desk) -> None:
    desk.put({"_id": "a"}, "fail b it is torn")
    desk.create()
    desk.json("sync", "shelf", code=3)
    lines = shown(desk, "shelf").splitlines()
    assert "  index     shelf, which is shelf-000001, with 1 document of this connector" in lines
    assert lines[lines.index("Syncs") :] == [
        "Syncs",
        "  last      completed 2026-01-01 00:00 UTC: 1 indexed, 0 deleted",
        "  error     1 documents could not be indexed: `connectors dead-letters list shelf` tells why.",
        "  complete  2026-01-01 00:00 UTC",
        "",
        "1 dead letter: connectors dead-letters list shelf",
    ]
    desk.put()
    desk.json("sync", "shelf", code=3)
    assert shown(desk, "shelf").splitlines()[-1] == "1 deletion held back: connectors deletes list shelf"
    found = desk.json("show", "shelf")
    assert (found["documents"], found["dead_letters"], found["held_deletions"]) == (1, 0, 1)


def test_secrets_and_what_refers_to_them_are_masked(desk: Desk) -> None:
    desk.create()
    document = desk.connector("shelf")
    secret = {**document["configuration"]["password"], "value": "hunter2"}
    refers = {**document["configuration"]["file"], "value": "/srv/${PLACE}"}
    stray = {"value": "swordfish"}
    declared = {"value": "seen", "sensitive": False}
    changes = {"password": secret, "file": refers, "stray": stray, "declared": declared}
    with_changes(desk, "shelf", {"configuration": changes})
    settings = shown(desk, "shelf").partition("Settings\n")[2].partition("\n\n")[0]
    assert settings.splitlines()[1:] == [
        "file      ***",
        "password  ***",
        "stray     ***    unknown to the source",
        "declared  seen   unknown to the source",
    ]
    found = desk.json("show", "shelf")["configuration"]
    assert {name: one["value"] for name, one in found.items()} == {
        "file": "***",
        "password": "***",
        "stray": "***",
        "declared": "seen",
    }


def test_rules_are_told_in_the_order_in_which_they_decide(desk: Desk) -> None:
    desk.create()
    rules = [
        {"id": "a", "policy": "exclude", "field": "status", "rule": "equals", "value": "draft", "order": 1},
        {"id": "DEFAULT", "policy": "include", "field": "_", "rule": "regex", "value": ".*", "order": 2},
    ]
    active = {"rules": rules, "advanced_snippet": {"value": [{"pattern": "*"}]}}
    with_changes(desk, "shelf", {"filtering": [{"domain": "DEFAULT", "active": active}]})
    assert shown(desk, "shelf").partition("Sync rules\n")[2].partition("\n\n")[0].splitlines() == [
        "exclude status equals draft",
        'advanced: [{"pattern": "*"}]',
    ]


def test_what_can_not_be_read_is_told_beside_what_can(desk: Desk) -> None:
    desk.create()
    with_changes(desk, "shelf", {"service_type": "thinks", "pipeline": {"name": [7]}, "filtering": 7})
    lines = shown(desk, "shelf").splitlines()
    assert lines[1:4] == [
        "  source    thinks: There is no source 'thinks'. Did you mean things?",
        "  index     shelf, which is not there yet: the first sync makes it",
        "  pipeline  The pipeline is an object, not an object with a name.",
    ]
    assert "filtering[0] is 7, not an object." in lines


def test_an_unknown_connector_is_told_with_the_one_that_may_be_meant(desk: Desk) -> None:
    desk.create()
    done = desk.run("show", "shlef")
    assert (done.returncode, done.stderr) == (2, "There is no connector 'shlef'.\nDid you mean shelf?\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", ""], "There is no connector ''."),
        (["delete", "", "--yes"], "There is no connector ''."),
        (["job", "show", ""], "There is no job ''."),
        (["search", "", "x"], "There is no index '', and no connector."),
    ],
)
def test_an_empty_id_is_nobody_s(desk: Desk, arguments: list[str], message: str) -> None:
    desk.create()
    done = desk.run(*arguments)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, message)
