"""Pages of a table: statements that read on behind a key, each small enough to be held in memory."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlglot import exp

from connectors.dataset import Key
from connectors.predicate import Predicate
from connectors.sources._sql.dialect import Dialect
from connectors.sources._sql.session import Fetched, ResultColumn
from connectors.sources._sql.statement import SQL, TRUE, Parameters, all_of, column, parameter
from connectors.sources._sql.table import Table

FIRST_ROWS: Final = 250
"""Rows of the first page: nothing is known then of how large rows are."""
PAGE_BYTES: Final = 4 * 1024 * 1024
"""How large a page is meant to be."""
MOST_BYTES: Final = 8 * PAGE_BYTES
"""Where a page ends in any case: the rows that come then are larger than all before let expect."""


class PageSize:
    """How many rows the next page has: twice as many as the one before, as long as that is within its bytes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.rows = min(FIRST_ROWS, most)

    def learn(self, page: Fetched) -> None:
        """Take in what a page was."""
        if page.rows:
            fitting = PAGE_BYTES * len(page.rows) // max(1, page.size)
            self.rows = max(1, min(2 * self.rows, fitting, self.most))


class Statements:
    """The statements that read columns of a table: a page from the beginning, a page behind a key, or all of it."""

    def __init__(
        self, dialect: Dialect, table: Table, names: Sequence[str], where: Predicate, order: Sequence[str]
    ) -> None:
        self.order = tuple(order)
        self.columns = [
            ResultColumn(one.name, one.form.made) for name in names for one in table.columns if one.name == name
        ]
        self.places = [names.index(name) for name in self.order]
        self.fragile = [one.name for one in self.columns if one.name in self.order and one.made is not None]
        """Columns of the key in which there may be values that no document can have."""
        self._dialect = dialect
        self.table = table
        self._selected = [one.selected for name in names for one in table.columns if one.name == name]
        self._parameters = Parameters()
        self._where = dialect.translator(table.known_columns()).condition(where, self._parameters)
        self._texts: dict[bool, str] = {}

    def page(self, after: Key | None, most: int) -> tuple[str, Mapping[str, Any]]:
        """Return the statement of a page and its values."""
        is_behind = after is not None
        if is_behind not in self._texts:
            self._texts[is_behind] = self._dialect.text(self._page(is_behind=is_behind))
        key = {f"k{place}": value for place, value in enumerate(after or ())}
        return self._texts[is_behind], {**self._parameters, **key, "most": most}

    def whole(self) -> tuple[str, Mapping[str, Any]]:
        """Return the statement of all rows in no order."""
        return self._dialect.text(self._select([], by_key=False)), self._parameters

    def _page(self, *, is_behind: bool) -> SQL:
        key = [column(name) for name in self.order]
        behind = [self._dialect.behind(key, [self._given(place) for place, _ in enumerate(key)])]
        select = self._select(behind if is_behind else [], by_key=self.order == self.table.key)
        ordered = [self._dialect.ordered(name) for name in self.order]
        return select.order_by(exp.Order(expressions=ordered), copy=False).limit(parameter("most"), copy=False)

    def _given(self, place: int) -> SQL:
        """Return what stands for the value of a part of the key."""
        plain = parameter(f"k{place}")
        given = next(one.form.given for one in self.table.columns if one.name == self.order[place])
        return plain if given is None else given(plain)

    def _select(self, conditions: Sequence[SQL], *, by_key: bool) -> exp.Select:
        where = all_of([*conditions, self._where])
        source = self._dialect.source(self.table, by_key=by_key)
        select = exp.Select(expressions=[one.copy() for one in self._selected]).from_(source)
        return select if where is TRUE else select.where(where, copy=True)
