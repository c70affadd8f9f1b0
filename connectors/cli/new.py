"""`connectors new`: writes a source that works, with its test and its data, for an author to make another one of."""

import keyword
import re
import string
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import click

from connectors.cli.invocation import Invocation
from connectors.errors import ConfigurationError

LONGEST_NAME: Final = 30
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True)
class Draft:
    """A source to be written: everything that it is called follows from its service type."""

    service_type: str

    @property
    def label(self) -> str:
        """What people call it."""
        return self.service_type.replace("_", " ").title()

    @property
    def files(self) -> dict[Path, str]:
        """What is written, below the checkout."""
        name = self.service_type
        return {
            Path("connectors", "sources", f"{name}.py"): self._filled("source"),
            Path("tests", "sources", f"test_{name}.py"): self._filled("test"),
            Path("fixtures", name, f"{name}.jsonl"): self._filled("records"),
        }

    def _filled(self, template: str) -> str:
        text = resources.files("connectors.cli").joinpath("templates", f"{template}.txt").read_text(encoding="utf-8")
        words = self.label.replace(" ", "")
        return string.Template(text).substitute(
            service_type=self.service_type, label=self.label, class_name=f"{words}DataSource", test_class=f"Test{words}"
        )


@click.command(short_help="Write a source that works, to begin with.")
@click.argument("name")
@click.pass_obj
def new(invocation: Invocation, name: str) -> None:
    """Write a source NAME (letters_of_mine) that works, its test and its data, for you to put yours in their place.

    It is done in a checkout of this project, and no file is overwritten. There is nothing to register.
    """
    checkout = Path()
    _check_checkout(checkout)
    _check_name(name)
    draft = Draft(name)
    _check_free(checkout, draft, set(invocation.registry.places))
    for path, text in draft.files.items():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        with (checkout / path).open("x", encoding="utf-8") as file:
            file.write(text)
        click.echo(f"wrote {path}")
    source, test, _ = draft.files
    click.echo(
        f"\n{draft.label} reads the records of a file, and works. Next:\n"
        f"  connectors sources show {name}\n"
        f"  python -m pytest {test}\n"
        f"  put your own reading into {source}; the test says what every source promises\n"
        f"  make docs lint typecheck"
    )


def _check_checkout(folder: Path) -> None:
    """Raise a `ConfigurationError` for a folder that is no checkout of this project."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        project = {}
    if project.get("name") != "connectors" or not (folder / "connectors" / "sources").is_dir():
        hint = "Change into the folder that has its pyproject.toml."
        raise ConfigurationError(f"{folder.resolve()} is no checkout of Connectors.", field="", hint=hint)


def _check_name(name: str) -> None:
    """Raise a `ConfigurationError` for what can't be the name of a module and of a source."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        hint = f"Use lower-case letters, digits and single underscores, a letter first, {LONGEST_NAME} at most."
        raise ConfigurationError(f"A source can't be called {name!r}.", field="name", hint=hint)
    if keyword.iskeyword(name):
        raise ConfigurationError(f"A source can't be called {name!r}: Python has another use for it.", field="name")


def _check_free(checkout: Path, draft: Draft, known: set[str]) -> None:
    """Raise a `ConfigurationError` when there is such a source, or a file where one would be written."""
    name = draft.service_type
    if name in known:
        raise ConfigurationError(f"There is a source {name!r} already.", field="name", hint="Take another name.")
    # Test modules are told apart by their names alone, in whichever folder they are.
    taken = [path for path in draft.files if (checkout / path).exists()]
    taken += [path.relative_to(checkout) for path in sorted((checkout / "tests").rglob(f"test_{name}.py"))]
    if (checkout / "fixtures" / name).exists():
        taken.append(Path("fixtures", name))
    if taken:
        raise ConfigurationError(f"There is {taken[0]} already.", field="name", hint="Nothing was written.")
