"""`connectors tour`: a daemon with a connector that is ready, which shows within a minute what all this is for."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from connectors.cli.interruption import interruption
from connectors.cli.invocation import Invocation
from connectors.cli.wording import counted, in_time
from connectors.errors import ConfigurationError, Conflict, ConnectorsError

if TYPE_CHECKING:
    from connectors.engine import Engine
    from connectors.store.job import SyncJob
    from connectors.store.jobs import JobStore

NAME: Final = "connectors-tour"
QUESTION: Final = "scans that lose documents"
SHOWN: Final = 3
LOOK_EVERY_S: Final = 0.2
_AGAIN: Final = "It reads the folder again each minute, so what you change there is found soon."


@click.command(short_help="Run a daemon that syncs a folder, and search in it.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("docs"),
    show_default=True,
    help="The folder whose files are synced.",
)
@click.option("--once", is_flag=True, help="End after the search, where the daemon would stay up otherwise.")
@click.pass_obj
def tour(invocation: Invocation, folder: Path, *, once: bool) -> None:
    """Run a daemon with a connector that syncs a folder, and search in what it has synced."""
    invocation.is_service = True
    asyncio.run(_tour(invocation, folder.resolve(), once=once))


async def _tour(invocation: Invocation, folder: Path, *, once: bool) -> None:
    from connectors.aio.tasks import Tasks  # loaded only where it is wanted  # noqa: PLC0415
    from connectors.services.supervisor import Supervisor  # noqa: PLC0415

    invocation.settings.grants.path(str(folder), "folder")  # or its connector could not be synced
    ready: asyncio.Future[Engine] = asyncio.get_running_loop().create_future()

    async def is_ready(engine: "Engine") -> None:
        ready.set_result(engine)

    async with interruption() as interrupted, Tasks("tour") as tasks:
        supervisor = Supervisor(invocation.settings, invocation.config, ready=is_ready)
        running = tasks.start(supervisor.run(interrupted), name="daemon")
        showing = tasks.start(_show(invocation, ready, folder), name="show")
        await asyncio.wait({running, showing}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            showing.cancel()  # who is interrupted waits for nothing any more
        elif once:
            interrupted.set()


async def _show(invocation: Invocation, ready: "asyncio.Future[Engine]", folder: Path) -> None:
    """Have the folder synced, and show what is found in it and what may be done next."""
    from connectors.store.jobs import JobStore  # noqa: PLC0415 - as above

    engine = await ready
    click.echo(f"The daemon runs: {engine.info}.")
    jobs = await JobStore.open(engine)
    job = await _ended(jobs, await _wanted(invocation, engine, jobs, folder))
    if job.error is not None:
        raise ConnectorsError(f"The folder {folder} could not be synced: {job.error}")
    took_s = (job.completed_at - job.created_at).total_seconds() if job.completed_at and job.created_at else 0.0
    documents = counted(job.document["total_document_count"], "document")
    click.echo(f"The connector {NAME} reads {folder}: {documents} in its index, after {in_time(took_s)}.")
    await _search(engine)
    own = _own_command()
    click.echo(f'\nSearch for something else, in another terminal:\n  {own} search {NAME} "your words"')
    click.echo(f"{_AGAIN}\n\nAdd the next connector, and look how all of them are:")
    click.echo(f"  {own} sources                          # what can be read")
    click.echo(f"  {own} create --from-file mine.yml      # docs/state.md tells what is in there")
    click.echo(f"  {own} list\n\nCtrl-C ends the daemon; what it has synced stays.")


async def _wanted(invocation: Invocation, engine: "Engine", jobs: "JobStore", folder: Path) -> str:
    """See to it that there is a connector for the folder, want a sync of it, and return the id of the job."""
    from uuid import uuid4  # noqa: PLC0415 - as above

    from connectors.aio.clock import SystemClock  # noqa: PLC0415
    from connectors.store.connectors import ConnectorStore  # noqa: PLC0415
    from connectors.store.job import Trigger  # noqa: PLC0415
    from connectors.store.new_connector import new_connector  # noqa: PLC0415
    from connectors.store.snapshot import snapshot_of  # noqa: PLC0415
    from connectors.store.sync_state import JobType  # noqa: PLC0415

    description = {
        "id": NAME,
        "name": "The tour",
        "service_type": "directory",
        "index_name": NAME,
        "configuration": {"directory": str(folder)},
        "scheduling": {"full": {"enabled": True, "interval": "0 * * * * ?"}},
    }
    new = await new_connector(description, invocation.registry, invocation.settings.grants, SystemClock().now())
    store = await ConnectorStore.open(engine)
    try:
        connector = await store.create(NAME, new.document)
    except Conflict:
        changed = {name: new.document[name] for name in ("configuration", "deleted") if name in new.document}
        connector = await store.update(NAME, lambda _: changed)
    snapshot = snapshot_of(connector, JobType.FULL, invocation.registry)
    return (await jobs.create(uuid4().hex, snapshot, JobType.FULL, Trigger.ON_DEMAND)).id


async def _ended(jobs: "JobStore", job_id: str) -> "SyncJob":
    """Wait until another process has run a job."""
    from connectors.store.job import ENDED  # noqa: PLC0415 - as above

    while True:
        found = await jobs.get(job_id)
        if found is None:
            raise ConfigurationError("The job of the tour was deleted.", field="")
        if found.status in ENDED:
            return found
        await asyncio.sleep(LOOK_EVERY_S)


async def _search(engine: "Engine") -> None:
    await engine.data.refresh(NAME)
    query = {"multi_match": {"query": QUESTION, "fields": ["title", "body"], "lenient": True}}
    page = await engine.data.search(NAME, {"query": query, "size": SHOWN, "_source": ["title", "path"]})
    click.echo(f"\nSearch: {QUESTION}")
    for place, hit in enumerate(page.hits, 1):
        source = hit.source or {}
        click.echo(f"  {place}. {click.style(str(source.get('path') or hit.id), bold=True)}")


def _own_command() -> str:
    """Return how this program was started, for who starts it again."""
    return f"{os.path.relpath(sys.executable)} -m connectors"
