"""Advanced rules that a JSON Schema describes: a source writes the schema, and everything else is done here."""

import math
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final

from connectors.errors import ConfigurationError
from connectors.filtering.validation import (
    AdvancedRules,
    AdvancedRulesValidator,
    Results,
    SyncRuleValidationResult,
)
from connectors.wording import shortened, shown

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

DEEPEST: Final = 100
"""How deep advanced rules may be nested."""
MOST_VALUES: Final = 100_000
"""How many values advanced rules may consist of."""
MOST_PROBLEMS: Final = 50
"""How many problems are told at once."""
LONGEST: Final = 500
"""Characters of a message."""
_TYPES: Final[Mapping[str, str]] = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "nothing",
}
"""What people call the types of JSON."""


class AdvancedRulesSchemaValidator(AdvancedRulesValidator):
    """Checks advanced rules against the JSON Schema of a subclass, of any draft, and tells every problem at once.

        class DirectoryRules(AdvancedRulesSchemaValidator):
            schema = {"type": "array", "items": {"properties": {"pattern": {"type": "string"}}, ...}}

    Patterns of the schema are matched without backtracking, and references are not fetched. A subclass that has more
    to check overrides `validate` and begins with `super().validate(advanced_rules)`.
    """

    schema: ClassVar[Mapping[str, Any]]

    def validate(self, advanced_rules: AdvancedRules) -> Results | Awaitable[Results]:
        """Return a result for each problem. Raises a `ConfigurationError` when the schema is none."""
        own = SyncRuleValidationResult.ADVANCED_RULES
        problems = list(islice(self._problems(advanced_rules), MOST_PROBLEMS + 1))
        if len(problems) > MOST_PROBLEMS:
            problems[MOST_PROBLEMS:] = ["There are more problems than these."]
        found = [SyncRuleValidationResult.invalid_result(own, shortened(one, LONGEST)) for one in problems]
        return found or SyncRuleValidationResult.valid_result(own)

    def _problems(self, rules: AdvancedRules) -> Iterator[str]:
        try:
            plain = _Plain().of(rules, (), 0)
        except _NotJsonError as error:
            yield str(error)
            return
        yield from map(_sentence, self._validator().iter_errors(plain))

    @classmethod
    def _validator(cls) -> "Validator":
        """Return the compiled schema of the class, made when it is first needed."""
        made: Validator | None = cls.__dict__.get("_compiled")
        if made is None:
            import jsonschema_rs  # noqa: PLC0415 - loaded by whoever checks advanced rules

            try:
                made = jsonschema_rs.validator_for(
                    dict(cls.schema),
                    mask="it",  # the package's own messages call a value so
                    pattern_options=jsonschema_rs.RegexOptions(),
                    validate_formats=True,
                    offline=True,
                )
            except ValueError as error:
                message = f"The schema of {cls.__name__} can't be used: {shortened(str(error), LONGEST)}"
                raise ConfigurationError(message, field="filtering") from None
            cls._compiled = made
        return made

    _compiled: ClassVar["Validator | None"] = None


class _NotJsonError(Exception):
    """A value that no JSON can hold, or not in a size that anybody would write."""

    def __init__(self, path: Sequence[str | int], reason: str) -> None:
        super().__init__(f"{_place(path)}: {reason}")


class _Plain:
    """Copies a value into what JSON consists of: what is none of that may be anything."""

    def __init__(self) -> None:
        self._values = 0

    def of(self, value: object, path: tuple[str | int, ...], depth: int) -> Any:  # noqa: ANN401 - JSON
        """Return a copy. Raises a `_NotJsonError`."""
        self._values += 1
        if depth > DEEPEST:
            raise _NotJsonError(path[:5], f"This is nested more than {DEEPEST} levels deep.")
        if self._values > MOST_VALUES:
            raise _NotJsonError((), f"They consist of more than {MOST_VALUES:,} values.")
        match value:
            case None | bool() | int():
                return value
            case str():
                return _whole(value, path)
            case float() if math.isfinite(value):
                return value
            case Mapping():
                return {_key(key, path): self.of(one, (*path, str(key)), depth + 1) for key, one in value.items()}
            case list() | tuple():
                return [self.of(one, (*path, place), depth + 1) for place, one in enumerate(value)]
        raise _NotJsonError(path, f"JSON has no {shown(value)}.")


def _key(key: object, path: tuple[str | int, ...]) -> str:
    if not isinstance(key, str):
        raise _NotJsonError(path, f"The name {shown(key)} is no text.")
    return _whole(key, path)


def _whole(text: str, path: tuple[str | int, ...]) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _NotJsonError(path, f"The text {shown(text)} holds half a character.") from None
    return text


def _place(path: Sequence[str | int]) -> str:
    """Return where in the rules a value stands: `rules[2].pattern`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{shortened(step, 60)}" for step in path)
    return shortened("rules" + "".join(steps), 200)


def _sentence(error: "ValidationError") -> str:
    return f"{_place(error.instance_path)}: {_problem(error)}"


def _problem(error: "ValidationError") -> str:
    """Return what is wrong in the words of a person, for what rules usually break; else in those of the package."""
    kind: Any = error.kind
    match kind.name:
        case "type":
            return f"It has to be {_or(_TYPES.get(one, one) for one in kind.types)}, not {shown(error.instance)}."
        case "required":
            return f"It needs {shown(kind.property)}."
        case "additionalProperties" | "unevaluatedProperties":
            return f"It knows no {_or(shown(one) for one in kind.unexpected[:10])}."
        case "enum":
            return f"It has to be {_or(map(shown, kind.options))}, not {shown(error.instance)}."
        case "minLength" | "minItems" | "minProperties" if kind.limit == 1:
            return "It can't be empty."
        case "pattern":
            return f"It has to match {kind.pattern}, which {shown(error.instance)} does not."
        case "anyOf" | "oneOf" if context := getattr(kind, "context", None):
            return _alternatives(error, context)
        case "propertyNames":
            return f"The name {shown(kind.error.instance)} can't be there. {_problem(kind.error)}"
        case "falseSchema":
            return "There is no such thing."
    message = shortened(error.message, LONGEST)
    return f"{message[:1].upper()}{message[1:]}."


def _alternatives(error: "ValidationError", context: Sequence[Sequence["ValidationError"]]) -> str:
    """Return what each of several possibilities lacks, or that there is more than one."""
    failed = [possibility for possibility in context if possibility]
    if len(failed) < len(context):
        return "It fits several possibilities of which it may fit one."
    depth = len(error.instance_path)
    told = []
    for possibility in failed[:5]:
        first = possibility[0]
        below = _place(first.instance_path[depth:]).removeprefix("rules").lstrip(".")
        told.append(f"{below}: {_problem(first)}" if below else _problem(first))
    return f"It fits none of what is possible. {' Or: '.join(dict.fromkeys(told))}"


def _or(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
