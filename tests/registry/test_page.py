"""The page of a source, and docs/generate.py as it is run, in a copy of what it reads."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar

import pytest

from connectors.fields import Field, Fields
from connectors.registry import Origin, Place
from connectors.registry.page import FieldRow, field_rows, list_of, page_of
from connectors.registry.profile import Profile
from connectors.source import BaseDataSource

ROOT = Path(__file__).parent.parent.parent
FIELDS = Fields(
    Field("host", "Server", example="db.example.org", tooltip="Where it is"),
    Field("port", "Port", type=int, default=3306, greater_than=0, less_than=65_536),
    Field("password", "Password", sensitive=True, tooltip="Of a reader."),
    Field("tls", "Use TLS", type=bool),
    Field("ca", "Authority", type=Path, depends_on={"tls": True}),
    Field("tables", "Tables", type=list, default=["a", "b"], list_type="str", pattern="[a|b]"),
    Field("years", "Years", type=list, required=False, list_type="int", included_in=[1999, 2000]),
    Field("mode", "Mode", options={"fast": "Fast", "slow": "Slow one"}, default="fast", advanced=True),
    Field("note", "Note", required=False, example="it's"),
)


class Advanced:
    schema: ClassVar[dict[str, Any]] = {"type": "array"}


class ShopDataSource(BaseDataSource):
    """The tables of
    a shop.

    A second paragraph.
    """

    name = "Shop"
    service_type = "shop"
    fields = FIELDS
    drivers: ClassVar[dict[str, str]] = {"shop": "shop-driver>=2"}
    advanced_rules_enabled = True

    async def ping(self) -> None: ...

    def get_docs(self, filtering: object = None) -> Any: ...

    def advanced_rules_validators(self) -> list[Any]:
        return [Advanced, object(), Advanced()]


class Bare:
    service_type = "bare"
    incremental_sync_enabled = True

    @classmethod
    def get_default_configuration(cls) -> dict[str, Any]:
        return {}


def section(page: str, title: str) -> str:
    return re.split(r"^## ", page, flags=re.MULTILINE)[1:][[*re.findall(r"^## (.*)", page, re.MULTILINE)].index(title)]


def test_each_field_is_a_row_with_all_there_is_to_know() -> None:
    assert field_rows(FIELDS) == [
        FieldRow("host", "Server", "text", "", "yes", "Where it is."),
        FieldRow("port", "Port", "whole number", "3306", "no", "Has to be greater than 0 and less than 65536."),
        FieldRow("password", "Password", "text", "", "yes", "Of a reader. Sensitive."),
        FieldRow("tls", "Use TLS", "true or false", "false", "no", ""),
        FieldRow("ca", "Authority", "path", "", "yes", "Counts where tls is true."),
        FieldRow("tables", "Tables", "list", "a, b", "no", "Has to match [a|b]."),
        FieldRow("years", "Years", "list", "", "no", "One of: 1999, 2000. Of whole numbers."),
        FieldRow("mode", "Mode", "text", "fast", "no", "One of: fast (Fast), slow (Slow one). Advanced."),
        FieldRow("note", "Note", "text", "", "no", ""),
    ]


def test_a_page_begins_with_what_the_class_says_of_itself() -> None:
    page = page_of(ShopDataSource)
    assert page.startswith("# Shop\n\nThe tables of\na shop.\n\nA second paragraph.\n\nIts service type is `shop`.\n")
    assert page.endswith(f"\n\nThis page is made of what `{__name__}.ShopDataSource` declares.\n")


def test_a_page_has_a_table_of_the_settings_whose_cells_stay_cells() -> None:
    lines = section(page_of(ShopDataSource), "Settings").splitlines()
    assert lines[2:4] == [
        "| setting | label | type | default | required | notes |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    assert lines[9] == "| `tables` | Tables | list | `a, b` | no | Has to match [a\\|b]. |"


def test_the_example_of_a_page_is_the_one_of_the_fields() -> None:
    example = re.search(r"```json\n(.*?)```", section(page_of(ShopDataSource), "Settings"), re.DOTALL)
    assert example is not None
    assert json.loads(example[1]) == FIELDS.example()


def test_the_command_of_a_page_sets_what_has_to_be_set_and_no_secret() -> None:
    command = "$ connectors rules check --source shop \\\n    --set host=db.example.org \\\n    rules.json\n"
    assert command in section(page_of(ShopDataSource), "Settings")


def test_a_page_says_what_a_source_can_and_what_not() -> None:
    rows = section(page_of(ShopDataSource), "What it can do").splitlines()[4:]
    assert [row.split(" | ")[:2] for row in rows if row] == [
        ["| rules", "yes"],
        ["| advanced rules", "yes"],
        ["| incremental", "no"],
        ["| live", "no"],
        ["| deletes only", "no"],
        ["| access control", "no"],
        ["| rows", "no"],
    ]


def test_a_page_has_the_schemas_of_advanced_rules() -> None:
    block = '```json\n{\n  "type": "array"\n}\n```'
    text = f"Advanced rules\n\nThey have to match these JSON Schemas:\n\n{block}\n\n{block}\n\n"
    assert section(page_of(ShopDataSource), "Advanced rules") == text


@pytest.mark.parametrize(
    ("service_type", "drivers", "text"),
    [
        ("shop", {}, "It needs nothing beside Connectors."),
        ("shop", {"a": "A", "b": "B>2"}, "It needs `A`, `B>2`: `pip install A 'B>2'`."),
        (
            "tabular_files",
            {"a": "A"},
            "`pip install 'connectors[tabular-files]'` brings what it can't do without: `A`.",
        ),
        (
            "tabular_files",
            {},
            "It works without anything else. `pip install 'connectors[tabular-files]'` adds what it can use.",
        ),
    ],
)
def test_a_page_says_what_to_install(service_type: str, drivers: dict[str, str], text: str) -> None:
    source = type("Source", (ShopDataSource,), {"service_type": service_type, "drivers": drivers})
    assert section(page_of(source), "Installation").splitlines()[2] == text


def test_a_source_of_another_package_is_not_installed_by_an_extra_of_ours() -> None:
    page = page_of(ShopDataSource, Place("tabular_files", Origin.SETTINGS, "shop"))
    assert "Its service type is `tabular_files`." in page
    assert "`pip install 'shop-driver>=2'`" in page


def test_a_source_that_can_not_be_made_of_its_example_has_a_page_without_schemas() -> None:
    def refuse(_self: object, _configuration: object) -> None:
        raise ValueError("no")

    assert "Advanced rules\n" not in page_of(type("Source", (ShopDataSource,), {"__init__": refuse}))


def test_a_field_that_names_a_path_is_there_when_the_schemas_are_asked_for() -> None:
    class Source(ShopDataSource):
        fields = Fields(Field("path", "Path", type=Path, example="/srv"))

        def advanced_rules_validators(self) -> Any:
            assert self.configuration.path == Path("/srv")
            return Advanced

    assert '"type": "array"' in page_of(Source)


def test_a_class_without_anything_of_ours_has_a_page_too() -> None:
    assert page_of(Bare).startswith("# bare\n\nIts service type is `bare`.\n\n## Settings\n\nIt has none.\n\n")
    assert "| incremental | yes |" in page_of(Bare)
    assert "It needs nothing beside Connectors." in page_of(Bare)


def test_the_list_has_a_line_for_each_source() -> None:
    assert list_of(map(Profile.of, [ShopDataSource, Bare])).splitlines()[4:] == [
        "| source | service type | what it reads | what it can |",
        "| --- | --- | --- | --- |",
        "| [Shop](shop.md) | `shop` | The tables of a shop. | rules, advanced rules |",
        "| [bare](bare.md) | `bare` |  | rules, incremental |",
    ]
    assert list_of([]).endswith("\n\nThere is none yet.\n")


SOURCE = """
    from connectors.source import BaseDataSource

    class LettersDataSource(BaseDataSource):
        \"\"\"Letters.\"\"\"

        name = "Letters"
        service_type = "letters"
        drivers = {"no_such_driver": "no-such-driver"}

        async def ping(self):
            pass

        async def get_docs(self, filtering=None):
            yield {"_id": "1"}
"""


class Checkout:
    """A copy of what docs/generate.py reads, with a source of its own alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "connectors", folder / "connectors", ignore=shutil.ignore_patterns("__pycache__"))
        for path in (folder / "connectors" / "sources").glob("[!_]*.py"):
            path.unlink()
        (folder / "docs").mkdir()
        shutil.copy(ROOT / "docs" / "generate.py", folder / "docs")
        self.source = folder / "connectors" / "sources" / "letters.py"
        self.source.write_text(dedent(SOURCE))

    def generate(self, *arguments: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            [sys.executable, "docs/generate.py", *arguments],
            cwd=self.folder,
            env={"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    assert made.generate()[0] == 0
    return made


def test_every_source_has_its_page_though_its_driver_is_missing(checkout: Checkout) -> None:
    assert checkout.generate("--check") == (0, [])
    pages = checkout.folder / "docs" / "sources"
    assert sorted(path.name for path in pages.iterdir()) == ["README.md", "letters.md"]
    assert (pages / "letters.md").read_text().startswith("# Letters\n\nLetters.\n")
    assert "| [Letters](letters.md) | `letters` | Letters. | rules |" in (pages / "README.md").read_text()


def test_a_page_that_is_stale_missing_or_left_over_is_found_and_mended(checkout: Checkout) -> None:
    checkout.source.write_text(dedent(SOURCE).replace('"letters"', '"stamps"').replace("Letters.", "Stamps."))
    checkout.source.rename(checkout.source.with_name("stamps.py"))
    assert checkout.generate("--check") == (
        1,
        [
            "docs/sources/stamps.md is not current: run `make docs`.",
            "docs/sources/README.md is not current: run `make docs`.",
            "docs/sources/letters.md is the page of no source: run `make docs`.",
        ],
    )
    assert checkout.generate() == (
        0,
        ["wrote docs/sources/stamps.md", "wrote docs/sources/README.md", "removed docs/sources/letters.md"],
    )
    assert checkout.generate("--check") == (0, [])


def test_the_page_of_a_source_that_can_not_be_imported_is_kept_and_the_source_is_named(checkout: Checkout) -> None:
    checkout.source.write_text("raise ValueError('no luck')")
    reason = "There is no page of letters: It can't be imported: ValueError: no luck (letters.py, line 1)."
    assert checkout.generate("--check") == checkout.generate() == (1, [reason])
    assert (checkout.folder / "docs" / "sources" / "letters.md").exists()
