"""The command that syncs a connector, as a person runs it while a daemon has the same engine."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.functional.comparison import Wrong

PATIENCE_S: Final = 180.0


async def sync_deletes_only(config: Path, connector: str) -> Mapping[str, Any]:
    """Run `connectors sync --deletes-only`, and return its report. Raises `Wrong` unless it ends as it has to."""
    command = ["-m", "connectors", "--config", str(config), "sync", connector, "--deletes-only", "--json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Wrong(f"The command ended with {process.returncode}: {errors.decode()}{out.decode()}")
    told = json.loads(out)
    if told["outcome"] != "completed" or len(told["syncs"]) != 1:
        raise Wrong(f"The command says {told}.")
    report: Mapping[str, Any] = told["syncs"][0]
    return report
