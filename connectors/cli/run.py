"""`connectors run`: the daemon, which syncs every connector when it is due, or when somebody wants it."""

import asyncio
from typing import TYPE_CHECKING

import click

from connectors.cli.interruption import interruption
from connectors.cli.invocation import Invocation

if TYPE_CHECKING:
    from connectors.engine import Engine


@click.command(short_help="Run the daemon, which syncs when it is due or wanted.")
@click.pass_obj
def run(invocation: Invocation) -> None:
    """Run the daemon until it is interrupted: it syncs connectors when they are due, or when somebody wants it.

    Connectors are made by `connectors create`, or by Kibana. Any number of daemons may run, on any number of machines:
    each sync is run by one of them. Ctrl-C, or SIGTERM, suspends what runs, and the next daemon goes on with it; the
    second one ends it at once.
    """
    invocation.is_service = True
    asyncio.run(_run(invocation))


async def _run(invocation: Invocation) -> None:
    from connectors.services.supervisor import Supervisor  # loaded only where it is wanted  # noqa: PLC0415

    async with interruption() as interrupted:
        await Supervisor(invocation.settings, invocation.config, ready=_tell).run(interrupted)


async def _tell(engine: "Engine") -> None:
    click.echo(f"The daemon runs at {engine.info}. Ctrl-C ends it.", err=True)
