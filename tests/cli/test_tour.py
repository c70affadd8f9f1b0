"""The tour: what `make run` shows, in real processes."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.engine.stub import Stub, greeting

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "connectors", "tour", "--folder", str(ROOT / "docs")]


def environ(folder: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CONNECTORS__ENGINE__DATA": str(folder / "data"),
        "CONNECTORS__SYNC__LEDGERS": str(folder / "ledgers"),
        "CONNECTORS__ALLOWED_PATHS": str(ROOT / "docs"),
        **more,
    }


def run(command: list[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60)


def check_output(lines: list[str], folder: Path) -> None:
    assert lines[0] == f"The daemon runs: The embedded engine, at {folder / 'data'}."
    pages = len([one for one in (ROOT / "docs").rglob("*") if one.is_file() and "__pycache__" not in one.parts])
    synced = re.fullmatch(
        rf"The connector connectors-tour reads {ROOT}/docs: (\d+) documents in its index, after .*\.", lines[1]
    )
    assert synced is not None
    assert int(synced[1]) >= pages - 5  # which of them are left out is the source's to say, and tested there
    assert lines[3] == "Search: scans that lose documents"
    hits = [line.partition(". ")[2] for line in lines[4:7]]  # the best of a documentation that grows
    assert "decisions/0004-scans.md" in hits


def test_the_tour_syncs_the_documentation_finds_something_in_it_and_goes_on_the_next_time(tmp_path: Path) -> None:
    for _ in range(2):
        done = run([*COMMAND, "--once"], environ(tmp_path))
        assert done.returncode == 0, done.stderr
        check_output(done.stdout.splitlines(), tmp_path)


def test_the_tour_stays_up_until_it_is_interrupted_and_can_be_searched_meanwhile(tmp_path: Path) -> None:
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ(tmp_path), cwd=ROOT
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "Ctrl-C ends the daemon" not in lines[-1]:
            lines.append(process.stdout.readline().rstrip("\n"))
            assert process.poll() is None, lines
        check_output(lines, tmp_path)
        command = next(line.strip() for line in lines if " search " in line).replace('"your words"', "primary")
        found = run([sys.executable, *command.split()[1:]], environ(tmp_path))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=40)
    assert process.returncode == 0
    assert "documents of connectors-tour found for 'primary'" in found.stdout, found.stderr
    assert not (tmp_path / "data" / "socket").exists()


def test_a_folder_that_may_not_be_read_is_named_with_what_to_do(tmp_path: Path) -> None:
    done = run(COMMAND, environ(tmp_path, CONNECTORS__ALLOWED_PATHS=str(tmp_path)))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"'{ROOT}/docs' is not below an allowed path.",
        f"Name a folder above it in allowed_paths of config.yml (now: {tmp_path}).",
    ]


async def test_with_an_engine_of_ones_own_the_tour_goes_there(tmp_path: Path) -> None:
    async with Stub(greeting()) as stub:
        more = {"CONNECTORS__ENGINE__HOST": stub.url, "CONNECTORS__ENGINE__ATTEMPTS": "1"}
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environ(tmp_path, **more),
        )
        assert process.stderr is not None
        async with asyncio.timeout(40):
            while b"The engine is not there" not in await process.stderr.readline():
                pass  # the stub's script is over after the greeting
            process.send_signal(signal.SIGINT)
            await process.communicate()
    assert process.returncode == 0
    assert stub.asked[0].startswith("GET /.elastic-connectors-state-v1")
    assert not (tmp_path / "data").exists()
