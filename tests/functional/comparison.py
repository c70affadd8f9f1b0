"""The comparison of an index with its source, and what is said where they differ."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from connectors.engine import Engine
from fixtures.contract import Fixture, SyncRule
from tests.torture.oracle import MARK, Content, Difference, actual, difference, expected

SHOWN_DOCUMENTS: Final = 5
SHOWN_CHARACTERS: Final = 160
NOTHING: Final = "(nothing)"


class Wrong(Exception):
    """Something is not as it has to be; the text is all that there is to say of it."""


async def wanted(fixture: Fixture, rule: SyncRule | None) -> dict[str, Content]:
    """Return what the index should hold, read from the backend now."""
    return await asyncio.to_thread(lambda: expected(fixture.expected(rule)))


async def compare(engine: Engine, index: str, fixture: Fixture, rule: SyncRule | None) -> dict[str, Content]:
    """Return what the index and the source hold alike. Raises `Wrong` where they differ."""
    should, there = await asyncio.gather(wanted(fixture, rule), actual(engine, index))
    found = difference(should, there)
    if found:
        lines = [f"The index differs from the source: {found!r}", *await _field_by_field(engine, index, fixture, found)]
        raise Wrong("\n".join(lines))
    return should


async def _field_by_field(engine: Engine, index: str, fixture: Fixture, found: Difference) -> list[str]:
    """Return the first documents that differ, each field with what it should be and what it is."""
    kinds = (found.missing, found.extra, list(found.different))
    ids = [one for several in kinds for one in several[:SHOWN_DOCUMENTS]]
    should = await asyncio.to_thread(lambda: {one["_id"]: one for one in fixture.documents() if one["_id"] in set(ids)})
    stored = await engine.data.get_many(index, ids)
    there = {one.id: one.source for one in stored if one is not None}
    return list(_lines(ids, should, there))


def _lines(
    ids: Sequence[str], should: Mapping[str, Mapping[str, Any]], there: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    for doc_id in ids:
        yield f"  {doc_id!r}"
        expects, holds = should.get(doc_id, {}), there.get(doc_id, {})
        names = sorted((expects.keys() | holds.keys()) - {MARK, "_id"})
        fields = [name for name in names if expects.get(name, NOTHING) != holds.get(name, NOTHING)]
        for name in islice(fields, 20):
            yield f"    {name}: the source has {_shown(expects, name)}, the index {_shown(holds, name)}"


def _shown(document: Mapping[str, Any], name: str) -> str:
    text = repr(document[name]) if name in document else NOTHING
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}… ({len(text):,} characters)"
