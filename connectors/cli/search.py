"""`connectors search`: what an index finds for a text, to see that it holds what was synced."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from connectors.cli import overview, table
from connectors.cli.arguments import AS_JSON, print_json
from connectors.cli.excerpt import Excerpt, excerpt_of, title_of
from connectors.cli.invocation import Invocation
from connectors.cli.wording import counted
from connectors.errors import ConfigurationError, EngineDenied

if TYPE_CHECKING:
    from connectors.engine import Engine
    from connectors.engine.records import Hit
    from connectors.store.connectors import ConnectorStore

_OWN: Final = ("_sync", "_allow_access_control")
"""What a document has beside what its source says."""
_SEARCHED: Final = frozenset(
    {"text", "keyword", "match_only_text", "search_as_you_type", "wildcard", "constant_keyword"}
)
MOST_FIELDS: Final = 500
"""Of an index with more fields of texts, all of its fields are searched, as a query can't name so many."""


@dataclass(frozen=True)
class FoundDocument:
    """One document that was found, as it is shown."""

    id: str
    index: str
    title: str | None
    excerpt: Excerpt | None


@dataclass(frozen=True)
class FoundPage:
    """What was found in an index: how many documents there are, and the best of them."""

    index: str
    total: int
    documents: list[FoundDocument]


@click.command(short_help="Search in an index.")
@click.argument("index")
@click.argument("text")
@click.option("--size", type=click.IntRange(1, 100), default=5, show_default=True, help="Documents to show, at most.")
@AS_JSON
@click.pass_obj
def search(invocation: Invocation, *, index: str, text: str, size: int, as_json: bool) -> None:
    """Search for a TEXT in an INDEX, and show the best documents.

    INDEX is the name of an index or alias, or else the id of a connector, whose index is meant. All texts of the
    documents are searched for any of the words.
    """
    page = asyncio.run(_search(invocation, index, text, size))
    if as_json:
        print_json(_described(page))
    else:
        for line in _lines_of(page, text):
            click.echo(line)


async def _search(invocation: Invocation, wanted: str, text: str, size: int) -> FoundPage:
    from connectors.engine import open_engine  # the client takes most of a second to import  # noqa: PLC0415
    from connectors.store.connectors import ConnectorStore  # noqa: PLC0415

    async with open_engine(invocation.settings.engine) as engine:
        name = await _index_of(engine, await ConnectorStore.open(engine), wanted)
        fields = await _fields_of(engine, name)
        query = {"multi_match": {"query": text, "fields": fields, "lenient": True}}
        body = {"query": query, "size": size, "_source": {"excludes": list(_OWN)}}
        with suppress(EngineDenied):  # who may only read finds what was refreshed
            await engine.data.refresh(name)
        page = await engine.data.search(name, body)
        return FoundPage(name, page.total, [_shown(hit, text) for hit in page.hits])


async def _index_of(engine: "Engine", connectors: "ConnectorStore", wanted: str) -> str:
    """Return the index that a name stands for. Raises a `ConfigurationError` for one that stands for none."""
    from connectors.registry import nearest  # noqa: PLC0415 - loaded only where it is wanted

    if wanted and await engine.indices.exists(wanted):
        return wanted
    connector = await connectors.get(wanted) if wanted else None
    if connector is None or connector.deleted:
        there = [one async for one in connectors.all()]
        known = sorted({name for one in there for name in (one.id, one.index_name) if name})
        message = f"There is no index {wanted!r}, and no connector."
        hint = nearest(wanted, known) if known else f"There is none yet. {overview.BEGINNING}"
        raise ConfigurationError(message, field="index", hint=hint)
    name = connector.index_name
    if name is None or not await engine.indices.exists(name):
        message = f"The connector {wanted!r} has no index yet{f': {name} is not there' if name else ''}."
        raise ConfigurationError(message, field="index", hint=f"The first sync makes it: connectors sync {wanted}")
    return name


async def _fields_of(engine: "Engine", name: str) -> list[str]:
    """Return the fields to search: those that hold texts, as far as a query can name them."""
    found: dict[str, None] = {}
    for one in await engine.indices.resolve(name):
        mapping = await engine.indices.mapping(one.name)
        found |= dict.fromkeys(_text_fields(mapping.get("properties", {})))
    if not 0 < len(found) <= MOST_FIELDS:
        return ["*"]
    return list(found)


def _text_fields(properties: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, one in properties.items():
        at = f"{path}.{name}" if path else name
        if at not in _OWN:
            if one.get("type") in _SEARCHED and one.get("index", True):
                yield at
            yield from _text_fields(one.get("properties", {}), at)


def _shown(hit: "Hit", text: str) -> FoundDocument:
    document = hit.source or {}
    title, field = title_of(document)
    return FoundDocument(hit.id, hit.index, title, excerpt_of(document, text, but={field or "", "id"}))


def _described(page: FoundPage) -> dict[str, Any]:
    return {
        "index": page.index,
        "total": page.total,
        "hits": [
            {
                "id": one.id,
                "index": one.index,
                "title": one.title,
                "field": one.excerpt.field if one.excerpt else None,
                "excerpt": one.excerpt.marked(lambda word: f"<em>{word}</em>") if one.excerpt else None,
            }
            for one in page.documents
        ],
    }


def _lines_of(page: FoundPage, text: str) -> Iterator[str]:
    if not page.documents:
        yield f"Nothing in {page.index} is found for {text!r}."
        return
    best = f"; the best {len(page.documents)}" if page.total > len(page.documents) else ""
    yield f"{counted(page.total, 'document')} of {page.index} found for {text!r}{best}:"
    width = table.width_of_terminal()
    for place, one in enumerate(page.documents, 1):
        title = f"{click.style(one.title, bold=True)}  {one.id}" if one.title not in (None, one.id) else one.id
        yield f"\n{place:>3}. {title}"
        if one.excerpt is not None:
            marked = one.excerpt.marked(lambda word: click.style(word, fg="yellow"))
            said = f"{one.excerpt.field}: {marked}"
            yield from (f"     {line}" for line in ([said] if width is None else _wrapped(said, width - 5)))


def _wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text in which colors take no place."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(click.unstyle(f"{line} {word}")) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]
