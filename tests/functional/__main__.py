"""Runs the functional test of one fixture: `python -m tests.functional directory --engine opensearch`."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Final

from connectors import logger
from fixtures.contract import Missing, fixture_class, names
from tests.functional.comparison import Wrong
from tests.functional.engines import EMBEDDED, NAMES, engine_settings
from tests.functional.stages import Stages
from tests.functional.table import head

DOCUMENTS: Final = 12_000
LINES_OF_LOG: Final = 30


async def run(name: str, engine: str, *, seed: int, documents: int, sources: dict[str, str] | None = None) -> bool:
    """Run the test and print its table; return whether all was as it has to be."""
    began = time.monotonic()
    print(f"{name} on {engine}, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="connectors-functional-") as made:
        folder = Path(made)
        (folder / "source").mkdir()
        try:
            async with (
                engine_settings(engine, folder) as settings,
                fixture_class(name)(folder / "source", seed) as fixture,
            ):
                print(head(), flush=True)
                async for stage in Stages(fixture, name, settings, folder, documents, sources or {}).run():
                    print(stage.line, flush=True)
                if (requests := await asyncio.to_thread(fixture.requests)) is not None:
                    print(f"The source has answered {requests:,} requests.")
        except Missing as error:
            print(error)
            return False
        except (Wrong, TimeoutError, AssertionError) as error:
            _print_log(folder / "log")
            print(f"\n{name} on {engine} failed with the seed {seed}.\n{str(error) or type(error).__name__}")
            return False
    print(f"{name} on {engine}: the index was equal to the source after each sync. {time.monotonic() - began:.0f} s")
    return True


def _print_log(log: Path) -> None:
    if log.exists():
        with log.open() as lines:
            sys.stdout.writelines(["\nThe end of the daemon's log:\n", *deque(lines, LINES_OF_LOG)])


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.functional", description=__doc__)
    parser.add_argument("name", choices=names(), help="the fixture")
    parser.add_argument("--engine", choices=NAMES, default=EMBEDDED)
    parser.add_argument("--seed", type=int, default=1, help="of the fixture's data")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help="about how many are loaded at first")
    given = parser.parse_args()
    logger.set_up(level="warning", style="text")
    return 0 if asyncio.run(run(given.name, given.engine, seed=given.seed, documents=given.documents)) else 1


if __name__ == "__main__":
    sys.exit(main())
