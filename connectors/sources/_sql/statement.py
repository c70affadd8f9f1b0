"""Statements: SQL whose names are quoted and whose values are parameters, built as a tree and never as a text."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlglot import exp

SQL = exp.Expr
TRUE: Final[SQL] = exp.true()
FALSE: Final[SQL] = exp.false()
"""What folds away: these two are told by identity, and a copy of them stands where one is needed in a text."""


class Parameters(dict[str, Any]):
    """The values of a statement, by the names that stand for them in its text."""

    def add(self, value: object) -> SQL:
        """Take a value and return what stands for it."""
        name = f"p{len(self)}"
        self[name] = value
        return parameter(name)


def column(name: str) -> SQL:
    """Return a column."""
    return exp.column(exp.to_identifier(name, quoted=True))


def parameter(name: str) -> SQL:
    """Return what stands for a value that is given by this name when the statement is executed."""
    return exp.Placeholder(this=name)


def collated(operand: SQL, collation: str | None, *, quoted: bool = True) -> SQL:
    """Return an operand that is compared by a collation, whose name stands without quotes where it is no identifier."""
    if collation is None:
        return operand
    return exp.Collate(this=operand, expression=exp.to_identifier(collation, quoted=quoted))


def behind(key: Sequence[SQL], values: Sequence[SQL]) -> SQL:
    """Return what is true of the rows behind a key: in its order, which is that of the first column, then the next."""
    if len(key) == 1:
        return exp.GT(this=key[0], expression=values[0])
    # A row value, as databases find its place in an index of all columns, whatever number of rows share the first.
    return exp.GT(this=exp.Tuple(expressions=list(key)), expression=exp.Tuple(expressions=list(values)))


def all_of(parts: Iterable[SQL]) -> SQL:
    """Return what is true where every part is."""
    return _joined(exp.And, parts, neutral=TRUE, decisive=FALSE)


def any_of(parts: Iterable[SQL]) -> SQL:
    """Return what is true where one part is."""
    return _joined(exp.Or, parts, neutral=FALSE, decisive=TRUE)


def is_not_true(part: SQL) -> SQL:
    """Return what is true where a part is false or NULL, and is never NULL itself."""
    if part is TRUE or part is FALSE:
        return FALSE if part is TRUE else TRUE
    return exp.Not(this=exp.Is(this=exp.Paren(this=part), expression=TRUE.copy()))


def is_not_true_by_case(part: SQL) -> SQL:
    """Return the same for databases that have conditions, and no values that are true or false."""
    if part is TRUE or part is FALSE:
        return is_not_true(part)
    number = exp.Case(ifs=[exp.If(this=part, true=exp.Literal.number(1))], default=exp.Literal.number(0))
    return exp.EQ(this=number, expression=exp.Literal.number(0))


def is_present(operand: SQL) -> SQL:
    """Return what is true where a value is not NULL, and is never NULL itself."""
    return exp.Not(this=exp.Is(this=operand, expression=exp.Null()))


def page(columns: Sequence[SQL], table: str, *, where: SQL, order: Sequence[SQL], limit: SQL, dialect: str) -> str:
    """Return the text of a statement that reads so many rows of a table in an order."""
    ordered = exp.Order(expressions=[exp.Ordered(this=one.copy(), nulls_first=True) for one in order])
    select = exp.Select(expressions=list(columns)).from_(exp.to_identifier(table, quoted=True))
    if where is not TRUE:
        select = select.where(where.copy() if where is FALSE else where, copy=False)
    return select.order_by(ordered, copy=False).limit(limit, copy=False).sql(dialect, copy=False)


def span(name: str, table: str, dialect: str) -> str:
    """Return the text of a statement that reads the least and the most value of a column, each by an index."""
    extremes = [
        exp.Subquery(
            this=exp.Select(expressions=[kind(this=column(name))]).from_(exp.to_identifier(table, quoted=True))
        )
        for kind in (exp.Min, exp.Max)
    ]
    return exp.Select(expressions=extremes).sql(dialect)


def _joined(kind: type[exp.Connector], parts: Iterable[SQL], *, neutral: SQL, decisive: SQL) -> SQL:
    left = [part for part in parts if part is not neutral]
    if any(part is decisive for part in left):
        return decisive
    return _balanced(kind, left) if left else neutral


def _balanced(kind: type[exp.Connector], parts: Sequence[SQL]) -> SQL:
    """Return parts joined as a tree of little depth: databases refuse trees that are as deep as a rule set is long."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    sides = (_balanced(kind, parts[:half]), _balanced(kind, parts[half:]))
    this, other = (exp.Paren(this=side) if isinstance(side, exp.Connector) else side for side in sides)
    return kind(this=this, expression=other)
