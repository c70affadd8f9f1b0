"""`connectors sources` as a person meets it: a real process, with sources in a folder of the test."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cli.table import lines_of, wrapped

ROOT = Path(__file__).parent.parent.parent
MODULE = """
    from connectors.fields import Field, Fields
    from connectors.source import BaseDataSource

    class Shop(BaseDataSource):
        \"\"\"**The** orders
        of a shop.

        - as they
          are
        \"\"\"

        name = "Shop"
        service_type = "shop"
        advanced_rules_enabled = incremental_sync_enabled = dls_enabled = True
        fields = Fields(
            Field("host", "Host name", example="shop.example.org"),
            Field("port", "Port", type=int, default=80, tooltip="Where the shop listens for those who want to read it"),
        )

        async def ping(self):
            pass

        async def datasets(self):
            return []

        def read(self, dataset, columns=None, where=None, after=None, limit=None):
            pass

    class Stall(Shop):
        name = "Stall"
        fields = Fields()
        basic_rules_enabled = advanced_rules_enabled = incremental_sync_enabled = dls_enabled = False
        drivers = {"no_such_driver": "no-such-driver"}
        read = BaseDataSource.read
        async def get_docs(self, filtering=None):
            yield {"_id": "1"}
"""
SETTINGS = "sources: {gone: 'market:Gone', shop: 'market:Shop', stall: 'market:Stall'}\n"
ENGLISH = "rules, advanced rules, incremental, deletes only, access control, rows"
MISSING = "unavailable: The module no_such_driver can't be found. Install it: pip install no-such-driver"


class Market:
    """A folder with a module of sources, and settings that name them."""

    def __init__(self, folder: Path) -> None:
        (folder / "market.py").write_text(dedent(MODULE))
        (folder / "config.yml").write_text(SETTINGS)
        self.command = [sys.executable, "-m", "connectors", "--config", str(folder / "config.yml")]
        self.environ = {"PATH": "/usr/bin", "PYTHONPATH": f"{ROOT}:{folder}"}

    def run(self, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.command, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**self.environ, **environ},
            timeout=30,
        )

    def on_terminal(self, columns: int, *arguments: str) -> list[str]:
        """Run a command on a terminal of that width and return the lines that it shows."""
        ours, theirs = pty.openpty()
        environ = {**self.environ, "COLUMNS": str(columns), "TERM": "xterm"}
        with subprocess.Popen([*self.command, *arguments], stdout=theirs, cwd=ROOT, env=environ) as process:
            os.close(theirs)
            shown = b""
            with os.fdopen(ours, "rb", buffering=0) as terminal:
                while part := _part(terminal):
                    shown += part
        assert process.returncode == 0
        return shown.decode().splitlines()


def _part(terminal: Any) -> bytes:
    try:
        return bytes(terminal.read(4096))
    except OSError:  # how Linux says that nobody has the other end any more
        return b""


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path)


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells of the table by the first of them; of sources that come with the project nothing."""
    lines = [[cell for cell in line.split("  ") if cell] for line in text.splitlines()]
    return {line[0]: [cell.strip() for cell in line[1:]] for line in lines if line[0] in {"gone", "shop", "stall"}}


def test_the_list_says_of_each_source_what_it_can_and_whether_it_can_be_used(market: Market) -> None:
    result = market.run("sources")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split("\n")[0].split() == [
        "SERVICE",
        "TYPE",
        "NAME",
        "WHAT",
        "IT",
        "CAN",
        "FOUND",
        "IN",
        "STATE",
    ]
    assert rows(result.stdout) == {
        "gone": ["config.yml", "unavailable: market has no class Gone."],
        "shop": ["Shop", ENGLISH, "config.yml", "available"],
        "stall": ["Stall", "config.yml", MISSING],
    }


def test_the_list_as_json_says_the_same(market: Market) -> None:
    listed = {one["service_type"]: one for one in json.loads(market.run("sources", "--json").stdout)}
    assert listed["stall"] == {
        "service_type": "stall",
        "name": "Stall",
        "can": [],
        "found_in": "config.yml",
        "available": False,
        "reason": "The module no_such_driver can't be found.",
        "install": "pip install no-such-driver",
    }
    assert listed["shop"]["can"] == ENGLISH.split(", ")
    assert (listed["shop"]["available"], listed["shop"]["reason"], listed["shop"]["install"]) == (True, None, None)
    assert listed["gone"]["name"] == ""


def test_a_source_is_shown_with_its_settings(market: Market) -> None:
    result = market.run("sources", "show", "shop")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == dedent("""\
        Shop (shop), of config.yml

        **The** orders
        of a shop.

        - as they
          are

        SETTING  LABEL      TYPE          DEFAULT  REQUIRED  NOTES
        host     Host name  text                   yes
        port     Port       whole number  80       no        Where the shop listens for those who want to read it.

        What it can: rules, advanced rules, incremental, deletes only, access control, rows.

        State: available
        """)


def test_on_a_terminal_everything_fits_its_width(market: Market) -> None:
    lines = market.on_terminal(80, "sources", "show", "shop")
    assert lines == [
        "\x1b[1mShop\x1b[0m (shop), of config.yml",
        "",
        "**The** orders of a shop.",
        "",
        "- as they",
        "  are",
        "",
        "\x1b[1mSETTING  LABEL      TYPE          DEFAULT  REQUIRED  NOTES\x1b[0m",
        "host     Host name  text                   yes",
        "port     Port       whole number  80       no        Where the shop listens for",
        "                                                     those who want to read it.",
        "",
        "What it can: rules, advanced rules, incremental, deletes only, access control,",
        "rows.",
        "",
        "State: available",
    ]


def test_on_a_wide_terminal_a_table_is_no_wider_than_can_be_read(market: Market) -> None:
    lines = market.on_terminal(300, "sources")
    assert max(len(line) for line in lines[1:]) <= 100


def test_a_source_whose_driver_is_missing_is_shown_all_the_same(market: Market) -> None:
    result = market.run("sources", "show", "stall")
    assert result.returncode == 0
    assert result.stdout.splitlines()[-5:] == [
        "It has no settings.",
        "",
        "What it can: nothing.",
        "",
        f"State: {MISSING}",
    ]


def test_a_source_as_json_is_what_programs_need_to_configure_it(market: Market) -> None:
    shown = json.loads(market.run("sources", "show", "shop", "--json").stdout)
    assert shown["description"] == "**The** orders\nof a shop.\n\n- as they\n  are"
    assert shown["configuration"]["port"]["value"] == 80
    assert shown["schema"]["required"] == ["host"]
    assert shown["example"] == {"host": "shop.example.org", "port": 80}
    assert shown["features"]["sync_rules"] == {"basic": {"enabled": True}, "advanced": {"enabled": True}}
    assert (shown["advanced_rules_schemas"], shown["available"]) == ([], True)


def test_the_page_of_a_source_is_printed(market: Market) -> None:
    result = market.run("sources", "show", "stall", "--markdown")
    assert result.stdout.startswith("# Stall\n\nIts service type is `stall`.\n")
    assert result.stdout.endswith("\nThis page is made of what `market.Stall` declares.\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("show", "shpo"), "There is no source 'shpo'.\nDid you mean shop?\n"),
        (("show", "gone"), "The source 'gone' of config.yml can't be used: market has no class Gone.\n"),
    ],
)
def test_what_can_not_be_shown_is_a_wrong_argument(market: Market, arguments: tuple[str, ...], text: str) -> None:
    result = market.run("sources", *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", text)


def test_an_option_at_the_wrong_place_is_not_ignored(market: Market) -> None:
    result = market.run("sources", "--json", "show", "shop")
    assert result.returncode == 2
    assert "Put --json behind show." in result.stderr


def test_help_imports_nothing_that_takes_long() -> None:
    slow = ["connectors.source", "connectors.registry", "connectors.filtering", "jsonschema_rs", "sqlglot", "re2"]
    slow += ["connectors.engine", "connectors.store", "connectors.sync", "elasticsearch", "numpy", "orjson"]
    code = (
        "import sys; from connectors.cli import cli\n"
        "for command in ([], *([name] for name in cli.commands), ['rules', 'check'], ['dead-letters', 'list']):\n"
        "    cli.main([*command, '--help'], standalone_mode=False)\n"
        f"print([name for name in {slow} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_widest_columns_of_a_table_are_wrapped() -> None:
    cells = [["a", "bb"], ["one two three", "four five six seven"]]
    assert lines_of(cells, None) == ["a              bb", "one two three  four five six seven"]
    assert lines_of(cells, 20) == ["a          bb", "one two    four five", "three      six seven"]


def test_a_word_is_cut_only_where_it_would_take_the_place_of_all_others() -> None:
    assert lines_of([["x", "ab" * 20]], 30) == ["x  " + "ab" * 13 + "a", "   " + "ba" * 6 + "b"]
    assert lines_of([["x", "antidisestablishment of it"]], 25) == ["x  antidisestablishment", "   of it"]


def test_words_are_cut_shorter_where_the_table_would_not_fit_otherwise() -> None:
    assert lines_of([["a" * 20, "b" * 20]], 30) == ["a" * 14 + "  " + "b" * 14, "a" * 6 + "          " + "b" * 6]
    assert lines_of([["x", "antidisestablishment of it"]], 10) == ["x  antidis", "   establi", "   shment", "   of it"]


def test_a_word_of_a_paragraph_stays_whole() -> None:
    assert wrapped("see https://example.org/a/page", 5) == ["see", "https://example.org/a/page"]
    assert wrapped("", 5) == [""]


@given(
    st.lists(st.lists(st.text("ab ", max_size=60), min_size=3, max_size=3), min_size=1, max_size=5),
    st.none() | st.integers(76, 120),
)
def test_a_table_holds_every_letter_and_fits(cells: list[list[str]], width: int | None) -> None:
    lines = lines_of(cells, width)
    assert sorted("".join(lines).replace(" ", "")) == sorted("".join(map("".join, cells)).replace(" ", ""))
    assert width is None or max(map(len, lines)) <= width
