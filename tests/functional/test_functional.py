"""The functional tests themselves: what they say of a source that loses documents, and what they don't let pass."""

from pathlib import Path

import pytest

from fixtures.compose import ComposeServer
from fixtures.contract import Missing, fixture_class, names
from tests.functional.__main__ import run

pytestmark = pytest.mark.timeout(180)


def test_every_fixture_is_found_and_is_named_after_its_source() -> None:
    known = ("directory", "mongodb", "mssql", "mysql", "oracle", "postgresql", "redis", "sqlite", "tabular_files")
    found = {name: fixture_class(name).__module__ for name in names()}
    assert found == {name: f"fixtures.{name}.fixture" for name in known}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("no-such-docker",), "The fixture own needs Docker with Compose, and there is no `no-such-docker` here."),
        (("false",), "The fixture own could not be .* says: nothing, and ends with 1."),
        (("sh", "-c", "echo a; echo why >&2; exit 1", "sh"), "The fixture own could not be .* says: why"),
    ],
)
async def test_what_a_fixture_lacks_is_said_in_one_sentence(tmp_path: Path, command: list[str], said: str) -> None:
    server = ComposeServer(tmp_path / "own" / "compose.yml", command)
    with pytest.raises(Missing, match=said):
        await server.start()
    await server.close()


async def test_a_fixture_that_lacks_something_is_run_no_further(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert not await run("mssql", "embedded", seed=1, documents=1)
    *_, said = capsys.readouterr().out.splitlines()
    assert said == "The fixture mssql needs Docker with Compose, and there is no `docker` here."


async def test_a_source_that_loses_documents_is_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    sources = {"sqlite": "tests.functional.lossy:LossySQLiteDataSource"}
    assert not await run("sqlite", "embedded", seed=1, documents=4_400, sources=sources)
    printed = capsys.readouterr().out
    assert "The index differs from the source: 4 missing: " in printed
    assert "    country: the source has '" in printed
