"""Incremental reading: the rows of a table whose cursor column says that they changed, and where to go on next time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from connectors.changes import Cursor
from connectors.literal import Literal, Operator, instant_of
from connectors.predicate import ALWAYS, Comparison, Predicate
from connectors.sources._sql.predicate import Kind
from connectors.sources._sql.table import Table

MOST_NUMBERS_LATE: Final = 1_000
"""How far below the last number those may be that are committed after it."""
_KINDS: Final = frozenset({Kind.WHOLE, Kind.DECIMAL, Kind.CLOCK, Kind.INSTANT, Kind.DAY})


@dataclass(frozen=True)
class Place:
    """How far the rows of a table are known: up to a value of its cursor column. None means not at all.

    The value is the highest that there was before the table was read, so what was written meanwhile is read next time.
    """

    column: str
    value: str | None = None

    @classmethod
    def of(cls, table: Table, wanted: Sequence[str], cursor: Cursor | None) -> "Place | None":
        """Return the place in a table that a cursor holds; None for a table without a column that could have one."""
        name = table.cursor_in(wanted)
        if name is None or table.columns[table.names.index(name)].form.kind not in _KINDS:
            return None
        return cls.known(table.name, name, cursor)

    @classmethod
    def known(cls, table: str, name: str, cursor: Cursor | None) -> "Place":
        """Return the place that a cursor holds of a table with this column."""
        known = (cursor or {}).get("tables", {}).get(table)
        if isinstance(known, Mapping) and known.get("column") == name:
            return cls(name, str(known["value"]))
        return cls(name)

    def where(self, overlap: timedelta) -> Predicate:
        """Return what may have changed: from the last value on, and a little before, as others may commit late."""
        if self.value is None:
            return ALWAYS
        return Comparison(self.column, Operator.GREATER_OR_EQUAL, Literal(self._earlier(overlap)))

    def _earlier(self, overlap: timedelta) -> str:
        text = self.value or ""
        if text.lstrip("-").isdecimal():
            return str(int(text) - MOST_NUMBERS_LATE)
        try:
            return (datetime.fromisoformat(text) - overlap).isoformat()
        except (ValueError, OverflowError):
            return text

    def moved(self, highest: Any, now: datetime) -> "Place":  # noqa: ANN401 - a value of the column
        """Return the place behind a value; the same one without any.

        It is never later than now: a single row that is dated far ahead would have all others left out until then.
        """
        if isinstance(highest, str):
            highest = instant_of(highest)
        match highest:
            case datetime():
                moment = highest.replace(tzinfo=highest.tzinfo or UTC)
            case date():
                moment = datetime(highest.year, highest.month, highest.day, tzinfo=UTC)
            case int() | Decimal():
                return Place(self.column, str(int(highest)))
            case float() if math.isfinite(highest):
                return Place(self.column, str(math.floor(highest)))
            case _:
                return self
        return Place(self.column, min(moment, now).isoformat())


def cursor_of(places: Mapping[str, Place]) -> dict[str, Any]:
    """Return places as a cursor."""
    known = {name: place for name, place in places.items() if place.value is not None}
    return {"tables": {name: {"column": one.column, "value": one.value} for name, one in known.items()}}
