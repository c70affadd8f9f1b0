"""Asking: what a monitor answers, as whoever watches a daemon reads it."""

import asyncio
import json
import socket
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """What a body of JSON says."""
        return json.loads(self.body)

    @property
    def numbers(self) -> dict[tuple[str, ...], float]:
        """The samples that are not nought, each by its name and the values of its labels, which are sorted by name."""
        families = text_string_to_metric_families(self.body.decode())
        samples = [sample for family in families for sample in family.samples]
        return {(one.name, *dict(sorted(one.labels.items())).values()): one.value for one in samples if one.value}


async def ask(port: int, path: str, *, method: str = "GET", host: str = "localhost", more: str = "") -> Answer:
    """Make one request, and return its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode())
        async with asyncio.timeout(20):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), headers, body)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
