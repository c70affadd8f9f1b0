"""A worker process: claims and runs the jobs that its daemon names, until it is told to stop or the daemon goes."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from connectors import logger
from connectors.aio.tasks import Tasks
from connectors.config import load_settings
from connectors.engine import open_engine
from connectors.errors import ConnectorsError
from connectors.registry import Registry
from connectors.services.working.job_run import JobRun
from connectors.services.working.messages import (
    FROM_DAEMON,
    LONGEST_LINE,
    Alive,
    Begin,
    Ended,
    FromWorker,
    Hung,
    Look,
    Progress,
    Ready,
    Requests,
    Run,
    line_of,
    told,
)
from connectors.settings import Settings
from connectors.storages.opening import open_backend
from connectors.store.job import WAITING, JobStatus
from connectors.store.jobs import JobStore
from connectors.sync.workplace import SyncLimits, Workplace, open_workplace

log = logger.get("connectors.services.working.process")  # not by `__name__`, which is another one in the process itself
ALIVE_EVERY_S: Final = 1.0
LOST: Final = "lost"
"""How a job ended that others took over."""


@dataclass
class Bench:
    """Runs jobs in this process, several at once, and says so.

    A source that neither answers nor lets itself be cancelled takes the process with it, as a crash would.
    """

    place: Workplace
    jobs: JobStore
    out: BinaryIO
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _runs: dict[str, JobRun] = field(default_factory=dict)
    _said: dict[str, Progress] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.place = replace(self.place, hung=self._end)

    async def serve(self, lines: asyncio.StreamReader) -> None:
        """Do what the lines say until one says to stop, or there are no more; what runs then is suspended."""
        async with Tasks("worker") as tasks:
            alive = tasks.start(self._stay_alive(), name="alive")
            try:
                self._say(Ready(str(self.place.instance)))
                while line := await lines.readline():
                    message = told(line)
                    if isinstance(message, Look):
                        self._look(message.job)
                        continue
                    if not isinstance(message, Run):
                        break
                    self._running[message.job] = tasks.start(self._run(message.job), name=f"job {message.job}")
            finally:
                alive.cancel()
                for one in self._running.values():
                    one.cancel()
        self._say_what_was_sent()

    async def _run(self, job_id: str) -> None:
        status = None
        try:
            status = await self._claimed_and_run(job_id)
        except ConnectorsError as error:
            log.warning("A job could not be claimed.", job=job_id, why=str(error))
        except asyncio.CancelledError:
            status = JobStatus.SUSPENDED if job_id in self._runs else None
            raise
        finally:
            self._running.pop(job_id, None)
            self._say_how_far(job_id)
            self._runs.pop(job_id, None)
            self._said.pop(job_id, None)
            self._say(Ended(job_id, status))

    async def _claimed_and_run(self, job_id: str) -> str | None:
        """Return how a job ended; None if another process had it, or took it."""
        job = await self.jobs.get(job_id)
        if job is None or job.status not in WAITING:
            return None
        connector = await self.place.connectors.get(job.connector_id) if job.connector_id is not None else None
        claimed = await self.jobs.claim(
            job,
            instance=str(self.place.instance),
            hostname=self.place.instance.host,
            sync_cursor=connector.sync_cursor if connector is not None else None,
        )
        if claimed is None:
            return None
        log.info("A job begins.", job=job_id, connector=job.connector_id, job_type=str(job.job_type))
        run = self._runs[job_id] = JobRun(self.place, self.jobs, claimed)
        status = await run.run()
        log.info("A job has ended.", job=job_id, connector=job.connector_id, status=str(status))
        return status or LOST

    def _look(self, job_id: str) -> None:
        if job_id in self._runs:
            self._runs[job_id].look()

    def _end(self, why: str) -> None:
        """End the process at once, and say why."""
        self._say(Hung(why))
        os.kill(os.getpid(), signal.SIGKILL)

    async def _stay_alive(self) -> None:
        while True:
            self._say(Alive())
            for job_id in self._runs:
                self._say_how_far(job_id)
            self._say_what_was_sent()
            await asyncio.sleep(ALIVE_EVERY_S)

    def _say_how_far(self, job_id: str) -> None:
        """Say how far a job has come, if that is further than was said last."""
        if job_id in self._runs:
            progress = Progress.of(job_id, self._runs[job_id].report)
            if progress != self._said.get(job_id, Progress(job=job_id)):
                self._said[job_id] = progress
                self._say(progress)

    def _say_what_was_sent(self) -> None:
        lanes = {name: one.taken() for name, one in self.place.engine.traffic.items() if one.requests}
        if lanes:
            self._say(Requests(lanes))

    def _say(self, message: FromWorker) -> None:
        with suppress(BrokenPipeError):  # the daemon is gone, which the other pipe says too
            self.out.write(line_of(message))
            self.out.flush()


async def work(config: str | None) -> None:
    """Run jobs until standard input ends or says so. Raises an error of the tree when it can't even begin."""
    lines = asyncio.StreamReader(limit=LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    settings = await _settings(config, lines)
    if settings is None:
        return
    logger.set_up(level=settings.log.least(is_service=True), style=settings.log.format)
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a source prints is none of our messages
    async with AsyncExitStack() as stack:
        stack.callback(out.close)
        engine = await stack.enter_async_context(open_engine(settings.engine))
        storage = await stack.enter_async_context(open_backend(settings.storage, engine))
        place = await open_workplace(
            engine,
            Registry(settings.sources),
            grants=settings.grants,
            copies=settings.sync.ledgers,
            limits=SyncLimits.of(settings),
            storage=storage,
        )
        await Bench(place, await JobStore.open(engine), out).serve(lines)


async def _settings(config: str | None, lines: asyncio.StreamReader) -> Settings | None:
    """Return the settings of a file, or those that the daemon says; None if it says nothing any more."""
    if config != FROM_DAEMON:
        return load_settings(Path(config) if config is not None else None)
    first = await lines.readline()
    message = told(first) if first else None
    return message.settings if isinstance(message, Begin) else None


def main() -> None:
    """Work with the settings file that is named, if one is, or with what the daemon says (`-`)."""
    logger.set_up()
    try:
        asyncio.run(work(sys.argv[1] if len(sys.argv) > 1 else None))
    except (ConnectorsError, msgspec.DecodeError) as error:
        log.error("A worker process can't work.", why=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
