"""A dialect: all that is different from one database to another when tables are found and read."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final, Literal

from sqlglot import exp

from connectors.sources._sql.form import Form
from connectors.sources._sql.predicate import Column, Translator
from connectors.sources._sql.statement import SQL, behind, column
from connectors.sources._sql.table import Table

_MARK: Final = "\0"
"""Stands around the name of a parameter while a text is made: no name of a database may hold it."""
_MARKED: Final = re.compile(f"(?::|%%?[(]){_MARK}([^{_MARK}]*){_MARK}(?:[)]s)?")
"""A parameter as `:name` or as `%(name)s`, whichever way a dialect is written."""


class Dialect(ABC):
    """Says how a database is asked. It holds nothing that changes."""

    name: ClassVar[str]
    """What sqlglot calls it."""
    parameters: ClassVar[Literal["pyformat", "named"]] = "pyformat"
    """How the driver wants values to be marked: `%(name)s`, or `:name`."""

    @abstractmethod
    def catalog(self, server: str) -> Sequence[str]:
        """Return the three questions to that version of a server whose answers make a `Catalog`.

        The database, or the schema of it, is given to each as `group`.
        """

    @abstractmethod
    def form(self, declared: str) -> Form:
        """Return what a declared type becomes."""

    @abstractmethod
    def translator(self, columns: Iterable[Column]) -> Translator:
        """Return what makes conditions for these columns."""

    def source(self, table: Table, *, by_key: bool) -> exp.Expr:
        """Return what rows are selected from. `by_key` says that they are read in the order of the key."""
        del by_key
        return exp.Table(
            this=exp.to_identifier(table.name, quoted=True), db=exp.to_identifier(table.group, quoted=True)
        )

    def behind(self, key: Sequence[SQL], values: Sequence[SQL]) -> SQL:
        """Return what is true of the rows behind a key, in a form for which an index is used."""
        return behind(key, values)

    def ordered(self, name: str) -> exp.Ordered:
        """Return a column of a key that rows are put in the order of, in the words for which an index is used."""
        return exp.Ordered(this=column(name), nulls_first=True)

    def text(self, statement: SQL) -> str:
        """Return the text of a statement as the driver takes it."""
        marked = statement.copy()
        for one in marked.find_all(exp.Placeholder):
            one.set("this", f"{_MARK}{one.this}{_MARK}")
        text = marked.sql(self.name, copy=False)
        if self.parameters == "named":
            return _MARKED.sub(r":\1", text)
        return _MARKED.sub(r"%(\1)s", text.replace("%", "%%"))
