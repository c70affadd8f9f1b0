"""The proxy itself: each fault does what it says to the client and to the engine, and the journal tells of it."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from connectors.engine import Engine, open_engine
from connectors.engine.bulk import BulkAnswer, create_line, delete_line, index_line
from connectors.engine.embedded.desk import desk_of
from connectors.engine.embedded.server import serving
from connectors.engine.scan import Walk
from connectors.errors import EngineError, EngineFailed, EngineOverloaded, EngineUnreachable
from connectors.settings import EngineSettings
from tests.engine.conftest import Impatient
from tests.engine.real import node
from tests.engine.stub import Stub, answer
from tests.torture.exchange import Seen
from tests.torture.fault_plans import At, Plan, limited, lossy, slow
from tests.torture.fault_proxy import FaultProxy
from tests.torture.faults import (
    BadGateway,
    BrokenUpload,
    Cut,
    Delay,
    Fault,
    HalfAnswer,
    Late,
    Overloaded,
    Refuse,
    RejectItems,
    ResetAfter,
    ResetBefore,
    Twice,
)
from tests.torture.sent import IDS, body, port_of


class Bench:
    """An engine, a proxy before it, and a client that comes through the proxy."""

    def __init__(self, proxy: FaultProxy, direct: Engine, engine: Engine) -> None:
        self.proxy, self.direct, self.engine = proxy, direct, engine

    async def send(self, plan: Plan | None = None, **options: Any) -> BulkAnswer:
        self.proxy.plan = plan or self.proxy.plan
        return await self.engine.data.bulk("docs", body(**options), operations=len(options.get("ids", IDS)))

    async def stored(self) -> dict[str, int | None]:
        await self.direct.data.refresh("docs")
        return {hit.id: hit.version async for page in self.direct.data.scan(Walk("docs")) for hit in page}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with (
        desk_of(tmp_path) as desk,
        serving(desk, host="127.0.0.1", port=0, key=None) as server,
        FaultProxy(port_of(server.url)) as proxy,
        open_engine(EngineSettings(host=server.url)) as direct,
        open_engine(EngineSettings(host=proxy.url, attempts=1, data_timeout_s=10.0), Impatient()) as engine,
    ):
        await direct.indices.create("docs")
        yield Bench(proxy, direct, engine)


def at(fault: Fault, number: int = 1) -> At:
    return At({number: fault})


async def test_what_passes_is_told_as_the_engine_told_it(bench: Bench) -> None:
    found = await bench.send()
    assert [item["index"].id for item in found.items] == IDS
    assert found.errors is False
    assert await bench.stored() == dict.fromkeys(IDS, 1)
    [entry] = bench.proxy.journal.entries
    assert (entry.number, entry.fault, entry.told, entry.lost, entry.applied) == (1, "passed", 200, False, 10)
    assert [(one.kind, one.id, one.version) for one in entry.actions] == [("index", one, 1) for one in IDS]
    assert bench.proxy.faults == {}


LOST_BEFORE = [ResetBefore(), BrokenUpload(), Refuse()]
LOST_AFTER = [ResetAfter(), HalfAnswer()]


@pytest.mark.parametrize("fault", LOST_BEFORE, ids=lambda fault: fault.name)
async def test_what_breaks_before_the_engine_is_not_applied(bench: Bench, fault: Fault) -> None:
    with pytest.raises(EngineUnreachable):
        await bench.send(at(fault))
    await bench.proxy.settle()
    assert await bench.stored() == {}
    assert [(one.applied, one.told, one.lost) for one in bench.proxy.journal.entries] == [(0, None, False)]
    assert bench.proxy.faults == {f"bulk: {fault.name}": 1}
    assert (await bench.send()).errors is False  # and afterwards everything goes on


@pytest.mark.parametrize("fault", LOST_AFTER, ids=lambda fault: fault.name)
async def test_what_breaks_behind_the_engine_is_applied_and_its_answer_lost(bench: Bench, fault: Fault) -> None:
    with pytest.raises(EngineUnreachable):
        await bench.send(at(fault))
    assert await bench.stored() == dict.fromkeys(IDS, 1)
    assert [(one.applied, one.told, one.lost) for one in bench.proxy.journal.entries] == [(10, None, True)]
    assert bench.proxy.journal.lost == [1]


async def test_connections_are_refused_for_a_while(bench: Bench) -> None:
    with pytest.raises(EngineUnreachable):
        await bench.send(at(Refuse(seconds=60)))
    with pytest.raises(EngineUnreachable) as refused:
        await bench.engine.control.count("docs")
    assert refused.value.unsent
    await bench.proxy.up()
    assert await bench.engine.control.count("docs") == 0


async def test_a_proxy_that_is_down_drops_connections_and_comes_back_at_its_port(bench: Bench) -> None:
    await bench.send()
    bench.proxy.down()
    with pytest.raises(EngineUnreachable):
        await bench.send()
    await bench.proxy.up()
    assert (await bench.send(version=2)).errors is False


@pytest.mark.parametrize("pause_s", [None, 2.5])
async def test_a_whole_bulk_is_refused_for_a_while(bench: Bench, pause_s: float | None) -> None:
    with pytest.raises(EngineOverloaded) as caught:
        await bench.send(at(Overloaded(pause_s)))
    assert (caught.value.retry_after_s, await bench.stored()) == (pause_s, {})


@pytest.mark.parametrize("applied", [False, True])
async def test_a_bad_gateway_answers_with_a_page(bench: Bench, applied: bool) -> None:
    with pytest.raises(EngineFailed) as caught:
        await bench.send(at(BadGateway(503, applied=applied)))
    assert (caught.value.status, len(await bench.stored())) == (503, 10 * applied)


async def test_a_late_bulk_is_applied_after_the_client_gave_up(bench: Bench) -> None:
    with pytest.raises(EngineUnreachable):
        await bench.send(at(Late(seconds=0.0, patience_s=0.01)))
    await bench.send(version=5)
    await bench.proxy.settle()
    assert await bench.stored() == dict.fromkeys(IDS, 5)  # whatever came last: the versions decide
    assert sorted(bench.proxy.journal.delivered) == [1, 2]


@pytest.mark.parametrize("gap_s", [0.0, 0.01])
async def test_a_bulk_delivered_twice_is_answered_once(bench: Bench, gap_s: float) -> None:
    found = await bench.send(at(Twice(gap_s)))
    await bench.proxy.settle()
    assert {item["index"].result for item in found.items} == {"created"}
    assert bench.proxy.journal.applied == 20
    assert bench.proxy.journal.delivered == [1, 1]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
async def test_rejected_items_stand_where_they_belong(bench: Bench, share: float) -> None:
    found = await bench.send(at(RejectItems(share, seed=4)))
    items = [item["index"] for item in found.items]
    assert [item.id for item in items] == IDS
    rejected = {item.id for item in items if item.status == 429}
    assert {item.error.type for item in items if item.error} == (
        {"es_rejected_execution_exception"} if share else set()
    )
    assert {item.index for item in items} == {"docs"}
    assert set(await bench.stored()) == set(IDS) - rejected
    assert (len(rejected) > 0, len(rejected) < 10, found.errors) == (share > 0, share < 1, share > 0)
    [entry] = bench.proxy.journal.entries
    assert {entry.actions[position].id for position in entry.refused} == rejected
    assert entry.applied == 10 - len(rejected)


async def test_rejected_items_are_of_every_kind(bench: Bench) -> None:
    await bench.direct.control.put("docs", "old", {})
    lines = create_line("new") + b"{}\n" + delete_line("old") + index_line('a "b"\n ü') + b'{"n":"\\n"}\n'
    bench.proxy.plan = at(RejectItems(1.0))
    found = await bench.engine.data.bulk("docs", lines, operations=3)
    told = [(name, item.id, item.status) for row in found.items for name, item in row.items()]
    assert told == [("create", "new", 429), ("delete", "old", 429), ("index", 'a "b"\n ü', 429)]
    assert set(await bench.stored()) == {"old"}


@pytest.mark.parametrize(("keep", "count"), [(None, 5), (0, 0), (3, 3), (99, 10)])
async def test_a_bulk_that_is_cut_off_is_applied_up_to_there(bench: Bench, keep: int | None, count: int) -> None:
    with pytest.raises(EngineUnreachable):
        await bench.send(at(Cut(keep)))
    assert set(await bench.stored()) == set(IDS[:count])


async def test_delays_hold_up_on_both_sides(bench: Bench) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    await bench.send(at(Delay(0.03, 0.02)))
    assert loop.time() - started >= 0.05


async def test_a_slow_line_takes_as_long_as_the_bytes_need(bench: Bench) -> None:
    loop = asyncio.get_running_loop()
    bench.proxy.plan = slow(bytes_per_s=len(body()) * 20, latency_s=0.01)
    started = loop.time()
    await asyncio.gather(*(bench.send() for _ in range(2)))
    assert loop.time() - started >= 0.01 + 2 / 20  # one line for both


async def test_an_engine_with_a_limit_works_on_no_more_at_once(bench: Bench) -> None:
    plan = limited(2, work_s=0.01)
    bench.proxy.plan = plan
    await asyncio.gather(*(bench.send() for _ in range(4)))
    assert (plan.gate.most, plan.gate.refused, plan.gate.now) == (2, 0, 0)


async def test_an_engine_with_a_limit_refuses_those_who_find_no_place_to_wait(bench: Bench) -> None:
    plan = limited(1, waiting=1, work_s=0.05)
    bench.proxy.plan = plan
    done = await asyncio.gather(*(bench.send() for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["BulkAnswer"] * 2 + ["EngineOverloaded"] * 2
    assert (plan.gate.most, plan.gate.refused) == (1, 2)


async def test_other_requests_have_faults_and_numbers_of_their_own(bench: Bench) -> None:
    others = bench.proxy.others
    bench.proxy.plan = At({1: ResetBefore()}, {others + 1: Overloaded()})
    with pytest.raises(EngineOverloaded):
        await bench.engine.control.count("docs")
    assert await bench.engine.control.count("docs") == 0
    assert bench.proxy.faults == {"control: 429": 1}
    assert (bench.proxy.others - others, bench.proxy.bulks) == (2, 0)


async def test_a_callback_sees_a_bulk_before_and_after_its_delivery(bench: Bench) -> None:
    seen: list[tuple[str, int, int]] = []

    async def arrived(one: Seen) -> None:
        seen.append(("arrived", one.number, len(await bench.stored())))

    async def delivered(one: Seen) -> None:
        seen.append(("delivered", one.number, len(await bench.stored())))

    bench.proxy.on_bulk(2, arrived)
    bench.proxy.on_bulk(2, delivered, after=True)
    await bench.send(ids=["a"])
    await bench.send(ids=["b"])
    await bench.send(ids=["c"])
    assert seen == [("arrived", 2, 1), ("delivered", 2, 2)]


async def test_a_fault_that_a_callback_returns_comes_first(bench: Bench) -> None:
    bench.proxy.on_request(lambda seen: any(one.id == "d7" for one in seen.actions), lambda _: ResetBefore())
    assert (await bench.send(ids=["d6"])).errors is False
    with pytest.raises(EngineUnreachable):
        await bench.send()
    assert set(await bench.stored()) == {"d6"}


CLIENT = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for number in range(9):
    line = f'{{"index":{{"_id":"{number}"}}}}\\n{{"n":1}}\\n'
    connection.request("POST", "/docs/_bulk", line, {"content-type": "application/x-ndjson"})
    connection.getresponse().read()
"""


@pytest.mark.parametrize(("after", "survivors"), [(False, {"0", "1"}), (True, {"0", "1", "2"})])
async def test_a_process_can_be_killed_at_a_bulk(bench: Bench, after: bool, survivors: set[str]) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, str(bench.proxy.port))

    def die(_: Seen) -> Fault:
        process.kill()
        return ResetBefore()

    bench.proxy.on_bulk(3, die, after=after)
    assert await asyncio.wait_for(process.wait(), 10) == -signal.SIGKILL
    assert set(await bench.stored()) == survivors
    assert [one.lost for one in bench.proxy.journal.entries] == [False, False, after]


async def test_an_engine_may_come_back_at_another_port(bench: Bench) -> None:
    async with Stub(answer(200, {"count": 7})) as stub:
        bench.proxy.engine_port = port_of(stub.url)
        assert await bench.engine.control.count("docs") == 7


async def test_a_journal_without_notes_still_counts(bench: Bench) -> None:
    async with FaultProxy(bench.proxy.engine_port, at(RejectItems(1.0)), notes=False) as proxy:
        async with aiohttp.ClientSession() as session:
            headers = {"content-type": "application/x-ndjson"}
            for _ in range(2):
                await (await session.post(f"{proxy.url}/docs/_bulk", data=body(), headers=headers)).read()
    assert [(one.actions, one.told, one.applied) for one in proxy.journal.entries] == [((), 200, 0)] * 2
    assert set(await bench.stored()) == set(IDS)


@pytest.mark.parametrize("seed", range(4))
async def test_what_the_journal_says_was_applied_is_what_the_engine_counted(bench: Bench, seed: int) -> None:
    before = await bench.direct.indices.stamp("docs")
    bench.proxy.plan = lossy(0.7, seed, late_s=0.02, away_s=0.0)
    told = 0
    for version in range(1, 31):
        try:
            told += sum(item["index"].seq_no is not None for item in (await bench.send(version=version)).items)
        except EngineError:
            continue
    await bench.proxy.settle()
    after = await bench.direct.indices.stamp("docs")
    assert before is not None
    assert after is not None
    journal = bench.proxy.journal
    assert journal.applied == after.advance_since(before)
    answered = [one for one in journal.entries if one.told == 200]
    assert told == sum(result.seq_no is not None for one in answered for result in one.deliveries[0].results)
    assert bench.proxy.faults.total() == sum(one.fault != "passed" for one in journal.entries) > 0


@pytest.mark.real_engine
@pytest.mark.timeout(300)
async def test_a_real_engine_is_faulted_alike(request: pytest.FixtureRequest) -> None:
    with node(request.config.getoption("--engine")) as running:
        async with (
            FaultProxy(port_of(running.url)) as proxy,
            open_engine(EngineSettings(host=running.url)) as direct,
            open_engine(EngineSettings(host=proxy.url, attempts=1), Impatient()) as engine,
        ):
            await direct.indices.create("docs")
            bench = Bench(proxy, direct, engine)
            proxy.plan = At({1: RejectItems(0.5, 1), 2: ResetAfter(), 3: HalfAnswer(), 4: BrokenUpload(), 5: Cut(4)})
            found = await bench.send(version=1)
            rejected = {item["index"].id for item in found.items if item["index"].status == 429}
            assert set(await bench.stored()) == set(IDS) - rejected
            for version in (2, 3, 4, 5):
                with pytest.raises(EngineUnreachable):
                    await bench.send(version=version)
            expected = dict(zip(IDS, [5] * 4 + [3] * 6, strict=True))
            assert await bench.stored() == expected
            assert [one.applied for one in proxy.journal.entries] == [10 - len(rejected), 10, 10, 0, 4]
            assert (await bench.send(version=6)).errors is False
