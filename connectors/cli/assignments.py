"""Assignments: `--set name=value` on the command line, and the configuration of a source that they make."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from connectors.errors import ConfigurationError
from connectors.grants import Grants

if TYPE_CHECKING:
    from connectors.fields import Configuration


class Assignment(click.ParamType[tuple[str, str]]):
    """A setting and its value, as `name=value`."""

    name = "name=value"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the two sides of the first equals sign."""
        name, sign, text = value.partition("=")
        if not sign or not name.strip():
            self.fail(f"{value!r} is not of the form name=value.", param, ctx)
        return name.strip(), text


def configured(source: type[Any], given: Mapping[str, str], exposed_secrets: tuple[str, ...]) -> "Configuration":
    """Return a configuration of a source with these values, and an example of what is not given.

    Every path is granted: who types a command sits at the machine. Raises a `ConfigurationError` for a name that is no
    setting of the source, and for values that are wrong.
    """
    from connectors.fields import Configuration  # noqa: PLC0415 - loaded only where it is wanted
    from connectors.registry import nearest  # noqa: PLC0415
    from connectors.source import fields_of  # noqa: PLC0415

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
