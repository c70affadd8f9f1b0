"""Runs the benchmarks and prints their tables: `make bench`, or some of them by name."""

import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version

from benchmarks import aio, bulk, decode, downloads, embedded, ledger, prepare, raw_bulk, rules, sources, startup, sync
from benchmarks.daemon import __main__ as daemon
from benchmarks.embedded_tables import text
from benchmarks.measure import table


def print_embedded() -> None:
    """Print how the embedded engine does beside a real one."""
    for found in embedded.run():
        print(text(found), flush=True)


def print_bulk() -> None:
    """Print what a bulk request costs the client."""
    documents = bulk.OPERATIONS * bulk.REQUESTS
    print(table("A bulk request, the client's CPU", bulk.run(), unit="µs a document", per=documents / 1e6))


def print_decode() -> None:
    """Print what it costs to decode an answer."""
    items = 50 * decode.OPERATIONS
    print(table("Decoding its answer", decode.run(), unit="µs an item", per=items / 1e6))


def print_aio() -> None:
    """Print what a queue costs."""
    print(table("An item through a queue", aio.run(), unit="µs an item", per=aio.ITEMS / 1e6))


def print_downloads() -> None:
    """Print what downloads cost."""
    print(table("A small download", downloads.run(), unit="µs a document", per=downloads.DOCUMENTS / 1e6))
    print("\n| 10 MB extracted | the longest that others wait, ms |\n| --- | ---: |")
    for name, wait_ms in downloads.waits_ms().items():
        print(f"| {name} | {wait_ms} |")


def print_prepare() -> None:
    """Print what it costs to make a document bytes."""
    for size in (200, 1_000, 10_000):
        count, one = prepare.documents(size), prepare.document(size)
        title = f"JSON of a document of {size:,} bytes"
        print(table(title, prepare.serializers(size), unit="µs a document", per=count / 1e6))
        title = f"From a document of {size:,} bytes to its bulk lines"
        print(table(title, prepare.whole(one, count), unit="µs a document", per=count / 1e6))
    count = prepare.documents(200)
    title = "From a row with two dates and a decimal to its bulk lines"
    print(table(title, prepare.whole(prepare.typed(), count), unit="µs a document", per=count / 1e6))


def print_rules() -> None:
    """Print what basic rules cost."""
    for count in rules.COUNTS:
        title = f"A document through {count} basic rule{'s' * (count > 1)}"
        found = rules.run(count)
        print(table(title, found, unit="µs a document", per=rules.documents(count) / 1e6))
        each = ", ".join(f"{row.median / rules.documents(count) / count * 1e6:.2f}" for row in found)
        print(f"\nFor each rule: {each} µs.")


def print_raw_bulk() -> None:
    """Print how fast engines take documents that are ready to be sent."""
    found = []
    for one in raw_bulk.run():
        print(raw_bulk.text(one), flush=True)
        found.append(one)
    print(raw_bulk.summary(found))


def print_startup() -> None:
    """Print what it costs to start."""
    print(table("Starting", startup.run(), unit="ms", per=1e-3))
    print("\n| program | peak memory, MB |\n| --- | ---: |")
    for name, peak in startup.memory().items():
        print(f"| {name} | {peak} |")


def print_sources() -> None:
    """Print what it costs to read from each source."""
    for name, found in sources.run():
        print(table(name, found, unit="µs a document", per=sources.DOCUMENTS / 1e6), flush=True)


def print_ledger() -> None:
    """Print what a ledger costs, in time and memory."""
    for size in ledger.SIZES:
        print(ledger.text(ledger.run(size)), flush=True)


PARTS: dict[str, Callable[[], None]] = {
    "embedded": print_embedded,
    "bulk": print_bulk,
    "decode": print_decode,
    "raw_bulk": print_raw_bulk,
    "aio": print_aio,
    "downloads": print_downloads,
    "prepare": print_prepare,
    "rules": print_rules,
    "sources": print_sources,
    "ledger": print_ledger,
    "sync": sync.run_all,
    "startup": print_startup,
    "daemon": daemon.run,
}


def main(names: list[str]) -> None:
    """Print the tables of these parts, or of all."""
    if set(names) - PARTS.keys():
        sys.exit(f"There are these parts: {', '.join(PARTS)}.")
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("elasticsearch", "aiohttp", "msgspec", "orjson", "apsw")
    )
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    print(f"{platform.python_implementation()} {platform.python_version()}, {packages}; {machine}")
    for name in names or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
