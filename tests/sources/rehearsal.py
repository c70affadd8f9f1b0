"""A rehearsal: a database in SQLite that is asked in the dialect of a server which can't be had here, and in no other.

What a dialect writes has to parse in it, and to hold nothing that such servers lack. What only a server knows, such as
its catalog, is answered as it was recorded. Where a driver returns types of Python that SQLite has not got, they are
made by the type that a column was declared with.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, Final

import apsw
import apsw.ext
import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

Row = tuple[Any, ...]
Given = Mapping[str, Any]
Recorded = Sequence[Row] | Callable[[Given], Sequence[Row]]
ROWS_AT_ONCE: Final = 50
_PYFORMAT: Final = re.compile(r"%\((\w+)\)s|%%")
_TIMES: Final = {exp.ToChar: "TO_CHAR", exp.StrToDate: "TO_DATE", exp.StrToTime: "TO_TIMESTAMP"}
"""What Oracle writes and reads times by; each in the one form that there is here."""
_WAL: Final = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF"
_PREDICATES: Final = (exp.Predicate, exp.Connector, exp.Not)


class Refusal(Exception):
    """A statement that can't be answered: `kind` is `syntax`, `table`, `column` or `other`."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


@dataclass(frozen=True)
class Answer:
    """What a statement returns. `declared` says as what each column was made, which is None for what is computed."""

    names: list[str]
    rows: Iterator[Row]
    declared: list[str | None]


@dataclass(frozen=True)
class Tongue:
    """What SQLite has to know of another database.

    `stored` makes what SQLite holds of a parameter; `loaded` what the driver returns of a value, by its declared type.
    `casts` names the functions that convert into types, by what sqlglot calls those; numbers and texts need none.
    """

    stored: Callable[[Any], Any] = lambda value: value
    loaded: Callable[[str, Any], Any] = lambda declared, value: value
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    collations: Mapping[str, Callable[[str, str], int]] = field(default_factory=dict)
    casts: Mapping[str, str] = field(default_factory=dict)


class Rehearsal:
    """A database in SQLite that answers statements written in another dialect, and what only such a server knows.

    `dialect` is what sqlglot calls it, `recorded` has answers by the texts of statements as the driver gets them, and
    `schema` is where the tables are said to be. It takes as many conversations at once as are wanted, each of which may
    be in a snapshot of its own.
    """

    def __init__(
        self,
        dialect: str,
        recorded: Mapping[str, Recorded] | None = None,
        *,
        schema: str = "",
        tongue: Tongue | None = None,
    ) -> None:
        self.dialect = dialect
        self.recorded = dict(recorded or {})
        self.schema = schema
        self.tongue = tongue or Tongue()
        self._translated: dict[str, tuple[str, set[str]]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="rehearsal-")
        self._writer = self.opened()
        self._writer.execute(_WAL)
        self._conversation = Conversation(self)

    def run(self, text: str) -> list[Row]:
        """Run statements in SQLite's own SQL, and return the rows of the last one."""
        return list(self._writer.execute(text))

    def ask(self, text: str, given: Given | None = None) -> Answer:
        """Answer a statement as a conversation does."""
        return self._conversation.ask(text, given)

    def conversation(self) -> "Conversation":
        """Return a connection of its own."""
        return Conversation(self)

    def translated(self, text: str) -> tuple[str, set[str]]:
        """Return a statement as SQLite takes it, and the names of its parameters. Pages ask for the same again."""
        if text not in self._translated:
            self._translated[text] = in_sqlite(text, self.dialect, self.schema, self.tongue.casts)
        return self._translated[text]

    def close(self) -> None:
        """Remove it."""
        self._conversation.close()
        self._writer.close()
        self._folder.cleanup()

    def opened(self) -> apsw.Connection:
        """Return a connection of SQLite's that knows the other database's functions and collations."""
        found = apsw.Connection(str(Path(self._folder.name, "database")))
        found.set_busy_timeout(10_000)
        found.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)  # the name of a column that is not there is no text
        for name, function in self.tongue.functions.items():
            found.create_scalar_function(name, function, deterministic=True)
        for name, compare in self.tongue.collations.items():
            found.create_collation(name, compare)
        return found

    def catalog(self) -> tuple[list[Row], list[Row], list[Row]]:
        """Return the tables, columns and keys that there are, as the three questions of a dialect return them.

        A type is as it was declared, with ` collate NAME` behind it where the column has a collation.
        """
        with_kind = self.run("SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name")
        tables = [(str(name), kind == "view") for name, kind in with_kind if not str(name).startswith("sqlite_")]
        columns, keys = [], []
        for name, is_view in tables:
            found = self.run(f'SELECT name, type, "notnull", pk FROM pragma_table_xinfo({_text(name)})')
            for column, declared, filled, place in found:
                collation = "BINARY" if is_view else self._writer.column_metadata(None, name, column)[1]
                behind = "" if collation in {None, "BINARY"} else f" collate {collation}"
                columns.append((name, column, f"{declared.lower()}{behind}", not filled and not place, True))
            primary = sorted((place, column) for column, _, _, place in found if place)
            keys += [(name, "PRIMARY", True, column, True, False) for _, column in primary]
            keys += self._unique(name)
        counted = [(name, view, None if view else self._count(name)) for name, view in tables]
        return counted, columns, keys

    def _unique(self, table: str) -> Iterator[Row]:
        listed = self.run(
            f"SELECT name FROM pragma_index_list({_text(table)}) WHERE \"unique\" AND NOT partial AND origin <> 'pk'"
        )
        for (index,) in listed:
            for column, down in self.run(f'SELECT name, "desc" FROM pragma_index_xinfo({_text(index)}) WHERE key'):
                yield table, index, False, column, True, bool(down)

    def _count(self, table: str) -> int:
        quoted = table.replace('"', '""')
        return int(self.run(f'SELECT count(*) FROM "{quoted}"')[0][0])


class Conversation:
    """A connection to a rehearsal: one statement after the other, in a snapshot where one was begun."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal
        self._reader = rehearsal.opened()
        self._lock = RLock()
        self.in_snapshot = False

    def begin(self) -> None:
        """Begin a snapshot, which is of the moment of the first statement that reads."""
        self.end()
        self._reader.execute("BEGIN")
        self.in_snapshot = True

    def end(self) -> None:
        """End the snapshot, and whatever is being read."""
        with self._lock:
            if self.in_snapshot:
                self._reader.execute("ROLLBACK")
            self.in_snapshot = False

    def close(self) -> None:
        """Close it, in the midst of an answer too."""
        with self._lock:
            self._reader.close(force=True)

    def ask(self, text: str, given: Given | None = None) -> Answer:
        """Answer a statement. Raises a `Refusal` for what is none in this dialect, or asks for what is not there.

        Without values (None, which is not the same as an empty mapping) the text holds no marks of parameters.
        """
        recorded = self._rehearsal.recorded.get(text)
        if recorded is not None:
            rows = recorded(given or {}) if callable(recorded) else recorded
            names = [f"c{place}" for place, _ in enumerate(rows[0] if rows else ())]
            return Answer(names, iter(rows), [None for _ in names])
        dialect = self._rehearsal.dialect
        own = text if given is None else native(text, dialect)
        translated, marks = self._rehearsal.translated(own)
        unused = dialect == "tsql"  # which the driver sends all the same, and the server does not mind
        if not (marks <= set(given or {}) if unused else marks == set(given or {})):
            words = f"The statement has the parameters {sorted(marks)}, and {sorted(given or {})} are given."
            raise Refusal("other", words)
        bound = {name: self._rehearsal.tongue.stored(value) for name, value in (given or {}).items()}
        with self._lock:
            try:
                described: Any = apsw.ext.query_info(self._reader, _typed(translated)).description
                cursor = self._reader.cursor()
                cursor.execute(translated, bound)
            except apsw.Error as error:
                raise _refusal(error) from None
        names = [one[0] for one in described]
        declared = [None if one[1] is None else one[1].lower() for one in described]
        return Answer(names, self._rows(cursor, declared), declared)

    def _rows(self, cursor: apsw.Cursor, declared: Sequence[str | None]) -> Iterator[Row]:
        loaded = self._rehearsal.tongue.loaded
        kinds = [one or "" for one in declared]
        while True:
            with self._lock:
                some = [row for _, row in zip(range(ROWS_AT_ONCE), cursor, strict=False)]
            if not some:
                return
            for row in some:
                yield tuple(
                    None if value is None else loaded(kind, value) for kind, value in zip(kinds, row, strict=True)
                )


def native(text: str, dialect: str) -> str:
    """Return a text whose marks of parameters are those of the driver with the marks that the server has."""
    if dialect != "tsql":
        return text
    return _PYFORMAT.sub(lambda found: "%" if found[0] == "%%" else f"@{found[1]}", text)


def in_sqlite(
    text: str, dialect: str, schema: str = "", casts: Mapping[str, str] | None = None
) -> tuple[str, set[str]]:
    """Return a statement of a dialect as SQLite takes it, and the names of its parameters.

    Raises a `Refusal` for what the dialect has not got.
    """
    try:
        statements = sqlglot.parse(text, dialect, error_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise Refusal("syntax", str(error)) from None
    tree = statements[0] if len(statements) == 1 else None
    if not isinstance(tree, exp.Query):
        raise Refusal("syntax", f"This is no single SELECT: {text}")
    for found in breaches(tree):
        raise Refusal("syntax", f"{dialect} has no such thing as {found.sql(dialect)}, in: {text}")
    if re.search(
        r"\bLIMIT\b|\bTRUE\b|\bFALSE\b|IS NOT? (TRUE|FALSE)", re.sub(r"'[^']*'|\[[^]]*\]|\"[^\"]*\"", "", text)
    ):
        raise Refusal("syntax", f"{dialect} has no LIMIT, TRUE or FALSE: {text}")
    for select in tree.find_all(exp.Select):
        select.set("hint", None)
    own: exp.Expr = tree.transform(lambda node: _as_sqlite(node, schema, casts or {}))
    marks = {one.name for one in tree.find_all(exp.Parameter, exp.Placeholder)}
    return str(own.sql("sqlite", identify=True, unsupported_level=ErrorLevel.RAISE)), marks


def breaches(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Yield what parses, but neither SQL Server nor Oracle knows: rows that are compared, and truth as a value."""
    for one in tree.find_all(exp.Binary):
        if isinstance(one, exp.GT | exp.GTE | exp.LT | exp.LTE | exp.EQ | exp.NEQ | exp.Is):
            for side in (one.this, one.expression):
                if isinstance(side, exp.Tuple | exp.Boolean) or isinstance(side.unnest(), _PREDICATES):
                    yield one
    for where in tree.find_all(exp.Where, exp.Having):
        if not isinstance(where.this.unnest(), _PREDICATES):
            yield where
    for connector in tree.find_all(exp.Connector, exp.Not):
        for side in (connector.this, connector.args.get("expression")):
            if side is not None and not isinstance(side.unnest(), _PREDICATES):
                yield connector


def _typed(text: str) -> str:
    """Return a statement whose columns are of the declared types that its own would have on a server: MAX(x) as x."""
    if "MAX(" not in text and "MIN(" not in text:
        return text
    tree: Any = sqlglot.parse_one(text, "sqlite")
    plain = tree.transform(lambda one: one.this if isinstance(one, exp.Max | exp.Min) else one)
    return str(plain.sql("sqlite"))


def _as_sqlite(node: Any, schema: str, casts: Mapping[str, str]) -> Any:
    """Return a part of a tree as SQLite has it; what is replaced has no other parts made, so those are made here."""

    def own(part: Any) -> Any:
        return part.transform(lambda one: _as_sqlite(one, schema, casts))

    match node:
        case exp.Table():
            _localize(node, schema)
        case exp.SetOperation():
            for side in ("this", "expression"):
                node.set(side, _bare(node.args[side]))
        case exp.ToChar() | exp.StrToDate() | exp.StrToTime():
            return exp.Anonymous(this=_TIMES[type(node)], expressions=[own(node.this)])
        case exp.Dot() if isinstance(node.expression, exp.Anonymous):  # a method of a value
            call = node.expression
            return exp.Anonymous(this=call.this, expressions=[own(one) for one in (node.this, *call.expressions)])
        case exp.Cast() if node.to.this.name.lower() in casts:
            return exp.Anonymous(this=casts[node.to.this.name.lower()], expressions=[own(node.this)])
        case exp.Cast() if node.to.this not in exp.DataType.TEXT_TYPES | exp.DataType.INTEGER_TYPES:
            return own(node.this)  # what SQLite has no type for is stored as what compares alike
        case exp.Cast():
            node.set("to", exp.DataType.build("TEXT" if node.to.this in exp.DataType.TEXT_TYPES else "INTEGER"))
    return node


def _localize(table: exp.Table, schema: str) -> None:
    """Have a table be one of SQLite's: in no schema, and read as SQLite likes."""
    if table.db not in {"", schema}:
        raise Refusal("table", f"no such schema: {table.db}")
    for part in ("db", "catalog", "hints"):
        table.set(part, None)


def _bare(query: Any) -> Any:
    """Return a query without parentheses."""
    while isinstance(query, exp.Subquery) and not query.alias:
        query = query.this
    return query


def _refusal(error: apsw.Error) -> Refusal:
    words = str(error)
    kinds = {"no such table": "table", "no such column": "column", "syntax error": "syntax"}
    return Refusal(next((kind for phrase, kind in kinds.items() if phrase in words), "other"), words)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
