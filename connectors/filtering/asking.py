"""Asking a validator, whoever wrote it: whatever it does, there is an answer, and nothing but its word means valid."""

import asyncio
import contextlib
import inspect
import traceback
from collections.abc import Awaitable, Callable, Iterator
from enum import Enum
from typing import Any, Final, TypeVar

from connectors import logger
from connectors.errors import ConnectorsError
from connectors.filtering.findings import Findings
from connectors.filtering.validation import BasicRulesSetValidator, BasicRuleValidator, SyncRuleValidationResult

T = TypeVar("T")
Validate = Callable[[Any], object]
log = logger.get(__name__)


class Scope(Enum):
    """What a validator of basic rules looks at; by the names that its parameter may have, too."""

    EACH = ("rule", "basic_rule")
    ALL = ("set_of_rules", "rules", "basic_rules")


_SCOPES: Final = ((BasicRuleValidator, Scope.EACH), (BasicRulesSetValidator, Scope.ALL))


class Asking:
    """Asks validators, and adds to the findings what they say or how they fail. Raises when it is cancelled only.

    What they say is stored and logged, and may be what a driver says of a connection: so it goes through `mask`.
    """

    def __init__(self, findings: Findings, limit_s: float, mask: Callable[[str], str] = str) -> None:
        self._findings = findings
        self._limit_s = limit_s
        self._mask = mask

    async def within_limit(self, name: str, rule_id: str, work: Awaitable[None]) -> None:
        """Wait for work, and add to the findings when it takes too long."""
        limit = asyncio.timeout(self._limit_s)
        with contextlib.suppress(TimeoutError):
            async with limit:
                await work
        if limit.expired():
            self._findings.add(rule_id, f"{name} did not answer within {self._limit_s:g} s.")

    async def answer(self, name: str, rule_id: str, call: Callable[[], Awaitable[T]]) -> T | None:
        """Return what a call returns. None when it failed, which is added to the findings.

        What it raises was not foreseen by whoever wrote it, unless it is one of our own errors: so the log tells more.
        """
        try:
            return await call()
        except ConnectorsError as error:
            self._findings.add(rule_id, self._mask(f"{name} could not check this: {error}"))
        except Exception as error:  # noqa: BLE001 - whoever wrote it, it is told
            trace = self._mask("".join(traceback.format_exception(error)))
            log.warning("A validator of sync rules failed.", validator=name, rule=rule_id, trace=trace)
            reason = self._mask(traceback.format_exception_only(error)[0].strip())
            self._findings.add(rule_id, f"{name} failed: {reason}. This is a defect of the source, not of the rules.")
        return None

    async def ask(self, name: str, validate: Validate, question: object, rule_id: str) -> None:
        """Ask one question, about a rule or about what else goes by that id."""

        async def results() -> list[tuple[str, str]]:
            return list(_problems(await settled(validate(question)), name, rule_id))

        for own, message in await self.answer(name, rule_id, results) or ():
            self._findings.add(own, self._mask(message))


async def settled(found: object) -> object:
    """Return what a function of somebody else returned, awaited where it is async."""
    return await found if inspect.isawaitable(found) else found


def name_of(validator: object) -> str:
    """Return what a validator is called in messages."""
    return validator.__name__ if isinstance(validator, type) else type(validator).__name__


def validate_of(validator: object) -> Validate:
    """Return the method of a validator; a class whose method needs an instance is made one. Raises a `TypeError`."""
    method = inspect.getattr_static(validator, "validate", None)
    if isinstance(validator, type) and not isinstance(method, classmethod | staticmethod):
        validator = validator()
    validate: Validate | None = getattr(validator, "validate", None)
    if not callable(validate):
        raise TypeError("it has no validate()")
    return validate


def scope_of(validator: object, validate: Validate) -> Scope:
    """Return what a validator of basic rules looks at: as its base class says, or else the name of its parameter.

    Raises a `TypeError` where neither tells.
    """
    kind = validator if isinstance(validator, type) else type(validator)
    for base, scope in _SCOPES:
        if issubclass(kind, base):
            return scope
    parameter = next(iter(inspect.signature(validate).parameters), "")
    for scope in Scope:
        if parameter in scope.value:
            return scope
    raise TypeError(
        "it has to extend BasicRuleValidator or BasicRulesSetValidator, or name its parameter `rule` or `set_of_rules`"
    )


def _problems(results: object, name: str, rule_id: str) -> Iterator[tuple[str, str]]:
    """Yield the id and message of each result that is not valid. Raises a `TypeError` for what is no result."""
    for result in results if isinstance(results, list | tuple) else [results]:
        if not isinstance(result, SyncRuleValidationResult):
            raise TypeError(f"it returned a {type(result).__name__}, not a SyncRuleValidationResult")
        if result.is_valid is not True:
            message = _text(result.validation_message) or f"{name} says that this is not valid."
            yield _text(result.rule_id) or rule_id, message


def _text(given: object) -> str:
    return given if isinstance(given, str) else ""
