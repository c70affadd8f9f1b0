"""`connectors list`: the connectors that there are, and how they are."""

import asyncio
from typing import TYPE_CHECKING

import click

from connectors.cli import overview
from connectors.cli.arguments import AS_JSON
from connectors.cli.invocation import Invocation

if TYPE_CHECKING:
    from connectors.store.connector import Connector


@click.command(name="list", short_help="List the connectors, and how each was synced.")
@AS_JSON
@click.pass_obj
def list_connectors(invocation: Invocation, *, as_json: bool) -> None:
    """List the connectors, with how the last sync of each ended and when it is synced."""
    there = asyncio.run(_there(invocation))
    if there or as_json:
        overview.show(there, as_json=as_json)
    else:
        click.echo(f"There is no connector yet. {overview.BEGINNING}")


async def _there(invocation: Invocation) -> "list[Connector]":
    async with invocation.workplace() as place:
        return await overview.all_of(place.connectors)
