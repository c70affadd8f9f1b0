"""What is loaded with the engine and the sync: memory that every process would have to pay for."""

import subprocess
import sys

import pytest

from connectors.engine.lean import without

HEAVY = {"jsonschema", "pyarrow", "sqlglot"}
MODULES = "import connectors.sync.sync, sys; print(*sys.modules)"


def test_what_a_sync_does_not_use_is_not_loaded_with_it() -> None:
    loaded = subprocess.run([sys.executable, "-c", MODULES], check=True, capture_output=True, text=True).stdout
    assert HEAVY & set(loaded.split()) == set()


def test_a_package_left_out_can_be_imported_afterwards() -> None:
    sys.modules.pop("tabnanny", None)
    with without("tabnanny"), pytest.raises(ModuleNotFoundError):
        __import__("tabnanny")
    assert __import__("tabnanny").__name__ == "tabnanny"


def test_a_package_that_is_loaded_stays() -> None:
    with without("sys"):
        assert sys.modules["sys"] is sys
    assert sys.modules["sys"] is sys
