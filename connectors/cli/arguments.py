"""Arguments that several commands have, and JSON as all of them print it."""

import json
from typing import Final

import click

AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
CONNECTOR: Final = click.argument("connector_id", metavar="[ID]", required=False)
"""Optional, so that who names none can be told which there are."""


def print_json(found: object) -> None:
    """Print something for a program to read."""
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))
