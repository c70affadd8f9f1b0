"""The two engines that are compared, each a process of its own that answers on loopback, and a client for both."""

import contextlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

_FIXTURES = Path(__file__).parent.parent / "fixtures"
_NDJSON = {"content-type": "application/x-ndjson"}
_JSON = {"content-type": "application/json"}


@dataclass
class Server(ABC):
    """An engine on a data folder."""

    data: Path
    url: str = ""
    pid: int = 0
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    @abstractmethod
    def start(self) -> None:
        """Start it and return when it answers."""

    @abstractmethod
    def stop(self) -> None:
        """End it, as an administrator would."""

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection."""
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=300)

    def ask(self, method: str, target: str, body: bytes | None = None) -> bytes:
        """Send a request over the connection that is kept for it, and return what comes back."""
        if self._connection is None:
            self._connection = self.connect()
        return _asked(self._connection, method, target, body, _JSON)

    def forget_connection(self) -> None:
        """Connect anew with the next request: after a start."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def load(self, index: str, bodies: Sequence[bytes], connections: int) -> None:
        """Send bulk requests over so many connections at once."""
        with ThreadPoolExecutor(connections) as threads:
            list(threads.map(lambda start: self._send(index, bodies[start::connections]), range(connections)))

    def _send(self, index: str, bodies: Sequence[bytes]) -> None:
        with contextlib.closing(self.connect()) as connection:
            for body in bodies:
                answer = _asked(connection, "POST", f"/{index}/_bulk?filter_path=errors", body, _NDJSON)
                assert answer == b'{"errors":false}', answer[:500]

    def memory_mb(self) -> tuple[int, int]:
        """Return the resident memory of now, and the most that it was since the start."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        now, peak = (int(re.findall(rf"{name}:\s+(\d+)", status)[0]) // 1024 for name in ("VmRSS", "VmHWM"))
        return now, peak

    def cpu_s(self) -> float:
        """Return the CPU time that it used since its start."""
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def disk_bytes(self) -> int:
        """Return how many bytes its files take."""
        paths = [path for path in self.data.rglob("*") if "logs" not in path.parts]
        return sum(path.stat().st_blocks * 512 for path in paths if path.is_file())


@dataclass
class Embedded(Server):
    """`connectors engine serve`."""

    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "connectors", "engine", "serve", "--data", str(self.data)]
        self._process = subprocess.Popen([*command, "--port", "0", "--no-auth"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.pid, self.url = self._process.pid, self._process.stdout.readline().split()[-1]
        self.forget_connection()
        self.ask("GET", "/")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            assert self._process.stdout is not None
            self._process.stdout.close()


@dataclass
class Elasticsearch(Server):
    """A real node, as its fixture starts it; with the heap of 1 GB that the fixture has by default."""

    fixture: ClassVar[Path] = _FIXTURES / "elasticsearch"

    def start(self) -> None:
        """Start it."""
        done = subprocess.run([str(self.fixture / "start.sh"), str(self.data)], check=True, stdout=-1, text=True)
        self.url, self.pid = done.stdout.splitlines()[-1], int((self.data / "pid").read_text())
        self.forget_connection()
        self.ask("GET", "/")

    def stop(self) -> None:
        """End it."""
        subprocess.run([str(self.fixture / "stop.sh"), str(self.data)], check=True, stderr=subprocess.DEVNULL)


class OpenSearch(Elasticsearch):
    """A real node of that, likewise."""

    fixture = _FIXTURES / "opensearch"


@contextlib.contextmanager
def running(kind: type[Server]) -> Iterator[Server]:
    """Provide a fresh engine, and remove what it wrote at the end."""
    data = Path(tempfile.mkdtemp(prefix="connectors-bench-"))
    data.chmod(0o755)  # as root, Elasticsearch runs as another user
    server = kind(data)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)


def seconds_to_start(server: Server, first_search: tuple[str, bytes]) -> tuple[float, float]:
    """Stop an engine and start it again; return how long until it answered, and until it answered a search."""
    server.stop()
    started = time.perf_counter()
    server.start()
    answered = time.perf_counter() - started
    target, body = first_search
    deadline = started + 120
    while True:
        try:
            server.ask("POST", target, body)
        except EngineRefused:
            if time.perf_counter() > deadline:
                raise
            time.sleep(0.01)
        else:
            return answered, time.perf_counter() - started


class EngineRefused(Exception):
    """Raised for an answer that is none; the text is what was said."""


def _asked(
    connection: http.client.HTTPConnection, method: str, target: str, body: bytes | None, headers: dict[str, str]
) -> bytes:
    connection.request(method, target, body, {} if body is None else headers)
    with connection.getresponse() as response:
        content = response.read()
    if response.status >= 300:
        raise EngineRefused(content[:500].decode())
    return content
