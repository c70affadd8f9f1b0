"""The conditions of SQLite: a column can hold values of any kind, and compares texts by a collation of its own."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlglot import exp

from connectors.literal import Operator
from connectors.sources._sql.predicate import Column, Kind, Question, Translator
from connectors.sources._sql.statement import FALSE, SQL, TRUE, all_of, any_of, collated

DIALECT: Final = "sqlite"
_CLASSES: Final[Mapping[Kind, str]] = {Kind.WHOLE: "integer", Kind.REAL: "real", Kind.TEXT: "text"}
"""The storage classes of values that can match something."""
_DATE: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"
_MARGIN: Final = timedelta(days=2)
"""More than there is between the date that begins a text and the instant, with any time of day and any zone."""


class SQLiteTranslator(Translator):
    """Makes conditions for a table of SQLite."""

    def __init__(self, columns: Iterable[Column], encoding: str = "UTF-8") -> None:
        super().__init__(columns)
        # Texts are compared as the bytes that they are stored as, which in UTF-16 are in no order that means anything.
        self.orders_texts = encoding == "UTF-8"

    def by_kind(self, operand: SQL, answers: Mapping[Kind, SQL]) -> SQL:
        """Return the answer for the storage class of a value; NULL and bytes match nothing."""
        ifs = [
            exp.If(this=exp.Literal.string(_CLASSES[kind]), true=answer.copy() if answer is TRUE else answer)
            for kind, answer in answers.items()
            if kind in _CLASSES and answer is not FALSE
        ]
        only = answers.get(Kind.TEXT)
        if (
            answers.keys() == {Kind.TEXT, Kind.BYTES}
            and isinstance(only, exp.EQ)
            and isinstance(only.this, exp.Collate)
        ):
            return only  # a text equals no bytes, and an index can find it
        return exp.Case(this=_call("TYPEOF", operand), ifs=ifs, default=FALSE.copy())

    def compared_exactly(self, operand: SQL) -> SQL:
        """Return a text that is compared byte by byte."""
        return collated(operand, "BINARY")

    def ending(self, text: SQL, end: SQL) -> SQL:
        """Return whether a text ends so: by its bytes, as functions of texts stop at a NUL character."""
        raw, last = exp.cast(text, "blob"), exp.cast(end, "blob")
        start = exp.Neg(this=_call("LENGTH", last.copy()))
        return exp.EQ(this=_call("SUBSTR", raw, start), expression=last)

    def dates(self, question: Question, moment: datetime) -> SQL | None:
        """Return how dates written as `2024-01-31...` compare with a moment, two days more or less.

        They are compared by the date that they begin with, or as texts where the rest is no time. What begins otherwise
        is not decided: there are more ways to write an instant.
        """
        text = question.literal.text
        try:
            bounds = min(f"{(moment - _MARGIN).date()}", text), max(f"{(moment + _MARGIN).date()}", text)
        except OverflowError:
            return None  # outside of the years that there are
        is_date = exp.Glob(this=question.operand, expression=exp.Literal.string(_DATE))
        upwards = question.how in {Operator.GREATER, Operator.GREATER_OR_EQUAL}
        bound = bounds[0] if upwards is question.upper else bounds[1]
        how = Operator.GREATER if upwards else Operator.LESS
        if question.upper:
            how = Operator.GREATER_OR_EQUAL if upwards else Operator.LESS_OR_EQUAL
        compared = question.compared(self.compared_exactly(question.operand), bound, how)
        return any_of([exp.Not(this=is_date), compared]) if question.upper else all_of([is_date, compared])


def opaque(condition: SQL) -> SQL:
    """Return a condition that is looked at row by row, so that no index but that of the key is chosen by it.

    Pages in the order of another index would have to be sorted, and so all that is left to be read again for each.
    """
    if condition is TRUE or condition is FALSE:
        return condition
    return exp.Case(ifs=[exp.If(this=condition, true=exp.Literal.number(1))])


def _call(name: str, *arguments: SQL) -> SQL:
    return exp.Anonymous(this=name, expressions=list(arguments))
