"""The dialect of Oracle: its types, how its statements are written, and its conditions."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import ClassVar, Final, Literal

from sqlglot import exp

from connectors.literal import Operator
from connectors.sources._oracle import catalog
from connectors.sources._oracle.values import (
    file_of,
    instant_of,
    json_of,
    moment_of,
    months_of,
    number_of,
    plain_of,
    span_of,
    text_of,
    unpadded,
)
from connectors.sources._sql.dialect import Dialect
from connectors.sources._sql.form import Form
from connectors.sources._sql.predicate import ORDERED, Column, Kind, Question, Translator
from connectors.sources._sql.single import single_of
from connectors.sources._sql.statement import FALSE, SQL, all_of, any_of, column, is_not_true_by_case, is_present
from connectors.sources._sql.table import Table

PREFIX: Final = "v_"
"""Stands before the name of each parameter: `:group` would be a word of Oracle's own."""
DAY_FORMAT: Final = 'SYYYY-MM-DD"T"HH24:MI:SS'
MOMENT_FORMAT: Final = f"{DAY_FORMAT}.FF9"
"""How times are written and read, those of years before 1 too, which the driver can't return."""
LONGEST_TEXT: Final = 1_000
"""Characters of a text that is compared in the database: statements take values of 4,000 bytes."""
_ROWS: Final = "rows"
_REALS: Final = range(-125, 125)
"""Digits before the point of a number that can be given as a NUMBER."""
_NUMBER: Final = re.compile(r"NUMBER\((?P<digits>\d*),(?P<scale>-?\d*)\)")
_SMALL: Final = range(1, 19)
"""Digits of a whole number that has 64 bits at most."""
_TIMESTAMP: Final = re.compile(r"TIMESTAMP\((?P<digits>\d)\)(?P<zone> WITH (?:LOCAL )?TIME ZONE)?")
_MICRO: Final = 6
"""Digits of a second that Python has."""


class OracleDialect(Dialect):
    """How Oracle is asked."""

    name: ClassVar[str] = "oracle"
    parameters: ClassVar[Literal["pyformat", "named"]] = "named"

    def catalog(self, server: str) -> Sequence[str]:
        """Return the questions to a server of that version."""
        version = tuple(map(int, re.findall(r"\d+", server)[:2]))
        return catalog.TABLES, catalog.columns(version), catalog.KEYS

    def form(self, declared: str) -> Form:
        """Return what a type becomes; one that is not known stays as the driver returns it, and decides nothing."""
        if number := _NUMBER.fullmatch(declared):
            return _number(number["digits"], number["scale"])
        if moment := _TIMESTAMP.fullmatch(declared):
            return _moment(int(moment["digits"]), is_zoned=bool(moment["zone"]))
        if declared.startswith("INTERVAL"):
            return Form(_text(), made=months_of if "MONTH" in declared else span_of)
        if declared.endswith(catalog.OTHER_CHARACTERS):
            return replace(self.form(declared.removesuffix(catalog.OTHER_CHARACTERS)), kind=Kind.OTHER, in_keys=False)
        return _FORMS.get(declared, Form(made=plain_of))

    def translator(self, columns: Iterable[Column]) -> Translator:
        """Return what makes conditions."""
        return OracleTranslator(columns)

    def source(self, table: Table, *, by_key: bool) -> exp.Expr:
        """Return the table; with the index of its key, as a page may else be found by sorting all rows."""
        named = super().source(table, by_key=by_key)
        named.set("alias", exp.TableAlias(this=exp.to_identifier(_ROWS, quoted=True)))
        if by_key and table.index is not None:
            index = exp.to_identifier(table.index, quoted=True)
            named.set("hints", [exp.IndexTableHint(this="INDEX_ASC", expressions=[index])])
        return named

    def behind(self, key: Sequence[SQL], values: Sequence[SQL]) -> SQL:
        """Return what is behind a key column by column, and from where on that is in its index."""
        first = exp.GT(this=key[0].copy(), expression=values[0].copy())
        if len(key) == 1:
            return first
        same = exp.EQ(this=key[0].copy(), expression=values[0].copy())
        begins = exp.GTE(this=key[0].copy(), expression=values[0].copy())
        return all_of([begins, any_of([first, all_of([same, self.behind(key[1:], values[1:])])])])

    def ordered(self, name: str) -> exp.Ordered:
        """Return a column in the order that its index has."""
        return exp.Ordered(this=column(name), nulls_first=False)

    def text(self, statement: SQL) -> str:
        """Return the text of a statement: its hint where Oracle reads it, and nothing that is true by itself."""
        own = statement.transform(_without_truth)
        for table in own.find_all(exp.Table):
            hints, select = table.args.get("hints"), table.find_ancestor(exp.Select)
            if hints and select is not None:
                table.set("hints", None)
                rows = exp.to_identifier(_ROWS, quoted=True)
                hint = exp.Anonymous(this=hints[0].this, expressions=[rows, *hints[0].expressions])
                select.set("hint", exp.Hint(expressions=[hint]))
        for one in own.find_all(exp.Placeholder):
            one.set("this", f"{PREFIX}{one.this}")
        return super().text(own)


class OracleTranslator(Translator):
    """Makes conditions for a table: texts are compared by their bytes, and times as what their texts stand for."""

    orders_texts = False  # bytes are in the order of code points in some character sets only

    def by_kind(self, operand: SQL, answers: Mapping[Kind, SQL]) -> SQL:
        """Return nothing: a column holds values of one kind."""
        raise NotImplementedError

    def is_not_true(self, part: SQL) -> SQL:
        """Return what is true where a part is false or NULL: nothing is true or false by itself."""
        return is_not_true_by_case(part)

    def compared_exactly(self, operand: SQL) -> SQL:
        """Return the text as it is: the session has bytes compared."""
        return operand

    def ending(self, text: SQL, end: SQL) -> SQL:
        """Return whether a text ends so."""
        size = exp.Neg(this=_call("LENGTH", end.copy()))
        return exp.EQ(this=_call("SUBSTR", text, size), expression=end)

    def _of_whole(self, question: Question) -> SQL | None:
        if question.how in ORDERED:
            return super()._of_whole(question)
        is_short = len(question.literal.text) <= LONGEST_TEXT
        return self._within(question, _call("TO_CHAR", question.operand)) if is_short else None

    def _of_real(self, question: Question) -> SQL | None:
        number = question.literal.number
        if not question.upper or (number and number.adjusted() not in _REALS):
            return None  # NaN is above all others here, and matches nothing
        return super()._of_real(question)

    def _of_text(self, question: Question) -> SQL | None:
        how, text = question.how, question.literal.text
        if len(text) > LONGEST_TEXT:
            return None
        if how in ORDERED and not text:  # which is NULL here: nothing compares with it
            return is_present(question.operand) if how in _UPWARDS else FALSE
        return super()._of_text(question)

    def _of_clock(self, question: Question) -> SQL | None:
        return _at(question, question.operand, _as_moment, exact=True)

    def _of_instant(self, question: Question) -> SQL | None:
        return _at(question, _in_utc(question.operand), _as_moment, exact=True)

    def _of_day(self, question: Question) -> SQL | None:
        """Return the answer for a DATE, which has a time, and no parts of a second."""
        return _at(question, question.operand, _as_day, exact=False)


def _at(question: Question, operand: SQL, read: Callable[[SQL], SQL], *, exact: bool) -> SQL | None:
    """Return how times compare with a literal; `exact` is whether they have parts of a second."""
    how, moment = question.how, question.literal.instant
    if how not in ORDERED:
        return None
    if moment is None:
        return _of_calendar(question, operand, read, FALSE)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        return None
    whole = moment if exact else moment.replace(microsecond=0)
    if whole != moment:
        if how is Operator.EQUALS:
            return _of_calendar(question, operand, read, FALSE)
        how = Operator.GREATER if how in _UPWARDS else Operator.LESS_OR_EQUAL
    value = read(question.parameters.add(text_of(whole)))
    return _of_calendar(question, operand, read, ORDERED[how](this=operand, expression=value))


def _of_calendar(question: Question, operand: SQL, read: Callable[[SQL], SQL], answer: SQL) -> SQL:
    """Return the answer for times: those of years before 1 are texts in documents, and compared as such."""
    if question.upper and question.how in _UPWARDS and question.literal.text[:1].isdigit():
        return answer  # none of them is above: they begin with a minus
    first = read(exp.Literal.string(" 0001-01-01T00:00:00"))
    if question.upper:
        return any_of([answer, exp.LT(this=operand.copy(), expression=first)])
    return all_of([answer, exp.GTE(this=operand.copy(), expression=first)])


def _without_truth(node: exp.Expr) -> exp.Expr:
    """Return a condition instead of a word that Oracle has no meaning for but beside a column of flags."""
    if not isinstance(node, exp.Boolean) or isinstance(node.parent, exp.EQ):
        return node
    return exp.EQ(this=exp.Literal.number(1), expression=exp.Literal.number(int(node.this)))


def _call(name: str, *given: SQL) -> SQL:
    return exp.Anonymous(this=name, expressions=list(given))


def _as_day(text: SQL) -> SQL:
    return _call("TO_DATE", text, exp.Literal.string(DAY_FORMAT))


def _as_moment(text: SQL) -> SQL:
    return _call("TO_TIMESTAMP", text, exp.Literal.string(MOMENT_FORMAT))


def _as_padded(text: SQL) -> SQL:
    """Return a text of a fixed length: beside one whose length varies, blanks at the end would count."""
    return exp.cast(text, "char(2000)", dialect="oracle")


def _in_utc(operand: SQL) -> SQL:
    return _call("SYS_EXTRACT_UTC", operand)


def _day_written(operand: SQL) -> SQL:
    return _call("TO_CHAR", operand, exp.Literal.string(DAY_FORMAT))


def _moment_written(operand: SQL) -> SQL:
    return _call("TO_CHAR", operand, exp.Literal.string(MOMENT_FORMAT))


def instant_written(operand: SQL) -> SQL:
    """Return the text of a time with a zone, in UTC: the driver would leave the zone out."""
    return _moment_written(_in_utc(operand))


def _number(digits: str, scale: str) -> Form:
    if scale == "0" and digits and int(digits) in _SMALL:
        return Form({"type": "integer"}, Kind.WHOLE, in_keys=True)
    kind = "integer" if scale == "0" else "number"
    return Form({"type": kind}, Kind.DECIMAL, in_keys=True, made=number_of)


def _moment(digits: int, *, is_zoned: bool) -> Form:
    """Return what a timestamp becomes. In conditions and in keys it has to have no parts that Python lacks."""
    if is_zoned:
        kind = Kind.INSTANT if digits <= _MICRO else Kind.OTHER
        return Form(_text("date-time"), kind, selected=instant_written, made=instant_of)
    kind = Kind.CLOCK if digits <= _MICRO else Kind.OTHER
    return Form(_text("date-time"), kind, in_keys=True, selected=_moment_written, made=moment_of, given=_as_moment)


def _text(more: str = "", **given: object) -> dict[str, object]:
    return {"type": "string", **({"format": more} if more else {}), **given}


_UPWARDS: Final = (Operator.GREATER, Operator.GREATER_OR_EQUAL)
_SHORT_TEXT: Final = Form(_text(), Kind.TEXT, in_keys=True)
_LONG_TEXT: Final = Form(_text())
_PADDED: Final = Form(_text(), in_keys=True, made=unpadded, given=_as_padded)
_LONG_BYTES: Final = Form(_text(contentEncoding="base64"), Kind.BYTES, is_binary=True)
_FORMS: Final[Mapping[str, Form]] = {
    "FLOAT": Form({"type": "number"}, Kind.DECIMAL, in_keys=True, made=number_of),
    "BINARY_FLOAT": Form({"type": "number"}, made=single_of),
    "BINARY_DOUBLE": Form({"type": "number"}, Kind.REAL),
    "BOOLEAN": Form({"type": "boolean"}, Kind.FLAG),
    **dict.fromkeys(("VARCHAR2", "NVARCHAR2"), _SHORT_TEXT),
    **dict.fromkeys(("CHAR", "NCHAR"), _PADDED),
    **dict.fromkeys(("CLOB", "NCLOB", "LONG", "XMLTYPE", "ROWID", "UROWID"), _LONG_TEXT),
    "RAW": Form(_text(contentEncoding="base64"), Kind.BYTES, in_keys=True, is_binary=True),
    **dict.fromkeys(("BLOB", "LONG RAW"), _LONG_BYTES),
    "BFILE": Form(_text(), made=file_of),
    "DATE": Form(_text("date-time"), Kind.DAY, in_keys=True, selected=_day_written, made=moment_of, given=_as_day),
    "JSON": Form(made=plain_of),
    catalog.JSON_TEXT: Form(made=json_of),
    "VECTOR": Form(made=plain_of),
    "OBJECT": Form(made=plain_of),
}
"""A CLOB is compared in the database neither with values nor in order. Numbers that are not exact are no keys."""
