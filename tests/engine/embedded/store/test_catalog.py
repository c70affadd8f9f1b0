"""Indices in their catalog: what a transaction that fails leaves of them."""

from pathlib import Path

import pytest

from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.indexer import TableIndexer
from connectors.engine.embedded.store.versioning import Condition


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
