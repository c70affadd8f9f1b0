"""Runs every benchmark and prints its table: `make bench`."""

import platform
from importlib.metadata import version

from benchmarks import aio, bulk, decode, embedded, startup
from benchmarks.measure import table


def main() -> None:
    """Print the tables."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("elasticsearch", "aiohttp", "msgspec"))
    print(f"{platform.python_implementation()} {platform.python_version()}, {packages}, {platform.machine()}")
    documents = bulk.OPERATIONS * bulk.REQUESTS
    print(table("A bulk request, the client's CPU", bulk.run(), unit="µs a document", per=documents / 1e6))
    items = 50 * decode.OPERATIONS
    print(table("Decoding its answer", decode.run(), unit="µs an item", per=items / 1e6))
    print(table("An item through a queue", aio.run(), unit="µs an item", per=aio.ITEMS / 1e6))
    print(table("Starting", startup.run(), unit="ms", per=1e-3))
    print("\n| program | peak memory, MB |\n| --- | ---: |")
    for name, peak in startup.memory().items():
        print(f"| {name} | {peak} |")
    rates, took = embedded.run()
    print(
        f"\n### The embedded engine, {embedded.COUNT:,} documents of 520 bytes\n\n| taken | a second |\n| --- | ---: |"
    )
    for name, rate in rates.items():
        print(f"| {name} | {rate:,.0f} |")
    print("\n| search | median, ms |\n| --- | ---: |")
    for name, milliseconds in took.items():
        print(f"| {name} | {milliseconds:.1f} |")


if __name__ == "__main__":
    main()
