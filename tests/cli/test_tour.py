"""The tour: what `make run` shows, in a real process."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.engine.stub import Stub, greeting

ROOT = Path(__file__).parent.parent.parent


def command(data: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "connectors", "tour", "--data", str(data), *more]


def test_the_tour_finds_something_in_the_documentation(tmp_path: Path) -> None:
    for _ in range(2):  # the second time the data is there already
        done = subprocess.run(
            command(tmp_path / "data", "--once"), check=True, capture_output=True, text=True, cwd=ROOT, timeout=60
        )
        lines = done.stdout.splitlines()
        assert lines[0].startswith(f"The embedded engine serves {tmp_path / 'data'} at http://127.0.0.1:")
        assert lines[3] == "Search: scans that lose documents"
        assert lines[4] == "  1. 4. Scans differ by engine, and are counted  docs/decisions/0004-scans.md"
        assert done.stderr == ""


def test_the_tour_stays_up_until_it_is_interrupted(tmp_path: Path) -> None:
    with subprocess.Popen(command(tmp_path / "data"), stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        while "Ctrl-C ends the engine." not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_folder_without_pages_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path / "data", "--folder", str(tmp_path)), check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == f"There is no Markdown file below {tmp_path}.\nName another --folder.\n"


async def test_with_an_engine_of_ones_own_the_tour_goes_there(tmp_path: Path) -> None:
    async with Stub(greeting()) as stub:
        process = await asyncio.create_subprocess_exec(
            *command(tmp_path / "data", "--external"),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "CONNECTORS__ENGINE__HOST": stub.url, "CONNECTORS__ENGINE__ATTEMPTS": "1"},
        )
        assert await process.wait() == 1  # the stub's script is over after the greeting
    assert stub.asked[0] == "DELETE /connectors-tour"
    assert not (tmp_path / "data").exists()
