"""The desk and the door before it: so much may wait and no more, and whoever leaves gives the room back."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import msgspec
import pytest

from connectors.engine.embedded.api.router import MOST_BYTES
from connectors.engine.embedded.desk import LARGE_BYTES, ROOMS, Desk, desk_of, lane_of
from connectors.engine.embedded.refusal import Refusal
from connectors.engine.embedded.server import serving


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(tmp_path) as one:
        yield one


@pytest.fixture
async def url(desk: Desk) -> AsyncIterator[str]:
    async with serving(desk, host="127.0.0.1", port=0, key=None) as running:
        yield running.url


async def ask(desk: Desk, method: str, target: str, body: bytes = b"") -> int:
    with desk.place(target, len(body)) as place:
        status, _ = await desk.answer(place, method, target, body)
        return status


async def until(true: Callable[[], bool]) -> None:
    """Wait for what a thread or a server does in its own time."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("target", "size", "lane"),
    [
        ("/_connectors/_doc/1?if_seq_no=3", 10, "small"),
        ("/state/_doc/_search", 10, "search"),
        ("/_bulk", 10, "large"),
        ("/docs/_bulk?refresh=true", 10, "large"),
        ("/docs/_delete_by_query/", 10, "large"),
        ("/docs/_search?scroll=1m", 10, "search"),
        ("/docs/_doc/1", LARGE_BYTES + 1, "large"),
    ],
)
def test_the_lane_of_a_request_is_what_it_asks_for_and_how_large_it_is(target: str, size: int, lane: str) -> None:
    assert lane_of(target, size) == lane


def test_every_request_that_may_be_sent_finds_room() -> None:
    assert ROOMS["large"].bytes >= MOST_BYTES
    assert all(room.bytes >= LARGE_BYTES for room in ROOMS.values())


async def test_a_full_lane_refuses_and_the_others_go_on(desk: Desk) -> None:
    with desk.place("/_bulk", MOST_BYTES), desk.place("/_bulk", MOST_BYTES):
        with pytest.raises(Refusal, match="2 large requests of 209715200 bytes waiting") as refused:
            await ask(desk, "POST", "/_bulk", b"x" * MOST_BYTES)
        assert refused.value.status == 429
        assert await ask(desk, "PUT", "/state/_doc/1", b"{}") == 201
    assert await ask(desk, "POST", "/_bulk", b"x" * MOST_BYTES) == 400


async def test_a_larger_body_than_any_may_be_finds_no_place(desk: Desk) -> None:
    with pytest.raises(Refusal, match="at the most") as refused:
        await ask(desk, "POST", "/_bulk", b"x" * (MOST_BYTES + 1))
    assert refused.value.status == 413


async def test_only_so_many_requests_wait(desk: Desk) -> None:
    most = ROOMS["search"].requests
    waiting = [asyncio.create_task(ask(desk, "GET", "/_search")) for _ in range(most + 1)]
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert sorted(map(str, done)) == sorted(["200"] * most + [str(next(one for one in done if one != 200))])
    assert await ask(desk, "GET", "/_search") == 200


async def test_who_gives_up_leaves_its_room_to_others(desk: Desk) -> None:
    for _ in range(3):
        waiting = [asyncio.create_task(ask(desk, "GET", "/_search")) for _ in range(ROOMS["search"].requests)]
        await asyncio.sleep(0)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    # Those that were being carried out end a moment later, in their threads.
    await until(lambda: desk.room_left("search") == ROOMS["search"].requests)


async def test_over_http_a_full_lane_is_told_before_the_body_is_read(desk: Desk, url: str) -> None:
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        with ExitStack() as full:
            for _ in range(ROOMS["large"].requests):
                full.enter_context(desk.place("/_bulk", 0))
            async with session.post(f"{url}/_bulk", data=b"{}\n") as answer:
                assert answer.status == 429
                assert (await answer.json())["error"]["type"] == "es_rejected_execution_exception"
            async with session.put(f"{url}/state/_doc/1", data=b"{}") as answer:
                assert answer.status == 201


async def test_a_body_of_unknown_length_holds_room_for_the_largest(desk: Desk, url: str) -> None:
    async def lines() -> AsyncIterator[bytes]:
        yield b'{"index":{"_index":"docs","_id":"1"}}\n'
        await until(lambda: desk.room_left("large") < ROOMS["large"].requests)
        yield b'{"n":1}\n'

    headers = {"content-type": "application/x-ndjson"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(f"{url}/_bulk", data=lines()) as answer:
        assert (answer.status, msgspec.json.decode(await answer.read())["errors"]) == (200, False)


async def first_line(url: str, length: int) -> str:
    """Announce a body, send one byte of it, and return the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    head = "PUT /docs/_doc/1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {length}\r\n\r\n{{".encode())
    async with asyncio.timeout(10):
        line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line.decode()


async def test_a_body_that_never_ends_is_given_up(desk: Desk) -> None:
    async with serving(desk, host="127.0.0.1", port=0, key=None, slowest_body_s=0.05) as impatient:
        assert (await first_line(impatient.url, 9)).startswith("HTTP/1.1 408 ")
    assert desk.room_left("small") == ROOMS["small"].requests


async def test_a_larger_body_than_any_is_refused_unread(url: str) -> None:
    assert (await first_line(url, MOST_BYTES + 1)).startswith("HTTP/1.1 413 ")


REQUEST = (
    b"POST /docs/_search?size=1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b'Content-Length: 19\r\nConnection: close\r\n\r\n{"query":{"ids":1}}'
)


def damaged(chance: random.Random) -> bytes:
    """Return a request of which something was changed, left out or repeated."""
    raw = bytearray(REQUEST)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(raw))
        match chance.randrange(3):
            case 0:
                raw[place] = chance.randrange(256)
            case 1:
                del raw[place : place + chance.randrange(1, 9)]
            case _:
                raw[place:place] = raw[place : place + chance.randrange(1, 40)]
    return bytes(raw)


async def status_of(url: str, request: bytes) -> bytes:
    """Return the status that bytes are answered with; of what is no whole request nothing comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(request)
    try:
        async with asyncio.timeout(0.2):
            answer = await reader.read()
    except TimeoutError:
        answer = b""
    writer.close()
    assert b"Traceback" not in answer
    return answer[9:12]


async def test_whatever_bytes_come_the_server_goes_on(desk: Desk) -> None:
    chance = random.Random(1)
    async with serving(desk, host="127.0.0.1", port=0, key=None, slowest_body_s=0.05) as running:
        statuses = {await status_of(running.url, damaged(chance)) for _ in range(200)}
        assert statuses <= {b"", b"200", b"400", b"403", b"404", b"405", b"406", b"408", b"411", b"413"}
        assert {b"400", b"406"} <= statuses
        assert await status_of(running.url, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") == b"200"
