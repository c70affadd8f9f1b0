"""Asking: a validator that fails, says nothing or never answers is an error, and the others are asked."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.errors import AccessDenied
from connectors.fields import Configuration, Field, Fields
from connectors.filtering.chain import validate
from connectors.filtering.validation import AdvancedRulesValidator, BasicRuleValidator
from connectors.testing.virtual_time import virtual_time
from tests.filtering.sources import DEFECT, SNIPPET, MyValidator, Never, Result, bad, errors, source
from tests.filtering.wire import rule

PASSWORD = "open sesame, 1704"


def raising(error: BaseException) -> Callable[..., Any]:
    def fails(rule: Any) -> Any:
        raise error

    return fails


class Abstract(AdvancedRulesValidator):
    pass


class NeedsMore(AdvancedRulesValidator):
    def __init__(self, source: object) -> None:
        raise AssertionError

    def validate(self, advanced_rules: Any) -> Any:
        raise AssertionError


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (raising(KeyError("id")), f"X failed: KeyError: 'id'. {DEFECT}"),
        (raising(RecursionError("deep")), f"X failed: RecursionError: deep. {DEFECT}"),
        (raising(TimeoutError("slow")), f"X failed: TimeoutError: slow. {DEFECT}"),
        (raising(AccessDenied("Mine refuses.", hint="Ask.")), "X could not check this: Mine refuses. Ask."),
        (lambda rule: None, f"X failed: TypeError: it returned a NoneType, not a SyncRuleValidationResult. {DEFECT}"),
        (lambda rule: True, f"X failed: TypeError: it returned a bool, not a SyncRuleValidationResult. {DEFECT}"),
        (lambda rule: [True], f"X failed: TypeError: it returned a bool, not a SyncRuleValidationResult. {DEFECT}"),
        (lambda rule: "valid", f"X failed: TypeError: it returned a str, not a SyncRuleValidationResult. {DEFECT}"),
        (lambda rule: Result(None, None, None), "X says that this is not valid."),  # type: ignore[arg-type]
        (lambda rule: Result("", is_valid=False), "X says that this is not valid."),
    ],
)
async def test_a_validator_that_fails_is_an_error_about_what_it_was_asked(
    answer: Callable[..., Any], message: str
) -> None:
    class X:
        def validate(self, rule: Any) -> Any:
            return answer(rule)

    found = await errors(source(X(), Never, advanced=[X(), MyValidator()]), [rule("r1"), rule("r2")], {"a": 1})
    assert found == {
        "r1": [message, "Never"],
        "r2": [message, "Never"],
        SNIPPET: [message, "There is no folder."],
    }


async def test_an_error_that_can_not_be_printed_is_told_by_its_type() -> None:
    found = await errors(source(SimpleNamespace(validate=raising(Unprintable()))), [rule()])
    assert [("Unprintable" in one, one.endswith(DEFECT)) for one in found["r1"]] == [(True, True)]


@pytest.mark.parametrize(
    ("validator", "start"),
    [
        (SimpleNamespace(), "SimpleNamespace failed: TypeError: it has no validate()"),
        (5, "int failed: TypeError: it has no validate()"),
        (None, "NoneType failed: TypeError: it has no validate()"),
    ],
)
async def test_what_is_no_validator_is_an_error(validator: object, start: str) -> None:
    assert await errors(source(validator, advanced=[validator]), [rule()], [1]) == {
        "rules": [f"{start}. {DEFECT}"],
        SNIPPET: [f"{start}. {DEFECT}"],
    }


async def test_a_class_that_can_not_be_made_an_instance_is_an_error() -> None:
    found = await errors(source(advanced=[Abstract, NeedsMore]), [], [1])
    starts = [
        "Abstract failed: TypeError: Can't instantiate abstract class Abstract",
        "NeedsMore failed: TypeError: NeedsMore.__init__() missing 1 required positional argument: 'source'. ",
    ]
    assert [one[: len(start)] for one, start in zip(found[SNIPPET], starts, strict=True)] == starts


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (lambda: None, "TypeError: it returned nothing"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
async def test_a_source_that_can_not_name_its_validators_is_an_error(method: Any, reason: str) -> None:
    asked = SimpleNamespace(basic_rules_validators=method, advanced_rules_validators=method, basic_rule_validators=list)
    assert await errors(asked, [rule()], [1]) == {
        "rules": [f"basic_rules_validators() failed: {reason}. {DEFECT}"],
        SNIPPET: [f"advanced_rules_validators() failed: {reason}. {DEFECT}"],
    }


@virtual_time
async def test_a_validator_that_does_not_answer_is_an_error_and_the_others_are_asked() -> None:
    class Stuck(BasicRuleValidator):
        async def validate(self, rule: Any) -> Any:  # type: ignore[override]
            if rule["id"] == "r1":
                return bad("r1", "Stuck before.")
            return await asyncio.Event().wait()

    class Slow(AdvancedRulesValidator):
        async def validate(self, advanced_rules: Any) -> Result:
            await asyncio.sleep(4)
            return bad(SNIPPET, "Slow")

    class Stubborn(AdvancedRulesValidator):
        async def validate(self, advanced_rules: Any) -> Result:
            try:
                await asyncio.sleep(6)
            except asyncio.CancelledError:
                return Result.valid_result(SNIPPET)
            raise AssertionError

    async def never() -> list[Any]:
        await asyncio.Event().wait()
        raise AssertionError

    asked = source(Stuck(), Never, advanced=[Slow(), Stubborn()])
    assert await errors(asked, [rule("r1"), rule("r2")], [1], limit_s=5) == {
        "r1": ["Stuck before.", "Never"],
        "r2": ["Never"],
        "rules": ["Stuck did not answer within 5 s."],
        SNIPPET: ["Slow", "Stubborn did not answer within 5 s."],
    }
    assert await errors(SimpleNamespace(basic_rules_validators=never), limit_s=0.5) == {
        "rules": ["basic_rules_validators() did not answer within 0.5 s."]
    }


@virtual_time
async def test_cancellation_is_no_answer() -> None:
    class Stuck(AdvancedRulesValidator):
        async def validate(self, advanced_rules: Any) -> Any:
            await asyncio.Event().wait()

    task = asyncio.create_task(errors(source(advanced=[Stuck()]), [], [1]))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_a_validator_says_of_a_connection_shows_no_password(caplog: pytest.LogCaptureFixture) -> None:
    class Connecting(MyValidator):
        def validate(self, advanced_rules: Any) -> Any:
            raise OSError(f"no way to postgres://me:{PASSWORD}@db")

    class Telling(MyValidator):
        def validate(self, advanced_rules: Any) -> Any:
            return Result.invalid_result(SNIPPET, f"{PASSWORD} does not open it")

    fields = Fields(Field("password", "Password", sensitive=True))
    asked = source(advanced=[Connecting, Telling])
    asked.configuration = Configuration(fields, {"password": PASSWORD})
    found = await validate(asked, {"rules": [], "advanced_snippet": {"value": {"a": 1}}})
    messages = [message for error in found.errors for message in error.messages]
    assert messages == [
        f"Connecting failed: OSError: no way to postgres://me:***@db. {DEFECT}",
        "*** does not open it",
    ]
    assert "Connecting" in caplog.text
    assert PASSWORD not in caplog.text
