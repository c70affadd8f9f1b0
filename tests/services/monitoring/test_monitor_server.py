"""The monitor on a real socket: what it answers to whom, and that nobody holds it up."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connectors.services.monitoring.server import Limits, Monitor
from connectors.services.monitoring.watched import Watched
from connectors.settings import MonitoringSettings
from tests.services.monitoring.asking import ask, free_port
from tests.services.shop import Watch

SOON_S = 0.3


@asynccontextmanager
async def monitored(
    watched: Watched | None = None, limits: Limits | None = None, **settings: Any
) -> AsyncIterator[int]:
    """Provide the port of a monitor."""
    watched = watched or Watched(Watch())
    monitor = Monitor(MonitoringSettings(**settings), watched.health, watched.metrics, limits=limits or Limits())
    async with monitor.serving(0) as url:
        yield int(url.rpartition(":")[2])


async def test_health_and_metrics_are_told() -> None:
    watched = Watched(Watch())
    watched.pulses.of("scheduler").looked()
    async with monitored(watched) as port:
        assert (await ask(port, "/healthz")).json == {"alive": True, "reasons": []}
        ready = await ask(port, "/readyz?verbose")
        assert (ready.status, ready.json) == (
            503,
            {"ready": False, "reasons": ["The engine has not answered yet."]},
        )
        watched.metrics.worker_deaths.inc(3)
        found = await ask(port, "/metrics")
        assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert found.numbers["connectors_worker_deaths_total",] == 3


async def test_metrics_come_in_the_form_that_prometheus_asks_for() -> None:
    async with monitored() as port:
        found = await ask(port, "/metrics", more="Accept: application/openmetrics-text;version=1.0.0\r\n")
        assert found.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert found.body.endswith(b"# EOF\n")


async def test_what_is_not_there_and_what_is_not_done_is_refused() -> None:
    async with monitored() as port:
        assert (await ask(port, "/")).status == 404
        post = await ask(port, "/metrics", method="POST", more="Content-Length: 3\r\n\r\nabc")
        assert (post.status, post.json) == (405, {"error": "There is nothing to do here but to GET."})
        head = await ask(port, "/healthz", method="HEAD")
        assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    ("settings", "admitted", "refused"),
    [
        ({}, ["localhost", "127.0.0.1:9481", "[::1]:80", "LOCALHOST:1"], ["evil.example", "10.0.0.1", "", "[x"]),
        ({"names": ("a.example",)}, ["a.example:9481", "localhost"], ["b.example", "10.0.0.1"]),
        (
            {"host": "0.0.0.0", "names": ("a.example",)},
            ["10.0.0.1:9481", "a.example", "localhost", socket.gethostname()],
            ["evil.example", "10.0.0.1.evil.example"],
        ),
    ],
)
async def test_only_who_names_this_machine_is_answered(
    settings: dict[str, Any], admitted: list[str], refused: list[str]
) -> None:
    async with monitored(**settings) as port:
        for hosts, status in ((admitted, 200), (refused, 403)):
            assert {host: (await ask(port, "/healthz", host=host)).status for host in hosts} == dict.fromkeys(
                hosts, status
            )


async def test_who_is_slow_is_cut_off_and_others_are_answered_meanwhile() -> None:
    async with monitored(limits=Limits(visit_s=SOON_S)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: loc")
        assert (await ask(port, "/healthz")).status == 200
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


async def test_who_comes_when_there_are_too_many_is_turned_away_and_later_let_in() -> None:
    async with monitored(limits=Limits(visitors=5, visit_s=60.0)) as port:
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        with pytest.raises((ConnectionError, IndexError, asyncio.IncompleteReadError)):
            await ask(port, "/healthz")
        for _, writer in crowd:
            writer.close()
        async with asyncio.timeout(20):
            while True:
                try:
                    assert (await ask(port, "/healthz")).status == 200
                    break
                except (ConnectionError, IndexError):
                    await asyncio.sleep(0.01)


async def test_many_at_once_are_all_answered() -> None:
    async with monitored() as port:
        answers = await asyncio.gather(*(ask(port, "/metrics") for _ in range(50)))
    assert {one.status for one in answers} == {200}


async def test_nonsense_is_refused() -> None:
    async with monitored() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01\x02\x00\r\n\r\n")
        async with asyncio.timeout(20):
            assert (await reader.read()).startswith(b"HTTP/1.0 400")
        writer.close()
        assert (await ask(port, "/healthz")).status == 200


class Hurry(Watch):
    """A clock by which all waiting is short."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 1_000)


async def test_a_port_that_is_taken_is_told_once_and_had_when_it_is_free(caplog: pytest.LogCaptureFixture) -> None:
    watched, port = Watched(Watch()), free_port()
    with socket.create_server(("127.0.0.1", port)):
        running = asyncio.create_task(
            Monitor(MonitoringSettings(port=port), watched.health, watched.metrics, Hurry()).run()
        )
        await asyncio.sleep(SOON_S)  # in which it tries ten times
    async with asyncio.timeout(20):
        while True:
            try:
                assert (await ask(port, "/healthz")).status == 200
                break
            except ConnectionError:
                await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    logged = [str(record.msg) for record in caplog.records]
    [told] = [line for line in logged if "Set monitoring.port to another port" in line]
    assert "address already in use" in told


async def test_without_a_port_nothing_is_told() -> None:
    watched = Watched(Watch())
    async with asyncio.timeout(20):
        await Monitor(MonitoringSettings(port=None), watched.health, watched.metrics).run()
