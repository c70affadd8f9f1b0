"""Notes in a SQLite database with a log: the token is a place in the log, which is read from there up to now."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

from connectors.byoc import Filter
from connectors.errors import SourceUnreachable
from connectors.fields import Field, Fields
from connectors.source import BaseDataSource, Document, Token

SCHEMA = """
CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);
CREATE TABLE log (place INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT);
CREATE TRIGGER added AFTER INSERT ON notes BEGIN INSERT INTO log (topic) VALUES ('notes'); END;
CREATE TRIGGER changed AFTER UPDATE ON notes BEGIN INSERT INTO log (topic) VALUES ('notes'); END;
CREATE TRIGGER gone AFTER DELETE ON notes BEGIN INSERT INTO log (topic) VALUES ('notes'); END;
"""
PAGE = "SELECT id, text FROM notes WHERE id > ? ORDER BY id LIMIT 500"
ENDS = "SELECT coalesce(min(place), 0), coalesce(max(place), 0) FROM log"
ABOUT_US = "SELECT count(*) FROM log WHERE place > ? AND topic = 'notes'"


class LoggedNotesDataSource(BaseDataSource):
    """The notes of a database in which every write to them adds an entry to a log, in the same transaction.

    That is what makes it sound. Where an entry is seen before what it is about, the token has to be a place before the
    first entry whose write may not be visible yet. An entry that comes after its write does no harm: yes is said twice.
    """

    name = "Notes with a log"
    service_type = "logged_notes"
    fields = Fields(Field("database", "Database", type=Path, example="/srv/notes.db"))

    async def ping(self) -> None:
        """See that the database can be read."""
        await self._asked(ENDS)

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Read the log from the token's place up to now; what is about something else is no change."""
        [(first, last)] = await self._asked(ENDS)
        now = {"place": last}
        place = token.get("place") if token is not None else None
        if not isinstance(place, int) or not first - 1 <= place <= last:
            return True, now  # no token of ours, or entries behind it were deleted, or it is another log
        [(entries,)] = await self._asked(ABOUT_US, place)
        return entries > 0, now

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Document]:
        """Yield the notes, page by page."""
        after = -1
        while rows := await self._asked(PAGE, after):
            for number, text in rows:
                yield {"_id": str(number), "text": text}
            after = rows[-1][0]

    async def _asked(self, query: str, *values: object) -> list[Any]:
        return await asyncio.to_thread(self._ask, query, values)

    def _ask(self, query: str, values: tuple[object, ...]) -> list[Any]:
        path = Path(self.configuration["database"])
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                return connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise SourceUnreachable(f"The database {path} can't be read: {error}.") from None
