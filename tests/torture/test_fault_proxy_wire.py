"""The proxy on the wire: bodies of every framing, clients that give up, engines that break off or say nothing."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.engine.stub import Reply, Stub, answer, half, silence
from tests.torture.fault_plans import At
from tests.torture.fault_proxy import FaultProxy
from tests.torture.faults import Late, RejectItems
from tests.torture.sent import body, port_of


def noting(arrived: asyncio.Event, reply: Reply) -> Reply:
    """Reply, and let the test know that the request has arrived."""

    async def note(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await reply(writer)

    return note


async def test_a_late_bulk_waits_for_the_client_to_give_up() -> None:
    arrived = asyncio.Event()
    async with Stub(noting(arrived, answer(200, {"took": 1, "errors": False, "items": []}))) as stub:
        async with FaultProxy(port_of(stub.url), At({1: Late(seconds=0.0)})) as proxy:
            patience = aiohttp.ClientTimeout(total=0.05)
            async with aiohttp.ClientSession(timeout=patience) as session:
                with pytest.raises(TimeoutError):
                    await session.post(f"{proxy.url}/docs/_bulk", data=body())
                assert stub.asked == []
            await asyncio.wait_for(arrived.wait(), 5)
            await proxy.settle()
            assert stub.asked == ["POST /docs/_bulk"]
            assert stub.requests[0].body == body()


async def test_an_engine_that_breaks_off_is_no_fault_of_the_plan() -> None:
    async with Stub(half()) as stub, FaultProxy(port_of(stub.url)) as proxy, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.post(f"{proxy.url}/docs/_bulk", data=body())
        await stub.close()
        with pytest.raises(aiohttp.ClientError):
            await session.post(f"{proxy.url}/docs/_count")
    assert proxy.faults == {"bulk: the engine itself was gone": 1, "control: the engine itself was gone": 1}
    assert [(one.status, one.results) for one in proxy.journal.entries[0].deliveries] == [(None, ())]


async def test_bodies_in_chunks_and_compressed_ones_get_through() -> None:
    items = b'{"took":1,"errors":false,"items":[{"index":{"_index":"c","status":201,"_seq_no":3}}]}'
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-encoding: gzip\r\n\r\n"
    packed = gzip.compress(items)

    async def in_chunks(writer: asyncio.StreamWriter) -> None:
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in (packed[:20], packed[20:]))
        writer.write(chunked + pieces + b"0\r\n\r\n")
        await writer.drain()

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(sent), 7):
            yield sent[start : start + 7]

    sent = gzip.compress(body(["a"]))
    headers = {"content-encoding": "gzip", "content-type": "application/x-ndjson"}
    async with Stub(in_chunks, in_chunks) as stub, FaultProxy(port_of(stub.url)) as proxy:
        async with aiohttp.ClientSession() as session:
            url = f"{proxy.url}/docs/_bulk"
            async with session.post(url, data=stream(), headers=headers) as got:
                assert await got.read() == items
            proxy.plan = At({2: RejectItems(0.5)})
            lines = gzip.compress(body(["a", "b"]))
            async with session.post(url, data=lines, headers=headers) as got:
                merged = await got.json(content_type=None)
    assert stub.requests[0].body == sent
    assert stub.requests[0].headers["content-encoding"] == "gzip"
    kept = [one for one in (b'"a"', b'"b"') if one in stub.requests[1].body]
    assert len(kept) == 1
    assert sorted(item["index"]["status"] for item in merged["items"]) == [201, 429]
    assert {item["index"]["_index"] for item in merged["items"]} == {"c"}
    assert proxy.journal.entries[0].applied == 1


async def test_a_request_without_a_body_in_its_answer_gets_through() -> None:
    async def bodiless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n")
        await writer.drain()

    async with Stub(bodiless) as stub, FaultProxy(port_of(stub.url)) as proxy:
        async with aiohttp.ClientSession() as session, session.head(f"{proxy.url}/docs") as got:
            assert (got.status, got.headers["content-length"]) == (200, "77")


async def test_what_no_engine_would_understand_is_passed_on() -> None:
    refused = answer(400, {"error": "malformed", "status": 400})
    async with Stub(refused) as stub, FaultProxy(port_of(stub.url), At({1: RejectItems(1.0)})) as proxy:
        async with aiohttp.ClientSession() as session, session.post(f"{proxy.url}/_bulk", data=b"{}") as got:
            assert got.status == 400
    assert stub.requests[0].body == b"{}"


async def test_a_proxy_ends_while_an_engine_is_silent() -> None:
    arrived = asyncio.Event()
    async with Stub(noting(arrived, silence())) as stub, FaultProxy(port_of(stub.url)) as proxy:
        async with aiohttp.ClientSession() as session:
            waiting = asyncio.create_task(session.get(f"{proxy.url}/docs/_count"))
            await asyncio.wait_for(arrived.wait(), 5)
            proxy.down()
            with pytest.raises(aiohttp.ClientError):
                await waiting
