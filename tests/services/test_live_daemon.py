"""Live syncs in whole daemons: begun by themselves, one of each connector, out of the way of others, and ended."""

import signal
from pathlib import Path

from connectors.store.job import JobStatus
from connectors.store.live import is_live
from tests.services.daemons import daemon
from tests.services.live import SCHEDULED, live_works
from tests.services.works import until


async def test_a_connector_that_is_live_has_a_full_sync_and_then_what_happens(tmp_path: Path) -> None:
    async with live_works(tmp_path) as works:
        log = await works.connect("a")
        for number in range(20):
            log.put(f"d{number}", number=number)
        async with daemon(works.of.config) as running:
            await works.lives("a")
            await works.equal("a")
            log.put("d3", number=33)
            log.delete("d4")
            log.put("new", number=1)
            await works.equal("a")
            first = await works.live("a")
            assert first is not None
            wanted = await works.of.want("a")
            job = await works.of.until(wanted, lambda one: one.completed_at is not None)
            assert (job.status, job.error) == (JobStatus.COMPLETED, None)
            log.put("newer", number=2)
            await works.equal("a")
            again = await works.live("a")
            assert again is not None
            assert again.id == first.id
            await works.change("a", scheduling={"full": {**SCHEDULED["full"], "enabled": False}})
            ended = await works.of.until(first.id, lambda one: one.completed_at is not None)
            assert (ended.status, ended.error) == (JobStatus.COMPLETED, None)
            assert await running.stop(signal.SIGTERM) == 0
        jobs = await works.jobs("a")
        assert [(is_live(one), str(one.status)) for one in jobs] == [
            (True, "completed"),
            (False, "completed"),
            (False, "completed"),
        ]


async def test_a_changed_connector_is_taken_notice_of(tmp_path: Path) -> None:
    rule = {"id": "r", "order": 0, "policy": "exclude", "field": "number", "rule": "equals", "value": "7"}
    async with live_works(tmp_path) as works:
        log = await works.connect("a")
        log.put("d7", number=7)
        log.put("d8", number=8)
        async with daemon(works.of.config):
            await works.lives("a")
            await works.equal("a")
            await works.change("a", filtering={"rules": [rule]})

            async def is_without() -> bool:
                log.put("d9", number=7)
                found = await works.of.engine.data.get_many("a-000001", ["d7", "d8", "d9"])
                return [one is not None for one in found] == [False, True, False]

            await until(is_without)
            await works.lives("a")


async def test_a_daemon_that_is_ended_suspends_its_live_syncs_and_the_next_one_goes_on(tmp_path: Path) -> None:
    async with live_works(tmp_path) as works:
        log = await works.connect("a")
        log.put("d1")
        async with daemon(works.of.config) as running:
            await works.lives("a")
            await running.stop(signal.SIGTERM)
        job = await works.live("a")
        assert job is not None
        assert job.status is JobStatus.SUSPENDED
        log.put("d2")
        log.delete("d1")
        async with daemon(works.of.config):
            await works.equal("a")
            await works.lives("a")
        assert len(await works.jobs("a")) == 2


async def test_a_deleted_connector_has_no_live_sync_any_more(tmp_path: Path) -> None:
    async with live_works(tmp_path) as works:
        await works.connect("a")
        async with daemon(works.of.config):
            await works.lives("a")
            job = await works.live("a")
            assert job is not None
            await works.change("a", deleted=True)
            ended = await works.of.until(job.id, lambda one: one.completed_at is not None)
            assert ended.status is JobStatus.CANCELED


async def test_there_are_no_more_live_syncs_than_places_and_other_syncs_have_theirs(tmp_path: Path) -> None:
    service = {"max_live_syncs": 1, "max_concurrent_content_syncs": 1}
    async with live_works(tmp_path, service=service) as works:
        for name in "ab":
            log = await works.connect(name)
            log.put("d1")
        async with daemon(works.of.config):

            async def is_one() -> bool:
                jobs = [await works.live(name) for name in "ab"]
                statuses = sorted(str(one.status) for one in jobs if one is not None)
                return len(statuses) == 2 and statuses[0] == "in_progress" and statuses[1] in {"pending", "suspended"}

            await until(is_one)
            wanted = await works.of.want("b")
            await works.of.until(wanted, lambda one: one.status is JobStatus.COMPLETED)
