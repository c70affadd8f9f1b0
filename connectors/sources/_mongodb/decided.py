"""What is decided: advanced rules as a condition on single documents, where they can be that."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from connectors.errors import ConfigurationError
from connectors.filtering.validation import AdvancedRules
from connectors.sources._mongodb.catalog import Collection
from connectors.sources._mongodb.page import Options, Reading
from connectors.sources._mongodb.rules import Question, questions_of
from connectors.sources._mongodb.stream import is_volatile

_OF_ALL: Final = ("sort", "skip", "limit", "return_key", "show_record_id")
_HINT: Final = "Have full syncs only, or a `find` with a `filter` and a `projection`."


def readings(rules: AdvancedRules, collections: Sequence[Collection], options: Options) -> dict[str, Reading]:
    """Return what is read of each collection that rules name.

    Raises a `ConfigurationError` for a rule of which one document can't tell whether it finds it.
    """
    found = {}
    for question in questions_of(rules, collections):
        for why in _reasons(question):
            message = f"{question.place}: It can't be told from one document whether the rule finds it: {why}."
            raise ConfigurationError(message, field="filtering", hint=_HINT)
        find = question.find or {}
        reading = Reading(question.collection, find.get("filter") or {}, _projection(find.get("projection")), options)
        found[question.collection.namespace] = reading
    return found


def _reasons(question: Question) -> Iterable[str]:
    if question.find is None:
        yield "it is an aggregate"
        return
    yield from (f"it has {name!r}" for name in _OF_ALL if question.find.get(name))
    if is_volatile(question.find.get("filter", {})):
        yield "it depends on chance or on the time"
    projection = question.find.get("projection")
    if isinstance(projection, Mapping) and projection.get("_id", 1) not in (1, True):
        yield "its projection has no _id, or another one"


def _projection(given: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 - of a rule
    """Return a projection as the driver makes one of what stands in a rule."""
    return dict.fromkeys(given, 1) if isinstance(given, list) else given
