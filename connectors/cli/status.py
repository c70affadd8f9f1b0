"""`connectors status`: how all connectors stand, on one screen, those first that need a person."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from connectors.cli import overview, table
from connectors.cli.arguments import AS_JSON, print_json
from connectors.cli.invocation import Invocation
from connectors.cli.summary import EXIT_ATTENTION
from connectors.cli.wording import counted, in_short

if TYPE_CHECKING:
    from connectors.cli.standing import Coming, Run, Standing, Trouble
    from connectors.cli.survey import Survey

HEADER: Final = ("CONNECTOR", "STATUS", "LAST SYNC", "NEXT", "NOW")
MOST_SHOWN: Final = 20
MOST_BUSY: Final = 5
"""Of these, so many are kept for connectors that are synced or wait for that, where more need a person."""
MOST_TROUBLES: Final = 4
"""Of one connector, so many are shown: what is worst comes first."""
LONGEST: Final = 180
"""Characters of an error that are shown; `--json` and `connectors show` have all of it."""


@click.command(short_help="Show who needs a person, what runs and what is due.")
@click.option("--all", "show_all", is_flag=True, help=f"Show all connectors, not the first {MOST_SHOWN}.")
@AS_JSON
@click.pass_obj
def status(invocation: Invocation, *, show_all: bool, as_json: bool) -> int:
    """Show how all connectors stand: which need a person, what runs and waits, and what is due next.

    Those that need a person come first, then those that are synced or wait for that. With --json all are told, whole.
    Exit codes: 0 all is well, 3 something needs a person.
    """
    found = asyncio.run(_found(invocation))
    if as_json:
        print_json(_described(found))
    elif not found.standings:
        for line in _wrapped(f"{found.engine}: there is no connector yet. {overview.BEGINNING}"):
            click.echo(line)
    else:
        _tell(found, found.standings if show_all else _first(found))
    return EXIT_ATTENTION if found.in_need or found.troubles else 0


async def _found(invocation: Invocation) -> "Survey":
    from connectors.cli.survey import survey  # loaded only where it is wanted  # noqa: PLC0415
    from connectors.engine import open_engine  # noqa: PLC0415

    async with open_engine(invocation.settings.engine) as engine:
        return await survey(engine, invocation.settings)


# --- for a person ------------------------------------------------------------------------------------------------


def _tell(found: "Survey", shown: "Sequence[Standing]") -> None:
    for text in (_totals(found), *([] if found.troubles else [f"{found.daemon}."])):
        for line in _wrapped(text):
            click.echo(line)
    for line in _trouble_lines(found.troubles, mark="! "):
        click.echo(line)
    header, *blocks = table.blocks_of([HEADER, *map(_row, shown)], _width(2))
    click.echo()
    click.secho(f"  {header[0]}", bold=True)
    for standing, lines in zip(shown, blocks, strict=True):
        mark = click.style("!", fg="yellow") if standing.troubles else " "
        for number, line in enumerate(lines):
            click.echo(f"{mark if not number else ' '} {line}".rstrip())
        for line in _trouble_lines(standing.troubles):
            click.echo(line)
    if len(found.standings) > len(shown):
        click.echo(f"\n{_not_shown(found, shown)}")


def _first(found: "Survey") -> "Sequence[Standing]":
    """Return as many connectors as a screen has room for."""
    in_need = found.in_need
    others = found.standings[len(in_need) :]
    busy = [one for one in others if one.running or one.waiting][:MOST_BUSY]
    shown = in_need[: MOST_SHOWN - len(busy)]
    return [*shown, *others[: MOST_SHOWN - len(shown)]]


def _totals(found: "Survey") -> str:
    held, letters = (sum(getattr(one, name) for one in found.standings) for name in ("held_deletions", "letters"))
    in_need, running, waiting = len(found.in_need), found.running, found.waiting
    parts = (
        f"{counted(len(found.standings), 'connector')}, {in_need:,} need{'s' if in_need == 1 else ''} a person",
        f"{counted(running, 'sync runs', 'syncs run')}, {waiting:,} wait{'s' if waiting == 1 else ''}",
        f"{counted(held, 'held deletion')}, {counted(letters, 'dead letter')}",
    )
    return f"{found.engine}: {'; '.join(parts)}."


def _width(margin: int) -> int | None:
    width = table.width_of_terminal()
    return width - margin if width is not None else None


def _wrapped(text: str, margin: int = 0) -> list[str]:
    width = _width(margin)
    return table.wrapped(text, width, cut=True) if width is not None else [text]


def _row(standing: "Standing") -> list[str]:
    connector, now = standing.connector, standing.rhythm.now
    coming = [_coming_text(one, now) for one in standing.coming]
    runs = [*(_run_text(one, now) for one in standing.running), *(_wait_text(one, now) for one in standing.waiting)]
    status = connector.status.value if connector.status else "unset"
    return [connector.id, status, _last(standing), ", ".join(coming) or "off", "; ".join(runs)]


def _last(standing: "Standing") -> str:
    """Return how the last syncs of a connector ended, and when the last of them did."""
    document, at = standing.connector.document, standing.connector.last_synced
    moment = _ago(at, standing.rhythm.now) if at is not None else None
    content = overview.content_status(document, standing.rhythm.now)
    return overview.ended(content, document.get("last_access_control_sync_status"), moment)


def _coming_text(one: "Coming", now: datetime) -> str:
    kind = "" if one.job_type == "full" else f"{overview.KINDS[one.job_type]} "
    if one.custom is not None:
        kind = f"{one.custom} "
    if one.due_since is not None:
        return f"{kind}due since {in_short(now - one.due_since)}"
    return f"{kind}in {in_short(one.at - now)}" if one.at is not None else f"{kind}never again"


def _run_text(run: "Run", now: datetime) -> str:
    kind = _kind(run)
    what = f"{kind} sync" if run.job is not None else "sync without a job"
    since = f" for {in_short(now - run.since)}" if run.since is not None else ""
    ends = ", to be canceled" if run.status == "canceling" else ""
    where = f"on {run.where}" if run.where and run.job is not None else run.where
    phase = run.phase if run.phase not in {"starting", "reading", "done", "live"} else None
    if run.lag is not None:
        phase = f"{in_short(run.lag)} behind"
    return ", ".join(part for part in (f"{what.strip()}{since}{ends}", phase, _so_far(run), where) if part)


def _so_far(run: "Run") -> str:
    counts = run.counts
    if "read" in counts:
        expected = f" of {counts['expected']:,}" if counts.get("expected") else ""
        return f"{counts['read']:,}{expected} documents read"
    return f"{counts['indexed']:,} documents indexed" if "indexed" in counts else ""


def _wait_text(run: "Run", now: datetime) -> str:
    kind = _kind(run)
    since = f" for {in_short(now - run.since)}" if run.since is not None else ""
    behind = f", {in_short(run.lag)} behind" if run.lag is not None else ""
    return f"{f'{kind} sync'.strip()} {'suspended' if run.status == 'suspended' else 'waits'}{since}{behind}"


def _kind(run: "Run") -> str:
    return "live" if run.is_live else overview.KINDS.get(run.job_type or "", "")


def _trouble_lines(troubles: "Sequence[Trouble]", mark: str = "    ") -> Iterator[str]:
    """Yield what a person has to look at, each shortened, with the command to begin with."""
    from connectors.wording import shortened  # noqa: PLC0415 - as above

    for one in troubles[:MOST_TROUBLES]:
        command = f" ({one.command})" if one.command is not None else ""
        text = f"{shortened(' '.join(one.text.split()), LONGEST)}{command}"
        for number, line in enumerate(_wrapped(text, len(mark))):
            yield f"{mark if not number else ' ' * len(mark)}{line}"
    if len(troubles) > MOST_TROUBLES:
        yield f"    … and {len(troubles) - MOST_TROUBLES} more"


def _not_shown(found: "Survey", shown: "Sequence[Standing]") -> str:
    rest = len(found.standings) - len(shown)
    in_need = len(found.in_need) - sum(bool(one.troubles) for one in shown)
    of_them = f", {in_need:,} of which need{'s' if in_need == 1 else ''} a person" if in_need else ""
    return f"{counted(rest, 'more connector')}{of_them}: connectors status --all"


def _ago(moment: datetime, now: datetime) -> str:
    return f"{in_short(now - moment)} ago"


# --- for a program -----------------------------------------------------------------------------------------------


def _described(found: "Survey") -> dict[str, Any]:
    standings = found.standings
    return {
        "engine": found.engine,
        "at": found.rhythm.now.isoformat(),
        "daemon_seen_at": _wire(found.daemon_seen_at),
        "totals": {
            "connectors": len(standings),
            "need_a_person": len(found.in_need),
            "running": found.running,
            "waiting": found.waiting,
            "held_deletions": sum(one.held_deletions for one in standings),
            "dead_letters": sum(one.letters for one in standings),
        },
        "needs_a_person": [_trouble_wire(one) for one in found.troubles],
        "connectors": [_standing_wire(one) for one in standings],
    }


def _standing_wire(standing: "Standing") -> dict[str, Any]:
    return {
        **overview.described_of(standing.connector),
        "last_seen": standing.connector.document.get("last_seen"),
        "needs_a_person": [_trouble_wire(one) for one in standing.troubles],
        "next": [
            {
                "job_type": one.job_type,
                "custom_schedule": one.custom,
                "interval": one.interval,
                "at": _wire(one.at),
                "due_since": _wire(one.due_since),
            }
            for one in standing.coming
        ],
        "running": [_run_wire(one) for one in standing.running],
        "waiting": [_run_wire(one) for one in standing.waiting],
        "held_deletions": standing.held_deletions,
        "dead_letters": standing.letters,
    }


def _run_wire(run: "Run") -> dict[str, Any]:
    counts = {name: run.counts.get(name) for name in ("read", "expected", "indexed", "deleted")}
    return {
        "job": run.job,
        "job_type": run.job_type,
        "status": run.status,
        "since": _wire(run.since),
        "last_seen": _wire(run.seen_at),
        "where": run.where,
        "phase": run.phase,
        "live": run.is_live,
        "lag_s": run.lag.total_seconds() if run.lag is not None else None,
        **counts,
    }


def _trouble_wire(one: "Trouble") -> dict[str, str | None]:
    return {"kind": one.kind, "text": one.text, "command": one.command}


def _wire(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
