"""The functional tests themselves: what they say of a source that loses documents, and what they don't let pass."""

import pytest

from fixtures.contract import fixture_class, names
from tests.functional.__main__ import run

pytestmark = pytest.mark.timeout(180)


def test_every_fixture_is_found_and_is_named_after_its_source() -> None:
    assert {name: fixture_class(name).__module__ for name in names()} == {
        name: f"fixtures.{name}.fixture" for name in ("directory", "mysql", "postgresql", "sqlite", "tabular_files")
    }


async def test_a_source_that_loses_documents_is_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    sources = {"sqlite": "tests.functional.lossy:LossySQLiteDataSource"}
    assert not await run("sqlite", "embedded", seed=1, documents=4_400, sources=sources)
    printed = capsys.readouterr().out
    assert "The index differs from the source: 4 missing: " in printed
    assert "    country: the source has '" in printed
