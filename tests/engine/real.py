"""A real engine for tests: a node that a fixture's scripts start on loopback and stop again."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from elastic_transport import AsyncTransport

from connectors.engine.client import client_of
from connectors.engine.flavor import Flavor
from connectors.engine.node import HttpNode
from connectors.engine.opensearch import OpenSearchNode
from connectors.settings import EngineSettings
from tests.contracts.wire import Answer

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"


@dataclass
class Node:
    """One node in a data folder of its own."""

    name: str
    data: Path
    environ: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def start(self) -> None:
        """Start it, on the data that is there, and wait until it answers."""
        command = [str(FIXTURES / self.name / "start.sh"), str(self.data)]
        environ = {**os.environ, **self.environ}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=900, env=environ)
        self.url = done.stdout.splitlines()[-1]

    def stop(self, *, kill: bool = False) -> None:
        """Stop it, or kill it as a crash would."""
        how = ["--kill"] if kill else []
        subprocess.run([str(FIXTURES / self.name / "stop.sh"), *how, str(self.data)], check=True, timeout=120)


@contextlib.contextmanager
def node(name: str, **environ: str) -> Iterator[Node]:
    """Provide a fresh node, its scripts run with these variables, and remove it at the end."""
    # Not below pytest's own temporary folder, which other users may not enter: as root the node runs as another.
    data = Path(tempfile.mkdtemp(prefix=f"connectors-{name}-"))
    data.chmod(0o755)
    one = Node(name, data, environ)
    try:
        one.start()
        yield one
    finally:
        one.stop(kill=True)
        shutil.rmtree(data, ignore_errors=True)


class EngineWire:
    """The wire of the contract suite, through the same nodes that the engine client uses."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def __call__(self, method: str, target: str, body: object = None) -> Answer:
        """Send one request as it is and decode what comes back."""
        headers = {"accept": "application/json"}
        if body is not None:
            lines = target.partition("?")[0].endswith("/_bulk")
            headers["content-type"] = "application/x-ndjson" if lines else "application/json"
        answer = await self._transport.perform_request(method, target, headers=headers, body=body)
        content = bytes(answer.body or b"")
        try:
            decoded = msgspec.json.decode(content) if content else None
        except msgspec.DecodeError:
            decoded = content.decode()
        return Answer(answer.meta.status, decoded, answer.meta.headers)


@contextlib.asynccontextmanager
async def wire_to(url: str, flavor: Flavor) -> AsyncIterator[EngineWire]:
    """Provide a wire to an engine of that flavor."""
    settings = EngineSettings(host=url)
    node_class = OpenSearchNode if flavor is Flavor.OPENSEARCH else HttpNode
    client = client_of(settings, url, node_class.configured(settings, known=True), connections=4, timeout_s=60)
    try:
        yield EngineWire(client.transport)
    finally:
        await client.close()
        await asyncio.sleep(0)
