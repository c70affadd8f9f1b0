"""`connectors config`: what the settings of the service are, where each is from, and what is wrong with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

import click

from connectors.binding import Problem
from connectors.cli import table
from connectors.cli.arguments import AS_JSON, print_json
from connectors.cli.invocation import Invocation
from connectors.cli.wording import value_text
from connectors.config import LoadedSettings, Origin, read_settings
from connectors.errors import ConfigurationError
from connectors.references import names_file
from connectors.secret import MASK, Secret
from connectors.settings import Settings

EXIT_WRONG: Final = 2
DEFAULT: Final = "default"


@dataclass(frozen=True)
class ShownValue:
    """One setting as it may be shown: what counts, and where it is from."""

    name: str
    value: Any
    place: str

    @property
    def text(self) -> str:
        """The value as a person reads it."""
        return value_text(self.value)


@click.group(short_help="Look at the settings of the service.")
def config() -> None:
    """Look at the settings of the service: those of config.yml and of the environment."""


@config.command(short_help="Show every setting, and where it is from.")
@AS_JSON
@click.pass_obj
def show(invocation: Invocation, *, as_json: bool) -> None:
    """Show every setting with its value, and where that is from. Secrets are shown as ***.

    What counts is shown: ${NAME} is replaced. What is in a file (${file:/path}) is taken for a secret.
    """
    loaded = read_settings(invocation.config)
    _refuse(loaded.problems)
    shown = list(shown_values(loaded))
    if as_json:
        print_json({one.name: {"value": one.value, "from": one.place} for one in shown})
    else:
        table.show(["SETTING", "VALUE", "FROM"], [[one.name, one.text, one.place] for one in shown])


@config.command(short_help="Say what is wrong with the settings.")
@AS_JSON
@click.pass_obj
def check(invocation: Invocation, *, as_json: bool) -> int:
    """Say what is wrong with the settings, all of it. Exit codes: 0 nothing, 2 something."""
    try:
        loaded = read_settings(invocation.config)
    except ConfigurationError as error:
        if not as_json:
            raise
        print_json({"valid": False, "problems": [{"name": error.field, "text": str(error)}]})
        return EXIT_WRONG
    problems = [*loaded.problems, *([] if loaded.problems else _source_problems(invocation, loaded.settings))]
    if as_json:
        described = [{"name": one.name, "text": one.text} for one in problems]
        print_json({"valid": not problems, "problems": described})
        return EXIT_WRONG if problems else 0
    _refuse(problems)
    click.echo(f"The settings are valid. {_summary(loaded)}")
    return 0


def shown_values(loaded: LoadedSettings) -> Iterator[ShownValue]:
    """Yield every setting in the order in which they are declared, those of no section last."""
    alone = []
    for one in fields(Settings):
        value = getattr(loaded.settings, one.name)
        if is_dataclass(value):
            for part in fields(value):
                name = f"{one.name}.{part.name}"
                yield _shown(name, getattr(value, part.name), loaded.origins.get(name))
        else:
            alone.append(_shown(one.name, value, loaded.origins.get(one.name)))
    yield from alone


def _shown(name: str, value: object, origin: Origin | None) -> ShownValue:
    is_masked = isinstance(value, Secret) or (origin is not None and _names_file(origin.given))
    return ShownValue(name, MASK if is_masked and value else _plain(value), origin.place if origin else DEFAULT)


def _names_file(given: object) -> bool:
    match given:
        case str():
            return names_file(given)
        case list():
            return any(map(_names_file, given))
        case dict():
            return any(map(_names_file, given.values()))
    return False


def _plain(value: object) -> object:
    match value:
        case Path():
            return str(value)
        case tuple():
            return [str(one) for one in value]
        case Mapping():
            return dict(value)
    return value


def _source_problems(invocation: Invocation, settings: Settings) -> Iterator[Problem]:
    """Yield the sources that the settings name and that can't be used."""
    for service_type in settings.sources:
        listing = invocation.registry.listing(service_type)
        if not listing.available:
            install = f" Install it: {listing.install}" if listing.install else ""
            yield Problem(f"sources.{service_type}", f"{listing.reason}{install}")


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise ConfigurationError("\n".join(map(str, problems)), field=problems[0].name)


def _summary(loaded: LoadedSettings) -> str:
    """Return how many settings are from where."""
    shown = list(shown_values(loaded))
    given = [one.place for one in shown if one.place != DEFAULT]
    in_file = [place.rpartition(", line ")[0] for place in given if ", line " in place]
    parts = [f"{len(in_file)} from {in_file[0]}"] if in_file else []
    parts += [f"{len(given) - len(in_file)} from the environment"] if len(given) > len(in_file) else []
    return f"{', '.join([*parts, f'{len(shown) - len(given)} have their defaults'])}."
