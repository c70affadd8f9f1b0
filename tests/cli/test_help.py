"""What a new user reads first: the lists of commands, and what goes wrong before anything was done."""

import re
import subprocess

import click
import pytest

from connectors.cli import cli
from tests.cli.desk import COMMAND, ROOT, Desk
from tests.cli.test_terminal import Terminal

GROUPS = sorted(name for name, command in cli.commands.items() if isinstance(command, click.Group))


@pytest.mark.parametrize("group", ["", *GROUPS])
def test_no_line_of_a_list_of_commands_ends_in_the_middle(desk: Desk, group: str) -> None:
    done = desk.run(*([group] if group else []), "--help", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    assert "..." not in done.stdout.partition("Options:")[2]
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_message_is_wrapped_between_words_on_a_terminal(desk: Desk) -> None:
    terminal = Terminal(desk, "show", "x", COLUMNS="40")
    shown = re.sub(r"\x1b\[\d*m", "", terminal.end())
    terminal.close()
    assert shown.splitlines() == [
        "There is no connector 'x'.",
        "There is none yet. `connectors create`",
        "makes one, and `connectors sync",
        "--source` does so as it syncs.",
    ]


def test_who_searches_where_nothing_was_synced_is_told_how_that_begins(desk: Desk) -> None:
    done = desk.run("search", "shelf", "water")
    assert done.stderr.splitlines()[0] == "There is no index 'shelf', and no connector."
    assert done.stderr.splitlines()[1].startswith("There is none yet. `connectors create` makes one")


@pytest.mark.parametrize(("level", "logs"), [(None, False), ("info", True)])
def test_a_command_logs_what_is_as_it_should_be_only_where_that_is_wanted(
    desk: Desk, level: str | None, logs: bool
) -> None:
    [log] = re.findall(r"^log:\n(?: +.*\n)+", (ROOT / "config.yml").read_text(), re.MULTILINE)  # as it is delivered
    with (desk.folder / "config.yml").open("a") as config:
        config.write(log)
    desk.put({"_id": "a"})
    desk.create()
    environ = {name: value for name, value in desk.environ.items() if not name.startswith("CONNECTORS__LOG")}
    wanted = {"CONNECTORS__LOG__LEVEL": level} if level is not None else {}
    done = subprocess.run(
        [*COMMAND, "sync", "shelf"],
        cwd=desk.folder,
        env={**environ, **wanted},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("Created an index." in done.stderr) is logs


def test_a_settings_file_that_is_none_is_told_in_one_line(desk: Desk) -> None:
    (desk.folder / "config.yml").write_text("engine:\n  {")
    done = desk.run("list")
    reason = "line 2, column 4: expected the node content, but found …"
    message = f"The settings file config.yml can't be read: {reason}.\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


@pytest.mark.parametrize("kind", ["incremental", "access-control"])
def test_a_kind_of_syncs_that_the_source_has_not_is_no_error_of_the_connector(desk: Desk, kind: str) -> None:
    desk.create()
    before = desk.connector("shelf")
    done = desk.run("sync", "shelf", f"--{kind}")
    hint = "`connectors sources show things` tells what it can."
    assert (done.returncode, done.stderr) == (2, f"Things has no {kind} syncs.\n{hint}\n")
    assert desk.connector("shelf") == before
