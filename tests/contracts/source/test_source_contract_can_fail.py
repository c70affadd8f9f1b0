"""Every promise of a source can be seen to be broken: for a source that breaks it its test fails, and no other does."""

import pytest

from connectors.testing.source_contract import SourceContract
from tests.contracts.source import broken_documents, broken_walks  # noqa: F401 - they add their sources to the list
from tests.contracts.source.made_up import EXPECTED, SOURCES

pytest_plugins = ["pytester"]

MODULE = """\
import pytest
from tests.contracts.source.made_up import SOURCES, MadeUpContract, folder

for source in SOURCES:
    globals()[f"Test{source.__name__}"] = type(f"Test{source.__name__}", (MadeUpContract,), {"source": source})
"""

SETTINGS = """\
[pytest]
asyncio_mode = strict
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""
NOT_NEEDED = ("cacheprovider", "hypothesispytest", "logging", "pytest_cov")


@pytest.fixture
def failed(pytester: pytest.Pytester) -> dict[str, set[str]]:
    """Run the contract for all sources as the tests of a package of their own, and return what failed for each."""
    pytester.makepyfile(MODULE)
    pytester.makeini(SETTINGS)
    run = pytester.inline_run(*(f"-pno:{plugin}" for plugin in NOT_NEEDED), "--tb=no", "-q")
    found: dict[str, set[str]] = {source.__name__: set() for source in SOURCES}
    for report in run.getreports("pytest_runtest_logreport"):
        assert isinstance(report, pytest.TestReport)
        if report.failed:
            _, kind, test = report.nodeid.split("::")
            found[kind.removeprefix("Test")].add(test)
    return found


@pytest.mark.timeout(300)
def test_exactly_what_is_broken_fails(failed: dict[str, set[str]]) -> None:
    assert failed == {source.__name__: EXPECTED.get(source.__name__, set()) for source in SOURCES}


def test_every_promise_is_broken_by_some_source() -> None:
    promises = {name for name in dir(SourceContract) if name.startswith("test_")}
    assert promises == {name for names in EXPECTED.values() for name in names}


def test_no_part_hides_a_promise_of_another() -> None:
    promises = [name for part in SourceContract.__mro__ for name in vars(part) if name.startswith("test_")]
    assert sorted(promises) == sorted(set(promises))
