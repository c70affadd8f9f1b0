"""`connectors deletes`: what syncs would have deleted, had it not been too much, and a person's word about it."""

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import click

from connectors.cli import table
from connectors.cli.arguments import AS_JSON, CONNECTOR, print_json
from connectors.cli.choice import chosen, offer
from connectors.cli.impromptu import sync_command
from connectors.cli.invocation import Invocation
from connectors.cli.wording import counted
from connectors.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.store.connector import Connector
    from connectors.store.held import HeldSet, HeldSets

SAMPLES: Final = 5
_RUN = click.argument("run", metavar="[RUN]", required=False)


@click.group()
def deletes() -> None:
    """Decide about deletions that are held back.

    A sync deletes what is gone from the source, unless that is so much that something else may be wrong: then it holds
    the deletions back until somebody has looked at them.
    """


@deletes.command(name="list", short_help="List what is held back, and why.")
@CONNECTOR
@AS_JSON
@click.pass_obj
def list_held(invocation: Invocation, *, connector_id: str | None, as_json: bool) -> None:
    """List the deletions of the connector ID that are held back, and why."""
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    found = asyncio.run(_list(invocation, connector_id))
    if as_json:
        print_json({"connector": connector_id, "held": [_described(held, samples) for held, samples in found]})
        return
    if not found:
        click.echo(f"No deletions of {connector_id} are held back.")
        return
    header = ["RUN", "SYNC", "STATUS", "SINCE", "DOCUMENTS", "FOR EXAMPLE", "WHY"]
    table.show(header, [_row(held, samples) for held, samples in found])
    if any(held.status.value == "held" for held, _ in found):
        click.echo(f"\nDelete them:   connectors deletes approve {connector_id}")
        click.echo(f"Keep them:     connectors deletes discard {connector_id}")


@deletes.command(short_help="Let the next sync delete it.")
@CONNECTOR
@_RUN
@AS_JSON
@click.pass_obj
def approve(invocation: Invocation, *, connector_id: str | None, run: str | None, as_json: bool) -> None:
    """Let the next sync delete what a RUN of the connector ID held back, as far as it is still gone from the source.

    Without a RUN it is the only one that there is.
    """
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    held, connector = asyncio.run(_decide(invocation, connector_id, run, "approve"))
    if as_json:
        print_json({"connector": connector_id, **_described(held)})
        return
    click.echo(f"Approved: {counted(held.number, 'deletion')}. The next full sync deletes what is gone by then still:")
    more = " --access-control" if held.job_type.value == "access_control" else ""
    click.echo(f"  {sync_command(connector)}{more}")


@deletes.command(short_help="Keep it in the index.")
@CONNECTOR
@_RUN
@AS_JSON
@click.pass_obj
def discard(invocation: Invocation, *, connector_id: str | None, run: str | None, as_json: bool) -> None:
    """Keep in the index what a RUN of the connector ID held back.

    Without a RUN it is the only one that there is.
    """
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    held, _ = asyncio.run(_decide(invocation, connector_id, run, "discard"))
    if as_json:
        print_json({"connector": connector_id, **_described(held)})
        return
    click.echo(f"Discarded: {counted(held.number, 'deletion')}. The documents stay in the index.")
    click.echo("A full sync that finds them gone from the source again holds them back anew.")


# --- asking the store --------------------------------------------------------------------------------------------


async def _list(invocation: Invocation, connector_id: str) -> "list[tuple[HeldSet, list[str]]]":
    async with invocation.workplace() as place:
        await chosen(place.connectors, connector_id)
        return [(held, await _samples(place.held, held)) for held in await place.held.of(connector_id)]


async def _samples(sets: "HeldSets", held: "HeldSet") -> list[str]:
    async with aclosing(sets.ids(held)) as chunks:
        async for ids in chunks:
            return ids[:SAMPLES]
    return []


async def _decide(
    invocation: Invocation, connector_id: str, run: str | None, decision: str
) -> "tuple[HeldSet, Connector]":
    async with invocation.workplace() as place:
        connector = await chosen(place.connectors, connector_id)
        wanted = await _wanted(place.held, connector_id, run)
        decided: HeldSet = await getattr(place.held, decision)(connector_id, wanted)
        return decided, connector


async def _wanted(sets: "HeldSets", connector_id: str, run: str | None) -> str:
    """Return the run that is meant, whose beginning will do. Raises a `ConfigurationError` when that is not one."""
    found = await sets.of(connector_id)
    if run is None:
        fitting = [one.run for one in found if one.status.value == "held"]
    else:
        fitting = [one.run for one in found if one.run.startswith(run)]
    if len(fitting) == 1:
        return fitting[0]
    hint = f"`connectors deletes list {connector_id}` lists what there is."
    if run is not None:
        what = "several held sets begin" if fitting else "no held set begins"
        raise ConfigurationError(f"Of {connector_id}, {what} with {run!r}.", field="run", hint=hint)
    if not fitting:
        raise ConfigurationError(f"No deletions of {connector_id} are held back.", field="run", hint=hint)
    hint = f"Name one: {', '.join(fitting)}."
    raise ConfigurationError(f"Several syncs of {connector_id} held deletions back.", field="run", hint=hint)


# --- telling it --------------------------------------------------------------------------------------------------


def _described(held: "HeldSet", samples: list[str] | None = None) -> dict[str, Any]:
    return {
        "run": held.run,
        "job_type": held.job_type.value,
        "status": held.status.value,
        "reason": held.reason,
        "number": held.number,
        "created_at": held.created_at.isoformat(),
        "decided_at": held.decided_at.isoformat() if held.decided_at else None,
        **({} if samples is None else {"samples": samples}),
    }


def _row(held: "HeldSet", samples: list[str]) -> list[str]:
    since = f"{held.created_at:%Y-%m-%d %H:%M} UTC"
    kind, status = held.job_type.value, held.status.value
    return [held.run[:8], kind, status, since, f"{held.number:,}", ", ".join(samples), held.reason]
