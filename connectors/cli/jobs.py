"""`connectors jobs` and `connectors job`: what syncs were wanted, what became of each, and an end to one."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from connectors.aio.clock import SystemClock
from connectors.cli import overview, table
from connectors.cli.arguments import AS_JSON, print_json
from connectors.cli.choice import chosen
from connectors.cli.invocation import Invocation
from connectors.cli.wording import as_moment, in_time
from connectors.errors import ConfigurationError, JobCanceled

if TYPE_CHECKING:
    from connectors.store.connectors import ConnectorStore
    from connectors.store.job import SyncJob
    from connectors.store.jobs import JobStore

SHORT: Final = 8
"""Characters of an id that a list shows, as far as they tell jobs apart."""
NEWEST: Final = 1_000
"""Of all jobs, so many are looked at for one whose id begins in some way."""
_COUNTS: Final = {
    "indexed_document_count": "indexed",
    "deleted_document_count": "deleted",
    "total_document_count": "in the index",
}
_COUNTERS: Final = {
    "walked": "read",
    "created": "created",
    "updated": "updated",
    "unchanged": "unchanged",
    "deleted": "deleted",
    "dropped": "dropped by rules",
    "letters": "not indexed",
    "superseded": "read again under the same id",
    "held": "held back from deletion",
    "downloaded": "downloaded",
    "content_failed": "without content",
}
"""The counters of a sync's report that a person asks for."""
_HIDDEN: Final = frozenset({"claim", "instance", "live", "format"})
"""What metadata says for programs alone."""


@dataclass(frozen=True)
class _Stores:
    connectors: "ConnectorStore"
    jobs: "JobStore"


@click.command(short_help="List the syncs that were wanted, the newest first.")
@click.argument("connector_id", metavar="[ID]", required=False)
@click.option("--most", type=click.IntRange(1, 1_000), default=20, show_default=True, help="Jobs to list, at most.")
@AS_JSON
@click.pass_obj
def jobs(invocation: Invocation, *, connector_id: str | None, most: int, as_json: bool) -> None:
    """List the newest jobs, of the connector ID or of all: the syncs that a schedule or somebody wanted."""
    found = asyncio.run(_newest(invocation, connector_id, most))
    if as_json:
        print_json([_described(one) for one in found])
    elif found:
        length = _length(found)
        header = ["JOB", "CONNECTOR", "SYNC", "STATUS", "WANTED", "TOOK", "INDEXED", "DELETED", "ERROR"]
        table.show(header, [_row(one, length) for one in found])
    else:
        of_one = f" of {connector_id}" if connector_id else ""
        click.echo(f"There are no jobs{of_one}. `connectors sync` syncs at once, and without a job.")


@click.group()
def job() -> None:
    """Look at one job, or end it."""


@job.command(short_help="Show all of one job.")
@click.argument("job_id", metavar="JOB")
@AS_JSON
@click.pass_obj
def show(invocation: Invocation, *, job_id: str, as_json: bool) -> None:
    """Show all of one JOB, whose id may be given by its beginning."""
    found = asyncio.run(_one(invocation, job_id))
    if as_json:
        print_json(_described(found))
        return
    click.echo(click.style(found.id, bold=True))
    told = [(name, text) for name, text in _facts(found) if text]
    longest = max(len(name) for name, _ in told)
    for name, text in told:
        click.echo(f"  {name:<{longest}}  {text}")


@job.command(short_help="End one job.")
@click.argument("job_id", metavar="JOB")
@AS_JSON
@click.pass_obj
def cancel(invocation: Invocation, *, job_id: str, as_json: bool) -> None:
    """End one JOB: one that waits at once, one that runs as soon as whoever runs it sees that.

    What it has written stays in the index. A job that has ended already is left as it is.
    """
    before, after = asyncio.run(_cancel(invocation, job_id))
    if as_json:
        print_json({"job": after.id, "before": _word(before.status), "status": _word(after.status)})
        return
    click.echo(_canceled(before, after))


# --- asking the store --------------------------------------------------------------------------------------------


@asynccontextmanager
async def _stores(invocation: Invocation) -> AsyncIterator[_Stores]:
    from connectors.engine import open_engine  # the client takes most of a second to import  # noqa: PLC0415
    from connectors.store.connectors import ConnectorStore  # noqa: PLC0415
    from connectors.store.jobs import JobStore  # noqa: PLC0415

    async with open_engine(invocation.settings.engine) as engine:
        yield _Stores(await ConnectorStore.open(engine), await JobStore.open(engine))


async def _newest(invocation: Invocation, connector_id: str | None, most: int) -> "list[SyncJob]":
    async with _stores(invocation) as stores:
        if connector_id is None:
            return await stores.jobs.newest(most=most)
        await chosen(stores.connectors, connector_id)
        return await stores.jobs.of_connector(connector_id, most=most)


async def _one(invocation: Invocation, wanted: str) -> "SyncJob":
    async with _stores(invocation) as stores:
        return await _found(stores.jobs, wanted)


async def _cancel(invocation: Invocation, wanted: str) -> "tuple[SyncJob, SyncJob]":
    async with _stores(invocation) as stores:
        found = await _found(stores.jobs, wanted)
        after = await stores.jobs.cancel(found.id)
        if _word(found.status) == "suspended" and _word(after.status) == "canceled":
            from connectors.services.cleaning.job_ends import JobEnds  # noqa: PLC0415 - loaded where it is wanted

            ends = JobEnds(stores.jobs, stores.connectors, SystemClock())
            await ends.tell(found, JobCanceled("Somebody asked for it to be canceled."))
        return found, after


async def _found(jobs: "JobStore", wanted: str) -> "SyncJob":
    """Return a job by its id, or by its beginning. Raises a `ConfigurationError` for what is none, or several."""
    found = await jobs.get(wanted) if wanted else None
    if found is not None:
        return found
    fitting = [one for one in await jobs.newest(most=NEWEST) if wanted and one.id.startswith(wanted)]
    if len(fitting) == 1:
        return fitting[0]
    message = f"Several jobs begin with {wanted!r}." if fitting else f"There is no job {wanted!r}."
    hint = f"Say more of it: {', '.join(one.id for one in fitting[:3])}" if fitting else "`connectors jobs` lists them."
    raise ConfigurationError(message, field="job", hint=hint)


# --- telling it --------------------------------------------------------------------------------------------------


def _described(found: "SyncJob") -> dict[str, Any]:
    """Return what may be shown of a job: its snapshot has no secrets, and its settings are shown by no command."""
    document = found.document
    snapshot = document.get("connector")
    index = snapshot.get("index_name") if isinstance(snapshot, Mapping) else None
    moments = ("created_at", "started_at", "completed_at", "last_seen")
    return {
        "id": found.id,
        "connector": found.connector_id,
        "index_name": index,
        "job_type": _word(found.job_type),
        "trigger_method": _word(found.trigger),
        "status": _word(found.status),
        "error": found.error,
        "skipping": overview.skipping_of(found.metadata.get("sync")),
        **{name: moment.isoformat() if (moment := getattr(found, name)) else None for name in moments},
        "worker_hostname": found.worker_hostname,
        **{name: document.get(name) for name in (*_COUNTS, "indexed_document_volume")},
        "metadata": {name: one for name, one in found.metadata.items() if name not in _HIDDEN},
    }


def _row(found: "SyncJob", length: int) -> list[str]:
    counts = [_count(found, name) for name in ("indexed_document_count", "deleted_document_count")]
    return [
        found.id[:length],
        found.connector_id or "",
        _kind(found),
        _status(found),
        as_moment(found.created_at) if found.created_at else "",
        _took(found),
        *(f"{number:,}" for number in counts),
        " ".join((found.error or "").split()),
    ]


def _facts(found: "SyncJob") -> Iterator[tuple[str, str]]:
    described = _described(found)
    yield "connector", described["connector"] or ""
    yield "index", described["index_name"] or ""
    yield "sync", _kind(found)
    yield "trigger", (described["trigger_method"] or "").replace("_", " ")
    yield "status", described["status"] or "unset"
    yield "error", described["error"] or ""
    skipping = described["skipping"] or {}
    yield "skipped" if skipping.get("skipped") else "not skipped", str(skipping.get("text") or "")
    yield "wanted", _moment(found.created_at)
    yield "began", _moment(found.started_at)
    yield "ended", _moment(found.completed_at)
    yield "last seen", _moment(found.last_seen) if found.completed_at is None else ""
    yield "took", _took(found)
    yield "where", described["worker_hostname"] or ""
    yield "documents", ", ".join(f"{_count(found, name):,} {what}" for name, what in _COUNTS.items())
    yield from _told(described["metadata"])


def _told(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what else is told of a job: of the report of its sync what is not 0, of the rest what says something."""
    report = metadata.get("sync")
    if isinstance(report, Mapping):
        counts = ((report.get(name), what) for name, what in _COUNTERS.items())
        yield "behind since", str(report.get("behind_since") or "")
        yield "phase", str(report.get("phase") or "")
        yield "so far", ", ".join(f"{number:,} {what}" for number, what in counts if isinstance(number, int) and number)
        remarks = report.get("remarks")
        yield from (("the source says", str(one)) for one in remarks) if isinstance(remarks, list) else ()
        metadata = {name: one for name, one in metadata.items() if name not in {"sync", "note"}}
    for name, value in metadata.items():
        yield name.replace("_", " "), str(value) if value else ""


def _count(found: "SyncJob", name: str) -> int:
    """Return one of the counts of a job; 0 for what is none."""
    value = found.document.get(name)
    return value if isinstance(value, int) else 0


def _canceled(before: "SyncJob", after: "SyncJob") -> str:
    status = _word(after.status)
    if before.status is not after.status and status == "canceled":
        return f"The job {after.id} is canceled: nobody had begun it."
    if status == "canceling":
        where = f" on {after.worker_hostname}" if after.worker_hostname else ""
        return f"The job {after.id} is to end: whoever runs it{where} does so as soon as that is seen."
    return f"The job {after.id} has ended already: {status}."


def _length(found: "list[SyncJob]") -> int:
    """Return how much of their ids tells jobs apart."""
    longest = max(len(one.id) for one in found)
    return next(
        (size for size in range(SHORT, longest) if len({one.id[:size] for one in found}) == len(found)), longest
    )


def _kind(found: "SyncJob") -> str:
    if found.metadata.get("live") is True:
        return "live"
    kind, schedule = overview.KINDS.get(_word(found.job_type) or "", "unknown"), found.metadata.get("custom_schedule")
    return f"{kind}, {schedule}" if isinstance(schedule, str) else kind


def _status(found: "SyncJob") -> str:
    skipping = overview.skipping_of(found.metadata.get("sync")) or {}
    return f"{_word(found.status) or ''}{', skipped' if skipping.get('skipped') is True else ''}"


def _word(one: object) -> str | None:
    return str(one) if one is not None else None


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment is not None else ""


def _took(found: "SyncJob") -> str:
    if found.started_at is None or found.completed_at is None:
        return ""
    return in_time(max((found.completed_at - found.started_at).total_seconds(), 0))
