"""The tour: what `make run` shows, in a real process."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.engine.stub import Stub, greeting

ROOT = Path(__file__).parent.parent.parent


COMMAND = [sys.executable, "-m", "connectors", "tour", "--folder", str(ROOT / "docs")]


def environ(data: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "CONNECTORS__ENGINE__DATA": str(data), **more}


def run(data: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [*COMMAND, *more]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environ(data), cwd=ROOT, timeout=60)


def check_output(lines: list[str], data: Path) -> None:
    assert lines[0] == f"The embedded engine, at {data}"
    assert lines[3] == "Search: scans that lose documents"
    hits = [line.partition(". ")[2] for line in lines[4:7]]  # the best of a documentation that grows
    assert f"4. Scans differ by engine, and are counted  {ROOT}/docs/decisions/0004-scans.md" in hits


def test_the_tour_finds_something_in_the_documentation(tmp_path: Path) -> None:
    for _ in range(2):  # the second time the data is there already
        done = run(tmp_path / "data", "--once")
        check_output(done.stdout.splitlines(), tmp_path / "data")
        assert (done.stderr, done.returncode) == ("", 0)


def test_the_tour_stays_up_until_it_is_interrupted_and_a_second_one_goes_through_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True, env=environ(data), cwd=ROOT) as process:
        assert process.stdout is not None
        while "Ctrl-C ends the engine." not in process.stdout.readline():
            assert process.poll() is None
        second = run(data)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    check_output(second.stdout.splitlines(), data)
    assert "Ctrl-C" not in second.stdout
    assert process.returncode == 0
    assert {path.name for path in data.iterdir() if path.suffix != ".db"} == {"lock", "api_key"}


def test_a_folder_without_pages_is_named(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "--folder", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == f"There is no Markdown file below {tmp_path}.\nName another --folder.\n"


async def test_with_an_engine_of_ones_own_the_tour_goes_there(tmp_path: Path) -> None:
    async with Stub(greeting()) as stub:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environ(tmp_path / "data", CONNECTORS__ENGINE__HOST=stub.url, CONNECTORS__ENGINE__ATTEMPTS="1"),
        )
        assert await process.wait() == 1  # the stub's script is over after the greeting
    assert stub.asked[0] == "DELETE /connectors-tour"
    assert not (tmp_path / "data").exists()
