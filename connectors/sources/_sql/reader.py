"""The reader: the rows of a table in parts, page by page behind its key, or as they come where there is none."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from connectors.changes import Failed
from connectors.dataset import Key, Row, document_id
from connectors.sources._sql.garbled import Garbled, reason
from connectors.sources._sql.page import MOST_BYTES, PageSize, Statements
from connectors.sources._sql.row import maker_of
from connectors.sources._sql.session import Values
from connectors.sources._sql.sessions import Sessions
from connectors.sources._sql.table import Table

ROWS_AT_ONCE = 200
"""How many rows of a page there are in a part. Others get their turn between parts."""
Part = Sequence[Row | Failed]
IdOf = Callable[[Row], str]
"""Returns the id of the document that a row becomes."""


async def pages(
    sessions: Sessions, statements: Statements, id_of: IdOf, size: PageSize, after: Key | None = None
) -> AsyncGenerator[Part, None]:
    """Yield the rows behind a key. A page is fetched whole, so that nothing is open while somebody else is slow."""
    make, places, fragile = maker_of(statements.columns), statements.places, statements.fragile
    while True:
        text, given = statements.page(after, size.rows)
        page = await sessions.fetch(text, given, most_bytes=MOST_BYTES)
        for start in range(0, len(page.rows), ROWS_AT_ONCE):
            several = page.rows[start : start + ROWS_AT_ONCE]
            part = _rows_of(several, make, statements, id_of)
            for place, row in enumerate(part if fragile else ()):
                if isinstance(row, dict) and any(row[name] is None for name in fragile):
                    part[place] = _without_key(statements.table, [several[place][one] for one in places])
            yield part
            await asyncio.sleep(0)
        if page.complete and len(page.rows) < given["most"]:
            return
        after = tuple([page.rows[-1][place] for place in places])
        size.learn(page)


async def streamed(sessions: Sessions, statements: Statements, id_of: IdOf) -> AsyncGenerator[Part, None]:
    """Yield all rows, by one statement that is open all the time."""
    make = maker_of(statements.columns)
    async with sessions.streamed(*statements.whole()) as stream:
        async for part in stream.parts:
            yield _rows_of(part, make, statements, id_of)


def _rows_of(
    several: Sequence[Values], make: Callable[[Values], Row], statements: Statements, id_of: IdOf
) -> list[Row | Failed]:
    """Return the rows of values, and those that are garbled by what their ids would be."""
    return [
        Failed(id_of(make(values)), reason([one.name for one in statements.columns], values))
        if type(values) is Garbled
        else make(values)
        for values in several
    ]


def _without_key(table: Table, values: Sequence[object]) -> Failed:
    """Return the row of a key that a document can't have, such as a date that is none."""
    doc_id = document_id(table.group, (table.name, *values))
    return Failed(doc_id, f"Its key in the table {table.name!r} holds a value that is no real date.")
