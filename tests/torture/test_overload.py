"""Overload: an engine that refuses or crawls slows a sync down and takes nothing else from it."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.null_engine import null_engine
from connectors.store.targets import TargetRecord
from tests.torture.arena import Arena, arena
from tests.torture.exchange import Seen
from tests.torture.fault_plans import Plan, slow, storm
from tests.torture.faults import Fault, Pass
from tests.torture.oracle import Content, expected
from tests.torture.scripted import Step, many, wait, written

MIB = 2**20
SEED = 5


@dataclass
class Between:
    """Lets a plan hold for the bulks of these numbers alone."""

    plan: Plan
    bulks: range
    met: int = field(default=0)

    def fault_for(self, seen: Seen) -> Fault:
        if not seen.is_bulk or seen.number not in self.bulks:
            return Pass()
        self.met += 1
        return self.plan.fault_for(seen)


def rows(count: int, characters: int) -> dict[str, Content]:
    made = ({"_id": f"row_{n}", "id": f"row_{n}", "number": n, "text": "x" * characters} for n in range(count))
    return expected(made)


async def synced(here: Arena, steps: list[Step], **conditions: Any) -> tuple[dict[str, Any], int, list[int]]:
    """Sync a script; return the report, the most memory that it took, and how the limit of bulks went."""
    written(here.folder / "script", steps)
    end = await here.sync(**conditions)
    return end.report, end.only.footprint.peak, end.only.limits


@pytest.mark.parametrize("share", [0.3, 0.9, 1.0])
async def test_a_storm_of_refused_items_is_survived_and_concurrency_recovers(share: float, tmp_path: Path) -> None:
    sys.stdout.write(f"seed {SEED}\n")
    async with arena(tmp_path, notes=False) as here:
        await here.connect("scripted", {"script": str(tmp_path / "script")})
        plan = Between(storm(share, SEED), range(30, 60))
        here.proxy.plan = plan
        report, _, limits = await synced(here, [many(4_000)], batch_documents=20, most_bulks=8)
        assert plan.met == 30
        assert (report["created"], report["letters"], report["passes"]) == (4_000, 0, 1)
        assert not await here.differs(rows(4_000, 0))
        lowest = min(range(5, len(limits)), key=limits.__getitem__)
        assert (max(limits[:lowest]) > limits[lowest], max(limits[lowest:]) > limits[lowest]) == (True, True), limits


async def test_whole_refusals_with_a_time_are_obeyed(tmp_path: Path) -> None:
    sys.stdout.write(f"seed {SEED}\n")
    async with arena(tmp_path, notes=False) as here:
        await here.connect("scripted", {"script": str(tmp_path / "script")})
        plan = Between(storm(0.0, SEED, whole=1.0, retry_after_s=0.5), range(10, 18))
        here.proxy.plan = plan
        report, _, _ = await synced(here, [many(800)], batch_documents=20)
        assert (plan.met, report["created"], report["letters"]) == (8, 800, 0)
        assert not await here.differs(rows(800, 0))
        assert here.proxy.bulks == 40 + 8 == report["requests"]


async def test_an_engine_that_refuses_for_too_long_ends_the_sync(tmp_path: Path) -> None:
    async with arena(tmp_path, notes=False) as here:
        await here.connect("scripted", {"script": str(tmp_path / "script")})
        here.proxy.plan = storm(1.0, SEED)
        written(tmp_path / "script", [many(100)])
        end = (await here.sync(unavailable_timeout_s=1.0)).only
        assert (end.error, end.report["created"], end.report["letters"]) == ("EngineOverloaded", 0, 0)
        here.proxy.plan = storm(0.0, SEED)
        assert (await here.sync()).report["created"] == 100


async def test_memory_stays_flat_while_an_engine_crawls(tmp_path: Path) -> None:
    documents, characters = 9_000, 10_000
    with null_engine() as url:
        async with arena(tmp_path, url, notes=False) as here:
            await here.connect("scripted", {"script": str(tmp_path / "script")})
            _, idle, _ = await synced(here, [])
            here.proxy.plan = slow(bytes_per_s=20 * MIB, latency_s=0.05)
            conditions = {"batch_documents": 100, "waiting_bytes": 4 * MIB}
            report, peak, _ = await synced(here, [many(documents, characters)], **conditions)
            assert (report["created"], report["letters"]) == (documents, 0)
            assert peak - idle < 25 * MIB, (peak, idle)  # of 90 MB of documents: with 30 MB it is as much


async def test_a_slow_source_keeps_its_target(tmp_path: Path) -> None:
    async with arena(tmp_path) as here:
        await here.connect("scripted", {"script": str(tmp_path / "script")})
        renewals: list[int] = []

        def note(seen: Seen) -> None:
            renewals.append(seen.number)

        here.proxy.on_request(lambda seen: "/_doc/target" in seen.request.target and seen.request.method == "PUT", note)
        steps = [step for number in range(6) for step in ({"_id": f"d{number}"}, wait(0.25))]
        report, _, _ = await synced(here, steps, lease_timeout_s=0.6)
        assert report["created"] == 6
        (record,) = [one.value async for one in here.place.state.find(TargetRecord)]
        assert (record.owner, record.lease > 10, len(renewals) > 10) == (None, True, True)
        assert not await here.differs(expected({"_id": f"d{n}", "id": f"d{n}"} for n in range(6)))
