"""The writer on the embedded engine, over connections that break: what is counted, and what is there in the end."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.aio.clock import SystemClock
from connectors.aio.throttle import AdaptiveLimiter
from connectors.engine import Engine, open_engine
from connectors.engine.embedded.desk import desk_of
from connectors.engine.embedded.server import serving
from connectors.engine.scan import Walk
from connectors.engine.stamp import Stamp
from connectors.settings import EngineSettings
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.sync.document.prepared import key_of
from connectors.sync.index.mark import Mark
from connectors.sync.index.target import Target
from connectors.sync.owner.instance import Instance
from connectors.sync.owner.lease import Claim, leased
from connectors.sync.report import SyncReport
from connectors.sync.writing.batch import Removal
from connectors.sync.writing.writer import Channel, Writer, WriterLimits
from connectors.testing.virtual_time import START
from tests.engine.conftest import Impatient
from tests.engine.stub import Stub, answer, greeting, half, refusal
from tests.sync.writing.world import Noted, write
from tests.torture.fault_plans import At, Plan, lossy, storm
from tests.torture.fault_proxy import FaultProxy
from tests.torture.faults import HalfAnswer, Overloaded, ResetAfter
from tests.torture.sent import port_of

IDS = [f"d{number}" for number in range(40)]


class Leaping(Impatient):
    """Takes no time for pauses, after which it is as late as if it had."""

    def monotonic(self) -> float:
        return super().monotonic() + sum(self.pauses)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await asyncio.sleep(0)


@dataclass
class Bench:
    """An engine, a proxy before it, and a writer whose requests go through that; leases do not."""

    direct: Engine
    engine: Engine
    proxy: FaultProxy

    @asynccontextmanager
    async def writing(self, **limits: Any) -> AsyncIterator[Writer]:
        self.noted, self.clock = Noted(), Leaping()
        self.report = SyncReport(JobType.FULL, "docs", START)
        (found,) = await self.direct.indices.describe("docs")
        claim = Claim(Target("docs", "docs", found.identity.uuid), "c", "run", Instance.current())
        limiter = AdaptiveLimiter(most=4, first=4, clock=self.clock)
        channel = Channel(self.engine.data, limiter, self.clock, WriterLimits(**{"batch_documents": 7, **limits}))
        async with leased(await StateStore.open(self.direct), claim, SystemClock()) as lease:
            async with Writer(channel, lease, self.noted, self.report) as writer:
                yield writer

    async def write(self, plan: Plan | None = None, ids: list[str] = IDS, body: bytes = b'{"n":1}') -> Writer:
        async with self.writing() as writer:
            if plan is not None:
                self.proxy.plan = plan
            for doc_id in ids:
                await writer.put(write(doc_id), body)
            await writer.drain()
        await self.proxy.settle()
        assert self.noted.each_once
        return writer

    async def stamp(self) -> Stamp:
        found = await self.direct.indices.stamp("docs")
        assert found is not None
        return found

    async def stored(self) -> dict[str, tuple[dict[str, Any], bool]]:
        """Return each document without its mark, and whether nobody wrote to it since."""
        await self.direct.data.refresh("docs")
        found = {}
        async for page in self.direct.data.scan(Walk("docs", source=True)):
            for hit in page:
                mark = Mark.of_source(hit.source)
                body = {name: value for name, value in (hit.source or {}).items() if name != "_sync"}
                found[hit.id] = body, mark is not None and mark.o == hit.version
        return found


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with (
        desk_of(tmp_path) as desk,
        serving(desk, host="127.0.0.1", port=0, key=None) as server,
        FaultProxy(port_of(server.url)) as proxy,
        open_engine(EngineSettings(host=server.url)) as direct,
        open_engine(EngineSettings(host=proxy.url, attempts=1, data_timeout_s=10.0), Impatient()) as engine,
    ):
        await direct.indices.create("docs", mappings={"properties": {**Mark.MAPPING, "n": {"type": "long"}}})
        yield Bench(direct, engine, proxy)


async def test_what_was_counted_is_how_far_the_index_came(bench: Bench) -> None:
    base = await bench.stamp()
    writer = await bench.write()
    assert (await bench.stamp()).advance_since(base) == writer.counted == len(IDS)
    assert await bench.stored() == dict.fromkeys(IDS, ({"n": 1}, True))
    assert bench.report.requests == 6


@pytest.mark.parametrize("share", [0.3, 0.9])
async def test_a_storm_of_rejections_loses_nothing_and_doubles_nothing(bench: Bench, share: float) -> None:
    base = await bench.stamp()
    writer = await bench.write(storm(share, seed=3, whole=0.2, retry_after_s=4.0))
    assert (await bench.stamp()).advance_since(base) == writer.counted == len(IDS)
    assert bench.noted.ids("written") == sorted(IDS)
    assert any(pause >= 4.0 for pause in bench.clock.pauses)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_breaks_every_document_is_there_as_it_was_sent_last(bench: Bench, seed: int) -> None:
    base = await bench.stamp()
    writer = await bench.write(lossy(0.4, seed))
    advance = (await bench.stamp()).advance_since(base)
    assert writer.counted == len(IDS)
    assert advance == bench.proxy.journal.applied
    assert await bench.stored() == dict.fromkeys(IDS, ({"n": 1}, True))
    assert bench.noted.ids("written") == sorted(IDS)


@pytest.mark.parametrize("fault", [ResetAfter(), HalfAnswer()])
async def test_a_lost_answer_is_one_write_more_than_was_counted(bench: Bench, fault: Any) -> None:
    base = await bench.stamp()
    writer = await bench.write(At({2: fault}), ids=IDS[:14])
    assert writer.counted == 14
    assert (await bench.stamp()).advance_since(base) == 21
    sent = Counter(tuple(action.id for action in one.actions) for one in bench.proxy.journal.entries)
    assert sorted(sent.values()) == [1, 2]


async def test_a_refusal_of_the_whole_says_how_long_to_wait(bench: Bench) -> None:
    await bench.write(At({1: Overloaded(retry_after_s=12)}), ids=IDS[:3])
    (pause, *_) = bench.clock.pauses
    assert 12 <= pause <= 13


async def test_documents_that_others_changed_and_deleted_are_written_over(bench: Bench) -> None:
    base = await bench.stamp()
    async with bench.writing() as writer:
        for doc_id in IDS[:5]:
            await writer.put(write(doc_id), b'{"n":1}')
        await writer.drain()
        await bench.direct.data.put("docs", "d0", {"n": 5})
        for _ in range(3):
            await bench.direct.data.put("docs", "d1", {"n": 5})
        await bench.direct.data.delete("docs", "d1")
        await bench.direct.data.delete("docs", "d2")
        for doc_id in IDS[:5]:
            await writer.put(write(doc_id), b'{"n":2}')
        await writer.drain()
    assert await bench.stored() == dict.fromkeys(IDS[:5], ({"n": 2}, True))
    assert writer.counted == 10
    assert (await bench.stamp()).advance_since(base) == 10 + 6
    assert bench.report.conflicts == 1  # d1; the others are below the version of the second batch


async def test_a_document_that_can_not_be_parsed_and_an_id_that_is_too_long_harm_nobody_else(bench: Bench) -> None:
    async with bench.writing(batch_documents=20) as writer:
        for doc_id in IDS[:15]:
            bad = doc_id == "d4"
            name = "x" * 513 if doc_id == "d9" else doc_id
            await writer.put(write(name), b'{"n":"no number"}' if bad else b'{"n":1}')
        await writer.drain()
    good = sorted(set(IDS[:15]) - {"d4", "d9"})
    assert bench.noted.ids("written") == good
    assert sorted(await bench.stored()) == good
    assert sorted(bench.noted.reasons) == ["d4", "x" * 513]
    assert writer.counted == len(good)


async def test_deletes_are_of_what_was_found(bench: Bench) -> None:
    await bench.write(ids=IDS[:4])
    found = [one for one in await bench.direct.data.get_many("docs", IDS[:4]) if one is not None]
    base = await bench.stamp()
    async with bench.writing() as writer:
        bench.proxy.plan = At({bench.proxy.bulks + 1: ResetAfter()})
        for one in found:
            await writer.remove(Removal(one.id, key_of(one.id), one.revision))
        await bench.direct.data.put("docs", "d1", {"n": 5})
        await bench.direct.data.delete("docs", "d2")
        await writer.drain()
    assert (bench.noted.ids("removed"), bench.noted.ids("overtaken")) == (["d0", "d2", "d3"], ["d1"])
    assert await bench.stored() == {"d1": ({"n": 5}, False)}
    assert (writer.counted, (await bench.stamp()).advance_since(base)) == (0, 4)


# --- on the wire -------------------------------------------------------------------------------------------------


def done(*ids: str) -> Any:
    items = [
        {"index": {"_index": "docs-1", "_id": one, "status": 201, "result": "created", "_seq_no": 1}} for one in ids
    ]
    return answer(200, {"took": 1, "errors": False, "items": items})


@asynccontextmanager
async def wired(tmp_path: Path, *script: Any, pipeline: str | None = None, alias: str | None = None) -> Any:
    clock, noted = Leaping(), Noted()
    async with open_engine(EngineSettings(data=tmp_path / "data")) as own, Stub(greeting(), *script) as stub:
        async with open_engine(EngineSettings(host=stub.url, data_timeout_s=5.0), clock) as engine:
            claim = Claim(Target("docs", "docs-1", "uuid", alias), "c", "run", Instance.current())
            limiter = AdaptiveLimiter(most=1, clock=clock)
            channel = Channel(engine.data, limiter, clock, pipeline=pipeline)
            report = SyncReport(JobType.FULL, "docs-1", START)
            async with leased(await StateStore.open(own), claim, SystemClock()) as lease:
                async with Writer(channel, lease, noted, report) as writer:
                    yield writer, stub, noted


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({}, "/docs-1/_bulk?filter_path=took,errors,items"),
        ({"pipeline": "p"}, "/docs-1/_bulk?filter_path=took,errors,items&pipeline=p"),
        ({"alias": "docs-1-write"}, "/docs-1-write/_bulk?filter_path=took,errors,items&require_alias=true"),
    ],
)
async def test_a_request_names_the_index_the_pipeline_and_that_the_name_is_an_alias(
    tmp_path: Path, given: dict[str, str], target: str
) -> None:
    async with wired(tmp_path, done("a"), **given) as (writer, stub, noted):
        await writer.put(write("a"), b'{"n":1}')
        await writer.drain()
    assert noted.told == [("written", "a")]
    (path, _, query), (expected, _, wanted) = stub.requests[1].target.partition("?"), target.partition("?")
    assert (path, sorted(query.split("&"))) == (expected, sorted(wanted.split("&")))


async def test_a_proxy_that_finds_a_request_too_large_gets_halves(tmp_path: Path) -> None:
    script = (answer(413, b"<html>too large</html>"), done("a", "b"), answer(413, b""), done("c"), done("d"))
    async with wired(tmp_path, *script) as (writer, stub, noted):
        for doc_id in "abcd":
            await writer.put(write(doc_id), b"{}")
        await writer.drain()
    assert noted.told == [("written", one) for one in "abcd"]
    sent = [[json.loads(line) for line in one.body.splitlines()] for one in stub.requests[1:]]
    ids = [[line["index"]["_id"] for line in lines if "index" in line] for lines in sent]
    assert ids == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["d"]]


async def test_half_an_answer_and_answers_of_no_engine_are_tried_again(tmp_path: Path) -> None:
    script = (half(), answer(502, b"<html>Bad Gateway</html>"), refusal(503, "unavailable"), done("a", "b"), done("a"))
    async with wired(tmp_path, *script) as (writer, stub, noted):
        await writer.put(write("a"), b"{}")
        await writer.drain()
    assert noted.told == [("written", "a")]
    assert writer.counted == 1
    assert len({one.body for one in stub.requests[1:]}) == 1
    assert len(stub.requests) == 6
