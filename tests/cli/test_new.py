"""`connectors new` in a copy of the checkout, where what it writes is tested, linted and type-checked for real."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from connectors.cli.new import LONGEST_NAME, Draft

ROOT = Path(__file__).parent.parent.parent
COPIED = ("connectors", "docs", "tests")
NAME = "letters_of_mine"


class Checkout:
    """A copy of the checkout, in which commands are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
        self._copied = self._files()

    def run(self, *command: str, within: str = ".") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *command],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder / within,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def new(self, name: str, within: str = ".") -> "subprocess.CompletedProcess[str]":
        return self.run("-m", "connectors", "new", name, within=within)

    def passes(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def files(self) -> set[Path]:
        """Return the files that were not copied."""
        return self._files() - self._copied

    def _files(self) -> set[Path]:
        return {path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def paths(name: str) -> list[str]:
    return [f"connectors/sources/{name}.py", f"tests/sources/test_{name}.py", f"fixtures/{name}/{name}.jsonl"]


def test_what_is_written_keeps_every_promise_and_rule_of_the_project(checkout: Checkout) -> None:
    done = checkout.new(NAME)
    source, test, _ = paths(NAME)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        *(f"wrote {path}" for path in paths(NAME)),
        "",
        "Letters Of Mine reads the records of a file, and works. Next:",
        f"  connectors sources show {NAME}",
        f"  python -m pytest {test}",
        f"  put your own reading into {source}; the test says what every source promises",
        "  make docs lint typecheck",
    ]
    assert checkout.files() == {Path(path) for path in paths(NAME)}
    listed = checkout.passes("-m", "connectors", "sources")
    assert any(line.split()[:5] == [NAME, "Letters", "Of", "Mine", "rules"] for line in listed.splitlines())
    checkout.passes("docs/generate.py")
    tested = checkout.passes(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", test),
        *(f"--cov=connectors.sources.{NAME}", "--cov-fail-under=90", "--cov-report="),
    )
    assert "there is no page" not in tested
    checkout.passes("-m", "ruff", "check", "--no-cache", source, test)
    checkout.passes("-m", "ruff", "format", "--no-cache", "--check", source, test)
    checkout.passes("-m", "mypy", source, test)


def test_the_longest_name_fits_the_lines(checkout: Checkout) -> None:
    name = "w" * LONGEST_NAME
    assert checkout.new(name).returncode == 0
    checkout.passes("-m", "ruff", "check", "--no-cache", *paths(name)[:2])
    checkout.passes("-m", "ruff", "format", "--no-cache", "--check", *paths(name)[:2])


def test_everything_is_called_after_the_service_type() -> None:
    draft = Draft("tax_letters")
    source, test, records = draft.files.values()
    assert "class TaxLettersDataSource(BaseDataSource):" in source
    assert '    name = "Tax Letters"\n    service_type = "tax_letters"\n' in source
    assert "class TestTaxLetters(SourceContract):\n    source = TaxLettersDataSource\n" in test
    assert len(records.splitlines()) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Letters", "A source can't be called 'Letters'."),
        ("2letters", "A source can't be called '2letters'."),
        ("_letters", "A source can't be called '_letters'."),
        ("let-ters", "A source can't be called 'let-ters'."),
        ("let__ters", "A source can't be called 'let__ters'."),
        ("../letters", "A source can't be called '../letters'."),
        ("lettérs", "A source can't be called 'lettérs'."),
        ("w" * (LONGEST_NAME + 1), f"A source can't be called '{'w' * (LONGEST_NAME + 1)}'."),
        ("import", "A source can't be called 'import': Python has another use for it."),
        ("config", "There is tests/test_config.py already."),
        ("elasticsearch", "There is fixtures/elasticsearch already."),
        ("known", "There is a source 'known' already."),
    ],
)
def test_a_name_that_can_not_be_is_refused_and_nothing_is_written(checkout: Checkout, name: str, message: str) -> None:
    (checkout.folder / "fixtures" / "elasticsearch").mkdir(parents=True)
    (checkout.folder / "config.yml").write_text("sources: {known: 'json:JSONDecoder'}\n")
    done = checkout.new(name)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (2, "", message)
    assert checkout.files() == {Path("config.yml")}


@pytest.mark.parametrize("taken", range(3))
def test_no_file_is_overwritten(checkout: Checkout, taken: int) -> None:
    path = checkout.folder / paths(NAME)[taken]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# mine\n")
    done = checkout.new(NAME)
    assert (done.returncode, done.stdout) == (2, "")
    assert "already" in done.stderr
    assert path.read_text() == "# mine\n"
    assert checkout.files() == {Path(paths(NAME)[taken])}


def test_a_folder_that_is_no_checkout_is_named(checkout: Checkout) -> None:
    done = checkout.new("letters", within="docs")
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            f"{checkout.folder}/docs is no checkout of Connectors.",
            "Change into the folder that has its pyproject.toml.",
        ],
    )


def test_the_checkout_of_another_project_is_none_of_ours(checkout: Checkout) -> None:
    (checkout.folder / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    assert checkout.new("letters").stderr.startswith(f"{checkout.folder} is no checkout of Connectors.")
    (checkout.folder / "pyproject.toml").write_text("no TOML")
    assert checkout.new("letters").returncode == 2


def templates() -> Sequence[Path]:
    return sorted((ROOT / "connectors" / "cli" / "templates").iterdir())


def test_the_templates_are_in_what_is_packaged() -> None:
    # The wheel takes the whole folder `connectors`; a template is found beside the module in both.
    assert [path.name for path in templates()] == ["records.txt", "source.txt", "test.txt"]
