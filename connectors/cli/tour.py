"""`connectors tour`: indexes a folder of Markdown in the engine of the settings, and searches it."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connectors.cli.interruption import interruption
from connectors.cli.invocation import Invocation
from connectors.config import EngineSettings
from connectors.errors import ConfigurationError, EngineBlocked, EngineFailed

if TYPE_CHECKING:
    from connectors.engine import Engine

INDEX = "connectors-tour"
QUESTION = "scans that lose documents"
MAPPINGS = {"properties": {"path": {"type": "keyword"}, "title": {"type": "text"}, "text": {"type": "text"}}}
SETTINGS = {"number_of_replicas": 0}


@dataclass(frozen=True)
class Page:
    """One file of the folder."""

    path: str
    title: str
    text: str


@click.command()
@click.option("--folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("docs"))
@click.option("--once", is_flag=True, help="End after the search, where the embedded engine would stay up otherwise.")
@click.pass_obj
def tour(invocation: Invocation, folder: Path, *, once: bool) -> None:
    """Index a folder of Markdown files and search it, to see that everything works."""
    pages = list(read_pages(folder))
    if not pages:
        raise ConfigurationError(f"There is no Markdown file below {folder}.", field="", hint="Name another --folder.")
    settings = invocation.settings.engine
    asyncio.run(_search_in(settings, pages) if once or settings.host else _on_embedded(settings, pages))


def read_pages(folder: Path) -> Iterator[Page]:
    """Yield the Markdown files below a folder; the title is the first heading."""
    for path in sorted(folder.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        title = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), path.stem)
        yield Page(str(path), title, text)


async def _on_embedded(settings: EngineSettings, pages: list[Page]) -> None:
    """Search in the embedded engine, and serve it for `curl` afterwards, unless another process has it already."""
    from connectors.engine.embedded.access import owning  # noqa: PLC0415 - loaded only where it is wanted
    from connectors.engine.embedded.server import key_of, serving  # noqa: PLC0415

    async with interruption() as interrupted, AsyncExitStack() as stack:
        try:
            desk = await stack.enter_async_context(owning(settings.data))
        except EngineBlocked:
            await _search_in(settings, pages)
            return
        key = key_of(settings.data)
        server = await stack.enter_async_context(serving(desk, host="127.0.0.1", port=0, key=key))
        await _search_in(settings, pages)
        body = '{"query": {"match": {"text": "your words"}}}'
        click.echo(f"\nAsk something else, in another terminal:\n  curl -s {server.url}/{INDEX}/_search \\")
        click.echo(f"    -H 'Authorization: ApiKey {key.reveal()}' \\")
        click.echo(f"    -H 'Content-Type: application/json' -d '{body}'\n\nCtrl-C ends the engine.")
        await interrupted.wait()


async def _search_in(settings: EngineSettings, pages: list[Page]) -> None:
    from connectors.engine import open_engine  # noqa: PLC0415 - the client takes half a second to import

    async with open_engine(settings) as engine:
        click.echo(str(engine.info))
        started = time.perf_counter()
        await _index(engine, pages)
        took_ms = (time.perf_counter() - started) * 1000
        click.echo(f"Indexed {len(pages)} pages in {took_ms:.0f} ms.\n\nSearch: {QUESTION}")
        query = {"multi_match": {"query": QUESTION, "fields": ["title", "text"]}}
        body = {"query": query, "size": 3, "_source": ["title", "path"]}
        page = await engine.data.search(INDEX, body)
        for place, hit in enumerate(page.hits, 1):
            source = hit.source or {}
            click.echo(f"  {place}. {click.style(source['title'], bold=True)}  {source['path']}")


async def _index(engine: "Engine", pages: list[Page]) -> None:
    import msgspec  # noqa: PLC0415 - as above

    from connectors.engine.bulk import index_line  # noqa: PLC0415

    await engine.indices.delete(INDEX)
    await engine.indices.create(INDEX, mappings=MAPPINGS, settings=SETTINGS)
    lines = [index_line(page.path) + msgspec.json.encode(page) + b"\n" for page in pages]
    answer = await engine.data.bulk(INDEX, b"".join(lines), operations=len(lines))
    refused = [item for row in answer.items for item in row.values() if not item.ok]
    if refused:
        raise EngineFailed(f"The engine refused {len(refused)} pages: {refused[0].error}.", status=refused[0].status)
    await engine.data.refresh(INDEX)
