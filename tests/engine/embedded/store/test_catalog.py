"""Indices in their catalog: what a transaction that fails leaves of them."""

import re
from pathlib import Path

import msgspec
import pytest

from connectors.engine.embedded.engine import EmbeddedEngine
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.indexer import TableIndexer
from connectors.engine.embedded.store.versioning import Condition
from connectors.errors import ConfigurationError


def test_a_mapping_does_not_grow_by_a_transaction_that_fails(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, lambda file: TableIndexer(file.connection))
    index = catalog.create("docs", {})
    with pytest.raises(ZeroDivisionError), index.transaction():
        index.put("1", b'{"new": 1}', Condition())
        raise ZeroDivisionError
    assert index.mapping.body() == {}
    with index.transaction():
        index.put("1", b'{"new": 1}', Condition())
    catalog.close()
    again = Catalog(tmp_path, lambda file: TableIndexer(file.connection))
    assert again.indices["docs"].mapping.body() == {"properties": {"new": {"type": "long"}}}
    again.close()


@pytest.mark.parametrize("damaged", ["catalog", "index"])
def test_a_damaged_file_is_named_and_the_folder_free_for_another_try(tmp_path: Path, damaged: str) -> None:
    engine = EmbeddedEngine(tmp_path)
    engine.handle("PUT", "/docs/_doc/1", b"{}")
    engine.close()
    catalog = tmp_path / "catalog.db"
    file = catalog if damaged == "catalog" else next(path for path in tmp_path.glob("*.db") if path != catalog)
    content = file.read_bytes()
    file.write_bytes(b"no database" * 1_000)
    with pytest.raises(ConfigurationError, match=re.escape(f"The file {file} of the embedded engine can't be used")):
        EmbeddedEngine(tmp_path)
    file.write_bytes(content)
    again = EmbeddedEngine(tmp_path)
    assert again.handle("GET", "/docs/_doc/1", b"")[0] == 200
    again.close()


@pytest.mark.parametrize("name", ["file", "file/below", "\0"])
def test_a_folder_that_can_not_be_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=re.escape(f"The data folder {tmp_path / name} can't be used: ")):
        EmbeddedEngine(tmp_path / name)


def test_an_index_of_many_fields_is_opened_again(tmp_path: Path) -> None:
    mappings = {"properties": {f"f{number}": {"type": "long"} for number in range(1_500)}}
    body = {"settings": {"index.mapping.total_fields.limit": 1_500}, "mappings": mappings}
    engine = EmbeddedEngine(tmp_path)
    assert engine.handle("PUT", "/docs", msgspec.json.encode(body))[0] == 200
    engine.close()
    again = EmbeddedEngine(tmp_path)
    assert again.handle("PUT", "/docs/_doc/1", b'{"f1": 1}')[0] == 201
    assert again.handle("PUT", "/docs/_doc/2", b'{"more": 1}')[0] == 400
    again.close()
