"""The dialect of MySQL and MariaDB: its types, its catalog, and its conditions."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar, Final

from sqlglot import exp

from connectors.sources._mysql.values import bits_of, json_of, members_of, moment_of, shape_of
from connectors.sources._sql.dialect import Dialect
from connectors.sources._sql.form import Form
from connectors.sources._sql.predicate import ORDERED, Column, Kind, Question, Translator
from connectors.sources._sql.single import single_of
from connectors.sources._sql.statement import FALSE, SQL, all_of, any_of
from connectors.sources._sql.table import Table

_TYPE: Final = re.compile(r"(?P<name>[a-z0-9_]+(?: precision)?)(?:\((?P<more>.*?)\))?(?P<rest>.*)", re.DOTALL)
_MEMBER: Final = re.compile(r"'((?:[^']|'')*)'")
JSON: Final = "json"
_TABLES: Final = """
SELECT TABLE_NAME, TABLE_TYPE = 'VIEW', TABLE_ROWS FROM information_schema.TABLES
WHERE TABLE_SCHEMA = %(group)s AND TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')"""
_COLUMNS: Final = """
SELECT TABLE_NAME, COLUMN_NAME, {type}, IS_NULLABLE = 'YES', FIND_IN_SET('select', PRIVILEGES) > 0
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = %(group)s ORDER BY TABLE_NAME, ORDINAL_POSITION"""
PERHAPS_JSON: Final = "longtext, json"
"""A column that may be one of JSON: in MariaDB that is a text with a constraint."""
_OTHER_CHARACTERS: Final = "character set"
_DECLARED: Final = f"""IF(
CHARACTER_SET_NAME NOT IN ('utf8mb4', 'utf8mb3', 'utf8', 'ucs2', 'utf16', 'utf16le', 'utf32', 'ascii', 'latin1'),
CONCAT(COLUMN_TYPE, ' {_OTHER_CHARACTERS} ', CHARACTER_SET_NAME), COLUMN_TYPE)"""
"""Other character sets may have two codes for a character of Unicode: a text is not found again by what was read."""
_OF_MARIADB: Final = f"IF(COLUMN_TYPE = 'longtext' AND COLLATION_NAME = 'utf8mb4_bin', '{PERHAPS_JSON}', {_DECLARED})"
_KEYS: Final = """
SELECT TABLE_NAME, INDEX_NAME, INDEX_NAME = 'PRIMARY', COLUMN_NAME, SUB_PART IS NULL, COLLATION <=> 'D'
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = %(group)s AND NON_UNIQUE = 0 AND INDEX_TYPE <> 'HASH' {visible}
ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"""


class MySQLDialect(Dialect):
    """How MySQL and MariaDB are asked."""

    name: ClassVar[str] = "mysql"

    def catalog(self, server: str) -> Sequence[str]:
        """Return the questions to a server of that version."""
        version = tuple(map(int, re.findall(r"\d+", server.removeprefix("5.5.5-"))[:2]))
        if "MariaDB" in server:
            columns = _COLUMNS.format(type=_OF_MARIADB)
            visible = "AND IGNORED = 'NO'" if version >= (10, 6) else ""
        else:
            columns = _COLUMNS.format(type=_DECLARED)
            visible = "AND IS_VISIBLE = 'YES'" if version >= (8, 0) else ""
        return _TABLES, columns, _KEYS.format(visible=visible)

    def form(self, declared: str) -> Form:
        """Return what a type becomes; one that is not known stays as the driver returns it, and decides nothing."""
        found = _TYPE.fullmatch(declared.lower().strip())
        name, rest = (found["name"], found["rest"]) if found is not None else ("", "")
        if name in {"enum", "set"}:
            return _of_members(name, declared)
        if name == "bigint" and "unsigned" in rest:
            return Form({"type": "integer", "minimum": 0}, Kind.DECIMAL, in_keys=True)
        form = _FORMS.get(name, Form())
        return replace(form, in_keys=False) if _OTHER_CHARACTERS in rest else form

    def translator(self, columns: Iterable[Column]) -> Translator:
        """Return what makes conditions."""
        return MySQLTranslator(columns)

    def source(self, table: Table, *, by_key: bool) -> exp.Expr:
        """Return the table; with the index of its key, beside which the server likes to take another one and sort."""
        named = super().source(table, by_key=by_key)
        if by_key and table.index is not None:
            index = exp.to_identifier(table.index, quoted=True)
            named.set("hints", [exp.IndexTableHint(this="FORCE", expressions=[index])])
        return named

    def behind(self, key: Sequence[SQL], values: Sequence[SQL]) -> SQL:
        """Return what is behind a key column by column: an index is not used where rows of values are compared."""
        first = exp.GT(this=key[0].copy(), expression=values[0].copy())
        if len(key) == 1:
            return first
        same = exp.EQ(this=key[0].copy(), expression=values[0].copy())
        return any_of([first, all_of([same, self.behind(key[1:], values[1:])])])


def created(group: str, table: str) -> SQL:
    """Return the statement that shows how a table was made."""
    target, db = (exp.to_identifier(name, quoted=True) for name in (table, group))
    return exp.Show(this="CREATE TABLE", target=target, db=db)


def is_json(column: str, shown: str) -> bool:
    """Return whether a table, as it was made, takes nothing but JSON into a column."""
    name = column.replace("`", "``")
    return (
        re.search(rf"^ *`{re.escape(name)}` .*CHECK \(json_valid\(`{re.escape(name)}`\)\)", shown, re.MULTILINE)
        is not None
    )


class MySQLTranslator(Translator):
    """Makes conditions for a table: texts are compared as the bytes that they are in UTF-8, dates as real ones."""

    def by_kind(self, operand: SQL, answers: Mapping[Kind, SQL]) -> SQL:
        """Return nothing: a column holds values of one kind."""
        raise NotImplementedError

    def compared_exactly(self, operand: SQL) -> SQL:
        """Return the bytes of a text: whatever its collation is, case and blanks at the end count."""
        return _bytes(_in_utf8(operand))

    def ending(self, text: SQL, end: SQL) -> SQL:
        """Return whether the bytes of a text end so."""
        last = _bytes(end)
        size = exp.Anonymous(this="LENGTH", expressions=[last.copy()])
        ending = exp.Anonymous(this="RIGHT", expressions=[self.compared_exactly(text), size])
        return exp.EQ(this=ending, expression=last)

    def _of_real(self, question: Question) -> SQL | None:
        number = question.literal.number
        if question.how in ORDERED and number is not None and math.isinf(near := float(number)):
            return question.beyond(above=near > 0)
        return super()._of_real(question)

    def _of_moment(self, question: Question, made: Callable[[datetime], datetime]) -> SQL | None:
        return super()._of_moment(question, made) if question.upper else self._surely(question)

    def _of_day(self, question: Question) -> SQL | None:
        return super()._of_day(question) if question.upper else self._surely(question)

    def _surely(self, question: Question) -> SQL | None:
        """Return nothing: of 0000-00-00 and the like a server says that it is a date, and a document holds null."""
        del question
        return FALSE


def _bytes(operand: SQL) -> SQL:
    return exp.cast(operand, exp.DataType.build("binary"))


def _in_utf8(operand: SQL) -> SQL:
    charset = exp.DataType(this=exp.DataType.Type.CHARACTER_SET, kind=exp.var("utf8mb4"))
    return exp.Cast(this=operand, to=charset)


def _as_double(operand: SQL) -> SQL:
    """Return a number of 32 bits as it is: by itself it is returned with six digits."""
    return exp.Paren(this=exp.Add(this=operand, expression=exp.Literal.number("0e0")))


def _as_geojson(operand: SQL) -> SQL:
    return exp.Anonymous(this="ST_AsGeoJSON", expressions=[operand])


def _of_members(name: str, declared: str) -> Form:
    members = [one.replace("''", "'") for one in _MEMBER.findall(declared)]
    if name == "set":
        return Form({"type": "array", "items": {"type": "string", "enum": members}}, made=members_of)
    return Form({"type": "string"}, Kind.TEXT)


def _text(more: str = "", **given: object) -> dict[str, object]:
    return {"type": "string", **({"format": more} if more else {}), **given}


_WHOLE: Final = Form({"type": "integer"}, Kind.WHOLE, in_keys=True)
_DECIMAL: Final = Form({"type": "number"}, Kind.DECIMAL, in_keys=True)
_SHORT_TEXT: Final = Form(_text(), Kind.TEXT, in_keys=True)
_LONG_TEXT: Final = Form(_text(), Kind.TEXT)
_INSTANT: Final = Form(_text("date-time"), Kind.CLOCK, in_keys=True, made=moment_of)
_SHORT_BYTES: Final = Form(_text(contentEncoding="base64"), Kind.BYTES, in_keys=True, is_binary=True)
_LONG_BYTES: Final = Form(_text(contentEncoding="base64"), Kind.BYTES, is_binary=True)
_SHAPE: Final = Form({"type": "object"}, selected=_as_geojson, made=shape_of)
_FORMS: Final[Mapping[str, Form]] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "integer", "bigint"), _WHOLE),
    **dict.fromkeys(("decimal", "numeric"), _DECIMAL),
    "float": Form({"type": "number"}, selected=_as_double, made=single_of),
    "double": Form({"type": "number"}, Kind.REAL),
    "bit": Form({"type": "integer"}, made=bits_of),
    "year": Form({"type": "integer"}),
    "date": Form(_text("date"), Kind.DAY, in_keys=True, made=moment_of),
    **dict.fromkeys(("datetime", "timestamp"), _INSTANT),
    "time": Form(_text(), in_keys=True),
    **dict.fromkeys(("char", "varchar"), _SHORT_TEXT),
    **dict.fromkeys(("tinytext", "text", "mediumtext", "longtext"), _LONG_TEXT),
    **dict.fromkeys(("binary", "varbinary"), _SHORT_BYTES),
    **dict.fromkeys(("tinyblob", "blob", "mediumblob", "longblob"), _LONG_BYTES),
    "vector": Form(_text(contentEncoding="base64"), is_binary=True),
    JSON: Form(made=json_of),
    **dict.fromkeys(("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring"), _SHAPE),
    **dict.fromkeys(("multipolygon", "geometrycollection", "geomcollection"), _SHAPE),
    "uuid": Form(_text("uuid"), in_keys=True),
    **dict.fromkeys(("inet4", "inet6"), Form(_text())),
}
"""A year compares with numbers in a way of its own, and numbers that are not exact are no keys."""
