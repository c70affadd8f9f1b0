"""`connectors create`: writes a connector that a file describes."""

import asyncio
import json
from collections.abc import Hashable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import click
import yaml

from connectors.cli.invocation import Invocation
from connectors.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.store.connector import Connector


@click.command(short_help="Create a connector that a file describes.")
@click.option(
    "--from-file",
    "file",
    type=click.File(encoding="utf-8"),
    required=True,
    help="YAML or JSON that describes the connector; - is the standard input.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was created as JSON.")
@click.pass_obj
def create(invocation: Invocation, file: TextIO, *, as_json: bool) -> None:
    """Create a connector that a FILE describes, and print its id.

    The file says service_type, index_name and configuration, the settings of the source as `name: value`; it may say
    id, name, description, language, rules, advanced_rules, scheduling, pipeline and sync. All of it is checked before
    anything is stored. An id that there is already is refused.
    """
    created = asyncio.run(_create(invocation, described_in(file)))
    if as_json:
        shown = {"id": created.id, "service_type": created.service_type, "index_name": created.index_name}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        click.echo(created.id)


def described_in(file: TextIO) -> object:
    """Return what a file holds. Raises a `ConfigurationError` that quotes nothing of it: it may be a password."""
    reason = place = ""
    try:
        return yaml.load(file, _Loader)  # noqa: S506 - it is a safe one
    except UnicodeDecodeError:
        reason = "it is not text in UTF-8"
    except yaml.MarkedYAMLError as error:
        reason = error.problem or error.context or "it is no YAML"
        place = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
    except (yaml.YAMLError, ValueError, LookupError, RecursionError):
        reason = "it is neither YAML nor JSON"
    raise ConfigurationError(f"{name_of(file)} can't be read: {reason}{place}.", field="")


def name_of(file: TextIO) -> str:
    """Return what a person knows a file by."""
    return "stdin" if file.name in {"-", "<stdin>"} else file.name


class _Loader(yaml.SafeLoader):
    """Reads YAML, and so JSON, as JSON has it: a date is a text; and a name that is there twice is an error."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base has it
        first: [one for one in resolvers if one[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """Return an object whose names are told apart."""
        names: set[str] = set()
        for key, _ in node.value:
            if key.value in names:
                raise yaml.constructor.ConstructorError(None, None, "a name is there twice", key.start_mark)
            if isinstance(key.value, str):
                names.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: str(node.value))


async def _create(invocation: Invocation, given: object) -> "Connector":
    from connectors.engine import open_engine  # the client takes most of a second to import  # noqa: PLC0415
    from connectors.store.connectors import ConnectorStore  # noqa: PLC0415
    from connectors.store.new_connector import new_connector  # noqa: PLC0415

    settings = invocation.settings
    new = await new_connector(given, invocation.registry, settings.grants, datetime.now(UTC))
    async with open_engine(settings.engine) as engine:
        store = await ConnectorStore.open(engine)
        return await store.create(new.id, new.document)
