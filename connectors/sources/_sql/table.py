"""A table of a database as its catalog describes it, and the key by which its rows are told apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.dataset import Dataset
from connectors.sources._sql.form import Form
from connectors.sources._sql.predicate import Column
from connectors.sources._sql.statement import SQL, column


@dataclass(frozen=True)
class TableColumn:
    """A column: its type as it is declared, and what its values become."""

    name: str
    declared: str
    nullable: bool
    form: Form

    @property
    def schema(self) -> dict[str, Any]:
        """What it holds, as JSON Schema."""
        schema = dict(self.form.schema)
        if self.nullable and isinstance(kind := schema.get("type"), str):
            schema["type"] = [kind, "null"]
        return schema

    @property
    def selected(self) -> SQL:
        """How it is asked for."""
        plain = column(self.name)
        return plain if self.form.selected is None else self.form.selected(plain)


@dataclass(frozen=True)
class Table:
    """A table or a view.

    `key` names the columns by which its rows are told apart and read in order, `index` the index that has that order.
    Without a key they are read in no order, all at once, and told apart by the columns of `identity`. Without these too
    they are told apart by all that they hold.
    """

    group: str
    name: str
    columns: tuple[TableColumn, ...]
    key: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    index: str | None = None
    rows: int | None = None
    is_view: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(one.name for one in self.columns)

    def known_columns(self) -> Iterator[Column]:
        """Yield what conditions can be made for."""
        return (Column(one.name, frozenset({one.form.kind})) for one in self.columns)

    def cursor_in(self, wanted: Sequence[str]) -> str | None:
        """Return the first of these columns that it has."""
        return next((name for name in wanted if name in self.names), None)

    def dataset(self, cursor_columns: Sequence[str]) -> Dataset:
        """Return it as a dataset."""
        properties = {one.name: one.schema for one in self.columns}
        schema = {"type": "object", "properties": properties, "required": list(properties)}
        return Dataset(self.name, self.group, schema, self.key, self.cursor_in(cursor_columns), self.rows)
