"""The summary of a sync that ended: what it did, and what a person has to do next."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from connectors.cli.wording import counted, in_time

if TYPE_CHECKING:
    from connectors.sync.report import SyncReport

_PLAIN: Final = frozenset({"first", "forced", "source_cannot_tell", "source_changed"})
"""Why a sync was not skipped that whoever watches it knows, or hears each time: that is what syncs are for."""
EXIT_ATTENTION: Final = 3
"""A sync is done, and a person has to look at something."""


def needs_a_person(report: "SyncReport") -> bool:
    """Return whether a sync ended with something that a person has to look at."""
    return bool(report.letters or report.content_failed or report.held or report.unsettled)


def outcome_of(report: "SyncReport") -> str:
    """Return in a word how a sync ended that raised no error."""
    if report.skipped:
        return "skipped"
    return "attention" if needs_a_person(report) else "completed"


def lines_of(report: "SyncReport", connector_id: str, *, by_id: bool) -> Iterator[str]:
    """Yield the summary of a sync that ended without an error; `by_id` if the connector can be read by its id alone."""
    if report.skipped:
        yield from _skipped(report, connector_id, by_id=by_id)
        return
    color = "yellow" if needs_a_person(report) else "green"
    read = counted(report.walked, "id" if report.deletes_only else "document")
    took = in_time(((report.finished_at or report.started_at) - report.started_at).total_seconds())
    yield f"{click.style('Completed', fg=color)}: {read} read, for the index {report.index}, in {took}."
    yield f"  {', '.join(f'{number:,} {name}' for name, number in _numbers(report).items())}"
    if report.verdict is not None and report.verdict.reason not in _PLAIN:
        yield f"  It was not skipped. {report.verdict.text}"
    if report.resumed_since is not None:
        yield f"  It went on with a sync that began at {report.resumed_since:%Y-%m-%d %H:%M:%S} UTC."
    if report.unindexed:
        is_are = "is" if report.unindexed == 1 else "are"
        yield f"  {counted(report.unindexed, 'document')} {is_are} not indexed yet: a full sync adds what is new."
    yield from (f"  The source says: {remark}" for remark in report.remarks)
    if report.passes > 1:
        yield f"  Others wrote to the index meanwhile, so the source was read {report.passes} times."
    yield from _next(report, connector_id, by_id=by_id)


def retried_lines_of(report: "SyncReport", connector_id: str) -> Iterator[str]:
    """Yield the summary of a retry of dead letters that ended without an error."""
    color = "yellow" if needs_a_person(report) else "green"
    yield f"{click.style('Retried', fg=color)}: {counted(report.recovered, 'document')} well now, or gone."
    yield from report.warnings if not report.letters else []
    yield from _next(report, connector_id, by_id=True)


def written_before(report: "SyncReport") -> str:
    """Return what a sync had done that did not come to its end."""
    if report.deletes_only:
        return f"{counted(report.walked, 'id')} had been read, {report.deleted:,} deleted; nothing is written."
    return (
        f"{counted(report.walked, 'document')} had been read, {report.created:,} created, {report.updated:,} updated, "
        f"{report.unchanged:,} unchanged, {report.deleted:,} deleted; what was written stays."
    )


def _skipped(report: "SyncReport", connector_id: str, *, by_id: bool) -> Iterator[str]:
    text = report.verdict.text if report.verdict is not None else ""
    yield f"{click.style('Skipped', fg='green')}: {text[:1].lower()}{text[1:]}"
    again = f"connectors sync {connector_id} --force" if by_id else "the same command with --force"
    yield f"  The index {report.index} stands where that sync left it. Read all the same: {again}"


def _numbers(report: "SyncReport") -> dict[str, int]:
    """Return the counters by what a person calls them; those of what is unusual only where there are any."""
    usual = {
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "deleted": report.deleted,
    }
    if report.deletes_only:
        usual = {"still there": report.present, "deleted": report.deleted}
    unusual = {
        "dropped by rules": report.dropped,
        "not indexed": report.letters,
        "read again under the same id": report.superseded,
        "held back from deletion": report.held,
    }
    return usual | {name: number for name, number in unusual.items() if number}


def _next(report: "SyncReport", connector_id: str, *, by_id: bool) -> Iterator[str]:
    if report.letters:
        yield f"{counted(report.letters, 'document')} could not be indexed."
    if report.content_failed:
        is_are = "is" if report.content_failed == 1 else "are"
        yield f"{counted(report.content_failed, 'document')} {is_are} indexed without content."
    if report.letters or report.content_failed:
        mended = f"connectors dead-letters retry {connector_id}" if by_id else "the same command again"
        yield f"  Look why:      connectors dead-letters list {connector_id}"
        yield f"  When mended:   {mended}"
    if report.held:
        is_are = "is" if report.held == 1 else "are"
        yield f"{counted(report.held, 'document')} {is_are} gone from the source, and still in the index."
        yield f"  Look why:      connectors deletes list {connector_id}"
        yield f"  If that is so: connectors deletes approve {connector_id}, and sync again"
    if report.unsettled:
        yield "Others kept writing to the index, so it may differ from the source. Sync again when they are done."
