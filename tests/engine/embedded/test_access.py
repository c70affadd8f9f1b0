"""Access to a data folder: who owns it, who goes through the owner, and what happens when the owner dies."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.engine import Engine, open_engine
from connectors.engine.bulk import index_line
from connectors.engine.embedded.access import ADDRESS_FILE, LONGEST_PATH, SOCKET_FILE, Access, owning
from connectors.engine.embedded.store.folder_lock import FolderLock
from connectors.engine.flavor import Flavor
from connectors.engine.scan import Walk
from connectors.errors import EngineBlocked, EngineUnreachable
from connectors.settings import EngineSettings
from tests.contracts.operations_contract import OperationsContract

ROOT = Path(__file__).parent.parent.parent.parent


class TestInThisProcess(OperationsContract):
    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[Engine]:
        async with open_engine(EngineSettings(data=tmp_path / "data")) as opened:
            yield opened

    async def test_the_engine_is_recognised(self, engine: Engine, tmp_path: Path) -> None:
        assert engine.info.flavor is Flavor.EMBEDDED
        assert str(engine.info) == f"The embedded engine, at {tmp_path / 'data'}"


class TestThroughTheOwner(OperationsContract):
    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[Engine]:
        async with owning(tmp_path), open_engine(EngineSettings(data=tmp_path)) as opened:
            yield opened


@contextmanager
def owner(data: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run another process that owns a folder."""
    command = [sys.executable, "-m", "connectors", "engine", "serve", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def left_by_owner(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} & {ADDRESS_FILE, SOCKET_FILE}


async def write(engine: Engine, numbers: range) -> None:
    body = b"".join(index_line(str(number)) + b'{"n":%d}\n' % number for number in numbers)
    answer = await engine.data.bulk("docs", body, operations=len(numbers))
    assert all(item.ok for row in answer.items for item in row.values())


async def ids(engine: Engine) -> set[str]:
    await engine.data.refresh("docs")
    return {hit.id async for page in engine.data.scan(Walk("docs")) for hit in page}


def names(numbers: range) -> set[str]:
    return {str(number) for number in numbers}


async def test_two_processes_use_one_folder(tmp_path: Path) -> None:
    with owner(tmp_path):
        async with (
            open_engine(EngineSettings(data=tmp_path)) as one,
            open_engine(EngineSettings(data=tmp_path)) as other,
        ):
            await write(one, range(100))
            await write(other, range(100, 200))
            assert await ids(one) == await ids(other) == names(range(200))


async def test_when_the_owner_is_killed_the_next_request_takes_over(tmp_path: Path) -> None:
    with owner(tmp_path) as process:
        async with open_engine(EngineSettings(data=tmp_path)) as engine:
            await write(engine, range(300))
            before = await engine.indices.stamp("docs")
            await asyncio.to_thread(kill, process)
            assert left_by_owner(tmp_path) == {ADDRESS_FILE, SOCKET_FILE}
            assert await engine.control.get("docs", "1") is not None  # a bulk might have to say that it may be lost
            await write(engine, range(300, 400))
            after = await engine.indices.stamp("docs")
            assert await ids(engine) == names(range(400))
            assert before is not None
            assert after is not None
            assert after.advance_since(before) == 100
            address = json.loads((tmp_path / ADDRESS_FILE).read_text())
            assert address["pid"] == os.getpid()


async def test_when_the_owner_ends_one_of_the_others_takes_over_and_the_rest_finds_it(tmp_path: Path) -> None:
    settings = EngineSettings(data=tmp_path)
    with owner(tmp_path) as process:
        async with open_engine(settings) as one, open_engine(settings) as two, open_engine(settings) as three:
            for step, engine in enumerate((one, two, three)):
                await write(engine, range(step * 10, step * 10 + 10))
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, 20)
            await asyncio.gather(
                *(write(engine, range(n * 50, n * 50 + 50)) for n, engine in enumerate((one, two, three)))
            )
            assert await ids(one) == await ids(two) == await ids(three) == names(range(150))


async def test_a_stale_address_is_only_a_hint(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for stale in (b"", b"{", b'{"pid": 1}', json.dumps({"pid": 1, "socket": str(elsewhere)}).encode()):
        (tmp_path / ADDRESS_FILE).write_bytes(stale)
        with socket.socket(socket.AF_UNIX) as left:  # as a process leaves it that was killed
            left.bind(str(tmp_path / SOCKET_FILE))
        async with open_engine(EngineSettings(data=tmp_path)) as engine:
            assert engine.info.flavor is Flavor.EMBEDDED
    assert left_by_owner(tmp_path) == set()


async def test_the_socket_is_for_this_user_alone(tmp_path: Path) -> None:
    async with Access(tmp_path / "data") as access:
        assert access.socket == tmp_path / "data" / SOCKET_FILE
        assert stat.S_IMODE(access.socket.stat().st_mode) == 0o700
        assert stat.S_IMODE(access.socket.parent.stat().st_mode) == 0o700


async def test_a_path_too_long_for_a_socket_has_it_elsewhere(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 20) / ("longer" * 10)
    async with owning(data), Access(data) as access, open_engine(EngineSettings(data=data)) as engine:
        path = access.socket
        assert len(os.fsencode(path)) <= LONGEST_PATH
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        await write(engine, range(3))
        assert await ids(engine) == names(range(3))
    assert not path.parent.exists()


async def test_an_owner_that_does_not_listen_is_named(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(EngineUnreachable, match=f"No connection to the embedded engine of {tmp_path}") as caught:
        async with open_engine(EngineSettings(data=tmp_path, attempts=1, connect_timeout_s=0.3)):
            pass
    assert caught.value.hint == "Another process owns that folder and does not answer: is it just starting, or ending?"
    lock.release()


async def test_a_second_owner_is_told_of_the_first(tmp_path: Path) -> None:
    with owner(tmp_path) as process:
        with pytest.raises(EngineBlocked, match=f"in use by the process {process.pid}"):
            async with owning(tmp_path):
                pass
        async with Access(tmp_path) as access:
            assert access.desk is None


async def test_who_gives_up_while_the_engine_opens_leaves_the_folder_to_others(tmp_path: Path) -> None:
    opening = asyncio.create_task(Access(tmp_path).join())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with open_engine(EngineSettings(data=tmp_path)) as engine:
        await write(engine, range(3))
        assert await ids(engine) == names(range(3))
