"""Advanced rules of Redis: which keys of which database, by a pattern, by their types, or by both."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, cast

from connectors.errors import ConfigurationError, ConnectorsError, SourceUnreachable, Throttled
from connectors.filtering.schema import AdvancedRulesSchemaValidator
from connectors.filtering.validation import AdvancedRules, Results, SyncRuleValidationResult
from connectors.sources._redis.selection import Choice, chosen
from connectors.sources._redis.values import TYPES

_OWN: Final = SyncRuleValidationResult.ADVANCED_RULES
_PATTERN: Final = {"type": "string", "minLength": 1}
_TYPE: Final = {"enum": sorted(TYPES)}


def choices_of(rules: AdvancedRules) -> dict[int, tuple[Choice, ...]]:
    """Return what rules choose of each database. Raises a `ConfigurationError` for what can't be rules."""
    found: dict[int, tuple[Choice, ...]] = {}
    try:
        for one in cast("list[dict[str, Any]]", rules):
            choice = chosen(_several(one.get("key_pattern")), _several(one.get("type")))
            number = int(one["database"])
            found[number] = (*found.get(number, ()), choice)
    except (AttributeError, KeyError, TypeError, ValueError):
        message = "Advanced rules of Redis are a list of objects with a database, and a key_pattern or a type."
        raise ConfigurationError(message, field="filtering") from None
    return found


class RedisRulesValidator(AdvancedRulesSchemaValidator):
    """Checks advanced rules: their shape, and that the databases are there and may be read."""

    schema: ClassVar[Mapping[str, Any]] = {
        "type": "array",
        "description": "A key is read when it matches one of these, and an element when all that it says is true.",
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["database"],
            "anyOf": [{"required": ["key_pattern"]}, {"required": ["type"]}],
            "properties": {
                "database": {"type": "integer", "minimum": 0, "description": "The number of a database."},
                "key_pattern": {
                    "anyOf": [_PATTERN, {"type": "array", "minItems": 1, "items": _PATTERN}],
                    "description": "A glob of Redis, or several of which one has to match.",
                    "examples": ["user:*"],
                },
                "type": {
                    "anyOf": [_TYPE, {"type": "array", "minItems": 1, "items": _TYPE}],
                    "description": "The type of the value, or several.",
                },
            },
        },
    }

    def __init__(self, check: Callable[[int], Awaitable[None]]) -> None:
        self._check = check

    def validate(self, advanced_rules: AdvancedRules) -> Results | Awaitable[Results]:
        """Return a result for each problem, once the server was asked where the shape is right."""
        found = super().validate(advanced_rules)
        if isinstance(found, list) or not advanced_rules:
            return found
        return self._asked(advanced_rules)

    async def _asked(self, rules: AdvancedRules) -> Results:
        wrong = []
        for place, one in enumerate(rules):
            try:
                await self._check(int(one["database"]))
            except (SourceUnreachable, Throttled):
                raise
            except ConnectorsError as error:
                text = f"rules[{place}].database: {error}"
                wrong.append(SyncRuleValidationResult.invalid_result(_OWN, text))
        return wrong or SyncRuleValidationResult.valid_result(_OWN)


def _several(given: Any) -> Sequence[str] | None:  # noqa: ANN401 - what a rule holds
    return [given] if isinstance(given, str) else given
