"""`connectors rules check` as a person meets it: a real process, without an engine."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
MODULE = """
    from pathlib import Path

    from connectors.fields import Field, Fields
    from connectors.filtering.validation import AdvancedRulesValidator, SyncRuleValidationResult
    from connectors.source import BaseDataSource

    class Advanced(AdvancedRulesValidator):
        def __init__(self, table):
            self.table = table

        async def validate(self, advanced_rules):
            for rule in advanced_rules:
                if rule["table"] != self.table:
                    return SyncRuleValidationResult.invalid_result("advanced_snippet", f"There is no {rule['table']}.")
            return SyncRuleValidationResult.valid_result("advanced_snippet")

    class Shop(BaseDataSource):
        name = "Shop"
        service_type = "shop"
        advanced_rules_enabled = True
        fields = Fields(
            Field("table", "Table", example="orders"),
            Field("folder", "Folder", type=Path, required=False),
            Field("password", "Password", sensitive=True),
            Field("port", "Port", type=int, default=80, less_than=100),
        )

        def __init__(self, configuration):
            super().__init__(configuration)
            self.table, self.folder = configuration.table, configuration.folder
            if configuration.password.reveal() == "swordfish":
                self.table = "secret"

        async def close(self):
            print("closed")

        async def ping(self):
            raise AssertionError("nobody is to be contacted")

        async def get_docs(self, filtering=None):
            raise AssertionError("nothing is to be read")
            yield

        def advanced_rules_validators(self):
            return [Advanced(self.table)]

    class Plain:
        def __init__(self, configuration):
            pass

        @classmethod
        def get_default_configuration(cls):
            return {}

        async def ping(self):
            pass

        async def get_docs(self, filtering=None):
            yield {"_id": "1"}
"""
SETTINGS = "sources: {shop: 'market:Shop', plain: 'market:Plain'}\nexposed_secrets: [SHOP_PASSWORD]\n"
GOOD = {"id": "a", "policy": "exclude", "field": "status", "rule": "equals", "value": "paid", "order": 0}
OTHER = {**GOOD, "id": "b", "value": "open", "order": 1}
BAD = {**GOOD, "id": "c", "rule": "resembles", "value": "late", "order": 2}
DEFAULT = {"id": "DEFAULT", "policy": "include", "field": "_", "rule": "regex", "value": ".*", "order": 9}
ORDERS = {"value": [{"table": "orders"}]}
Done = subprocess.CompletedProcess[str]


class Desk:
    """A folder with a source, settings that name it, and files of rules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "market.py").write_text(dedent(MODULE))
        (folder / "config.yml").write_text(SETTINGS)

    def check(self, rules: object, *more: str, source: str = "shop", **environ: str) -> Done:
        (self.folder / "rules.json").write_text(rules if isinstance(rules, str) else json.dumps(rules))
        return self.run("rules.json", *more, source=source, **environ)

    def run(self, file: str, *more: str, source: str = "shop", given: str = "", **environ: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "connectors", "rules", "check", "--source", source, *more, file],
            check=False,
            capture_output=True,
            text=True,
            input=given,
            cwd=self.folder,
            env={"PATH": "/usr/bin", "PYTHONPATH": f"{ROOT}:{self.folder}", **environ},
            timeout=30,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ({"rules": [GOOD, OTHER, DEFAULT]}, ["valid  rules.json: 2 basic rules"]),
        ({"advanced_snippet": ORDERS}, ["valid  rules.json: 0 basic rules and advanced rules"]),
        ({"rules": [GOOD], "advanced_snippet": ORDERS}, ["valid  rules.json: 1 basic rule and advanced rules"]),
        ({"rules": [], "advanced_snippet": {"value": {}}}, ["valid  rules.json: 0 basic rules"]),
        ([GOOD], ["valid  rules.json: 1 basic rule"]),
        ([], ["valid  rules.json: 0 basic rules"]),
        (
            [{"domain": "DEFAULT", "active": {"rules": [GOOD]}, "draft": {"rules": [GOOD, OTHER]}}],
            ["valid  rules.json, active: 1 basic rule", "valid  rules.json, draft: 2 basic rules"],
        ),
        ({"domain": "DEFAULT", "draft": {"rules": [GOOD]}}, ["valid  rules.json, draft: 1 basic rule"]),
        (
            {"name": "A shop", "filtering": [{"domain": "A", "active": {}}, {"domain": "B", "draft": {}}]},
            ["valid  rules.json, A active: 0 basic rules", "valid  rules.json, B draft: 0 basic rules"],
        ),
    ],
)
def test_rules_are_found_in_each_form_that_they_come_in(desk: Desk, content: object, lines: list[str]) -> None:
    done = desk.check(content)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["closed", *lines]


def test_the_standard_input_is_a_file_too(desk: Desk) -> None:
    done = desk.run("-", given=json.dumps([GOOD]))
    assert (done.returncode, done.stdout) == (0, "closed\nvalid  stdin: 1 basic rule\n")


def test_each_problem_is_told_with_the_rule_it_is_of(desk: Desk) -> None:
    done = desk.check({"rules": [GOOD, BAD], "advanced_snippet": {"value": [{"table": "staff"}]}})
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    assert lines[1:3] == ["invalid  rules.json: 2 basic rules and advanced rules", "RULE              WHAT IS WRONG"]
    assert [line.split("  ")[0] for line in lines[3:]] == ["c", "advanced_snippet"]
    assert "resembles" in lines[3]
    assert lines[4] == "advanced_snippet  There is no staff."


def test_one_rule_set_that_is_not_valid_is_enough(desk: Desk) -> None:
    done = desk.check([{"active": {"rules": [GOOD]}, "draft": {"rules": [BAD]}}])
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if "rules.json" in line] == [
        "valid  rules.json, active: 1 basic rule",
        "invalid  rules.json, draft: 1 basic rule",
    ]


def test_as_json_it_is_what_a_connector_document_says(desk: Desk) -> None:
    done = desk.check({"rules": [BAD], "advanced_snippet": ORDERS}, "--json")
    found: list[dict[str, Any]] = json.loads(done.stdout.removeprefix("closed\n"))
    assert done.returncode == 1
    assert [(one["name"], one["basic_rules"], one["advanced_rules"]) for one in found] == [("rules.json", 1, True)]
    assert found[0]["state"] == "invalid"
    assert [one["ids"] for one in found[0]["errors"]] == [["c"]]
    assert "resembles" in found[0]["errors"][0]["messages"][0]


def test_rules_of_the_wrong_shape_are_not_valid(desk: Desk) -> None:
    for content in ({"rules": 5}, ["status is paid"], {"active": 5}, {"filtering": [5]}, {"advanced_snippet": [5]}):
        done = desk.check(content)
        assert (done.returncode, done.stderr) == (1, ""), content
        assert "invalid  rules.json" in done.stdout


def test_a_source_without_anything_of_ours_has_its_rules_checked(desk: Desk) -> None:
    assert desk.check([GOOD], source="plain").stdout == "valid  rules.json: 1 basic rule\n"


def test_the_settings_of_the_source_are_those_of_the_command(desk: Desk) -> None:
    advanced = {"advanced_snippet": {"value": [{"table": "a=b"}]}}
    assert desk.check(advanced).returncode == 1
    assert desk.check(advanced, "--set", "table=a=b", "--set", "folder=/").returncode == 0


def test_a_secret_may_be_referred_to_where_settings_expose_it(desk: Desk) -> None:
    advanced = {"advanced_snippet": {"value": [{"table": "secret"}]}}
    reference = ("--set", "password=${SHOP_PASSWORD}")
    assert desk.check(advanced, *reference, SHOP_PASSWORD="swordfish").returncode == 0
    assert desk.check(advanced, *reference, SHOP_PASSWORD="other").returncode == 1
    done = desk.check(advanced, "--set", "password=${HOME}")
    assert done.returncode == 2
    assert "What it refers to is not exposed to connectors." in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "rules.json can't be read: expected the node content, but found '<stream end>' (line 1)."),
        ("[" * 100_000, "rules.json can't be read: it is neither YAML nor JSON."),
        ("5", "rules.json holds no rules."),
        ({"rule": []}, "rules.json holds no rules."),
    ],
)
def test_a_file_without_rules_is_no_matter_of_validation(desk: Desk, content: object, message: str) -> None:
    done = desk.check(content)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0].startswith(message)


def test_a_file_that_is_no_text_is_named(desk: Desk) -> None:
    (desk.folder / "rules.json").write_bytes(b'"\xff"')
    done = desk.run("rules.json")
    assert (done.returncode, done.stderr) == (2, "rules.json can't be read: it is not text in UTF-8.\n")


@pytest.mark.parametrize(
    ("arguments", "source", "message"),
    [
        (("gone.json",), "shop", "'gone.json': No such file or directory"),
        (("-",), "shpo", "There is no source 'shpo'.\nDid you mean shop?\n"),
        (("-", "--set", "tabel=x"), "shop", "There is no setting 'tabel'.\nDid you mean table?\n"),
        (("-", "--set", "port=many"), "shop", "port: 'Port' has to be a whole number, not 'many'.\n"),
        (("-", "--set", "port=100"), "shop", "port: 'Port' has to be less than 100, not 100.\n"),
        (("-", "--set", "port"), "shop", "'port' is not of the form name=value."),
        (("-", "--set", "=5"), "shop", "'=5' is not of the form name=value."),
    ],
)
def test_wrong_arguments_are_told_apart_from_wrong_rules(
    desk: Desk, arguments: tuple[str, ...], source: str, message: str
) -> None:
    done = desk.run(arguments[0], *arguments[1:], source=source, given="[]")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
