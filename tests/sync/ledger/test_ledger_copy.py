import errno
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from connectors.sync.ledger.copy import ABANDONED_AFTER_S, LOOKED_AT, UNUSED_AFTER_S, LedgerCopy
from connectors.sync.ledger.ledger import Layout, Ledger

NAME = "search-docs-000001/connector: Ünïcode"
STAMP = b'{"uuid":"u","shards":{"0":{"history_uuid":"h","primary_term":1,"max_seq_no":41}}}'
SMALL = Layout(block=64)
Damage = Callable[[bytes], bytes]
Held = list[tuple[int, int, int]]


def made(count: int, *, seed: int = 0, layout: Layout = SMALL) -> Ledger:
    chance = np.random.default_rng(seed)
    ledger = Ledger(layout=layout)
    keys = chance.integers(0, 2**64, (count, 2), dtype=np.uint64)
    ledger.load(keys, chance.integers(-(2**63), 2**63, count))
    return ledger


def held(ledger: Ledger) -> Held:
    found: Held = []
    for keys, fingerprints in ledger.entries():
        rows = zip(keys.tolist(), fingerprints.tolist(), strict=True)
        found += [(high, low, fingerprint) for (high, low), fingerprint in rows]
    return found


def only_file(folder: Path) -> Path:
    [path] = folder.iterdir()
    return path


def loaded(folder: Path, name: str = NAME) -> tuple[bytes, Held] | None:
    found = LedgerCopy(folder).load(name)
    return None if found is None else (found[0], held(found[1]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Held]:
    """A file of four blocks, and what is in it."""
    folder = tmp_path_factory.mktemp("whole")
    ledger = made(200)
    assert LedgerCopy(folder).save(NAME, STAMP, ledger)
    return only_file(folder).read_bytes(), held(ledger)


@pytest.fixture
def place(tmp_path: Path, whole: tuple[bytes, Held]) -> Path:
    """Where the file of that name belongs."""
    LedgerCopy(tmp_path).save(NAME, STAMP, made(200))
    return only_file(tmp_path)


def boundaries() -> list[int]:
    """Return where the parts of the file end."""
    ends = [8, 12, 16, 20, 28]
    ends += [ends[-1] + len(NAME.encode())]
    ends += [ends[-1] + len(STAMP)]
    ends += [ends[-1] + 8]
    for count in (64, 64, 64, 8):
        for length in (4, count * 16, count * 8, 8):
            ends.append(ends[-1] + length)
    return ends


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1_000])
def test_what_was_saved_is_loaded(tmp_path: Path, count: int) -> None:
    ledger = made(count)
    assert LedgerCopy(tmp_path / "new" / "folder").save(NAME, STAMP, ledger)
    assert loaded(tmp_path / "new" / "folder") == (STAMP, held(ledger))
    assert len(held(ledger)) == count


def test_only_what_is_held_is_saved_and_nothing_is_seen_in_what_is_loaded(tmp_path: Path) -> None:
    ledger = made(300)
    keys = np.concatenate([keys for keys, _ in ledger.entries()])
    ledger.visit(keys[:150])
    ledger.visit(np.array([[1, 1], [2, 2]], np.uint64))
    ledger.drop(keys[100:264])
    assert LedgerCopy(tmp_path).save(NAME, STAMP, ledger)
    found = LedgerCopy(tmp_path).load(NAME)
    assert found is not None
    assert (found[1].held, found[1].seen, held(found[1])) == (136, 0, held(ledger))


def test_extreme_keys_and_fingerprints_are_loaded_as_they_were(tmp_path: Path) -> None:
    extremes = [0, 1, 2**63, 2**64 - 1]
    keys = np.array([(high, low) for high in extremes for low in extremes], np.uint64)
    ledger = Ledger(layout=Layout(block=3))
    ledger.load(keys, np.array([0, -1, 2**63 - 1, -(2**63)] * 4))
    assert LedgerCopy(tmp_path).save(NAME, STAMP, ledger)
    assert loaded(tmp_path) == (STAMP, held(ledger))


def test_the_file_is_of_the_expected_length(whole: tuple[bytes, Held]) -> None:
    assert boundaries()[-1] == len(whole[0])


def test_a_new_copy_takes_the_place_of_the_last(tmp_path: Path) -> None:
    assert LedgerCopy(tmp_path).save(NAME, STAMP, made(500))
    later = made(20, seed=1)
    assert LedgerCopy(tmp_path).save(NAME, b"{}", later)
    assert (loaded(tmp_path), len(list(tmp_path.iterdir()))) == ((b"{}", held(later)), 1)


def test_a_file_cut_off_anywhere_is_not_loaded_and_removed(place: Path, whole: tuple[bytes, Held]) -> None:
    content, entries = whole
    near = {end + step for end in [0, *boundaries()] for step in (-1, 0, 1)}
    lengths = sorted(length for length in near if 0 <= length < len(content))
    found = []
    for length in lengths:
        place.write_bytes(content[:length])
        with capture_logs() as logs:
            found.append((loaded(place.parent), place.exists(), [entry["log_level"] for entry in logs]))
    assert found == [(None, False, ["warning"])] * len(lengths)
    place.write_bytes(content)
    assert loaded(place.parent) == (STAMP, entries)


def test_a_file_with_a_flipped_bit_is_not_loaded_and_removed(place: Path, whole: tuple[bytes, Held]) -> None:
    content, _ = whole
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    flipped = [*range(8 * boundaries()[7]), *(chance.randrange(8 * len(content)) for _ in range(1_000))]
    found = []
    for bit in flipped:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        place.write_bytes(damaged)
        found.append((loaded(place.parent), place.exists()))
    assert found == [(None, False)] * len(flipped), f"seed {seed}"


@settings(max_examples=50)
@given(garbage=st.binary(max_size=200), kept=st.sampled_from([0, 8, 12, 28, 200]))
def test_garbage_is_not_loaded(tmp_path_factory: pytest.TempPathFactory, garbage: bytes, kept: int) -> None:
    folder = tmp_path_factory.mktemp("garbage")
    LedgerCopy(folder).save(NAME, STAMP, made(10))
    path = only_file(folder)
    content = path.read_bytes()
    damaged = content[:kept] + garbage
    path.write_bytes(damaged)
    assert (loaded(folder) is None, path.exists()) == (damaged != content, damaged == content)
    shutil.rmtree(folder)


def swapped(content: bytes) -> bytes:
    first, second, third = boundaries()[7], boundaries()[11], boundaries()[15]
    return content[:first] + content[second:third] + content[first:second] + content[third:]


def summed(content: bytes, place: int, replacement: bytes) -> bytes:
    """Return the content with other bytes somewhere in its header, and the checksum that is right for them."""
    end = boundaries()[6]
    head = content[:place] + replacement + content[place + len(replacement) : end]
    return head + xxhash.xxh3_64_digest(head) + content[end + 8 :]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda content: content + b"x", "more behind its end"),
        (lambda content: content + content, "more behind its end"),
        (swapped, "block is damaged"),
        (lambda content: summed(content, 8, b"\x02"), "version 2, and this program reads 1"),
        (lambda content: summed(content, 20, b"\xff"), "ends too early|block is damaged"),
        (lambda content: summed(content, 12, b"\xff\xff\xff\xff"), "header is damaged"),
        (lambda content: summed(content, 28, b"S"), "copy of another ledger"),
        (lambda content: summed(content, 28 + len(NAME.encode()), b"["), "block is damaged"),
        (lambda content: b"SQLite format 3\0" + bytes(100), "no copy of a ledger"),
    ],
)
def test_it_is_said_why_a_file_is_not_loaded(place: Path, whole: tuple[bytes, Held], damage: Damage, why: str) -> None:
    place.write_bytes(damage(whole[0]))
    with capture_logs() as logs:
        assert loaded(place.parent) is None
    [entry] = logs
    assert (entry["log_level"], entry["name"]) == ("warning", NAME)
    assert re.search(why, entry["why"])


def test_the_copy_of_another_ledger_is_not_loaded(tmp_path: Path) -> None:
    copies = LedgerCopy(tmp_path)
    assert copies.save("one", STAMP, made(5))
    one = only_file(tmp_path)
    assert copies.save("other", STAMP, made(5))
    [other] = set(tmp_path.iterdir()) - {one}
    shutil.copy(one, other)
    assert (copies.load("other"), other.exists()) == (None, False)
    assert copies.names() == ["one"]


NAMES = st.text(st.characters(), max_size=40) | st.sampled_from(
    ["", ".", "..", "/", "../x", "a" * 5_000, "A", "a", "CON"]
)


@settings(max_examples=25)
@given(st.sets(NAMES, min_size=1, max_size=8))
def test_any_name_has_a_file_of_its_own(tmp_path_factory: pytest.TempPathFactory, names: set[str]) -> None:
    folder = tmp_path_factory.mktemp("names")
    copies = LedgerCopy(folder)
    for number, name in enumerate(names):
        assert copies.save(name, str(number).encode(), made(number))
    assert copies.names() == sorted(names)
    assert [found and found[0] for found in map(copies.load, names)] == [str(n).encode() for n in range(len(names))]
    assert [
        len({path.name.lower() for path in folder.iterdir()}),
        max(len(p.name) for p in folder.iterdir()) < 110,
    ] == [
        len(names),
        True,
    ]
    shutil.rmtree(folder)


def test_a_discarded_copy_is_gone(tmp_path: Path) -> None:
    copies = LedgerCopy(tmp_path)
    assert copies.save(NAME, STAMP, made(5))
    copies.discard(NAME)
    copies.discard("never saved")
    assert (copies.load(NAME), copies.names(), list(tmp_path.iterdir())) == (None, [], [])


def test_a_folder_that_is_not_there_has_no_copies_and_that_is_no_news(tmp_path: Path) -> None:
    copies = LedgerCopy(tmp_path / "nothing")
    with capture_logs() as logs:
        copies.discard(NAME)
        assert (copies.load(NAME), copies.names(), logs) == (None, [], [])


def test_changes_are_appended_with_a_new_stamp(tmp_path: Path) -> None:
    copies, ledger = LedgerCopy(tmp_path), made(100)
    assert copies.save(NAME, STAMP, ledger)

    def change(one: Ledger) -> None:
        keys = np.concatenate([keys for keys, _ in ledger.entries()])
        one.acknowledge(np.array([[5, 5]], np.uint64), np.array([6]))
        one.drop(keys[:40])

    assert copies.append(NAME, b"later", change, since=STAMP)
    change(ledger)
    assert loaded(tmp_path) == (b"later", held(ledger))


def test_nothing_is_appended_to_another_state_than_the_one_it_began_with(tmp_path: Path) -> None:
    copies, ledger = LedgerCopy(tmp_path), made(100)
    assert not copies.append(NAME, b"later", lambda one: one.begin_walk(), since=STAMP)
    assert copies.save(NAME, STAMP, ledger)
    assert not copies.append(NAME, b"later", lambda one: one.begin_walk(), since=b"earlier")
    assert loaded(tmp_path) == (STAMP, held(ledger))


def failing_at(number: int) -> Iterator[None]:
    for _ in range(number):
        yield
    raise OSError(errno.EIO, "Input/output error")


def test_a_failing_fsync_leaves_the_last_copy_and_one_warning(tmp_path: Path) -> None:
    first = made(10)
    assert LedgerCopy(tmp_path).save(NAME, STAMP, first)
    calls = failing_at(0)
    with capture_logs() as logs:
        assert not LedgerCopy(tmp_path, fsync=lambda _: next(calls)).save(NAME, b"later", made(20))
    assert [entry["why"] for entry in logs] == ["[Errno 5] Input/output error"]
    assert (loaded(tmp_path), len(list(tmp_path.iterdir()))) == ((STAMP, held(first)), 1)


def test_a_failing_fsync_of_the_folder_leaves_a_whole_copy_and_one_warning(tmp_path: Path) -> None:
    ledger, calls = made(20), failing_at(1)
    with capture_logs() as logs:
        assert not LedgerCopy(tmp_path, fsync=lambda _: next(calls)).save(NAME, STAMP, ledger)
    assert (len(logs), loaded(tmp_path), len(list(tmp_path.iterdir()))) == (1, (STAMP, held(ledger)), 1)


def test_both_the_file_and_the_folder_are_synced_before_it_counts(tmp_path: Path) -> None:
    synced = []
    copies = LedgerCopy(
        tmp_path, fsync=lambda descriptor: synced.append(Path(f"/dev/fd/{descriptor}").resolve().suffix)
    )
    assert (copies.save(NAME, STAMP, made(5)), synced) == (True, [".tmp", ""])


@pytest.mark.parametrize("below", ["", "folder"])
def test_a_folder_that_can_not_be_is_a_warning(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("in the way")
    copies = LedgerCopy(tmp_path / "file" / below)
    with capture_logs() as logs:
        assert not copies.save(NAME, STAMP, made(5))
    assert [entry["log_level"] for entry in logs] == ["warning"]
    with capture_logs() as logs:
        assert copies.load(NAME) is None
    assert ([entry["log_level"] for entry in logs], copies.names()) == (["warning"], [])
    copies.discard(NAME)
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_folder_in_the_place_of_a_copy_is_a_warning(tmp_path: Path) -> None:
    copies = LedgerCopy(tmp_path)
    assert copies.save(NAME, STAMP, made(5))
    path = only_file(tmp_path)
    path.unlink()
    path.mkdir()
    with capture_logs() as logs:
        assert (copies.load(NAME), copies.save(NAME, STAMP, made(5))) == (None, False)
        copies.discard(NAME)
    assert ([entry["log_level"] for entry in logs], list(tmp_path.iterdir())) == (["warning"] * 3, [path])


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from structlog.testing import capture_logs
from connectors.sync.ledger.ledger import Ledger
from connectors.sync.ledger.copy import LedgerCopy

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
copies, ledger = LedgerCopy(folder), Ledger()
chance = np.random.default_rng(0)
ledger.load(chance.integers(0, 2**64, (40_000, 2), dtype=np.uint64), np.ones(40_000, np.int64))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
with capture_logs() as logs:
    saved = copies.save("a", b"later", ledger)
print(saved, [entry["log_level"] for entry in logs], sorted(path.suffix for path in folder.iterdir()))
"""


@pytest.mark.parametrize("limit", [0, 10, 100, 8_192, 393_000, 900_000])
def test_a_disk_without_room_leaves_the_last_copy_and_nothing_else(tmp_path: Path, limit: int) -> None:
    first = made(10)
    assert LedgerCopy(tmp_path).save("a", STAMP, first)
    assert run(LIMITED, str(tmp_path), str(limit)) == "False ['warning'] ['.ledger']\n"
    assert loaded(tmp_path, "a") == (STAMP, held(first))


SAVING = """
import sys
from pathlib import Path
import numpy as np
from connectors.sync.ledger.ledger import Ledger
from connectors.sync.ledger.copy import LedgerCopy

own = int(sys.argv[2])
ledger = Ledger()
ledger.load(np.array([(own, number) for number in range(20_000)], np.uint64), np.full(20_000, own))
print(all([LedgerCopy(Path(sys.argv[1])).save("a", str(own).encode(), ledger) for _ in range(25)]))
"""


def test_processes_that_save_at_once_leave_one_whole_copy(tmp_path: Path) -> None:
    processes = [process(SAVING, str(tmp_path), str(own)) for own in (1, 2, 3)]
    readings = []
    while any(one.poll() is None for one in processes):
        with capture_logs() as logs:
            readings += [(loaded(tmp_path, "a"), len(logs))]
    assert [one.communicate()[0] for one in processes] == ["True\n"] * 3
    readings.append((loaded(tmp_path, "a"), 0))
    possible = [(str(own).encode(), [(own, number, own) for number in range(20_000)]) for own in (1, 2, 3)]
    assert [reading for reading in readings if reading not in [(None, 0), *((one, 0) for one in possible)]] == []
    assert (readings[-1][0] in possible, len(list(tmp_path.iterdir()))) == (True, 1)


def test_what_a_process_that_died_left_is_removed_by_a_later_save(tmp_path: Path) -> None:
    left, fresh = tmp_path / "copy-left.tmp", tmp_path / "copy-fresh.tmp"
    for path, age_s in ((left, ABANDONED_AFTER_S + 60), (fresh, ABANDONED_AFTER_S - 60)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age_s,) * 2)
    assert LedgerCopy(tmp_path).save(NAME, STAMP, made(5))
    assert (left.exists(), fresh.exists(), LedgerCopy(tmp_path).names()) == (False, True, [NAME])


def aged(path: Path, age_s: float) -> None:
    os.utime(path, (time.time() - age_s,) * 2)


def test_a_copy_that_nobody_has_used_for_long_is_removed_by_a_later_save(tmp_path: Path) -> None:
    copies = LedgerCopy(tmp_path)
    for name, age_s in (("old", UNUSED_AFTER_S + 60), ("young", UNUSED_AFTER_S - 60)):
        before = set(tmp_path.iterdir())
        assert copies.save(name, STAMP, made(5))
        [path] = set(tmp_path.iterdir()) - before
        aged(path, age_s)
    (tmp_path / "old.txt").write_text("of somebody else")
    aged(tmp_path / "old.txt", UNUSED_AFTER_S + 60)
    assert copies.save("new", STAMP, made(5))
    assert copies.names() == ["new", "young"]
    assert (tmp_path / "old.txt").exists()


def test_a_copy_that_was_loaded_is_in_use(tmp_path: Path) -> None:
    copies = LedgerCopy(tmp_path)
    assert copies.save("old", STAMP, made(5))
    aged(only_file(tmp_path), UNUSED_AFTER_S + 60)
    assert copies.load("old") is not None
    assert copies.save("new", STAMP, made(5))
    assert copies.names() == ["new", "old"]


def test_of_many_files_some_are_looked_at_by_each_save_and_all_by_many(tmp_path: Path) -> None:
    for number in range(LOOKED_AT + 100):
        (tmp_path / f"{number}.ledger").write_bytes(b"old")
        aged(tmp_path / f"{number}.ledger", UNUSED_AFTER_S + 60)
    left = []
    for _ in range(2):
        assert LedgerCopy(tmp_path).save(NAME, STAMP, made(5))
        left.append(len(list(tmp_path.iterdir())))
    assert left == [101, 1]


def test_what_can_not_be_removed_keeps_no_copy_from_being_saved(tmp_path: Path) -> None:
    (tmp_path / "x.ledger").mkdir()
    aged(tmp_path / "x.ledger", UNUSED_AFTER_S + 60)
    assert LedgerCopy(tmp_path).save(NAME, STAMP, made(5))
    assert LedgerCopy(tmp_path).names() == [NAME]


def process(code: str, *arguments: str) -> subprocess.Popen[str]:
    root = Path(__file__).parent.parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )


def run(code: str, *arguments: str) -> str:
    return process(code, *arguments).communicate(timeout=30)[0]
