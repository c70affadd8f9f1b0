"""The dialect of SQL Server: its types, its catalog, and its conditions."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Final

from sqlglot import exp

from connectors.literal import Operator
from connectors.sources._mssql.values import finest_of, in_utc, json_of, plain_of, unpadded, vector_of
from connectors.sources._sql.dialect import Dialect
from connectors.sources._sql.form import Form
from connectors.sources._sql.predicate import ORDERED, Column, Kind, Question, Translator
from connectors.sources._sql.single import single_of
from connectors.sources._sql.statement import SQL, all_of, any_of, collated, is_not_true_by_case
from connectors.sources._sql.table import Table

_TYPE: Final = re.compile(r"(?P<name>\w+)(?:\((?P<more>[^)]*)\))?(?: collate (?P<collation>\w+))?", re.IGNORECASE)
_BINARY: Final = "Latin1_General_100_BIN2"
"""A collation that every server has, and that compares characters as such; but blanks at the end never count."""
_LONGEST: Final = 4_000
"""Characters of a text of Unicode that is not one without a limit, and those that may be looked for in another one."""
_TICK: Final = timedelta(milliseconds=4)
"""More than a time of day differs from what is read of it: DATETIME has steps of 3 ms, others more digits."""
_FINEST: Final = "7"
"""Digits of a second, of which Python has six: such times are texts, as rows may differ in the last digit alone."""
_TABLES: Final = """
SELECT o.name, CASE WHEN o.type = 'V' THEN 1 ELSE 0 END, (
    SELECT SUM(p.rows) FROM sys.partitions AS p WHERE p.object_id = o.object_id AND p.index_id IN (0, 1))
FROM sys.objects AS o
WHERE o.schema_id = SCHEMA_ID(%(group)s) AND o.type IN ('U', 'V') AND o.is_ms_shipped = 0"""
_COLUMNS: Final = """
SELECT o.name, c.name,
    CASE WHEN t.is_assembly_type = 0 THEN TYPE_NAME(c.system_type_id)
        WHEN t.is_user_defined = 0 THEN t.name COLLATE DATABASE_DEFAULT ELSE 'assembly' END
    + CASE
        WHEN c.max_length = -1 AND TYPE_NAME(c.system_type_id) IN ('varchar', 'nvarchar', 'varbinary') THEN '(max)'
        WHEN TYPE_NAME(c.system_type_id) IN ('char', 'varchar', 'binary', 'varbinary')
            THEN '(' + CAST(c.max_length AS VARCHAR(10)) + ')'
        WHEN TYPE_NAME(c.system_type_id) IN ('nchar', 'nvarchar')
            THEN '(' + CAST(c.max_length / 2 AS VARCHAR(10)) + ')'
        WHEN TYPE_NAME(c.system_type_id) IN ('decimal', 'numeric')
            THEN '(' + CAST(c.precision AS VARCHAR(10)) + ', ' + CAST(c.scale AS VARCHAR(10)) + ')'
        WHEN TYPE_NAME(c.system_type_id) IN ('datetime2', 'datetimeoffset', 'time')
            THEN '(' + CAST(c.scale AS VARCHAR(10)) + ')'
        ELSE '' END
    + COALESCE(' collate ' + c.collation_name COLLATE DATABASE_DEFAULT, ''),
    c.is_nullable,
    COALESCE(HAS_PERMS_BY_NAME(
        QUOTENAME(SCHEMA_NAME(o.schema_id)) + '.' + QUOTENAME(o.name), 'OBJECT', 'SELECT', c.name, 'COLUMN'), 0)
FROM sys.objects AS o
JOIN sys.columns AS c ON c.object_id = o.object_id
JOIN sys.types AS t ON t.user_type_id = c.user_type_id
WHERE o.schema_id = SCHEMA_ID(%(group)s) AND o.type IN ('U', 'V') AND o.is_ms_shipped = 0
ORDER BY o.name, c.column_id"""
"""A type that somebody has named counts as the one that it is made from."""
_KEYS: Final = """
SELECT o.name, i.name, i.is_primary_key, c.name, 1, k.is_descending_key
FROM sys.objects AS o
JOIN sys.indexes AS i ON i.object_id = o.object_id
JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id AND k.key_ordinal > 0
JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
WHERE o.schema_id = SCHEMA_ID(%(group)s) AND o.type = 'U' AND o.is_ms_shipped = 0
    AND i.is_unique = 1 AND i.type IN (1, 2) AND i.has_filter = 0 AND i.is_disabled = 0 AND i.is_hypothetical = 0
ORDER BY o.name, i.name, k.key_ordinal"""
"""Unique indices of all rows that have an order: not those of columns, of XML, or by hashes."""


class MSSQLDialect(Dialect):
    """How SQL Server and Azure SQL are asked."""

    name: ClassVar[str] = "tsql"

    def catalog(self, server: str) -> Sequence[str]:
        """Return the questions, which are the same in all versions."""
        del server
        return _TABLES, _COLUMNS, _KEYS

    def form(self, declared: str) -> Form:
        """Return what a type becomes; one that is not known stays as the driver returns it, and decides nothing."""
        found = _TYPE.fullmatch(declared.strip())
        if found is None:
            return Form(made=plain_of)
        name, more, collation = found["name"].lower(), found["more"] or "", found["collation"]
        if name in _TEXTS:
            return _of_text(name, more, collation)
        if name in {"binary", "varbinary"} and more == "max":
            return _LONG_BYTES
        form = _FORMS.get(name, Form(made=plain_of))
        if name in {"datetime2", "datetimeoffset", "time"} and more in {"", _FINEST}:
            form = replace(form, selected=_casting("NVARCHAR(40)"), made=finest_of)
        size = f"({more})" if more else ""
        return replace(form, given=_casting(_GIVEN.get(name, f"{name}{size}"))) if _is_ordered(form) else form

    def translator(self, columns: Iterable[Column]) -> Translator:
        """Return what makes conditions."""
        return MSSQLTranslator(columns)

    def source(self, table: Table, *, by_key: bool) -> exp.Expr:
        """Return the table; with the index of its key, beside which the server might take another one and sort."""
        named = super().source(table, by_key=by_key)
        if by_key and table.index is not None:
            index = exp.Anonymous(this="INDEX", expressions=[exp.to_identifier(table.index, quoted=True)])
            named.set("hints", [exp.WithTableHint(expressions=[index])])
        return named

    def behind(self, key: Sequence[SQL], values: Sequence[SQL]) -> SQL:
        """Return what is behind a key column by column: rows of values can't be compared.

        That the first column is not below is said apart, as it is what an index is searched by.
        """
        rest = _behind(key, values)
        if len(key) == 1:
            return rest
        return all_of([exp.GTE(this=key[0].copy(), expression=values[0].copy()), rest])


class MSSQLTranslator(Translator):
    """Makes conditions for a table: what they say of texts and times is true of a little more than what matches."""

    orders_texts = False
    most_parameters = 1_900
    """A statement may have 2,100."""

    def by_kind(self, operand: SQL, answers: Mapping[Kind, SQL]) -> SQL:
        """Return nothing: a column holds values of one kind."""
        raise NotImplementedError

    def is_not_true(self, part: SQL) -> SQL:
        """Return what is true where a part is not."""
        return is_not_true_by_case(part)

    def compared_exactly(self, operand: SQL) -> SQL:
        """Return a text that is compared by its characters, whatever its own collation is."""
        return collated(exp.cast(operand, _type("NVARCHAR(MAX)")), _BINARY, quoted=False)

    def ending(self, text: SQL, end: SQL) -> SQL:
        """Return whether a text ends so, when blanks at the end of both do not count."""
        exact = collated(end.copy(), _BINARY, quoted=False)
        last = exp.Anonymous(this="RTRIM", expressions=[self.compared_exactly(text)])
        size = exp.Anonymous(this="LEN", expressions=[exact])
        return exp.EQ(this=exp.Anonymous(this="RIGHT", expressions=[last, size]), expression=end)

    def _of_text(self, question: Question) -> SQL | None:
        # What is read of CHAR has no blanks at its end, and a comparison takes no notice of any.
        if not question.upper or len(question.literal.text) > _LONGEST:
            return None
        answer = super()._of_text(question)
        if question.how is not Operator.EQUALS or not isinstance(answer, exp.EQ):
            return answer
        alike = exp.EQ(this=question.operand, expression=answer.expression.copy())
        return all_of([alike, answer])  # the first is what an index may be searched by

    def _of_whole(self, question: Question) -> SQL | None:
        is_long = question.how not in ORDERED and len(question.literal.text) > _LONGEST
        return None if is_long else super()._of_whole(question)

    def _of_real(self, question: Question) -> SQL | None:
        number = question.literal.number
        if question.how in ORDERED and number is not None and math.isinf(near := float(number)):
            return question.beyond(above=near > 0)
        return super()._of_real(question)

    def _of_decimal(self, question: Question) -> SQL | None:
        number = question.literal.number
        if question.how in ORDERED and number is not None and not _is_sensible(number):
            return None
        return super()._of_decimal(question)

    def _of_moment(self, question: Question, made: Callable[[datetime], datetime]) -> SQL | None:
        # A text, as the finest times are, is compared as one beside what is no time.
        if question.how not in ORDERED or question.literal.instant is None or not question.upper:
            return None
        try:
            moment = made(in_utc(question.literal.instant))
            first, last = moment - _TICK, moment + _TICK
        except OverflowError:
            return None
        parts = []
        if question.how not in {Operator.LESS, Operator.LESS_OR_EQUAL}:
            parts.append(question.compared(question.operand, first, Operator.GREATER_OR_EQUAL))
        if question.how not in {Operator.GREATER, Operator.GREATER_OR_EQUAL}:
            parts.append(question.compared(question.operand, last, Operator.LESS_OR_EQUAL))
        return all_of(parts)


def _behind(key: Sequence[SQL], values: Sequence[SQL]) -> SQL:
    first = exp.GT(this=key[0].copy(), expression=values[0].copy())
    if len(key) == 1:
        return first
    same = exp.EQ(this=key[0].copy(), expression=values[0].copy())
    return any_of([first, all_of([same, _behind(key[1:], values[1:])])])


def _is_sensible(number: Decimal) -> bool:
    """Return whether a number, and a column of many digits, have a common type that loses none of them."""
    _, digits, exponent = number.as_tuple()
    return len(digits) + int(exponent) <= 28 and -10 <= int(exponent) <= 28


def _is_ordered(form: Form) -> bool:
    """Return whether rows may be read in the order of such a column, as that of a key or as that of a cursor."""
    return form.in_keys or form.kind in {Kind.CLOCK, Kind.INSTANT}


def _type(declared: str) -> exp.DataType:
    return exp.DataType.build(declared, dialect=MSSQLDialect.name)


def _casting(declared: str) -> Callable[[SQL], SQL]:
    """Return what converts a value into a type."""
    kind = _type(declared)
    return lambda operand: exp.Cast(this=operand, to=kind.copy())


def _calling(method: str) -> Callable[[SQL], SQL]:
    """Return what calls a method of a value."""
    return lambda operand: exp.Dot(this=operand, expression=exp.Anonymous(this=method))


def _of_text(name: str, more: str, collation: str | None) -> Form:
    """Return the form of texts. They are read as Unicode, since the driver does not know all characters of code pages.

    A value of a key becomes a text of the column's own code page again: else the column would be made one of Unicode,
    which has another order than its index.
    """
    is_unicode, is_fixed = name.startswith("n"), name.endswith("char") and "var" not in name
    made = unpadded if is_fixed else None
    if more in {"", "max"} or name in {"text", "ntext"}:
        return Form(_text(), Kind.TEXT if more == "max" else Kind.OTHER, selected=_casting("NVARCHAR(MAX)"), made=made)
    size = more if int(more) <= _LONGEST else "MAX"
    cast = _casting(f"{name}({more})")
    selected = None if is_unicode else _casting(f"NVARCHAR({size})")
    given = cast if is_unicode else (lambda value: cast(collated(value, collation, quoted=False)))
    return Form(_text(), Kind.TEXT, in_keys=True, selected=selected, made=made, given=given)


def _text(more: str = "", **given: object) -> dict[str, object]:
    return {"type": "string", **({"format": more} if more else {}), **given}


_TEXTS: Final = frozenset({"char", "varchar", "nchar", "nvarchar", "text", "ntext"})
_WHOLE: Final = Form({"type": "integer"}, Kind.WHOLE, in_keys=True)
_DECIMAL: Final = Form({"type": "number"}, Kind.DECIMAL, in_keys=True)
_CLOCK: Final = Form(_text("date-time"), Kind.CLOCK, in_keys=True)
_BASE64: Final = _text(contentEncoding="base64")
_SHORT_BYTES: Final = Form(_BASE64, Kind.BYTES, in_keys=True, is_binary=True)
_LONG_BYTES: Final = Form(_BASE64, Kind.BYTES, is_binary=True)
_SHAPE: Final = Form(_text(), selected=_calling("STAsText"))
_GIVEN: Final[Mapping[str, str]] = {"timestamp": "BINARY(8)", "rowversion": "BINARY(8)"}
"""What a value of a key becomes, where that is not the type of the column."""
_FORMS: Final[Mapping[str, Form]] = {
    "bit": Form({"type": "boolean"}, Kind.FLAG, in_keys=True),
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), _WHOLE),
    **dict.fromkeys(("decimal", "numeric", "money", "smallmoney"), _DECIMAL),
    "float": Form({"type": "number"}, Kind.REAL),
    "real": Form({"type": "number"}, made=single_of),
    "date": Form(_text("date"), Kind.DAY, in_keys=True),
    **dict.fromkeys(("datetime", "smalldatetime", "datetime2"), _CLOCK),
    "datetimeoffset": Form(_text("date-time"), Kind.INSTANT, in_keys=True, made=in_utc),
    "time": Form(_text(), in_keys=True, made=plain_of),
    "uniqueidentifier": Form(_text("uuid"), in_keys=True, made=str),
    **dict.fromkeys(("binary", "varbinary", "timestamp", "rowversion"), _SHORT_BYTES),
    "image": replace(_LONG_BYTES, selected=_casting("VARBINARY(MAX)")),
    "assembly": replace(_LONG_BYTES, selected=_casting("VARBINARY(MAX)")),
    "xml": Form(_text(), selected=_casting("NVARCHAR(MAX)")),
    "json": Form(selected=_casting("NVARCHAR(MAX)"), made=json_of),
    "vector": Form({"type": "array"}, selected=_casting("NVARCHAR(MAX)"), made=vector_of),
    "hierarchyid": Form(_text(), selected=_calling("ToString")),
    **dict.fromkeys(("geometry", "geography"), _SHAPE),
    "sql_variant": Form(made=plain_of),
}
"""Numbers that are not exact are no keys."""
