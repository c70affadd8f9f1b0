"""`connectors engine`: what there is to ask and do about the search engine."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connectors.cli.interruption import interruption
from connectors.cli.invocation import Invocation
from connectors.settings import EngineSettings

if TYPE_CHECKING:
    from connectors.engine import Engine


@dataclass(frozen=True)
class Step:
    """One thing that was tried and worked; what does not work is an error."""

    name: str
    found: str
    took_ms: int


@click.group()
def engine() -> None:
    """Ask about the search engine."""


@engine.command(short_help="Connect to the engine, and say what works.")
@click.option("--write", is_flag=True, help="Also write to, search and delete an index made for this check.")
@click.option("--json", "as_json", is_flag=True, help="Print the steps as JSON.")
@click.pass_obj
def check(invocation: Invocation, *, write: bool, as_json: bool) -> None:
    """Connect to the engine of the settings and say step by step what works."""
    steps: list[Step] = []

    async def run() -> None:
        async for step in _steps(invocation.settings.engine, write=write):
            steps.append(step)
            if not as_json:
                click.echo(f"{click.style('ok', fg='green')}  {step.name:<8} {step.found} ({step.took_ms} ms)")

    try:
        asyncio.run(run())
    finally:
        if as_json:
            click.echo(json.dumps([asdict(step) for step in steps], indent=2))


@engine.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the data, else engine.data.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; keep it a loopback one.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=9200,
    show_default=True,
    help="Port to listen on; 0 is a free one.",
)
@click.option("--no-auth", is_flag=True, help="Let everybody on this machine in, without a key.")
@click.pass_obj
def serve(invocation: Invocation, data: Path | None, host: str, port: int, *, no_auth: bool) -> None:
    """Serve the embedded engine over HTTP until it is interrupted."""
    invocation.is_service = True
    asyncio.run(_serve(data or invocation.settings.engine.data, host, port, no_auth=no_auth))


async def _serve(data: Path, host: str, port: int, *, no_auth: bool) -> None:
    from connectors.engine.embedded.access import owning  # noqa: PLC0415 - loaded only where it is wanted
    from connectors.engine.embedded.server import key_of, serving  # noqa: PLC0415

    async with interruption() as interrupted, owning(data) as desk, AsyncExitStack() as stack:
        key = None if no_auth else key_of(data)
        try:
            server = await stack.enter_async_context(serving(desk, host=host, port=port, key=key))
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise click.ClickException(f"Nothing can be served at {host}, port {port}: {reason}.") from None
        click.echo(f"The embedded engine serves {data} at {server.url}")
        if key is not None:
            click.echo(f"API key: {key.reveal()}")
        await interrupted.wait()


async def _steps(settings: EngineSettings, *, write: bool) -> AsyncIterator[Step]:
    from connectors.engine import open_engine  # the client takes most of a second to import  # noqa: PLC0415

    started = time.perf_counter()
    async with open_engine(replace(settings, attempts=1)) as opened:  # who asks wants to know now
        yield _step("connect", str(opened.info), started)
        if write:
            async for step in _write_steps(opened):
                yield step


async def _write_steps(opened: "Engine") -> AsyncIterator[Step]:
    from connectors.engine.probe import Probe  # noqa: PLC0415 - as above

    async with Probe.of(opened) as probe:
        for name, act in probe.acts.items():
            started = time.perf_counter()
            yield _step(name, await act(), started)


def _step(name: str, found: str, started: float) -> Step:
    return Step(name, found, round((time.perf_counter() - started) * 1000))
