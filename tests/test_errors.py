import inspect

import pytest

from connectors import errors


def tree() -> list[type[errors.ConnectorsError]]:
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.ConnectorsError)]


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_every_leaf_is_retryable_or_permanent_and_drawn_so(kind: type[errors.ConnectorsError]) -> None:
    drawing = next(
        line for line in (errors.__doc__ or "").splitlines() if kind.__name__ in line.replace("(", " ").split()
    )
    if any(other is not kind and issubclass(other, kind) for other in tree()):
        return
    retryable, permanent = issubclass(kind, errors.Retryable), issubclass(kind, errors.Permanent)
    assert retryable != permanent
    assert ("Retryable" if retryable else "Permanent") in drawing


def test_message_and_hint_are_shown_together() -> None:
    error = errors.ConfigurationError("The key is empty.", field="engine.api_key", hint="Set it.")
    assert str(error) == "The key is empty. Set it."
    assert (error.message, error.hint, error.field) == ("The key is empty.", "Set it.", "engine.api_key")


def test_without_a_hint_the_message_stands_alone() -> None:
    assert str(errors.JobLost("The job is gone.")) == "The job is gone."


@pytest.mark.parametrize(
    ("error", "attribute", "value"),
    [
        (errors.Throttled("x", retry_after_s=3.0), "retry_after_s", 3.0),
        (errors.EngineOverloaded("x", retry_after_s=2.0), "retry_after_s", 2.0),
        (errors.EngineUnreachable("x"), "retry_after_s", None),
        (errors.EngineUnreachable("x", unsent=True), "unsent", True),
        (errors.EngineFailed("x", status=502), "status", 502),
        (errors.EngineRefused("x", status=400, kind="parsing_exception"), "kind", "parsing_exception"),
        (errors.Conflict("x"), "maybe_applied", False),
        (errors.IndexMissing("x", index="docs"), "index", "docs"),
        (errors.IndexReplaced("x", index="docs"), "index", "docs"),
        (errors.DocumentSkipped("too large"), "reason", "too large"),
        (errors.RecordUnreadable("x", key="target/docs"), "key", "target/docs"),
        (errors.QueueClosed(), "message", "The queue is closed."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_carries_what_recovery_needs(error: Exception, attribute: str, value: object) -> None:
    assert getattr(error, attribute) == value
