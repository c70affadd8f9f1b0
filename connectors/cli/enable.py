"""`connectors enable` and `connectors disable`: schedules of a connector, on and off."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from connectors.cli import overview
from connectors.cli.abilities import check_abilities
from connectors.cli.arguments import AS_JSON, CONNECTOR, print_json
from connectors.cli.choice import chosen, offer
from connectors.cli.invocation import Invocation

if TYPE_CHECKING:
    from connectors.store.connector import Connector

Command = TypeVar("Command", bound=Callable[..., Any])
_UNFINISHED: Final = (None, "created", "needs_configuration")


def _kinds_options(verb: str) -> Callable[[Command], Command]:
    """Return what gives a command an option for each kind of syncs."""

    def decorate(command: Command) -> Command:
        for kind, name in reversed(overview.KINDS.items()):
            text = f"{verb} {name.replace(' ', '-')} syncs."
            command = click.option(f"--{kind.replace('_', '-')}", kind, is_flag=True, help=text)(command)
        return command

    return decorate


@click.command(short_help="Switch schedules of a connector on.")
@CONNECTOR
@_kinds_options("Schedule")
@click.option(
    "--every", metavar="CRON", help="When they are due, as a Quartz expression. Default: as it was, or daily."
)
@AS_JSON
@click.pass_obj
def enable(
    invocation: Invocation, /, *, connector_id: str | None, every: str | None, as_json: bool, **kinds: bool
) -> None:
    """Switch schedules of the connector ID on; those of full syncs, if no kind is named.

    A Quartz expression has seconds, minutes, hours, days of the month, months and days of the week: '0 0/30 * * * ?' is
    every half hour, '0 0 6 ? * 2-6' at six on workdays.
    """
    wanted = [kind for kind, is_wanted in kinds.items() if is_wanted] or ["full"]
    schedule: dict[str, Any] = {"enabled": True} if every is None else {"enabled": True, "interval": every}
    _switch(invocation, connector_id, dict.fromkeys(wanted, schedule), as_json=as_json)


@click.command(short_help="Switch schedules of a connector off.")
@CONNECTOR
@_kinds_options("No longer schedule")
@AS_JSON
@click.pass_obj
def disable(invocation: Invocation, /, *, connector_id: str | None, as_json: bool, **kinds: bool) -> None:
    """Switch schedules of the connector ID off; all of them, if no kind is named.

    When syncs were due is kept. A sync that runs goes on, and `connectors sync` still syncs the connector.
    """
    wanted = [kind for kind, is_wanted in kinds.items() if is_wanted] or list(kinds)
    _switch(invocation, connector_id, {kind: {"enabled": False} for kind in wanted}, as_json=as_json)


def _switch(
    invocation: Invocation, connector_id: str | None, schedules: dict[str, dict[str, Any]], *, as_json: bool
) -> None:
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    connector = asyncio.run(_stored(invocation, connector_id, schedules))
    if as_json:
        found = overview.described_of(connector)
        print_json({"connector": connector.id, "scheduling": found["scheduling"]})
        return
    overview.show_schedules(connector)
    if connector.status in _UNFINISHED and any(one.enabled for one in connector.schedules.values()):
        click.echo(
            f"\nIt lacks settings, and is not synced before it has them: connectors set {connector.id} NAME=VALUE"
        )


async def _stored(invocation: Invocation, connector_id: str, schedules: dict[str, dict[str, Any]]) -> "Connector":
    from connectors.store.changed_connector import changes_of, store_changes  # noqa: PLC0415 - loaded only where wanted

    async with invocation.workplace() as place:
        connector = await chosen(place.connectors, connector_id)
        check_abilities(place, connector, [kind for kind, schedule in schedules.items() if schedule["enabled"]])
        given = {"scheduling": schedules}
        changes = await changes_of(connector, given, place.registry, place.grants, place.clock.now())
        return await store_changes(place.connectors, connector, changes) if changes else connector
