"""A source that is synced without a connector made before: which connector it becomes, and when it is the same."""

import asyncio
import json
from typing import Any

import pytest

from connectors.store.connectors import ConnectorStore
from tests.cli.desk import Desk


def sync(desk: Desk, *more: str, code: int = 0, index: str = "shelf", file: str = "things.txt") -> Any:
    return desk.json("sync", "--source", "things", "--set", f"file={file}", "--index", index, *more, code=code)


def value_of(document: dict[str, Any], name: str) -> Any:
    return document["configuration"][name]["value"]


def test_a_source_is_synced_and_the_same_command_goes_on_with_the_same_connector(desk: Desk) -> None:
    desk.put_many(3)
    first = sync(desk, "--language", "en")
    second = sync(desk)
    assert first["connector"] == second["connector"]
    assert [one["syncs"][0]["created"] for one in (first, second)] == [3, 0]
    document = desk.connector(first["connector"])
    assert value_of(document, "file") == str(desk.folder / "things.txt")
    assert (document["name"], document["language"], document["index_name"]) == ("things into shelf", "en", "shelf")


def test_another_source_setting_or_index_is_another_connector(desk: Desk) -> None:
    desk.put_many(1)
    (desk.folder / "more.txt").write_text('{"_id": "a"}\n')
    found = [sync(desk), sync(desk, index="other"), sync(desk, index="more", file="more.txt")]
    assert len({one["connector"] for one in found}) == 3


def test_however_a_path_is_written_it_is_the_same_connector(desk: Desk) -> None:
    desk.put_many(1)
    paths = ["things.txt", "./things.txt", "data/../things.txt", str(desk.folder / "things.txt")]
    assert len({sync(desk, file=path)["connector"] for path in paths}) == 1


def test_a_changed_secret_is_stored_in_the_same_connector(desk: Desk) -> None:
    desk.put_many(1)
    first = sync(desk, "--set", "password=old")
    second = sync(desk, "--set", "password=new", "--language", "de")
    assert first["connector"] == second["connector"]
    document = desk.connector(first["connector"])
    assert (value_of(document, "password"), document["language"]) == ("new", "de")
    assert "password" not in json.dumps([first, second])


def test_what_is_typed_here_may_be_read_and_what_the_engine_holds_may_not(desk: Desk) -> None:
    (desk.folder / "config.yml").write_text("sources: {things: 'things:Things'}\n")
    desk.put_many(1)
    made = sync(desk)["connector"]
    done = desk.run("sync", made)
    assert (done.returncode, "is not below an allowed path" in done.stderr) == (2, True)


def test_what_to_do_next_is_a_command_that_may_read_the_source(desk: Desk) -> None:
    desk.put({"_id": "a"}, "fail b it is torn")
    made = sync(desk, code=3)["connector"]
    again = ["sync", "--source", "things", "--set", "file=things.txt", "--index", "shelf"]
    assert desk.run(*again).stdout.splitlines()[-1] == "  When mended:   the same command again"
    desk.put()
    assert desk.run(*again).returncode == 3
    assert desk.run("deletes", "approve", made).stdout.splitlines() == [
        "Approved: 1 deletion. The next full sync deletes what is gone by then still:",
        "  connectors sync --source things --index shelf … as before",
    ]


def test_two_sources_do_not_share_an_index(desk: Desk) -> None:
    desk.put_many(1)
    (desk.folder / "more.txt").write_text('{"_id": "a"}\n')
    sync(desk)
    done = desk.run("sync", "--source", "things", "--set", "file=more.txt", "--index", "shelf")
    assert (done.returncode, "writes to the index shelf-000001 too." in done.stderr) == (2, True)


def test_a_connector_that_was_deleted_is_made_again(desk: Desk) -> None:
    desk.put_many(1)
    made = sync(desk)["connector"]

    async def delete() -> None:
        async with desk.engine() as engine:
            await (await ConnectorStore.open(engine)).update(made, lambda _: {"deleted": True})

    asyncio.run(delete())
    assert sync(desk)["connector"] == made
    document = desk.connector(made)
    assert (document["deleted"], document["last_sync_status"]) == (False, "completed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "thing", "--index", "x"], "Did you mean things?"),
        (
            ["--source", "things", "--index", "x", "--set", "fiel=a"],
            "There is no setting 'fiel'.\nDid you mean file?",
        ),
        (["--source", "things", "--index", "X", "--set", "file=a"], "it has capital letters"),
        (["--source", "things", "--index", "x"], "'File of things' can't be empty."),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(desk: Desk, arguments: list[str], message: str) -> None:
    done = desk.run("sync", *arguments)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
