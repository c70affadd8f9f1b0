"""Advanced rules: `find` and `aggregate` as somebody wrote them, of one collection or of several, that never write."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from bson import json_util
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.json_util import JSONOptions
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from connectors.errors import ConfigurationError, ConnectorsError, SourceUnreachable
from connectors.filtering.schema import AdvancedRulesSchemaValidator
from connectors.filtering.validation import AdvancedRules, Results, SyncRuleValidationResult
from connectors.sources._mongodb.catalog import Collection
from connectors.sources._mongodb.connection import Client, Connection
from connectors.sources._mongodb.errors import code_of

COMMAND_NOT_FOUND: Final = 59
ASKED_WITHIN_MS: Final = 10_000
RAW: Final = CodecOptions[RawBSONDocument](document_class=RawBSONDocument)
ROWS_AT_ONCE: Final = 500
_WRITING: Final = frozenset({"$out", "$merge"})
_SCRIPTS: Final = frozenset({"$where", "$function", "$accumulator"})
_WHOLE: Final = {"type": "integer", "minimum": 0}
_FIND: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "filter": {"type": "object"},
        "projection": {"type": ["array", "object"]},
        "sort": {"type": "object"},
        "skip": _WHOLE,
        "limit": _WHOLE,
        "no_cursor_timeout": {"type": "boolean"},
        "allow_partial_results": {"const": False, "description": "What is not seen would be deleted."},
        "batch_size": _WHOLE,
        "return_key": {"type": "boolean"},
        "show_record_id": {"type": "boolean"},
        "max_time_ms": _WHOLE,
        "allow_disk_use": {"type": "boolean"},
    },
}
_AGGREGATE: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["pipeline"],
    "properties": {
        "allowDiskUse": {"type": "boolean"},
        "maxTimeMS": _WHOLE,
        "batchSize": _WHOLE,
        "let": {"type": "object"},
        "pipeline": {"type": "array", "minItems": 1, "items": {"type": "object", "minProperties": 1}},
    },
}
_ONE: Final = {
    "type": "object",
    "additionalProperties": False,
    "maxProperties": 1,
    "properties": {"find": _FIND, "aggregate": _AGGREGATE},
}
_NAME: Final = {"type": "string", "minLength": 1}
_NAMED: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["collection"],
    "properties": {"database": _NAME, "collection": _NAME, "find": _FIND, "aggregate": _AGGREGATE},
    "oneOf": [{"required": ["find"]}, {"required": ["aggregate"]}],
}
_JSON: Final = JSONOptions(tz_aware=False)


class InvalidRule(ValueError):
    """What can't be asked. The message is a sentence."""


@dataclass(frozen=True)
class Question:
    """A find or an aggregate of one collection. `place` says where it stands in the rules, for messages."""

    place: str
    collection: Collection
    find: Mapping[str, Any] | None
    aggregate: Mapping[str, Any] | None

    async def begun(self, client: Client, timeout_ms: int) -> "_Batches":
        """Return what it finds."""
        found = client[self.collection.database].get_collection(self.collection.name, RAW)
        if self.find is not None:
            return _Batches(found.find(**{"max_time_ms": timeout_ms, **self.find}))
        given = dict(self.aggregate or {})
        return _Batches(await found.aggregate(given.pop("pipeline"), **{"maxTimeMS": timeout_ms, **given}))

    def command(self) -> dict[str, Any]:
        """Return it as the command of which a server says how it would do it."""
        if self.find is None:
            pipeline = (self.aggregate or {})["pipeline"]
            return {"aggregate": self.collection.name, "pipeline": pipeline, "cursor": {}, **self._let()}
        names = {"filter": "filter", "projection": "projection", "sort": "sort", "skip": "skip", "limit": "limit"}
        given = {there: self.find[own] for own, there in names.items() if own in self.find}
        if isinstance(given.get("projection"), list):
            given["projection"] = dict.fromkeys(given["projection"], 1)
        return {"find": self.collection.name, **given}

    def _let(self) -> dict[str, Any]:
        return {"let": self.aggregate["let"]} if self.aggregate and "let" in self.aggregate else {}


class _Batches:
    """Documents as their bytes, some at once, as they come."""

    def __init__(self, cursor: Any) -> None:  # noqa: ANN401 - of a find or an aggregate
        self._cursor = cursor

    def __aiter__(self) -> "_Batches":
        return self

    async def __anext__(self) -> bytes:
        documents = await self._cursor.to_list(ROWS_AT_ONCE)
        if not documents:
            raise StopAsyncIteration
        return b"".join([one.raw for one in documents])

    async def close(self) -> None:
        await self._cursor.close()


def questions_of(rules: AdvancedRules, collections: Sequence[Collection]) -> list[Question]:
    """Return what rules ask, of whichever shape they are. Raises a `ConfigurationError`."""
    try:
        return list(_questions(rules, collections))
    except InvalidRule as error:
        raise ConfigurationError(str(error), field="filtering") from None


def _questions(rules: AdvancedRules, collections: Sequence[Collection]) -> Iterator[Question]:
    if isinstance(rules, Mapping):
        if len(collections) != 1:
            message = f"This connector reads {len(collections)} collections: write a list, each with its `collection`."
            raise InvalidRule(f"rules: {message}")
        yield _question("rules", rules, collections[0])
        return
    seen: set[tuple[str, str]] = set()
    for number, rule in enumerate(rules):
        place = f"rules[{number}]"
        database, name = rule.get("database"), rule["collection"]
        found = [one for one in collections if one.name == name and database in (None, one.database)]
        if not found:
            raise InvalidRule(f"{place}: This connector reads no collection {name!r}. {_known(collections)}")
        if len(found) > 1:
            raise InvalidRule(f"{place}: Several databases have a collection {name!r}: name the `database`.")
        if (found[0].database, name) in seen:
            raise InvalidRule(f"{place}: There is another rule about {found[0].namespace!r} before it.")
        seen.add((found[0].database, name))
        yield _question(place, rule, found[0])


def _question(place: str, rule: Mapping[str, Any], collection: Collection) -> Question:
    """Return what a rule asks, with its Extended JSON made values. Raises `InvalidRule`."""
    for path, name in _names(rule, place):
        if name in _WRITING:
            raise InvalidRule(f"{path}: {name} writes, and nothing may.")
        if name in _SCRIPTS:
            raise InvalidRule(f"{path}: {name} runs a script in the server, for as long as it likes. Use operators.")
    try:
        made: dict[str, Any] = json_util.loads(json.dumps(rule), json_options=_JSON)
    except (BSONError, ValueError, TypeError) as error:
        raise InvalidRule(f"{place}: There is Extended JSON in it that is none: {error}.") from None
    find, aggregate = made.get("find"), made.get("aggregate")
    return Question(place, collection, {} if find is None and aggregate is None else find, aggregate)


def _names(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Yield each name that is anywhere in rules, with the place where it stands."""
    match value:
        case Mapping():
            for name, inner in value.items():
                yield f"{path}.{name}", name
                yield from _names(inner, f"{path}.{name}")
        case list() | tuple():
            for number, inner in enumerate(value):
                yield from _names(inner, f"{path}[{number}]")


def _known(collections: Sequence[Collection]) -> str:
    return f"There are {', '.join(one.namespace for one in collections[:20])}." if collections else "It reads none."


class QuestionsValidator(AdvancedRulesSchemaValidator):
    """Checks questions: their shape, that none writes, that collections are there, and what the server says of them."""

    schema: ClassVar[Mapping[str, Any]] = {
        "anyOf": [
            {**_ONE, "description": "What is asked of the one collection that the connector reads."},
            {"type": "array", "items": _NAMED, "description": "What is asked of each collection."},
        ]
    }

    def __init__(self, connection: Connection, found: Callable[[], Awaitable[Sequence[Collection]]]) -> None:
        self._connection = connection
        self._found = found

    def validate(self, advanced_rules: AdvancedRules) -> Results | Awaitable[Results]:
        """Return a result for each problem; the server is asked only about what may be asked."""
        found = super().validate(advanced_rules)
        return found if isinstance(found, list) or not advanced_rules else self._judged(advanced_rules)

    async def _judged(self, rules: AdvancedRules) -> Results:
        own = SyncRuleValidationResult.ADVANCED_RULES
        found = [SyncRuleValidationResult.invalid_result(own, one) async for one in self._wrong(rules)]
        return found or SyncRuleValidationResult.valid_result(own)

    async def _wrong(self, rules: AdvancedRules) -> AsyncIterator[str]:
        try:
            questions = list(_questions(rules, await self._found()))
        except InvalidRule as error:
            yield str(error)
            return
        for one in questions:
            try:
                await self._connection.again(lambda client, asked=one: _explained(client, asked))  # type: ignore[misc]
            except SourceUnreachable:
                raise
            except ConnectorsError as error:
                yield f"{one.place}: {error}"


async def _explained(client: Client, question: Question) -> None:
    """Have the server say how it would do it; one that has no word for that begins to do it."""
    database = client[question.collection.database]
    try:
        await database.command("explain", question.command(), verbosity="queryPlanner", maxTimeMS=ASKED_WITHIN_MS)
    except OperationFailure as error:
        if code_of(error) != COMMAND_NOT_FOUND:
            raise
        cursor = await question.begun(client, ASKED_WITHIN_MS)
        try:
            await anext(cursor, None)
        finally:
            await cursor.close()
