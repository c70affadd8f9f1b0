"""An engine that keeps the connectors' indices to itself: whoever needs them says which it is, and what to do."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.engine.embedded.desk import desk_of
from connectors.engine.embedded.server import serving
from tests.torture.exchange import Exchange, Seen
from tests.torture.fault_proxy import FaultProxy
from tests.torture.faults import Fault
from tests.torture.messages import Answer

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True)
class Withheld(Fault):
    """It is not delivered, and answered with a refusal."""

    name = "withheld"
    status: int
    kind: str
    reason: str

    async def befall(self, exchange: Exchange) -> None:
        cause = {"type": self.kind, "reason": self.reason}
        body = json.dumps({"error": {**cause, "root_cause": [cause]}, "status": self.status}).encode()
        headers = [("content-type", "application/json"), ("x-elastic-product", "Elasticsearch")]
        await exchange.answer(Answer(f"HTTP/1.1 {self.status} Refused", headers, body))


def reserved(name: str) -> Withheld:
    """Refuse an index as Elasticsearch refuses its system indices."""
    reason = f"Indices [{name}] use and access is reserved for system operations"
    return Withheld(400, "illegal_argument_exception", reason)


def restricted(name: str) -> Withheld:
    """Refuse an index as Elasticsearch does to a user without the privilege."""
    action = "indices:monitor/settings/get"
    reason = f"action [{action}] is unauthorized for user [connectors] on restricted indices [{name}]"
    return Withheld(403, "security_exception", reason)


@asynccontextmanager
async def withholding(folder: Path, name: str, fault: Withheld) -> AsyncIterator[str]:
    """Provide the address of an engine that refuses whatever is asked about an index, or its alias."""

    def is_about(seen: Seen) -> bool:
        named = seen.request.path.split("/")[1]
        return named in {name, f"{name}-v1"}

    async with desk_of(folder / "data") as desk, serving(desk, host="127.0.0.1", port=0, key=None) as server:
        async with FaultProxy(int(server.url.rpartition(":")[2])) as proxy:
            proxy.on_request(is_about, lambda _: fault)
            yield proxy.url


async def told(folder: Path, url: str, command: Sequence[str]) -> tuple[int | None, str]:
    """Run a command against an engine, and return how it ended and what it said."""
    environ = {**os.environ, "CONNECTORS__ENGINE__HOST": url, "CONNECTORS__ALLOWED_PATHS": str(folder)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connectors", *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**environ, "PYTHONPATH": str(ROOT)},
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    return process.returncode, " ".join(said.decode().split())


COMMANDS = [["create", "--from-file", "shelf.json"], ["check", "shelf"], ["list"], ["run"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one[0])
@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        (reserved, "Connectors and Kibana share this index. An engine that keeps it to itself can't be used:"),
        (restricted, "Give these credentials the privilege that the engine names. docs/engines.md has the list."),
    ],
    ids=["reserved", "restricted"],
)
async def test_it_is_told_which_index_is_withheld_and_what_to_do(
    tmp_path: Path, command: list[str], fault: Callable[[str], Withheld], hint: str
) -> None:
    described = {"id": "shelf", "service_type": "directory", "index_name": "shelf"}
    (tmp_path / "shelf.json").write_text(json.dumps({**described, "configuration": {"directory": str(tmp_path)}}))
    async with withholding(tmp_path, ".elastic-connectors", fault(".elastic-connectors-v1")) as url:
        code, said = await told(tmp_path, url, command)
    assert code == 1
    assert "Could not find out what .elastic-connectors is" in said
    assert ".elastic-connectors-v1" in said
    assert hint in said
    assert "Traceback" not in said


async def test_the_index_of_jobs_is_told_of_too(tmp_path: Path) -> None:
    name = ".elastic-connectors-sync-jobs"
    async with withholding(tmp_path, name, reserved(f"{name}-v1")) as url:
        code, said = await told(tmp_path, url, ["run"])
    assert code == 1
    assert f"Could not find out what {name} is" in said
    assert "Connectors and Kibana share this index." in said
