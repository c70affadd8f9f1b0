"""`connectors rules`: looks at the sync rules of connectors, edits them, and checks those that are in a file."""

import asyncio
from typing import Any, TextIO

import click

from connectors.cli.arguments import AS_JSON, print_json
from connectors.cli.assignments import Assignment, configured
from connectors.cli.create import described_in, name_of
from connectors.cli.drafts import activate, set_rules, show
from connectors.cli.invocation import Invocation
from connectors.cli.rule_sets import EXIT_INVALID, Checked, RuleSet, rule_sets


@click.group(short_help="Look at sync rules, edit and check them.")
def rules() -> None:
    """Look at the sync rules of a connector, edit them, or check those of a file."""


rules.add_command(show)
rules.add_command(set_rules)
rules.add_command(activate)


@rules.command(short_help="Check those of a file.")
@click.option("--source", "service_type", required=True, help="Service type of the source that the rules are for.")
@click.option(
    "--set",
    "assignments",
    type=Assignment(),
    multiple=True,
    help="A setting of the source that its rules depend on; may be repeated. What is not set has an example value.",
)
@AS_JSON
@click.argument("file", type=click.File(encoding="utf-8"))
@click.pass_obj
def check(
    invocation: Invocation, service_type: str, assignments: tuple[tuple[str, str], ...], file: TextIO, *, as_json: bool
) -> int:
    """Check the sync rules in a FILE (- is the standard input) and say what is wrong with each.

    The file, YAML or JSON, holds `rules`, `advanced_rules` or both, a list of basic rules, or the filtering of a
    connector document. Exit codes: 0 valid, 1 not valid, 2 not to be read.
    """
    from connectors.source_class import made  # noqa: PLC0415 - loaded only where it is wanted
    from connectors.storage import Storage  # noqa: PLC0415

    source = invocation.registry.source(service_type)
    configuration = configured(source, dict(assignments), invocation.settings.exposed_secrets)
    sets = list(rule_sets(described_in(file), name_of(file)))
    checked = asyncio.run(_check(made(source, configuration, Storage.in_memory()), sets))
    if as_json:
        print_json([one.wire() for one in checked])
    else:
        for one in checked:
            one.tell()
    return 0 if all(one.valid for one in checked) else EXIT_INVALID


async def _check(source: Any, sets: list[RuleSet]) -> list[Checked]:  # noqa: ANN401 - of any class
    from connectors.filtering.chain import validate  # noqa: PLC0415 - as above

    try:
        return [Checked(one, await validate(source, one.filtering)) for one in sets]
    finally:
        if hasattr(source, "close"):  # a validator may have opened something
            await source.close()
