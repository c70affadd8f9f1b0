"""Readers: a search sees one moment, and connections are not piled up."""

from pathlib import Path

import pytest

from connectors.engine.embedded.store.index_file import IndexFile
from connectors.engine.embedded.store.readers import MOST_IDLE, Readers
from connectors.engine.embedded.store.versioning import Condition


def put(file: IndexFile, doc_id: str) -> None:
    with file.transaction():
        file.index(doc_id, b"{}", Condition())


def test_a_snapshot_sees_nothing_of_what_is_written_after_it(tmp_path: Path) -> None:
    readers, file = Readers(), IndexFile(tmp_path / "index.db", shards=1)
    put(file, "a")
    with readers.snapshot(file.path) as before:
        put(file, "b")
        assert before.execute("SELECT count(*) FROM docs").get == 1
        with readers.snapshot(file.path) as after:
            assert after.execute("SELECT count(*) FROM docs").get == 2
    with readers.snapshot(file.path) as again:
        assert again.execute("SELECT count(*) FROM docs").get == 2
    readers.forget(file.path)
    file.close()


def test_connections_are_used_again_and_only_so_many_are_kept(tmp_path: Path) -> None:
    readers = Readers()
    files = [IndexFile(tmp_path / f"{number}.db", shards=1) for number in range(MOST_IDLE + 3)]
    seen = []
    for file in files:
        with readers.snapshot(file.path) as connection:
            seen.append(connection)
    with readers.snapshot(files[-1].path) as connection:
        assert connection is seen[-1]
    with readers.snapshot(files[0].path) as connection:
        assert connection is not seen[0]
    for file in files:
        readers.forget(file.path)
        file.close()


def test_a_connection_that_failed_or_whose_file_went_is_not_lent_again(tmp_path: Path) -> None:
    readers, file = Readers(), IndexFile(tmp_path / "index.db", shards=1)
    with pytest.raises(ZeroDivisionError), readers.snapshot(file.path) as failed:
        raise ZeroDivisionError
    with readers.snapshot(file.path) as connection:
        assert connection is not failed
        readers.forget(file.path)
    with readers.snapshot(file.path) as another:
        assert another is not connection
    file.close()
