"""The dialect of PostgreSQL: its types, its catalog, and its conditions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Final

from sqlglot import exp

from connectors.sources._postgresql.values import json_of
from connectors.sources._sql.dialect import Dialect
from connectors.sources._sql.form import Form
from connectors.sources._sql.predicate import Column, Kind, Question, Translator
from connectors.sources._sql.statement import SQL, all_of, any_of, collated, column

_TABLES: Final = """
SELECT c.relname, c.relkind IN ('v', 'm'), CASE
    WHEN c.relkind = 'p' THEN (
        SELECT sum(greatest(leaf.reltuples, 0)) FROM pg_catalog.pg_partition_tree(c.oid) part
        JOIN pg_catalog.pg_class leaf ON leaf.oid = part.relid WHERE part.isleaf)::bigint
    WHEN c.reltuples >= 0 THEN c.reltuples::bigint END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(group)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition"""
"""A partition is read as a part of its table. Before a table was analysed nobody knows how many rows it has."""
_COLUMNS: Final = """
WITH RECURSIVE base AS (
    SELECT oid, oid AS found FROM pg_catalog.pg_type
    UNION ALL
    SELECT base.oid, t.typbasetype FROM base JOIN pg_catalog.pg_type t ON t.oid = base.found WHERE t.typtype = 'd')
SELECT c.relname, a.attname, CASE
    WHEN element.oid IS NOT NULL THEN CASE WHEN element.oid < 16384 THEN element.typname ELSE 'other' END || '[]'
    WHEN t.typtype = 'e' THEN 'enum'
    WHEN t.typtype = 'c' THEN 'composite'
    WHEN t.oid < 16384 THEN t.typname ELSE 'other ' || t.typname END,
    NOT a.attnotnull OR EXISTS (
        SELECT FROM pg_catalog.pg_constraint o
        WHERE o.conrelid = c.oid AND o.contype = 'n' AND NOT o.convalidated AND a.attnum = ANY (o.conkey)),
    has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN base ON base.oid = a.atttypid JOIN pg_catalog.pg_type t ON t.oid = base.found AND t.typtype <> 'd'
LEFT JOIN pg_catalog.pg_type element ON element.oid = t.typelem AND element.typarray = t.oid
WHERE n.nspname = %(group)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
ORDER BY c.relname, a.attnum"""
"""What a domain is made from counts. A constraint that is not validated lets NULL stay that was there before."""
_KEYS: Final = """
SELECT c.relname, i.relname, x.indisprimary, a.attname,
    x.indcollation[place] = coalesce(a.attcollation, 0) AND o.opcdefault AND x.indoption[place] IN (0, 3),
    x.indoption[place] & 1 = 1
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_index x ON x.indrelid = c.oid
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = i.relam
CROSS JOIN LATERAL generate_series(0, x.indnkeyatts - 1) AS place
JOIN pg_catalog.pg_opclass o ON o.oid = x.indclass[place]
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[place] AND a.attnum > 0
WHERE n.nspname = %(group)s AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
    AND x.indisunique AND x.indisvalid AND x.indisready AND NOT x.indisexclusion AND x.indpred IS NULL
    AND m.amname = 'btree'
    AND (c.relkind = 'p' OR NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid))
ORDER BY c.relname, i.relname, place"""
"""Unique indices of all rows. One that compares or sorts otherwise than its column does tells rows apart, and no more.

Nothing keeps the rows of a table and of those that inherit from it apart.
"""


class PostgreSQLDialect(Dialect):
    """How PostgreSQL is asked."""

    name: ClassVar[str] = "postgres"

    def catalog(self, server: str) -> Sequence[str]:
        """Return the questions, which are the same in all versions."""
        del server
        return _TABLES, _COLUMNS, _KEYS

    def form(self, declared: str) -> Form:
        """Return what a type becomes; one that is not known is the text that the server writes, and decides nothing."""
        if declared in _LISTS_OF_JSON:
            return Form({"type": "array"}, made=json_of)
        if declared.endswith("[]"):
            return Form({"type": "array"})
        return _FORMS.get(declared, Form(_text()))

    def translator(self, columns: Iterable[Column]) -> Translator:
        """Return what makes conditions."""
        return PostgreSQLTranslator(columns)

    def ordered(self, name: str) -> exp.Ordered:
        """Return a column in the order that its index has: to have NULL first, rows would be sorted."""
        return exp.Ordered(this=column(name), nulls_first=False)


class PostgreSQLTranslator(Translator):
    """Makes conditions for a table: texts are compared by their code points, dates and numbers as real ones."""

    def by_kind(self, operand: SQL, answers: Mapping[Kind, SQL]) -> SQL:
        """Return nothing: a column holds values of one kind."""
        raise NotImplementedError

    def compared_exactly(self, operand: SQL) -> SQL:
        """Return a text that is compared by its bytes, whatever its own collation is."""
        return exp.Paren(this=collated(exp.cast(operand, "text"), "C"))

    def ending(self, text: SQL, end: SQL) -> SQL:
        """Return whether a text ends so."""
        last = exp.cast(end, "text")
        size = exp.Anonymous(this="length", expressions=[last.copy()])
        ending = exp.Anonymous(this="right", expressions=[self.compared_exactly(text), size])
        return exp.EQ(this=ending, expression=last)

    def _of_real(self, question: Question) -> SQL | None:
        return _of_finite(question, super()._of_real(question))

    def _of_decimal(self, question: Question) -> SQL | None:
        return _of_finite(question, super()._of_decimal(question))

    def _of_moment(self, question: Question, made: Callable[[datetime], datetime]) -> SQL | None:
        return _of_calendar(question, super()._of_moment(question, made))

    def _of_day(self, question: Question) -> SQL | None:
        return _of_calendar(question, super()._of_day(question))


def _of_finite(question: Question, answer: SQL | None) -> SQL | None:
    """Return the answer for numbers: NaN is above all others here, and matches nothing."""
    if question.upper or answer is None:
        return answer
    zero = exp.Paren(this=exp.Sub(this=question.operand, expression=question.operand))
    return all_of([answer, exp.EQ(this=zero, expression=exp.Literal.number(0))])


def _of_calendar(question: Question, answer: SQL | None) -> SQL | None:
    """Return the answer for dates: those of no year from 1 to 9999 are texts in documents, and compared as such."""
    if answer is None:
        return None
    first = exp.GTE(this=question.operand, expression=exp.Literal.string("0001-01-01"))
    last = exp.LT(this=question.operand, expression=exp.Literal.string("10000-01-01"))
    known = exp.Paren(this=exp.And(this=first, expression=last))
    return any_of([answer, exp.Not(this=known)]) if question.upper else all_of([answer, known])


def _as_number(operand: SQL) -> SQL:
    """Return an amount of money without the signs of a country."""
    return exp.cast(operand, "numeric")


def _as_object(operand: SQL) -> SQL:
    return exp.Anonymous(this="to_jsonb", expressions=[operand])


def _text(more: str = "", **given: object) -> dict[str, object]:
    return {"type": "string", **({"format": more} if more else {}), **given}


_LISTS_OF_JSON: Final = ("json[]", "jsonb[]")
_WHOLE: Final = Form({"type": "integer"}, Kind.WHOLE, in_keys=True)
_TEXT: Final = Form(_text(), Kind.TEXT, in_keys=True)
_AS_TEXT: Final = Form(_text(), in_keys=True)
_JSON: Final = Form(made=json_of)
_FORMS: Final[Mapping[str, Form]] = {
    **dict.fromkeys(("int2", "int4", "int8"), _WHOLE),
    "oid": Form({"type": "integer"}),
    "numeric": Form({"type": "number"}, Kind.DECIMAL, in_keys=True),
    "float4": Form({"type": "number"}),
    "float8": Form({"type": "number"}, Kind.REAL),
    "money": Form({"type": "number"}, selected=_as_number),
    "bool": Form({"type": "boolean"}, Kind.FLAG, in_keys=True),
    **dict.fromkeys(("text", "varchar", "bpchar", "enum"), _TEXT),
    "other citext": Form(_text(), Kind.TEXT),
    "date": Form(_text("date"), Kind.DAY, in_keys=True),
    "timestamp": Form(_text("date-time"), Kind.CLOCK, in_keys=True),
    "timestamptz": Form(_text("date-time"), Kind.INSTANT, in_keys=True),
    "time": _AS_TEXT,
    "uuid": Form(_text("uuid"), in_keys=True),
    **dict.fromkeys(("inet", "cidr", "macaddr", "macaddr8"), _AS_TEXT),
    "bytea": Form(_text(contentEncoding="base64"), Kind.BYTES, in_keys=True, is_binary=True),
    **dict.fromkeys(("json", "jsonb"), _JSON),
    "composite": Form({"type": "object"}, selected=_as_object, made=json_of),
    "other hstore": Form({"type": "object"}),
}
"""Numbers that are not exact are no keys."""
