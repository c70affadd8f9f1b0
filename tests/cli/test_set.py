"""`connectors set` as a person meets it, with the embedded engine."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.errors import Conflict
from connectors.store.changed_connector import store_changes
from connectors.store.connectors import ConnectorStore
from tests.cli.desk import Desk
from tests.cli.test_show import with_changes

SHARED = "Give each its own, or set sync.shared_index in both."


def told(desk: Desk, *arguments: str) -> list[str]:
    done = desk.run("set", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_what_was_changed_is_told_with_what_it_was_before(desk: Desk) -> None:
    desk.create()
    assert told(desk, "shelf", "--name", "Shelf", "--full", "0 0 6 * * ?") == [
        "SETTING     BEFORE       NOW",
        "name        Things       Shelf",
        "full syncs  0 0 0 * * ?  0 0 6 * * ?",
        "",
        "The schedule of full syncs is off: connectors enable shelf",
    ]
    document = desk.connector("shelf")
    assert (document["name"], document["scheduling"]["full"]) == (
        "Shelf",
        {"enabled": False, "interval": "0 0 6 * * ?"},
    )


def test_a_secret_is_stored_and_not_shown(desk: Desk) -> None:
    desk.create()
    assert told(desk, "shelf", "password=hunter2") == ["SETTING   BEFORE  NOW", "password          ***"]
    assert told(desk, "shelf", "password=swordfish") == ["SETTING   BEFORE  NOW", "password  ***     ***"]
    assert desk.connector("shelf")["configuration"]["password"]["value"] == "swordfish"


def test_a_path_is_stored_from_the_root_on(desk: Desk) -> None:
    desk.create()
    assert told(desk, "shelf", "file=other.txt")[2:] == [
        "",
        "That decides which documents there are or what is in them: the next full sync reads all of them again.",
    ]
    assert desk.connector("shelf")["configuration"]["file"]["value"] == str(desk.folder / "other.txt")


def test_another_index_is_written_to_by_the_next_sync(desk: Desk) -> None:
    desk.put_many(2)
    desk.create()
    assert told(desk, "shelf", "--index", "board")[2:] == [
        "",
        "The next full sync reads all of the source and writes it to board.",
    ]
    desk.json("sync", "shelf")
    assert told(desk, "shelf", "--index", "shelf")[2:] == [
        "",
        "The next full sync reads all of the source and writes it to shelf.",
        "What is in board stays there, and is not kept up to date any more.",
    ]
    desk.json("sync", "shelf")
    assert desk.ids("shelf") == desk.ids("board") == {"thing-0", "thing-1"}


def test_an_index_of_another_connector_is_refused_unless_both_share_it(desk: Desk) -> None:
    desk.create()
    desk.create("board", index="board")
    done = desk.run("set", "shelf", "--index", "board")
    assert (done.returncode, done.stderr) == (
        2,
        "The connector 'board' writes to the index board too.\nGive each its own, or set sync.shared_index in both.\n",
    )
    desk.json("set", "board", "--sync", "shared_index=true")
    found = desk.json("set", "shelf", "--index", "board", "--sync", "shared_index=true")
    assert found["changes"] == [
        {"name": "index_name", "before": "shelf", "now": "board"},
        {"name": "sync", "before": "", "now": '{"shared_index": true}'},
    ]


def test_everything_that_is_wrong_is_told_and_nothing_is_stored(desk: Desk) -> None:
    desk.create()
    before = desk.connector("shelf")
    done = desk.run("set", "shelf", "fil=x", "file=/etc/passwd", "--full", "", "--sync", "shared=1", "--name", "New")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(". ")[0] for line in done.stderr.splitlines()] == [
        "configuration.fil: There is no such setting",
        "configuration.file: 'File of things' can't be used: '/etc/passwd' is not below an allowed path",
        "scheduling.full.interval: It is empty.",
        "sync.shared: There is no such setting",
    ]
    assert desk.connector("shelf") == before


def test_what_is_so_already_is_told(desk: Desk) -> None:
    desk.create()
    before = desk.connector("shelf")
    assert told(desk, "shelf", "--name", "Things") == ["Nothing has changed: shelf is like that already."]
    assert desk.json("set", "shelf", "--name", "Things") == {"connector": "shelf", "changes": [], "follows": []}
    assert desk.connector("shelf") == before


def test_a_connector_that_lacked_settings_can_be_synced_then(desk: Desk) -> None:
    desk.create()
    with_changes(desk, "shelf", {"status": "needs_configuration"})
    assert told(desk, "shelf", "password=x") == [
        "SETTING   BEFORE               NOW",
        "status    needs_configuration  configured",
        "password                       ***",
        "",
        "It can be synced now: connectors sync shelf",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shelf"], "Error: Say what to set: NAME=VALUE, or one of the options."),
        (["shelf", "file"], "Error: Invalid value for '[NAME=VALUE]...': 'file' is not of the form name=value."),
        (["shelf", "--sync", "a=1", "--sync", "a.b=1"], "Error: --sync a is given both a value and parts."),
        (["shlef", "--name", "x"], "Did you mean shelf?"),
    ],
)
def test_arguments_of_no_use_are_refused(desk: Desk, arguments: list[str], message: str) -> None:
    desk.create()
    done = desk.run("set", *arguments)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, message)


def test_what_somebody_else_changed_meanwhile_is_not_written_over(desk: Desk) -> None:
    async def race(theirs: Mapping[str, Any]) -> None:
        async with desk.engine() as engine:
            store = await ConnectorStore.open(engine)
            found = await store.get("shelf")
            assert found is not None
            await store.update("shelf", lambda _: theirs)
            await store_changes(store, found, {"name": "ours"})

    desk.create()
    asyncio.run(race({"description": "theirs"}))
    assert (desk.connector("shelf")["name"], desk.connector("shelf")["description"]) == ("ours", "theirs")
    with pytest.raises(Conflict, match="Somebody else has changed the connector 'shelf' meanwhile"):
        asyncio.run(race({"name": "theirs"}))
    assert desk.connector("shelf")["name"] == "theirs"
