"""`connectors dead-letters`: the documents that could not be indexed, why, and what to do about them."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from connectors.cli import table
from connectors.cli.arguments import AS_JSON, CONNECTOR, print_json
from connectors.cli.choice import chosen, offer
from connectors.cli.interruption import until_interrupted
from connectors.cli.invocation import Invocation
from connectors.cli.progress import Progress
from connectors.cli.summary import EXIT_ATTENTION, needs_a_person, outcome_of, retried_lines_of, written_before
from connectors.cli.wording import counted
from connectors.errors import ConfigurationError, ConnectorsError

if TYPE_CHECKING:
    from connectors.store.dead_letter import CauseCount, DeadLetter
    from connectors.store.dead_letters import DeadLetters
    from connectors.sync.report import SyncReport

AGAIN: Final = "The same command goes on: it retries the letters that are left."
_CAUSE = click.option("--cause", help="Only letters of this cause, as `list` names it.")


@dataclass
class _Told:
    """What `retry` has to tell: of which connector, the report when it began, and how it ended."""

    connector: str
    report: "SyncReport | None" = None
    outcome: str = "failed"
    error: ConnectorsError | None = None

    def wire(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "connector": self.connector,
            "outcome": self.outcome,
            "error": self.error.message if self.error else None,
            "hint": self.error.hint if self.error else None,
            "sync": self.report.wire() if self.report else None,
        }


@click.group(name="dead-letters", short_help="Look after documents that could not be indexed.")
def dead_letters() -> None:
    """Look after documents that could not be indexed.

    There is one letter for each document and step at which it failed; it says why, and nothing of what is in the
    document. A sync removes the letters about documents that are well, or gone.
    """


@dead_letters.command(name="list", short_help="Count the letters of a connector by their causes.")
@CONNECTOR
@AS_JSON
@click.pass_obj
def list_letters(invocation: Invocation, *, connector_id: str | None, as_json: bool) -> None:
    """Say how many letters of the connector ID there are, by their causes."""
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    causes = asyncio.run(_causes(invocation, connector_id))
    if as_json:
        described = [_described_cause(one) for one in causes]
        total = sum(one.count for one in causes)
        print_json({"connector": connector_id, "total": total, "causes": described})
    elif not causes:
        click.echo(f"There are no dead letters of {connector_id}.")
    else:
        table.show(["CAUSE", "STEP", "LETTERS", "FOR EXAMPLE", "WHY"], [_row(one) for one in causes])
        click.echo(f"\nOne in full: connectors dead-letters show {connector_id} DOCUMENT")


@dead_letters.command(short_help="Show letters in full.")
@CONNECTOR
@click.argument("document_id", metavar="[DOCUMENT]", required=False)
@_CAUSE
@AS_JSON
@click.pass_obj
def show(
    invocation: Invocation, *, connector_id: str | None, document_id: str | None, cause: str | None, as_json: bool
) -> None:
    """Show the letters of the connector ID in full, or those about one DOCUMENT."""
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    letters = asyncio.run(_letters(invocation, connector_id, document_id, cause))
    if as_json:
        print_json([_described(one) for one in letters])
        return
    for place, letter in enumerate(letters):
        if place:
            click.echo()
        for line in _lines_of(letter):
            click.echo(line)
    if not letters:
        click.echo(f"There are no dead letters of {connector_id}.")


@dead_letters.command(short_help="Read their documents again, and index them.")
@CONNECTOR
@click.argument("document_ids", metavar="[DOCUMENT]...", nargs=-1)
@_CAUSE
@AS_JSON
@click.pass_obj
def retry(
    invocation: Invocation,
    *,
    connector_id: str | None,
    document_ids: tuple[str, ...],
    cause: str | None,
    as_json: bool,
) -> int:
    """Read the documents of letters of the connector ID again, and index those that are well now.

    Exit codes: 0 done, 1 failed, 2 wrong settings or arguments, 3 done, and some could not be indexed again, 130
    interrupted.
    """
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    told = _Told(connector_id)
    work = _retry(invocation, told, document_ids, cause, shows=not as_json)
    try:
        asyncio.run(until_interrupted(work))
    except ConnectorsError as error:
        told.error = error
        raise
    except click.Abort:
        told.outcome = "interrupted"
        if told.report is not None:
            click.echo(f"Interrupted: {written_before(told.report)} {AGAIN}", err=True)
        raise
    finally:
        if as_json:
            print_json(told.wire())
    report = told.report
    if not as_json:
        there_are_none = [f"There are no dead letters of {connector_id}."]
        for line in retried_lines_of(report, connector_id) if report is not None else there_are_none:
            click.echo(line)
    return EXIT_ATTENTION if report is not None and needs_a_person(report) else 0


@dead_letters.command()
@CONNECTOR
@_CAUSE
@click.option("--yes", is_flag=True, help="Do not ask.")
@AS_JSON
@click.pass_obj
def drop(invocation: Invocation, *, connector_id: str | None, cause: str | None, yes: bool, as_json: bool) -> None:
    """Remove letters of the connector ID.

    That indexes no document: a sync that still fails at one writes a letter about it again.
    """
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    causes = asyncio.run(_causes(invocation, connector_id, cause))
    there = sum(one.count for one in causes)
    if there and not yes:
        question = f"Remove {counted(there, 'letter')} of {connector_id}?"
        if not sys.stdin.isatty():
            raise click.UsageError(f"{question} Say --yes.", click.get_current_context())
        click.confirm(question, abort=True, err=True)
    dropped = asyncio.run(_drop(invocation, connector_id, cause)) if there else 0
    if as_json:
        print_json({"connector": connector_id, "dropped": dropped})
    else:
        click.echo(f"Removed {counted(dropped, 'letter')} of {connector_id}.")


# --- asking the store --------------------------------------------------------------------------------------------


async def _causes(invocation: Invocation, connector_id: str, cause: str | None = None) -> "list[CauseCount]":
    async with invocation.workplace() as place:
        await chosen(place.connectors, connector_id)
        return await _of_cause(place.letters, connector_id, cause)


async def _of_cause(letters: "DeadLetters", connector_id: str, cause: str | None) -> "list[CauseCount]":
    """Return how many letters there are. Raises a `ConfigurationError` for a cause that none of them has."""
    found = await letters.causes(connector_id)
    if cause is None:
        return found
    wanted = [one for one in found if one.cause == cause]
    if found and not wanted:
        from connectors.registry import nearest  # noqa: PLC0415 - loaded only where it is wanted

        hint = nearest(cause, dict.fromkeys(one.cause for one in found))
        message = f"No letter of {connector_id} has the cause {cause!r}."
        raise ConfigurationError(message, field="cause", hint=hint)
    return wanted


async def _letters(
    invocation: Invocation, connector_id: str, document_id: str | None, cause: str | None
) -> "list[DeadLetter]":
    async with invocation.workplace() as place:
        await chosen(place.connectors, connector_id)
        if cause is not None:
            await _of_cause(place.letters, connector_id, cause)
        async with aclosing(place.letters.letters(connector_id, cause=cause)) as letters:
            found = [one async for one in letters if document_id in {None, one.id}]
    if document_id is not None and not found:
        raise _no_letter(connector_id, [document_id])
    return sorted(found, key=lambda one: (one.kind, one.cause, one.id))


async def _retry(
    invocation: Invocation, told: _Told, document_ids: tuple[str, ...], cause: str | None, *, shows: bool
) -> None:
    from connectors.sync.partial.retry import LetterRetry  # loaded only where it is wanted  # noqa: PLC0415

    async with invocation.workplace() as place:
        connector = await chosen(place.connectors, told.connector)
        if not await _of_cause(place.letters, connector.id, cause):
            told.outcome = "nothing"
            return
        await _check_documents(place.letters, connector.id, cause, document_ids)
        progress = Progress(sys.stderr, place.limiter, place.clock)

        def waiting(owner: str) -> None:
            if shows:
                progress.waiting(owner, place.limits.lease_timeout_s)

        retry = LetterRetry(place, connector, waiting=waiting)
        told.report = retry.report
        progress.begin(retry.report)
        async with progress.running(invocation.log_to) if shows else nullcontext():
            told.outcome = outcome_of(await retry.run(cause=cause, ids=document_ids or None))


async def _check_documents(letters: "DeadLetters", connector_id: str, cause: str | None, named: Sequence[str]) -> None:
    """Raise a `ConfigurationError` for documents that there is no such letter about."""
    async with aclosing(letters.ids(connector_id, cause=cause)) as ids:
        there = {one async for one in ids} if named else set()
    missing = [one for one in named if one not in there]
    if missing:
        raise _no_letter(connector_id, missing)


def _no_letter(connector_id: str, documents: Sequence[str]) -> ConfigurationError:
    return ConfigurationError(
        f"There is no letter about the document{'s' if len(documents) > 1 else ''} {', '.join(documents)}.",
        field="document",
        hint=f"`connectors dead-letters show {connector_id}` shows all that there are.",
    )


async def _drop(invocation: Invocation, connector_id: str, cause: str | None) -> int:
    async with invocation.workplace() as place:
        return await place.letters.drop(connector_id, cause=cause)


# --- telling it --------------------------------------------------------------------------------------------------


def _described(letter: "DeadLetter") -> dict[str, Any]:
    return {
        "id": letter.id,
        "kind": letter.kind.value,
        "cause": letter.cause,
        "reason": letter.reason,
        "fields": list(letter.fields),
        "at": letter.at.isoformat(),
        "run": letter.run,
    }


def _described_cause(found: "CauseCount") -> dict[str, Any]:
    samples = [_described(one) for one in found.samples]
    return {"kind": found.kind.value, "cause": found.cause, "count": found.count, "samples": samples}


def _row(found: "CauseCount") -> list[str]:
    examples = ", ".join(sorted(one.id for one in found.samples))
    reason = found.samples[0].reason if found.samples else ""
    return [found.cause, found.kind.value, f"{found.count:,}", examples, " ".join(reason.split())]


def _lines_of(letter: "DeadLetter") -> list[str]:
    told = {
        "step": letter.kind.value,
        "cause": letter.cause,
        "why": letter.reason,
        "fields": ", ".join(letter.fields),
        "at": f"{letter.at:%Y-%m-%d %H:%M:%S} UTC",
        "run": letter.run,
    }
    return [click.style(letter.id, bold=True), *(f"  {name:<7}{value}" for name, value in told.items() if value)]
