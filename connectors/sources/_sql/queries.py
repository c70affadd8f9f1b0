"""Queries: advanced rules of a database, each a SELECT that is run once as somebody wrote it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Protocol

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from connectors.errors import ConfigurationError, ConnectorsError, SourceUnreachable
from connectors.filtering.schema import AdvancedRulesSchemaValidator
from connectors.filtering.validation import AdvancedRules, Results, SyncRuleValidationResult


class Tables(Protocol):
    """What is in a database."""

    @property
    def tables(self) -> Collection[str]:
        """The names of its tables."""


class Describing(Protocol):
    """What can be asked about a query."""

    async def described(self, text: str) -> Sequence[str]:
        """Return the names of what it would return. Raises what is wrong with it."""


Asked = Callable[[], AbstractAsyncContextManager[tuple[Describing, Tables]]]
"""Provides a session, and what is in the database."""
_TEXT: Final = {"type": "string", "minLength": 1}
_NAMES: Final = {"type": "array", "minItems": 1, "items": _TEXT}


class InvalidQuery(ValueError):
    """What is no SELECT. The message is a sentence."""


@dataclass(frozen=True)
class Query:
    """A statement, the tables that it is about, and the columns of its result that tell documents apart.

    `place` says where it stands in the rules, for messages.
    """

    place: str
    tables: tuple[str, ...]
    text: str
    id_columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What its documents have as their dataset."""
        return ", ".join(self.tables)

    def key_in(self, names: Collection[str], keys: Sequence[str]) -> tuple[str, ...]:
        """Return which columns of its result tell documents apart: `keys` are those of its tables. Nothing is all."""
        found = keys if len(set(keys)) == len(keys) and set(keys) <= set(names) else ()
        return self.id_columns or tuple(found)

    def missing(self, catalog: Tables) -> str:
        """Return the sentence that says which of its tables are not there; nothing where all are."""
        names = [name for name in self.tables if name not in catalog.tables]
        return f"Tables not found or inaccessible: {', '.join(names)}." if names else ""

    def check_tables(self, catalog: Tables) -> None:
        """Raise a `ConfigurationError` for tables that are not there."""
        if missing := self.missing(catalog):
            raise ConfigurationError(f"{self.place}: {missing}", field="filtering")


def queries_of(rules: AdvancedRules, database: str, dialect: str) -> list[Query]:
    """Return the queries of rules, of whichever shape they are. Raises a `ConfigurationError`."""
    try:
        return [replace(one, text=single(one.text, dialect)) for one in _parts(rules, database)]
    except InvalidQuery as error:
        raise ConfigurationError(str(error), field="filtering") from None


def single(text: str, dialect: str) -> str:
    """Return the text of a single statement that reads, without a semicolon at its end. Raises `InvalidQuery`.

    What can't be understood here is left for the database to judge, if it begins as a SELECT does.
    """
    try:
        tokens = sqlglot.tokenize(text, dialect)
        ends = [one.start for one in tokens if one.token_type is sqlglot.TokenType.SEMICOLON]
        statement = text[: ends[0]] if ends and tokens[-len(ends)].start == ends[0] else text
        parsed = [one for one in sqlglot.parse(statement, dialect) if one is not None]
    except SqlglotError:
        if text.lstrip("( \t\r\n")[:6].upper().startswith(("SELECT", "WITH")):
            return text
        raise InvalidQuery("It is no SELECT.") from None
    if len(parsed) != 1:
        raise InvalidQuery("It has to be one statement.")
    if not isinstance(parsed[0], exp.Query):
        raise InvalidQuery("It has to be a SELECT.")
    if any(one.args.get("locks") or one.args.get("into") for one in parsed[0].find_all(exp.Query)):
        raise InvalidQuery("It may lock nothing and write nowhere.")
    return statement


def _parts(rules: AdvancedRules, database: str) -> Iterator[Query]:
    """Yield queries with their texts as they were written. Raises `InvalidQuery`."""
    if not isinstance(rules, Mapping):
        for place, one in enumerate(rules):
            yield Query(f"rules[{place}]", tuple(one["tables"]), one["query"], tuple(one.get("id_columns", ())))
        return
    for named, tables in rules.items():
        if named != database:
            raise InvalidQuery(f"rules.{named}: This connector reads {database!r}.")
        yield from (Query(f"rules.{named}.{table}", (table,), text) for table, text in tables.items())


class QueriesValidator(AdvancedRulesSchemaValidator):
    """Checks queries: their shape, that each is one SELECT, that tables are there, and what the database says of it."""

    schema: ClassVar[Mapping[str, Any]] = {
        "anyOf": [
            {
                "type": "array",
                "description": "Each query is run as it is, and each row that it returns is a document.",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["tables", "query"],
                    "properties": {
                        "tables": {**_NAMES, "description": "What it reads: their keys tell documents apart."},
                        "query": {**_TEXT, "description": "A SELECT of any kind."},
                        "id_columns": {**_NAMES, "description": "Columns of its result that do, instead."},
                    },
                },
            },
            {
                "type": "object",
                "description": "The same by database and table.",
                "additionalProperties": {"type": "object", "additionalProperties": _TEXT},
            },
        ]
    }

    def __init__(self, database: str, dialect: str, asked: Asked) -> None:
        self._database = database
        self._dialect = dialect
        self._asked = asked

    def validate(self, advanced_rules: AdvancedRules) -> Results | Awaitable[Results]:
        """Return a result for each problem; the database is asked only about what is a query."""
        found = super().validate(advanced_rules)
        return found if isinstance(found, list) else self._judged(advanced_rules)

    async def _judged(self, rules: AdvancedRules) -> Results:
        own = SyncRuleValidationResult.ADVANCED_RULES
        found = [SyncRuleValidationResult.invalid_result(own, one) async for one in self._wrong(rules)]
        return found or SyncRuleValidationResult.valid_result(own)

    async def _wrong(self, rules: AdvancedRules) -> AsyncIterator[str]:
        queries = []
        try:
            for one in _parts(rules, self._database):
                try:
                    queries.append(replace(one, text=single(one.text, self._dialect)))
                except InvalidQuery as error:
                    yield f"{one.place}: {error}"
        except InvalidQuery as error:
            yield str(error)
        if queries:
            async with self._asked() as (session, catalog):
                for one in queries:
                    async for problem in _problems(one, session, catalog):
                        yield f"{one.place}: {problem}"


async def _problems(query: Query, session: Describing, catalog: Tables) -> AsyncIterator[str]:
    """Yield what the database has against a query."""
    if missing := query.missing(catalog):
        yield missing
        return
    try:
        names = await session.described(query.text)
    except SourceUnreachable:
        raise
    except ConnectorsError as error:
        yield str(error)
        return
    lacking = [name for name in query.id_columns if name not in names]
    if lacking:
        yield f"Its result has no column {', '.join(map(repr, lacking))}, but {', '.join(map(repr, names))}."
