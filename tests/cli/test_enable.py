"""`connectors enable` and `disable` as a person meets them, with the embedded engine."""

import pytest

from tests.cli.desk import Desk
from tests.cli.test_show import with_changes

DAILY = "0 0 0 * * ?"


def told(desk: Desk, *arguments: str) -> list[str]:
    done = desk.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_full_syncs_are_scheduled_if_no_kind_is_named(desk: Desk) -> None:
    desk.create()
    assert told(desk, "enable", "shelf", "--every", "0 0/30 * * * ?") == [
        "SYNC                 WHEN",
        "full            on   0 0/30 * * * ?",
        "incremental     off  0 0 0 * * ?",
        "access control  off  0 0 0 * * ?",
    ]
    assert desk.connector("shelf")["scheduling"]["full"] == {"enabled": True, "interval": "0 0/30 * * * ?"}


def test_what_is_switched_off_and_on_again_is_due_as_before(desk: Desk) -> None:
    desk.create()
    desk.json("enable", "shelf", "--every", "0 0 6 * * ?")
    assert desk.json("disable", "shelf")["scheduling"] == {
        "full": {"enabled": False, "interval": "0 0 6 * * ?"},
        "incremental": {"enabled": False, "interval": DAILY},
        "access_control": {"enabled": False, "interval": DAILY},
    }
    assert desk.json("enable", "shelf", "--full")["scheduling"]["full"] == {"enabled": True, "interval": "0 0 6 * * ?"}


def test_only_the_kinds_that_are_named_are_switched_off(desk: Desk) -> None:
    desk.create()
    on = {"enabled": True, "interval": DAILY}
    with_changes(desk, "shelf", {"scheduling": {"full": on, "incremental": on}})
    found = desk.json("disable", "shelf", "--incremental")["scheduling"]
    assert [one["enabled"] for one in found.values()] == [True, False, False]
    found = desk.json("disable", "shelf")["scheduling"]
    assert [one["enabled"] for one in found.values()] == [False, False, False]


def test_a_connector_that_lacks_settings_is_told_to_get_them(desk: Desk) -> None:
    desk.create()
    with_changes(desk, "shelf", {"status": "needs_configuration"})
    assert told(desk, "enable", "shelf")[4:] == [
        "",
        "It lacks settings, and is not synced before it has them: connectors set shelf NAME=VALUE",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--every", " "], "scheduling.full.interval: It is empty.\n"),
        (
            ["--incremental"],
            "Things has no incremental syncs.\n`connectors sources show things` tells what it can.\n",
        ),
        (
            ["--access-control", "--full"],
            "Things has no access-control syncs.\n`connectors sources show things` tells what it can.\n",
        ),
    ],
)
def test_what_can_not_be_scheduled_is_refused_and_nothing_is_stored(
    desk: Desk, arguments: list[str], message: str
) -> None:
    desk.create()
    before = desk.connector("shelf")
    done = desk.run("enable", "shelf", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)
    assert desk.connector("shelf") == before
