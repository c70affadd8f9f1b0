"""`connectors sync`: makes the index of a connector equal to its source, now, while somebody watches."""

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from connectors.cli.abilities import check_abilities
from connectors.cli.assignments import Assignment
from connectors.cli.choice import chosen, offer
from connectors.cli.impromptu import Impromptu, grants_of
from connectors.cli.interruption import until_interrupted
from connectors.cli.invocation import Invocation
from connectors.cli.live_in_use import telling_of_live
from connectors.cli.progress import Progress
from connectors.cli.summary import EXIT_ATTENTION, lines_of, outcome_of, written_before
from connectors.errors import ConnectorsError

if TYPE_CHECKING:
    from connectors.store.connector import Connector
    from connectors.sync.report import SyncReport
    from connectors.sync.workplace import Workplace

FULL: Final = "full"
DELETES_ONLY: Final = "deletes_only"
AGAIN: Final = "The same command goes on from there: what is written is not written again."
ANEW: Final = "The same command begins anew."


@dataclass
class Told:
    """What a run of the command has to tell: which connector, the report of each sync that began, and how it ended."""

    connector: str | None = None
    begun: "list[SyncReport]" = field(default_factory=list)
    outcome: str = "failed"
    error: ConnectorsError | None = None

    def wire(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "connector": self.connector,
            "outcome": self.outcome,
            "error": self.error.message if self.error else None,
            "hint": self.error.hint if self.error else None,
            "syncs": [one.wire() for one in self.begun],
        }


@click.command(short_help="Sync a connector now, or a source.")
@click.argument("connector_id", metavar="[ID]", required=False)
@click.option(
    "--full", "job_type", flag_value="full", default="full", help="Read all of the source. This is the default."
)
@click.option(
    "--incremental", "job_type", flag_value="incremental", help="Read what has changed, where the source can."
)
@click.option("--access-control", "job_type", flag_value="access_control", help="Read who may see what.")
@click.option(
    "--deletes-only",
    "job_type",
    flag_value=DELETES_ONLY,
    help="Delete what is gone from the source, read nothing but its ids for that, and write nothing.",
)
@click.option("--force", is_flag=True, help="Read all of it though nothing has changed. Only for a full sync.")
@click.option("--source", "service_type", help="Without an ID: the service type of a source to sync.")
@click.option(
    "--set", "assignments", type=Assignment(), multiple=True, help="A setting of that source; may be repeated."
)
@click.option("--index", "index_name", help="The index, or alias, that it is synced into.")
@click.option("--language", help="The language of its documents, for an index that is made, such as en.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_obj
def sync(  # noqa: PLR0913 - one for each option
    invocation: Invocation,
    *,
    connector_id: str | None,
    job_type: str,
    force: bool,
    service_type: str | None,
    assignments: tuple[tuple[str, str], ...],
    index_name: str | None,
    language: str | None,
    as_json: bool,
) -> int:
    """Sync the connector ID now, or a source that --source, --set and --index describe.

    The latter needs no connector that was made before: it is made at the first time, and the same command finds it
    again. Only what differs is written, and what is gone from the source is deleted. Ctrl-C ends it, and the same
    command goes on. With --deletes-only nothing is written, and only the latter is done.

    A full sync is skipped while nothing can have changed since the last one; --force has it read everything all the
    same. What is equal is not written anew.

    Exit codes: 0 done, or nothing has changed; 1 failed; 2 wrong settings or arguments; 3 done, and a person has to
    look at something; 130 interrupted.
    """
    _check_force(job_type, is_forced=force)
    impromptu = _impromptu(connector_id, service_type, assignments, index_name, language)
    if connector_id is None and impromptu is None:
        asyncio.run(offer(invocation, as_json=as_json))
    told = Told()
    try:
        work = _run(invocation, impromptu or str(connector_id), job_type, told, force=force)
        asyncio.run(until_interrupted(work))
        told.outcome = outcome_of(told.begun[-1])
    except ConnectorsError as error:
        told.error = error
        if told.begun and told.begun[-1].walked:
            error.add_note(_interrupted(told.begun[-1]))
        raise
    except click.Abort:
        told.outcome = "interrupted"
        if told.begun:
            click.echo(f"Interrupted: {_interrupted(told.begun[-1])}", err=True)
        raise
    finally:
        if as_json:
            click.echo(json.dumps(told.wire(), indent=2, ensure_ascii=False))
    if not as_json:
        for report in told.begun:
            for line in lines_of(report, str(told.connector), by_id=impromptu is None) if report.finished_at else ():
                click.echo(line)
    return EXIT_ATTENTION if told.outcome == "attention" else 0


def _check_force(job_type: str, *, is_forced: bool) -> None:
    """Raise a `UsageError` where there is nothing to force."""
    if is_forced and job_type != FULL:
        option = f"--{job_type.replace('_', '-')}"
        message = f"--force is for a full sync: one with {option} is never skipped. Leave one of the two out."
        raise click.UsageError(message, click.get_current_context())


def _interrupted(report: "SyncReport") -> str:
    """Return how far a sync had come, and what the same command does."""
    return f"{written_before(report)} {ANEW if report.deletes_only else AGAIN}"


def _impromptu(
    connector_id: str | None,
    service_type: str | None,
    assignments: tuple[tuple[str, str], ...],
    index_name: str | None,
    language: str | None,
) -> Impromptu | None:
    """Return the connector that the options describe, if they do. Raises a `UsageError` for half a description."""
    context = click.get_current_context()
    if service_type is None:
        if assignments or index_name or language:
            raise click.UsageError("--set, --index and --language describe a --source, and none is named.", context)
        return None
    if connector_id is not None:
        raise click.UsageError("Name either the ID of a connector or a --source.", context)
    if index_name is None:
        raise click.UsageError("Say with --index where the source is synced to.", context)
    return Impromptu(service_type, index_name, dict(assignments), language)


async def _run(invocation: Invocation, wanted: Impromptu | str, job_type: str, told: Told, *, force: bool) -> None:
    from connectors.store.sync_state import JobType  # loaded only where it is wanted  # noqa: PLC0415
    from connectors.sync.foreground import run_foreground  # noqa: PLC0415

    grants = grants_of(invocation.settings.exposed_secrets) if isinstance(wanted, Impromptu) else None
    async with invocation.workplace(grants) as place:
        deletes_only = job_type == DELETES_ONLY
        connector = await _connector(place, wanted, is_new_fine=not deletes_only)
        told.connector = connector.id
        check_abilities(place, connector, [job_type])
        progress = Progress(sys.stderr, place.limiter, place.clock)
        patience_s = place.limits.lease_timeout_s

        def begin(report: "SyncReport") -> None:
            told.begun.append(report)
            progress.begin(report)

        with telling_of_live(connector):
            async with progress.running(invocation.log_to):
                await run_foreground(
                    place,
                    connector,
                    JobType.FULL if deletes_only else JobType(job_type),
                    deletes_only=deletes_only,
                    force=force,
                    begun=begin,
                    waiting=lambda owner: progress.waiting(owner, patience_s),
                )


async def _connector(place: "Workplace", wanted: Impromptu | str, *, is_new_fine: bool) -> "Connector":
    if isinstance(wanted, Impromptu):
        return await wanted.connector(place, is_new_fine=is_new_fine)
    return await chosen(place.connectors, wanted)
