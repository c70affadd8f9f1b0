"""Predicates as SQL: a condition that is true of every row that matches, and of as few others as SQL can tell.

What a literal means depends on the value that it is compared with, so a condition is made for each kind of value that a
column can hold, and says what `connectors.predicate.matches` says of such a value. What SQL can't say alike is left
undecided: true in the condition as a whole, and false below a `Not`, where the rows that surely match are wanted.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import ROUND_FLOOR
from enum import Enum, auto
from typing import Final

from sqlglot import exp

from connectors.literal import Literal, Operator, check_of
from connectors.predicate import And, Comparison, Not, Or, Predicate
from connectors.sources._sql.statement import (
    FALSE,
    SQL,
    TRUE,
    Parameters,
    all_of,
    any_of,
    column,
    is_not_true,
    is_present,
)

DEEPEST: Final = 40
"""How deep a predicate may be nested to be translated: the text is made and read by functions that call themselves."""
MOST_PARAMETERS: Final = 3_000
"""How many values a condition may have, of those that databases allow in a statement."""
MOST_DIGITS: Final = 38
"""How long a number may be to be compared with decimals: databases round longer ones."""
_WHOLE: Final = range(-(2**63), 2**63)
ORDERED: Final[Mapping[Operator, type[exp.Binary]]] = {
    Operator.EQUALS: exp.EQ,
    Operator.GREATER: exp.GT,
    Operator.GREATER_OR_EQUAL: exp.GTE,
    Operator.LESS: exp.LT,
    Operator.LESS_OR_EQUAL: exp.LTE,
}
_UPWARDS: Final = (Operator.GREATER, Operator.GREATER_OR_EQUAL)


class Kind(Enum):
    """A kind of values, told apart by the type that a row holds them as."""

    WHOLE = auto()
    """`int` of at most 64 bits, with a sign."""
    REAL = auto()
    """`float`, but no NaN."""
    DECIMAL = auto()
    """`Decimal`, but no NaN."""
    TEXT = auto()
    """`str`."""
    FLAG = auto()
    """`bool`."""
    INSTANT = auto()
    """`datetime` with a zone."""
    CLOCK = auto()
    """`datetime` without one, which is taken as UTC."""
    DAY = auto()
    """`date`."""
    BYTES = auto()
    """`bytes`, which match nothing."""
    OTHER = auto()
    """Anything else: nothing is decided."""


@dataclass(frozen=True)
class Column:
    """A column, and the kinds of values that it can hold beside NULL."""

    name: str
    kinds: frozenset[Kind]


@dataclass(frozen=True)
class Question:
    """A column compared with a literal, and which bound is wanted: the upper one may be true of too much."""

    name: str
    how: Operator
    literal: Literal
    parameters: Parameters
    upper: bool

    @property
    def operand(self) -> SQL:
        """The column, as a new part of the tree each time."""
        return column(self.name)

    def compared(self, operand: SQL, value: object, how: Operator | None = None) -> SQL:
        """Return an operand compared with a value, as this question asks or in another way."""
        return ORDERED[how or self.how](this=operand, expression=self.parameters.add(value))

    def beyond(self, *, above: bool) -> SQL:
        """Return the answer where the value is above, or below, all that the column can hold."""
        always = self.how is not Operator.EQUALS and above is not (self.how in _UPWARDS)
        return is_present(self.operand) if always else FALSE

    def stepped(self, step: object, *, exact: bool) -> SQL:
        """Return the comparison with a value between two steps, or on one, where the column can hold steps only."""
        if exact:
            return self.compared(self.operand, step)
        if self.how is Operator.EQUALS:
            return FALSE
        how = Operator.GREATER if self.how in _UPWARDS else Operator.LESS_OR_EQUAL
        return self.compared(self.operand, step, how)

    @property
    def is_unicode(self) -> bool:
        """Whether the text is one that a database can hold."""
        try:
            self.literal.text.encode()
        except UnicodeEncodeError:
            return False
        return True


class Translator(ABC):
    """Makes conditions for the columns of a table. A subclass says what is different in a database."""

    orders_texts: bool = True
    """Whether `compared_exactly` puts texts into the order of their code points."""
    most_parameters: int = MOST_PARAMETERS
    """How many values a condition may have."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._columns = {one.name: one for one in columns}
        self._conditions: dict[Kind, Callable[[Question], SQL | None]] = {
            Kind.WHOLE: self._of_whole,
            Kind.REAL: self._of_real,
            Kind.DECIMAL: self._of_decimal,
            Kind.TEXT: self._of_text,
            Kind.FLAG: self._of_flag,
            Kind.INSTANT: self._of_instant,
            Kind.CLOCK: self._of_clock,
            Kind.DAY: self._of_day,
            Kind.BYTES: lambda question: FALSE,
        }

    def condition(self, where: Predicate, parameters: Parameters) -> SQL:
        """Return what is true of every row that matches."""
        return self._bound(where, parameters, upper=True, depth=0)

    # What a database has to say.

    @abstractmethod
    def by_kind(self, operand: SQL, answers: Mapping[Kind, SQL]) -> SQL:
        """Return the answer for the kind of value that a column of several kinds holds in a row."""

    @abstractmethod
    def compared_exactly(self, operand: SQL) -> SQL:
        """Return a text that is compared character by character, and not as people of some country do."""

    @abstractmethod
    def ending(self, text: SQL, end: SQL) -> SQL:
        """Return whether a text ends so, character by character."""

    def is_not_true(self, part: SQL) -> SQL:
        """Return what is true where a part is false or NULL, and is never NULL itself."""
        return is_not_true(part)

    def dates(self, question: Question, moment: datetime) -> SQL | None:
        """Return how texts compare with a literal that is a moment: those that are such too, by when they are."""
        del question, moment  # a database with types of its own for them has few of these
        return None

    # The tree.

    def _bound(self, where: Predicate, parameters: Parameters, *, upper: bool, depth: int) -> SQL:
        """Return the upper bound of a predicate or its lower one. What is NULL counts as what is not true."""
        if depth > DEEPEST or len(parameters) > self.most_parameters:
            return _undecided(upper=upper)
        match where:
            case And(parts):
                return all_of(self._bound(part, parameters, upper=upper, depth=depth + 1) for part in parts)
            case Or(parts):
                return any_of(self._bound(part, parameters, upper=upper, depth=depth + 1) for part in parts)
            case Not(part):
                return self.is_not_true(self._bound(part, parameters, upper=not upper, depth=depth + 1))
            case Comparison(field, how, literal):
                known = self._columns.get(field)
                if known is None:
                    return _undecided(upper=upper)
                return self._compared(known, Question(field, how, literal, parameters, upper))

    def _compared(self, known: Column, question: Question) -> SQL:
        if Kind.OTHER in known.kinds:
            return _undecided(upper=question.upper)
        answers = {kind: self._answer(kind, question) for kind in sorted(known.kinds, key=lambda kind: kind.value)}
        if len(answers) == 1:
            return next(iter(answers.values()))
        if all(answer is FALSE for answer in answers.values()):
            return FALSE
        return self.by_kind(question.operand, answers)

    def _answer(self, kind: Kind, question: Question) -> SQL:
        if question.how is Operator.REGEX and kind not in {Kind.BYTES, Kind.FLAG}:
            found = FALSE if question.literal.pattern is None else None
        else:
            found = self._conditions[kind](question)
        return _undecided(upper=question.upper) if found is None else found

    # The kinds. None is what SQL can't say.

    def _of_whole(self, question: Question) -> SQL | None:
        number = question.literal.number
        if question.how not in ORDERED:
            return self._within(question, exp.cast(question.operand, "text"))
        if number is None:
            return FALSE
        # Looked at before it becomes a whole number, which takes as much memory as its exponent says.
        if number and number.adjusted() > MOST_DIGITS:
            return question.beyond(above=number > 0)
        whole = int(number.to_integral_value(ROUND_FLOOR)) if number else 0
        if whole not in _WHOLE:
            return question.beyond(above=whole > 0)
        return question.stepped(whole, exact=whole == number)

    def _of_real(self, question: Question) -> SQL | None:
        number = question.literal.number
        if question.how not in ORDERED:
            return None  # databases write them in other digits
        return FALSE if number is None else question.compared(question.operand, float(number))

    def _of_decimal(self, question: Question) -> SQL | None:
        number = question.literal.number
        if question.how not in ORDERED:
            return None
        if number is None:
            return FALSE
        _, digits, exponent = number.as_tuple()
        sensible = len(digits) <= MOST_DIGITS and abs(int(exponent)) <= MOST_DIGITS
        return question.compared(question.operand, number) if sensible else None

    def _of_text(self, question: Question) -> SQL | None:
        how, literal = question.how, question.literal
        if how not in ORDERED:
            return self._within(question, question.operand)
        if how is Operator.EQUALS:
            exact = self.compared_exactly(question.operand)
            return question.compared(exact, literal.text) if question.is_unicode else FALSE
        # Beside a number, texts that are numbers are compared as such, and SQL does not read numbers as Python does.
        if not self.orders_texts or not question.is_unicode or literal.number is not None:
            return None
        if literal.instant is not None:
            moment = _in_utc(literal.instant)
            return None if moment is None else self.dates(question, moment)
        return question.compared(self.compared_exactly(question.operand), literal.text)

    def _of_flag(self, question: Question) -> SQL | None:
        check = check_of(question.how, question.literal)
        right = [flag for flag in (True, False) if check(flag)]
        if len(right) == 1:
            return exp.EQ(this=question.operand, expression=exp.Boolean(this=right[0]))
        return is_present(question.operand) if right else FALSE

    def _of_instant(self, question: Question) -> SQL | None:
        return self._of_moment(question, lambda moment: moment)

    def _of_clock(self, question: Question) -> SQL | None:
        return self._of_moment(question, lambda moment: moment.replace(tzinfo=None))

    def _of_moment(self, question: Question, made: Callable[[datetime], datetime]) -> SQL | None:
        if question.how not in ORDERED:
            return None
        if question.literal.instant is None:
            return FALSE
        moment = _in_utc(question.literal.instant)
        return None if moment is None else question.compared(question.operand, made(moment))

    def _of_day(self, question: Question) -> SQL | None:
        if question.how not in ORDERED:
            return None
        if question.literal.instant is None:
            return FALSE
        moment = _in_utc(question.literal.instant)
        return None if moment is None else question.stepped(moment.date(), exact=moment.time() == time())

    def _within(self, question: Question, text: SQL) -> SQL:
        if not question.is_unicode:
            return FALSE
        if not question.literal.text:
            return is_present(text)
        exact, part = self.compared_exactly(text), question.parameters.add(question.literal.text)
        if question.how is Operator.ENDS_WITH:
            return self.ending(text, part)
        # The place where it stands: the patterns of LIKE have wildcards, and are often matched in any case.
        place = exp.StrPosition(this=exact, substr=part)
        starts = question.how is Operator.STARTS_WITH
        return (exp.EQ if starts else exp.GTE)(this=place, expression=exp.Literal.number(1))


def _undecided(*, upper: bool) -> SQL:
    return TRUE if upper else FALSE


def _in_utc(moment: datetime) -> datetime | None:
    """Return a moment in UTC; None for one outside of the years that there are."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None
