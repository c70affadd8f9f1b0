"""The stages of a functional test: one connector's life with a daemon, compared with its source after each sync."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from connectors.config import load_settings
from connectors.engine import Engine, open_engine
from connectors.registry import Registry
from connectors.source_class import can_list_ids
from connectors.store.dead_letters import DeadLetters
from fixtures.contract import Fixture, SyncRule
from tests.functional.command import sync_deletes_only
from tests.functional.comparison import Wrong, compare, wanted
from tests.functional.footprint import Footprint, footprint, processes_of
from tests.functional.kibana import Kibana, Written
from tests.functional.table import Stage
from tests.services.daemons import Daemon, daemon
from tests.torture.oracle import Content, actual, difference

INDEX: Final = "search-functional"
CONNECTOR: Final = "functional"
PATIENCE_S: Final = 180.0
CANCELED_WITHIN_S: Final = 10.0
VALIDATED_WITHIN_S: Final = 30.0
NO_PIPELINE: Final = "functional-no-such-pipeline"
DEFAULT_PIPELINE: Final = "search-default-ingestion"
"""What Kibana names in every connector, whether the engine has it or not."""
LEASE_S: Final = 6.0
ONE_BY_ONE: Final = {"CONNECTORS__SYNC__BATCH_DOCUMENTS": "1", "CONNECTORS__SYNC__CONCURRENCY": "1"}
"""How a daemon is slowed down that is to be interrupted: a request for each document, one after the other."""
WRITTEN_BEFORE: Final = 100
"""So many documents of a slow sync are in the index when it is interrupted."""
REFRESH_EVERY_S: Final = 0.5
"""How often these are counted: each refresh has the writes wait."""


@dataclass(frozen=True)
class Running:
    """A daemon that runs, and what is done with it."""

    daemon: Daemon
    engine: Engine
    kibana: Kibana
    memory: Footprint


@dataclass
class Stages:
    """Runs the stages one after the other, each on what the one before has left."""

    fixture: Fixture
    service_type: str
    engine: Mapping[str, str]
    folder: Path
    documents: int
    sources: Mapping[str, str] = field(default_factory=dict)
    """Classes in the place of ours, by service type: how the harness itself is tested."""
    _before: dict[str, Content] = field(default_factory=dict)
    _interrupted_job: str = ""
    _rule: SyncRule | None = None

    async def run(self) -> AsyncIterator[Stage]:
        """Yield each stage when it is over. Raises `Wrong` for the first thing that is not as it has to be."""
        (self.folder / "config.yml").write_text(yaml.safe_dump(self._config()))
        async with self._running() as running:
            await self._load()
            await running.kibana.connect(self.service_type, self.fixture.configuration)
            yield await self._synced(running, "first sync")
            await self._change()
            yield await self._synced(running, "changed, deleted, added")
            yield await self._unchanged(running)
            if can_list_ids(Registry(self.sources).source(self.service_type)):
                yield await self._deletes_only(running)
                yield await self._synced(running, "what that left to be done")
            async for stage in self._pipelines(running):
                yield stage
            async for stage in self._incremental(running):
                yield stage
            async for stage in self._rules(running):
                yield stage
        yield await self._canceled()
        yield await self._recovered("the sync after that")
        yield await self._worker_killed()
        yield await self._interrupted(signal.SIGTERM)
        yield await self._recovered("the same job, by the next daemon", again=False)
        yield await self._interrupted(signal.SIGKILL)
        yield await self._recovered("another job, by the next daemon")
        yield await self._all_killed()
        yield await self._recovered("the same job, by the next daemon", again=False)

    def _config(self) -> Mapping[str, object]:
        return {
            "engine": dict(self.engine),
            "sources": dict(self.sources),
            "allowed_paths": [str(self.fixture.folder)],
            "sync": {"ledgers": str(self.folder / "ledgers"), "heartbeat_timeout_s": LEASE_S},
        }

    @asynccontextmanager
    async def _running(self, environ: Mapping[str, str] | None = None) -> AsyncIterator[Running]:
        """Run a daemon during the block, and ask it to end then."""
        with (self.folder / "log").open("a") as log:
            async with daemon(self.folder / "config.yml", {**os.environ, **(environ or {})}, log=log) as one:
                await one.until_logged("The daemon works")
                settings = load_settings(self.folder / "config.yml").engine
                async with open_engine(settings) as engine, footprint(one.process.pid) as memory:
                    yield Running(one, engine, Kibana(engine, CONNECTOR, INDEX), memory)
                if one.process.returncode is None and (code := await one.stop()) != 0:
                    raise Wrong(f"The daemon was asked to end, and ended with {code}.")

    # What is done to the source.

    async def _load(self) -> None:
        await asyncio.to_thread(self.fixture.load, self.documents)
        await asyncio.sleep(self.fixture.settles_after_s)

    async def _change(self) -> None:
        await asyncio.to_thread(self.fixture.change)
        await asyncio.sleep(self.fixture.settles_after_s)

    async def _change_much(self, share: int = 6) -> None:
        """Change so much that a sync takes some time. What is not settled may be sent again, which is not counted."""
        await asyncio.to_thread(self.fixture.change)
        await asyncio.to_thread(self.fixture.load, self.documents // share)

    # The stages of a daemon that is left alone.

    async def _synced(self, running: Running, name: str, *, reshaped: bool = False, job_type: str = "full") -> Stage:
        """Sync, and compare the index with the source, and what is counted with what there was to be done.

        `reshaped` is for a sync that may write all documents again, as their shape has changed.
        """
        running.memory.begin()
        began = time.monotonic()
        job = await running.kibana.ended(await running.kibana.sync(job_type), PATIENCE_S)
        seconds = time.monotonic() - began
        await _check_completed(job, running.engine)
        now = await compare(running.engine, INDEX, self.fixture, self._rule)
        _check_counts(job, self._before, now, reshaped=reshaped)
        self._before = now
        return Stage(name, seconds, running.memory.peak_bytes, _report(job), is_sync=True)

    async def _unchanged(self, running: Running, name: str = "nothing changed") -> Stage:
        stage = await self._synced(running, name)
        if stage.report["sent"] or stage.report["requests"]:
            raise Wrong(f"Nothing had changed, and {stage.report['sent']:,} operations were sent.")
        return stage

    async def _deletes_only(self, running: Running) -> Stage:
        """Change the source, and have only what is gone deleted, by ids: all else stays in the index as it was."""
        await self._change()
        await asyncio.to_thread(self.fixture.listen)
        running.memory.begin()
        began = time.monotonic()
        report = await sync_deletes_only(self.folder / "config.yml", CONNECTOR)
        seconds = time.monotonic() - began
        if needless := await asyncio.to_thread(self.fixture.heard_beside_ids):
            raise Wrong("\n  ".join(["For ids alone the source was asked:", *needless]))
        there = await wanted(self.fixture, self._rule)
        kept = {doc_id: content for doc_id, content in self._before.items() if doc_id in there}
        if found := difference(kept, await actual(running.engine, INDEX)):
            raise Wrong(f"The index is not what it was without what is gone from the source: {found!r}")
        should = {
            "deleted": len(self._before) - len(kept),
            "present": len(kept),
            "unindexed": len(there.keys() - self._before.keys()),
            "created": 0,
            "updated": 0,
        }
        if (told := {name: report[name] for name in should}) != should:
            raise Wrong(f"The report says {told}, and it was {should}.")
        self._before = kept
        return Stage("deletes only, by ids", seconds, running.memory.peak_bytes, report, is_sync=True)

    async def _pipelines(self, running: Running) -> AsyncIterator[Stage]:
        """Sync with every way to name no pipeline, and with one that does not exist; so far there was no such field."""
        began = time.monotonic()
        await running.kibana.change(pipeline={"name": NO_PIPELINE})
        job = await running.kibana.ended(await running.kibana.sync(), PATIENCE_S)
        if job["status"] != "error" or NO_PIPELINE not in (job["error"] or ""):
            raise Wrong(f"The pipeline of the job does not exist, and the job is {_said(job)}.")
        await compare(running.engine, INDEX, self.fixture, self._rule)
        yield Stage("a pipeline that does not exist", time.monotonic() - began, running.memory.peak_bytes, _report(job))
        await running.kibana.change(pipeline={"name": DEFAULT_PIPELINE, "run_ml_inference": True})
        yield await self._unchanged(running, "the default pipeline, not there")

    async def _incremental(self, running: Running) -> AsyncIterator[Stage]:
        """Sync what changed: first without a cursor, which reads everything, and then from where that ended."""
        if not await asyncio.to_thread(self.fixture.touch):
            return
        yield await self._synced(running, "incremental, from the beginning", job_type="incremental")
        await asyncio.to_thread(self.fixture.touch)
        stage = await self._synced(running, "incremental", job_type="incremental")
        if stage.report["walked"] > len(self._before) // 2:
            raise Wrong(f"An incremental sync of few changes read {stage.report['walked']:,} documents.")
        yield stage

    async def _rules(self, running: Running) -> AsyncIterator[Stage]:
        """Sync under a basic rule, with a wrong draft beside it, without it, and under an advanced one, which stays."""
        basic = self.fixture.basic_rule
        await self._activated(running, [basic.wire])
        self._rule = basic
        yield await self._ruled(running, "a basic rule that was edited")
        await self._rejected(running, basic.wire)
        yield await self._unchanged(running, "an invalid draft beside it")
        self._rule = None
        await running.kibana.set_rules()
        yield await self._synced(running, "without it")
        if (advanced := self.fixture.advanced_rule) is not None:
            await self._activated(running, (), advanced.wire)
            self._rule = advanced
            yield await self._ruled(running, "an advanced rule that was edited", reshaped=True)

    async def _activated(self, running: Running, basic: Sequence[Mapping[str, Any]], advanced: object = None) -> None:
        """Edit the rules, and wait until the daemon has put them into use."""
        await running.kibana.edit_rules(basic, advanced)
        found = await running.kibana.validated_rules(VALIDATED_WITHIN_S)
        if found["draft"]["validation"] != {"state": "valid", "errors": []} or found["active"] != found["draft"]:
            raise Wrong(f"Valid rules were edited, and are not in use as they are: {found}.")

    async def _rejected(self, running: Running, rule: Mapping[str, Any]) -> None:
        """Edit the rules so that one of them is wrong, and wait until the daemon says so."""
        before = (await running.kibana.rules())["active"]
        await running.kibana.edit_rules([{**rule, "policy": "include"}, {**rule, "rule": "resembles"}])
        found = await running.kibana.validated_rules(VALIDATED_WITHIN_S)
        validation = found["draft"]["validation"]
        if validation["state"] != "invalid" or [one["ids"] for one in validation["errors"]] != [["rule-2"]]:
            raise Wrong(f"The second rule has no operator that there is, and of the draft it is said: {validation}.")
        if "'resembles'" not in " ".join(validation["errors"][0]["messages"]):
            raise Wrong(f"The errors of the draft do not name the operator that there is not: {validation}.")
        if found["active"] != before:
            raise Wrong(f"An invalid draft has changed the rules in use: {found['active']}.")

    async def _ruled(self, running: Running, name: str, *, reshaped: bool = False) -> Stage:
        kept = await asyncio.to_thread(lambda: sum(1 for _ in self.fixture.expected(self._rule)))
        if not len(self._before) * 0.8 < kept < len(self._before):
            raise Wrong(f"The rule of the fixture keeps {kept:,} of {len(self._before):,}: not some and not most.")
        return await self._synced(running, name, reshaped=reshaped)

    # The stages of a daemon that is interrupted.

    async def _canceled(self) -> Stage:
        """Cancel a sync while it writes."""
        await self._change_much()
        async with self._running(ONE_BY_ONE) as running:
            job_id = await self._begun(running)
            began = time.monotonic()
            await running.kibana.cancel(job_id)
            job = await running.kibana.ended(job_id, PATIENCE_S)
            seconds = time.monotonic() - began
            if job["status"] != "canceled" or not job["canceled_at"] or not job["completed_at"]:
                raise Wrong(f"The job was to be canceled, and is {_said(job)}.")
            if seconds > CANCELED_WITHIN_S:
                raise Wrong(f"The job was canceled after {seconds:.1f} s only.")
            return Stage("canceled while it writes", seconds, running.memory.peak_bytes, _report(job))

    async def _interrupted(self, number: signal.Signals) -> Stage:
        """End the daemon while it writes."""
        await self._change_much()
        async with self._running(ONE_BY_ONE) as running:
            job_id = await self._begun(running)
            began = time.monotonic()
            code = await running.daemon.stop(number)
            seconds = time.monotonic() - began
            if code != (0 if number is signal.SIGTERM else -number):
                raise Wrong(f"The daemon got {number.name}, and ended with {code}.")
            self._interrupted_job = job_id
            return Stage(f"{number.name} while it writes", seconds, running.memory.peak_bytes, {})

    async def _worker_killed(self) -> Stage:
        """Kill the process that runs a sync while it writes: the same daemon has another one go on with it."""
        await self._change_much(12)  # what is left when it is killed goes one by one, too
        async with self._running(ONE_BY_ONE) as running:
            job_id = await self._begun(running)
            instance = (await running.kibana.job(job_id))["metadata"]["instance"]
            began = time.monotonic()
            os.kill(process_of(instance), signal.SIGKILL)
            job = await running.kibana.ended(job_id, PATIENCE_S)
            await running.kibana.all_ended(PATIENCE_S)  # one that went on with another is followed by a whole one
            seconds = time.monotonic() - began
            await _check_completed(job, running.engine)
            if job["metadata"]["instance"] == instance:
                raise Wrong(f"The process {instance} was killed, and has ended its job all the same.")
            self._before = await compare(running.engine, INDEX, self.fixture, self._rule)
            return Stage("a worker process is killed", seconds, running.memory.peak_bytes, _report(job))

    async def _all_killed(self) -> Stage:
        """Kill all processes of the daemon at once while it writes, so that nobody is left to say so."""
        await self._change_much()
        async with self._running(ONE_BY_ONE) as running:
            self._interrupted_job = await self._begun(running)
            began = time.monotonic()
            everyone = list(processes_of(running.daemon.process.pid))
            for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, none sees another one die
                for pid in everyone:
                    os.kill(pid, number)
            await running.daemon.stop(signal.SIGKILL)
            return Stage("all processes are killed", time.monotonic() - began, running.memory.peak_bytes, {})

    async def _begun(self, running: Running) -> str:
        """Want a sync, and wait until some of it is in the index."""
        data, before = running.engine.data, len(self._before)
        job_id = await running.kibana.sync()
        async with asyncio.timeout(PATIENCE_S):
            while (job := await running.kibana.job(job_id))["status"] in {"pending", "in_progress"}:
                await data.refresh(INDEX)
                if await data.count(INDEX) >= before + WRITTEN_BEFORE:
                    return job_id
                await asyncio.sleep(REFRESH_EVERY_S)
        raise Wrong(f"The job ended before it could be interrupted: it is {_said(job)}.")

    async def _recovered(self, name: str, *, again: bool = True) -> Stage:
        """Compare when all is done that was wanted: another sync, or the one that was suspended."""
        began = time.monotonic()
        async with self._running() as running:
            before = await running.kibana.ended_jobs()
            job_id = await running.kibana.sync() if again else self._interrupted_job
            job = await running.kibana.ended(job_id, PATIENCE_S)
            if not again:
                await running.kibana.all_ended(PATIENCE_S)  # one that went on with another is followed by a whole one
            seconds = time.monotonic() - began
            await _check_completed(job, running.engine)
            self._before = await compare(running.engine, INDEX, self.fixture, self._rule)
            ended = await running.kibana.ended_jobs()
            report = _sum([_report(ended[one]) for one in ended.keys() - before.keys()])
            return Stage(name, seconds, running.memory.peak_bytes, report)


def process_of(instance: str) -> int:
    """Return the number of the process that has a job."""
    return int(instance.split("|")[2])


def _report(job: Written) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (job["metadata"] or {}).get("sync") or {}
    return found


def _sum(reports: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the counters of several syncs as if they were one."""
    names = ("walked", "created", "updated", "deleted", "requests", "sent_bytes")
    return {name: sum(report.get(name, 0) for report in reports) for name in names}


def _said(job: Written) -> str:
    return f"{job['status']}, error: {job['error']}"


async def _check_completed(job: Written, engine: Engine) -> None:
    if job["status"] != "completed" or job["error"] is not None:
        causes = await (await DeadLetters.open(engine)).causes(CONNECTOR)
        letters = [f"  {letter.id!r}: {letter.reason}" for cause in causes for letter in cause.samples]
        raise Wrong("\n".join([f"The job is {_said(job)}", *letters]))
    missing = [name for name in ("started_at", "completed_at", "last_seen", "worker_hostname") if not job[name]]
    if missing:
        raise Wrong(f"The job is completed, and does not say {', '.join(missing)}.")


def _check_counts(job: Written, before: Mapping[str, Content], now: Mapping[str, Content], *, reshaped: bool) -> None:
    """Compare what the job counted with how the source differs from what it was."""
    changes = difference(before, now)
    should = {"created": len(changes.extra), "updated": len(changes.different), "deleted": len(changes.missing)}
    found = {name: _report(job)[name] for name in should}
    if reshaped:
        found["updated"] = should["updated"]
    if found != should:
        raise Wrong(f"The report says {found}, and it was {should}.")
    fields = {
        "indexed_document_count": _report(job)["created"] + _report(job)["updated"],
        "deleted_document_count": should["deleted"],
        "total_document_count": len(now),
    }
    shown = {name: job[name] for name in fields}
    if shown != fields:
        raise Wrong(f"The job says {shown}, and it was {fields}.")
