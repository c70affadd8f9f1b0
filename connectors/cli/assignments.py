"""Assignments: `name=value` on the command line, and the configuration of a source that they make."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connectors.errors import ConfigurationError
from connectors.grants import Grants

if TYPE_CHECKING:
    from connectors.fields import Configuration
    from connectors.fields.field import Field


class Assignment(click.ParamType[tuple[str, str]]):
    """A setting and its value, as `name=value`."""

    name = "name=value"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the two sides of the first equals sign."""
        name, sign, text = value.partition("=")
        if not sign or not name.strip():
            self.fail(f"{value!r} is not of the form name=value.", param, ctx)
        return name.strip(), text


def with_whole_path(one: "Field", text: str) -> str:
    """Return what was typed for a field; a path from the root on, as another process may be somewhere else."""
    from connectors.references import names_in  # noqa: PLC0415 - loaded only where it is wanted

    if one.type is not Path or not text or names_in(text):
        return text
    return os.path.abspath(Path(text).expanduser())  # noqa: PTH100 - links are to be followed at each sync anew


def as_stored(one: "Field", text: str) -> Any:  # noqa: ANN401 - JSON
    """Return what was typed for a field as the value that a connector document has; a text where it is of no use."""
    from connectors.fields.casts import Uncastable  # noqa: PLC0415 - as above
    from connectors.fields.field import plain  # noqa: PLC0415
    from connectors.references import names_in  # noqa: PLC0415

    if not text or (names_in(text) and one.type is not list):
        return text
    try:
        return plain(one.cast(with_whole_path(one, text)))
    except Uncastable:
        return text


def configured(source: type[Any], given: Mapping[str, str], exposed_secrets: tuple[str, ...]) -> "Configuration":
    """Return a configuration of a source with these values, and an example of what is not given.

    Every path is granted: who types a command sits at the machine. Raises a `ConfigurationError` for a name that is no
    setting of the source, and for values that are wrong.
    """
    from connectors.fields import Configuration  # noqa: PLC0415 - loaded only where it is wanted
    from connectors.registry import nearest  # noqa: PLC0415
    from connectors.source_class import fields_of  # noqa: PLC0415

    fields = fields_of(source)
    for name in given:
        if name not in fields:
            raise ConfigurationError(f"There is no setting {name!r}.", field=name, hint=nearest(name, fields))
    grants = Grants(allowed_paths=None, exposed_secrets=exposed_secrets)
    configuration = Configuration(fields, {**fields.example(), **given}, grants)
    wrong = [problem for problem in configuration.problems() if problem.name in given]
    if wrong:
        raise ConfigurationError("\n".join(map(str, wrong)), field=wrong[0].name)
    return configuration
