"""The command line as a person meets it: a real process, its output and its exit code."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

import connectors
from tests.engine.stub import Reply, Stub, answer, greeting, refusal

ROOT = Path(__file__).parent.parent.parent
ACKNOWLEDGED = answer(200, {"acknowledged": True})
ITEM = {"index": {"_index": "x", "_id": "0", "status": 201, "result": "created"}}
WRITTEN = answer(200, {"took": 1, "errors": False, "items": [ITEM] * 3})
HITS = [{"_index": "x", "_id": str(number), "sort": [number]} for number in range(3)]
FOUND = {"timed_out": False, "_shards": {"total": 1, "successful": 1, "failed": 0}}
PAGE = answer(200, {**FOUND, "hits": {"total": {"value": 3, "relation": "eq"}, "hits": HITS}})
SCAN = (answer(200, {"id": "pit"}), PAGE, ACKNOWLEDGED)


async def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connectors", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": "/usr/bin", **environ},
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode or 0, out.decode(), err.decode())


async def check(*script: Reply, arguments: tuple[str, ...] = ()) -> tuple[subprocess.CompletedProcess[str], Stub]:
    async with Stub(*script) as stub:
        return await run("engine", "check", *arguments, CONNECTORS__ENGINE__HOST=stub.url), stub


async def test_help_says_what_there_is() -> None:
    result = await run("--help")
    assert result.returncode == 0
    assert "Keep a search index true to its sources." in result.stdout
    assert "engine" in result.stdout


async def test_the_version_is_that_of_the_package() -> None:
    assert (await run("--version")).stdout == f"connectors {connectors.__version__}\n"


async def test_an_unknown_command_is_a_wrong_argument() -> None:
    result = await run("sink")
    assert result.returncode == 2
    assert "No such command 'sink'" in result.stderr


async def test_check_says_what_answered() -> None:
    result, stub = await check(greeting())
    assert result.returncode == 0
    assert result.stdout.startswith(f"ok  connect  Elasticsearch 8.19.8, cluster 'test', at {stub.url} (")
    assert result.stderr == ""


async def test_check_with_write_tries_what_a_sync_needs_and_cleans_up() -> None:
    result, stub = await check(
        greeting(),
        *(ACKNOWLEDGED, WRITTEN, ACKNOWLEDGED, *SCAN, answer(200, {}), ACKNOWLEDGED),
        arguments=("--write", "--json"),
    )
    # The stub tells of no such index when it is asked for the stamp, which is the last step.
    assert result.returncode == 1
    assert [step["name"] for step in json.loads(result.stdout)] == ["connect", "create", "write", "read"]
    assert "there is no concrete index of that name" in result.stderr
    assert stub.asked[-1].startswith("DELETE /connectors-check-")


REFUSED = answer(200, {"took": 1, "errors": True, "items": [{"index": {"_index": "x", "status": 400}}] * 3})
NOTHING = answer(200, {**FOUND, "hits": {"total": {"value": 0, "relation": "eq"}, "hits": []}})


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ((ACKNOWLEDGED, REFUSED), "The engine refused documents"),
        (
            (ACKNOWLEDGED, WRITTEN, ACKNOWLEDGED, answer(200, {"id": "pit"}), NOTHING, ACKNOWLEDGED),
            "gave back 0 of 3 documents",
        ),
    ],
)
async def test_check_notices_what_does_not_work(script: tuple[Reply, ...], text: str) -> None:
    result, stub = await check(greeting(), *script, ACKNOWLEDGED, arguments=("--write",))
    assert result.returncode == 1
    assert text in result.stderr
    assert stub.asked[-1].startswith("DELETE /connectors-check-")


async def test_check_says_when_its_index_is_left_behind() -> None:
    result, _ = await check(greeting(), refusal(403, "security_exception"), refusal(500, "x"), arguments=("--write",))
    assert result.returncode == 1
    assert "An index of the check is left behind." in result.stderr
    assert "Give these credentials the privilege that the engine names. docs/engines.md has the list." in result.stderr


async def test_an_engine_that_is_down_is_one_message_and_no_traceback() -> None:
    result = await run("engine", "check", CONNECTORS__ENGINE__HOST="http://127.0.0.1:1")
    assert result.returncode == 1
    assert result.stderr == (
        "No connection to http://127.0.0.1:1: connection refused.\n"
        "Is the engine running, and is engine.host its address?\n"
    )


async def test_wrong_settings_are_all_named_with_an_exit_code_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text("engine: {hots: x, attempts: many}")
    result = await run("--config", str(path), "engine", "check")
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "engine.hots: There is no such setting. Did you mean host?",
        "engine.attempts: Expected `int`, got `str`, not 'many'.",
    ]


async def test_a_password_is_in_no_message() -> None:
    async with Stub(refusal(401, "security_exception", "unable to authenticate user")) as stub:
        result = await run(
            *("engine", "check"),
            CONNECTORS__ENGINE__HOST=stub.url,
            CONNECTORS__ENGINE__USERNAME="u",
            CONNECTORS__ENGINE__PASSWORD="hunter2",
            CONNECTORS__LOG__LEVEL="debug",
        )
    assert result.returncode == 1
    assert "unable to authenticate user" in result.stderr
    assert "hunter2" not in result.stdout + result.stderr
