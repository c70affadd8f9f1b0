"""Measures daemons: `python -m benchmarks.daemon`, or those parts of it that are named."""

import asyncio
import sys
from collections.abc import Callable
from typing import Final

from benchmarks.daemon import changes, idle, live, mongodb, together, waits
from connectors import logger


def _print_idle() -> None:
    print(idle.text(idle.run()), flush=True)


def _print_live() -> None:
    print(live.text(live.run()), flush=True)


def _print_changes() -> None:
    print(changes.text(asyncio.run(changes.run())), flush=True)


def _print_live_mongodb() -> None:
    print(live.text(asyncio.run(mongodb.run_live())), flush=True)


def _print_changes_mongodb() -> None:
    print(changes.text(asyncio.run(mongodb.run_changes())), flush=True)


def _print_due() -> None:
    print(waits.text("from a tick that is due to the start of its job", asyncio.run(waits.due())), flush=True)


def _print_wanted() -> None:
    title = "from a job that is wanted to its first document in the index"
    print(waits.text(title, asyncio.run(waits.wanted())), flush=True)


def _print_empty() -> None:
    for name, found in asyncio.run(waits.empty()).items():
        print(waits.text(f"a sync in which nothing changed, {name}", found), flush=True)


def _print_two() -> None:
    print(together.text(asyncio.run(together.run())), flush=True)


PARTS: Final[dict[str, Callable[[], None]]] = {
    "idle": _print_idle,
    "live": _print_live,
    "changes": _print_changes,
    "live-mongodb": _print_live_mongodb,
    "changes-mongodb": _print_changes_mongodb,
    "due": _print_due,
    "wanted": _print_wanted,
    "empty": _print_empty,
    "two": _print_two,
}


def main(names: list[str]) -> None:
    """Print the tables of these parts, or of all."""
    if set(names) - PARTS.keys():
        sys.exit(f"There are these parts: {', '.join(PARTS)}.")
    run(*names)


def run(*names: str) -> None:
    """Print the tables of these parts, or of all."""
    logger.set_up(level="warning")
    for name in names or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
