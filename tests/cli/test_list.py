"""`connectors list` as a person meets it, with the embedded engine."""

import re

from connectors.cli.overview import BEGINNING
from tests.cli.desk import Desk

NEVER = {"enabled": False, "interval": "0 0 0 * * ?"}


def test_without_a_connector_it_is_told_how_one_is_made(desk: Desk) -> None:
    done = desk.run("list")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"There is no connector yet. {BEGINNING}\n")
    assert desk.json("list") == []


def test_connectors_are_listed_in_order_with_how_their_last_sync_ended(desk: Desk) -> None:
    desk.put({"_id": "a"})
    for name in ("shelf", "cupboard"):
        desk.create(name, index=name)
    desk.json("sync", "shelf")
    done = desk.run("list")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-01-01 00:00 UTC", done.stdout).splitlines() == [
        "ID        NAME    SOURCE  INDEX     STATUS      LAST SYNC                       SCHEDULE",
        "cupboard  Things  things  cupboard  configured  never                           off",
        "shelf     Things  things  shelf     connected   completed 2026-01-01 00:00 UTC  off",
    ]


def test_as_json_all_of_an_overview_is_told(desk: Desk) -> None:
    desk.put("deny")
    desk.create()
    desk.run("sync", "shelf")
    [found] = desk.json("list")
    assert found.pop("last_sync_skipping")["reason"] == "first"
    assert found.pop("last_synced").endswith("+00:00")
    assert found == {
        "id": "shelf",
        "name": "Things",
        "service_type": "things",
        "index_name": "shelf",
        "status": "error",
        "error": "AccessDenied: No more things. Ask for more.",
        "last_sync_status": "error",
        "last_sync_error": "AccessDenied: No more things. Ask for more.",
        "last_access_control_sync_status": None,
        "last_access_control_sync_error": None,
        "scheduling": {"full": NEVER, "incremental": NEVER, "access_control": NEVER},
    }
