"""What a ledger costs a document, in time and memory, beside a Python dictionary; each size in a process of its own."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from connectors.sync.ledger.copy import LedgerCopy
from connectors.sync.ledger.ledger import Keys, Ledger, keys_of

SIZES: Final = (1_000_000, 5_000_000)
PAGE: Final = 5_000
SMALL: Final = 100
LOOKED_UP: Final = 500_000
"""Documents for which anything but loading and saving is measured."""
STAMP: Final = b"{}"
Figures = dict[str, float]


@dataclass(frozen=True)
class Compared:
    """What a document takes at one size, in µs or bytes: in a dictionary where that can do the same, and in ours."""

    size: int
    bare: Figures
    own: Figures


def run(size: int) -> Compared:
    """Measure both, one after the other."""
    return Compared(size, _in_process("dictionary", size), _in_process("ledger", size))


def text(found: Compared) -> str:
    """Return the figures as a table."""
    lines = [f"\n### A ledger of {found.size:,} documents", "", "| a document | dict | ledger | ratio |"]
    lines.append("| --- | ---: | ---: | ---: |")
    for name, own in found.own.items():
        bare = found.bare.get(name)
        beside, ratio = ("", "") if bare is None else (f"{bare:.3g}", f"{own / bare:.2f}")
        lines.append(f"| {name} | {beside} | {own:.3g} | {ratio} |")
    return "\n".join(lines)


def _in_process(which: str, size: int) -> Figures:
    command = [sys.executable, "-m", "benchmarks.ledger", which, str(size)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent)
    figures: Figures = json.loads(done.stdout)
    return figures


class Memory:
    """The resident memory of this process beyond what it was, and the most it was."""

    def __init__(self) -> None:
        self._before = self._read("VmRSS")
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the most it was begins anew

    def now(self) -> int:
        """Return bytes."""
        return self._read("VmRSS") - self._before

    def peak(self) -> int:
        """Return bytes."""
        return self._read("VmHWM") - self._before

    def _read(self, name: str) -> int:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        [line] = [line for line in lines if line.startswith(f"{name}:")]
        return int(line.split()[1]) * 1_024


def _page(number: int) -> bytes:
    """Return the keys of a page, the same ones for the same number, as random as hashes are."""
    return np.random.default_rng(number).bytes(16 * PAGE)


def _pieces(pages: Iterator[bytes] | list[bytes], length: int = PAGE) -> Iterator[bytes]:
    for page in pages:
        for start in range(0, len(page), 16 * length):
            yield page[start : start + 16 * length]


def _timed(work: Callable[[bytes], object], pieces: Iterator[bytes]) -> float:
    """Return µs of the processor a document; what makes the keys is not counted."""
    spent, count = 0.0, 0
    for piece in pieces:
        started = time.process_time()
        work(piece)
        spent += time.process_time() - started
        count += len(piece) // 16
    return spent / count * 1e6


def _known(size: int) -> list[bytes]:
    """Return keys that were loaded, drawn from all pages, in no order."""
    pages = size // PAGE
    mixed = b"".join(_page(number)[: 16 * (LOOKED_UP // pages)] for number in range(pages))
    keys = np.random.default_rng(size).permutation(keys_of(mixed)).tobytes()
    return list(_pieces([keys]))


def measure_ledger(size: int) -> Figures:
    """Measure a ledger."""
    fingerprints = np.ones(PAGE, np.int64)
    known, new = _known(size), [_page(size + number) for number in range(LOOKED_UP // PAGE)]
    _warm_up(fingerprints)
    memory, ledger, found = Memory(), Ledger(size), Figures()

    def acknowledge(keys: bytes) -> None:
        ledger.acknowledge(keys_of(keys), fingerprints)

    pages = map(_page, range(size // PAGE))
    found["load, pages of 5,000, µs"] = _timed(lambda keys: ledger.load(keys_of(keys), fingerprints), pages)
    found["memory, bytes"], found["at most while loading, bytes"] = memory.now() / size, memory.peak() / size
    found["peek, known, batches of 5,000, µs"] = _timed(lambda keys: ledger.peek(keys_of(keys)), iter(known))
    small = _pieces(known[: len(known) // 5], SMALL)
    found["peek, known, batches of 100, µs"] = _timed(lambda keys: ledger.peek(keys_of(keys)), small)
    found["visit, known, µs"] = _timed(lambda keys: ledger.visit(keys_of(keys)), iter(known))
    found["acknowledge, known, µs"] = _timed(acknowledge, iter(known))
    found["visit, new, µs"] = _timed(lambda keys: ledger.visit(keys_of(keys)), iter(new))
    found["acknowledge, new, µs"] = _timed(acknowledge, iter(new))
    found["at most since the beginning, bytes"] = memory.peak() / len(ledger)
    return found | _copying(ledger) | _growing(size, fingerprints)


def _warm_up(fingerprints: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """Do all of it once with little, so that what Python and numpy keep for themselves is not counted."""
    ledger = Ledger()
    for number in range(60):
        keys: Keys = keys_of(_page(-number % 1_000_003 + 10**12))
        ledger.load(keys, fingerprints)
        ledger.visit(keys)
        ledger.acknowledge(keys, fingerprints)


def _growing(size: int, fingerprints: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Figures:
    """Measure the first sync of an index: nothing is expected, and all of it is new."""
    memory, ledger = Memory(), Ledger()

    def sync(keys: bytes) -> None:
        ledger.visit(keys_of(keys))
        ledger.acknowledge(keys_of(keys), fingerprints)

    spent = _timed(sync, map(_page, range(size // PAGE)))
    return {
        "visit and acknowledge, all new, µs": spent,
        "at most while all is new, bytes": memory.peak() / size,
    }


def _copying(ledger: Ledger) -> Figures:
    found, copied = Figures(), len(ledger) / 1e6
    with tempfile.TemporaryDirectory(prefix="connectors-bench-") as place:
        copies = LedgerCopy(Path(place))
        works: dict[str, Callable[[], object]] = {
            "save a copy, µs": lambda: copies.save("a", STAMP, ledger),
            "load a copy, µs": lambda: copies.load("a"),
            "append 5,000 changes to a copy, µs": lambda: copies.append("a", STAMP, _changes, since=STAMP),
        }
        for name, work in works.items():
            started = time.perf_counter()
            if not work():
                raise AssertionError(f"Could not {name}.")
            found[name] = (time.perf_counter() - started) / copied
    return found


def _changes(ledger: Ledger) -> None:
    ledger.acknowledge(keys_of(_page(0)), np.full(PAGE, 2, np.int64))


def measure_dictionary(size: int) -> Figures:
    """Measure a dictionary of the keys as bytes to a fingerprint and two flags, the least that can do it."""
    known, new = _known(size), [_page(size + number) for number in range(LOOKED_UP // PAGE)]
    memory, found = Memory(), Figures()
    ledger: dict[bytes, tuple[int, bool, bool]] = {}

    def load(keys: bytes) -> None:
        for place in range(0, len(keys), 16):
            ledger[keys[place : place + 16]] = (number + place, True, False)

    def peek(keys: bytes) -> list[tuple[int, bool, bool]]:
        return [ledger.get(keys[place : place + 16], (0, False, False)) for place in range(0, len(keys), 16)]

    def visit(keys: bytes) -> list[tuple[int, bool, bool]]:
        before = []
        for place in range(0, len(keys), 16):
            key = keys[place : place + 16]
            entry = ledger.get(key, (0, False, False))
            before.append(entry)
            ledger[key] = (entry[0], entry[1], True)
        return before

    number = 2**62
    found["load, pages of 5,000, µs"] = _timed(load, map(_page, range(size // PAGE)))
    found["memory, bytes"], found["at most while loading, bytes"] = memory.now() / size, memory.peak() / size
    found["peek, known, batches of 5,000, µs"] = _timed(peek, iter(known))
    found["peek, known, batches of 100, µs"] = _timed(peek, _pieces(known[: len(known) // 5], SMALL))
    found["visit, known, µs"] = _timed(visit, iter(known))
    found["acknowledge, known, µs"] = _timed(load, iter(known))
    found["visit, new, µs"] = _timed(visit, iter(new))
    found["acknowledge, new, µs"] = _timed(load, iter(new))
    found["at most since the beginning, bytes"] = memory.peak() / len(ledger)
    return found


if __name__ == "__main__":
    measured = {"ledger": measure_ledger, "dictionary": measure_dictionary}[sys.argv[1]](int(sys.argv[2]))
    sys.stdout.write(json.dumps(measured))
