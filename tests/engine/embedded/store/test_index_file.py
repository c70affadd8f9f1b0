"""The record of one index: what is acknowledged stays, and what fails leaves nothing."""

import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.engine.embedded.refusal import Refusal
from connectors.engine.embedded.store.index_file import IndexFile, Recorded, stood_in
from connectors.engine.embedded.store.versioning import Condition

ROOT = Path(__file__).parent.parent.parent.parent


class Now:
    ms = 1_000_000


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def file(tmp_path: Path, now: Now) -> Iterator[IndexFile]:
    one = IndexFile(tmp_path / "index.db", shards=1, now_ms=lambda: now.ms)
    yield one
    one.close()


def put(file: IndexFile, doc_id: str, source: bytes = b"{}", condition: Condition | None = None) -> Recorded:
    with file.transaction():
        return file.index(doc_id, source, condition or Condition())


def delete(file: IndexFile, doc_id: str) -> Recorded:
    with file.transaction():
        return file.delete(doc_id, Condition())


def test_operations_are_numbered_and_versions_counted(file: IndexFile) -> None:
    assert [put(file, "a"), put(file, "b"), put(file, "a"), delete(file, "a"), delete(file, "c"), put(file, "a")] == [
        Recorded("created", 1, 0),
        Recorded("created", 1, 1),
        Recorded("updated", 2, 2),
        Recorded("deleted", 3, 3),
        Recorded("not_found", 1, 4),
        Recorded("created", 4, 5),
    ]


def test_a_refused_write_leaves_nothing(file: IndexFile) -> None:
    put(file, "a", b'{"n":1}')
    with pytest.raises(Refusal):
        put(file, "a", b'{"n":2}', Condition(create=True))
    stored = file.get("a")
    assert stored is not None
    assert (stored.source, stored.version, file.max_seq) == (b'{"n":1}', 1, {0: 0})


def test_a_transaction_that_fails_leaves_nothing_of_what_it_did_before(file: IndexFile) -> None:
    put(file, "a")
    with pytest.raises(ZeroDivisionError), file.transaction():
        file.index("b", b"{}", Condition())
        raise ZeroDivisionError
    assert file.get("b") is None
    assert put(file, "c") == Recorded("created", 1, 1)


def test_a_document_can_be_read_as_it_stood_before(file: IndexFile) -> None:
    put(file, "a", b'{"n":1}')
    put(file, "a", b'{"n":2}')
    then, stands = stood_in(file.connection, "a", 1), file.get("a")
    assert then is not None
    assert stands is not None
    assert (then.source, stands.source) == (b'{"n":1}', b'{"n":2}')
    assert stood_in(file.connection, "a", 0) is None


def test_a_tombstone_is_forgotten_after_its_time(file: IndexFile, now: Now) -> None:
    put(file, "a")
    delete(file, "a")
    now.ms += file.gc_deletes_ms - 1
    assert file.standing("a") is not None
    now.ms += 2
    assert file.standing("a") is None
    assert put(file, "a") == Recorded("created", 1, 2)


def test_what_is_replaced_is_counted_until_it_is_removed(file: IndexFile) -> None:
    put(file, "a", b"12345")
    put(file, "a", b"123")
    delete(file, "a")
    assert (file.gone_bytes, file.bytes_between(0, 3), file.bytes_between(1, 2)) == (8, 8, 3)
    with pytest.raises(ZeroDivisionError), file.transaction():
        file.remove([1])
        raise ZeroDivisionError
    assert file.gone_bytes == 8
    with file.transaction():
        file.remove([1])
    assert (file.gone_bytes, file.forgotten(3, 10)) == (3, [2])


def test_sequence_numbers_go_on_after_deletes_were_forgotten_and_a_restart(tmp_path: Path, now: Now) -> None:
    path = tmp_path / "index.db"
    file = IndexFile(path, shards=3, now_ms=lambda: now.ms)
    for number in range(30):
        put(file, f"d{number}")
        delete(file, f"d{number}")
    now.ms += file.gc_deletes_ms + 1
    with file.transaction():
        file.keep("refreshed", file.last_row)
        file.remove(file.forgotten(file.last_row, 1_000))
    before, histories, last = dict(file.max_seq), dict(file.histories), file.last_row
    file.close()
    again = IndexFile(path, shards=3, now_ms=lambda: now.ms)
    assert (again.max_seq, again.histories, again.last_row) == (before, histories, last)
    assert sum(again.max_seq.values()) == 60 - 3
    again.close()


WRITER = """
import sys
from pathlib import Path
from connectors.engine.embedded.store.index_file import IndexFile
from connectors.engine.embedded.store.versioning import Condition

file = IndexFile(Path(sys.argv[1]), shards=1)
number = 0
while True:
    with file.transaction():
        for _ in range(7):
            file.index(f"d{number}", b'{"n":%d}' % number, Condition())
            number += 1
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "index.db"
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(random.Random(seed).randrange(1, 400))]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    acknowledged = int([line for line in lines if line.endswith("\n")][-1])
    file = IndexFile(path, shards=1)
    found = [row for (row,) in file.connection.execute("SELECT id FROM docs ORDER BY row")]
    # All that was acknowledged, and at the most the one transaction whose acknowledgement was not printed any more.
    assert found == [f"d{number}" for number in range(len(found))]
    assert acknowledged <= len(found) <= acknowledged + 7
    assert file.max_seq == {0: len(found) - 1}
    file.close()
