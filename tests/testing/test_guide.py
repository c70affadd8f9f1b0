"""The guide for authors of sources is true: its code runs, and its source keeps the contract that it shows."""

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.source_class import made
from connectors.storage import MemoryBackend, Storage
from tests.contracts.storage_contract import Watch

pytest_plugins = ["pytester"]

GUIDE = Path(__file__).parent.parent.parent / "docs" / "writing-a-source.md"
SETTINGS = "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_code_of_the_guide_keeps_the_contract_in_a_package_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_the_source_of_the_guide="\n".join(blocks()))  # a name that no other test has
    pytester.makeini(SETTINGS)
    run = pytester.inline_run("-p", "no:cacheprovider", "-q")
    passed, skipped, failed = run.countoutcomes()
    assert (passed, skipped, failed) == (25, 27, 0)


async def test_the_source_that_remembers_uses_each_token_once_and_begins_anew_with_other_settings() -> None:
    names: dict[str, Any] = {}
    exec("\n".join(blocks()), names)
    source, clock = names["FeedDataSource"], Watch()
    storage = Storage(MemoryBackend(), "c", clock)

    def job(token: str) -> Any:
        return made(source, Configuration(source.fields, {"refresh_token": token}, Grants()), storage)

    assert [await job("a").access_token() for _ in range(2)] == ["for a", "for a"]
    clock.moment += timedelta(seconds=3_540)
    assert await job("a").access_token() == "for a+"
    assert await job("b").access_token() == "for b"


def test_the_guide_names_every_limit() -> None:
    case = GUIDE.parent.parent / "connectors" / "testing" / "source" / "case.py"
    limits = re.findall(r"^    (\w+): ClassVar\[(?:int|float)\]", case.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in limits if f"`{name}`" not in GUIDE.read_text(encoding="utf-8")] == []


def test_importing_what_tests_are_made_from_does_not_import_pytest() -> None:
    code = "import sys, connectors.testing, connectors.testing.source; assert 'pytest' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=GUIDE.parent.parent, check=False).returncode == 0
