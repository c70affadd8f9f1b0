"""An edit: a draft of sync rules that somebody writes elsewhere than in Kibana, as Kibana would have written it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from connectors.errors import ConfigurationError
from connectors.filtering.rule import id_of, is_default
from connectors.filtering.snippet import advanced_rules_of
from connectors.services.preparing.draft import EDITED, Draft
from connectors.store.connector import DOMAIN, Connector
from connectors.store.description import Description
from connectors.wording import shown

VALID: Final[Mapping[str, Any]] = {"state": "valid", "errors": []}
_TIMES: Final = ("created_at", "updated_at")


def edited(connector: Connector, given: Mapping[str, Any], now: datetime) -> Any:  # noqa: ANN401 - as it was read
    """Return the `filtering` of a connector whose draft somebody has edited; the very one that it has if it says so.

    `given` has `rules`, `advanced_rules` or both, as the description of a new connector has them; what it leaves out
    stays as it is in the draft, and so does the rule that every set has. Raises a `ConfigurationError` for what is of
    the wrong shape, in there or in the connector.
    """
    active = connector.filtering
    description = Description(given)
    made: dict[str, Any] = msgspec.to_builtins(description.rules(now))
    description.settle()
    _check_shape(made)
    stored = Draft.stored(connector)
    before = stored.rules if stored is not None else active
    kept = {name: one for name, one in before.items() if name not in {"rules", "advanced_snippet", "validation"}}
    draft: dict[str, Any] = {
        **kept,
        "rules": _rules(before, made) if "rules" in given else before.get("rules") or made["rules"],
        "advanced_snippet": _snippet(before, made, is_given="advanced_rules" in given),
        "validation": {"state": EDITED, "errors": []},
    }
    if stored is not None and _says(draft) == _says(before) and _state(before) in {"valid", EDITED}:
        return connector.document["filtering"]
    return _with_draft(connector, active or _nothing(made), draft)


def is_in_use(connector: Connector) -> bool:
    """Return whether the rules in use say the same as the draft, which was found valid."""
    draft = Draft.stored(connector)
    return draft is None or (_state(draft.rules) == "valid" and _says(draft.rules) == _says(connector.filtering))


def _check_shape(made: Mapping[str, Any]) -> None:
    """Raise a `ConfigurationError` for what is no rule at all: Kibana could not show it."""
    advanced_rules_of(made)
    for place, one in enumerate(made["rules"], 1):
        if not isinstance(one, Mapping):
            raise ConfigurationError(f"The rule number {place} is {shown(one)}, not an object.", field="rules")


def _rules(before: Mapping[str, Any], made: Mapping[str, Any]) -> list[Any]:
    """Return the rules that were given, with the times of those that were there, and the one that every set has."""
    stored = before.get("rules")
    there = {id_of(one): one for one in stored if isinstance(one, Mapping)} if isinstance(stored, list) else {}
    *_, standard = made["rules"]
    rules = [_timed(one, there.get(id_of(one))) for one in made["rules"] if not is_default(one)]
    return [*rules, there.get(id_of(standard), standard)]


def _snippet(before: Mapping[str, Any], made: Mapping[str, Any], *, is_given: bool) -> Any:  # noqa: ANN401 - as above
    found, new = before.get("advanced_snippet"), made["advanced_snippet"]
    if not is_given:
        return found if isinstance(found, Mapping) else new
    return _timed(new, found if isinstance(found, Mapping) else None)


def _timed(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return what was made now, with what there is of its age in what it takes the place of."""
    if old is None:
        return new
    if _without_times(new) == _without_times(old):
        return old
    return {**new, "created_at": old.get("created_at", new.get("created_at"))}


def _with_draft(connector: Connector, active: Mapping[str, Any], draft: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as above
    found = connector.document.get("filtering")
    if isinstance(found, Mapping) and found.keys() & {"active", "draft"}:
        return {**found, "draft": draft}
    elements = found if isinstance(found, list) else []
    for place, element in enumerate(elements):
        if element.get("domain", DOMAIN) == DOMAIN:
            changed = {"active": active, **element, "draft": draft}
            return [*elements[:place], changed, *elements[place + 1 :]]
    return [*elements, {"domain": DOMAIN, "active": active, "draft": draft}]


def _nothing(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a connector has in use that had no rules at all."""
    snippet = {**made["advanced_snippet"], "value": {}}
    return {"rules": made["rules"][-1:], "advanced_snippet": snippet, "validation": VALID}


def _says(rules: Mapping[str, Any]) -> tuple[object, object]:
    """Return what rules come to, whenever they were written."""
    found, snippet = rules.get("rules"), rules.get("advanced_snippet")
    basic = [_without_times(one) for one in found] if isinstance(found, list) else found
    return basic, (snippet.get("value") or {}) if isinstance(snippet, Mapping) else {}


def _without_times(one: object) -> object:
    return {name: part for name, part in one.items() if name not in _TIMES} if isinstance(one, Mapping) else one


def _state(rules: Mapping[str, Any]) -> object:
    validation = rules.get("validation")
    return validation.get("state") if isinstance(validation, Mapping) else None
