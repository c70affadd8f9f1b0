"""A draft: sync rules that somebody edited, which are in use only when they have been found valid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from connectors.filtering.validation import FilteringValidation
from connectors.store.connector import DOMAIN, Connector

EDITED: Final = "edited"


@dataclass(frozen=True)
class Draft:
    """The rules that a person left to be validated, and where in the document they stand."""

    rules: Mapping[str, Any]
    place: int | None
    """Where in the list of `filtering`; None where that is a single object."""

    @classmethod
    def of(cls, connector: Connector) -> Self | None:
        """Return the draft of a connector that has sync rules; None where nobody edited it."""
        found = cls.stored(connector)
        return found if found is not None and _state(found.rules) == EDITED and has_rules(connector.features) else None

    @classmethod
    def stored(cls, connector: Connector) -> Self | None:
        """Return the draft of a connector, edited or settled; None where there is none."""
        found = connector.document.get("filtering")
        elements = list(enumerate(found)) if isinstance(found, list) else [(None, found)]
        for place, element in elements:
            if isinstance(element, Mapping) and element.get("domain", DOMAIN) == DOMAIN:
                draft = element.get("draft")
                return cls(draft, place) if isinstance(draft, Mapping) else None
        return None

    def settled(self, connector: Connector, validation: FilteringValidation) -> Any:  # noqa: ANN401 - as it was read
        """Return the `filtering` of the connector that the draft was found in: a valid draft is the one in use, too."""
        found = connector.document["filtering"]
        element = found if self.place is None else found[self.place]
        draft = {**self.rules, "validation": validation.wire()}
        changed = {**element, "draft": draft, **({"active": draft} if validation.is_valid else {})}
        return changed if self.place is None else [*found[: self.place], changed, *found[self.place + 1 :]]


def has_rules(features: Mapping[str, Any]) -> bool:
    """Return whether sync rules are on: one of the two kinds, by the new names or by the old ones."""
    kinds = features.get("sync_rules")
    found = [kinds.get(name) for name in ("basic", "advanced")] if isinstance(kinds, Mapping) else []
    on = (one.get("enabled") is True for one in found if isinstance(one, Mapping))
    return any(on) or any(features.get(name) is True for name in ("filtering_rules", "filtering_advanced_config"))


def _state(draft: Mapping[str, Any]) -> object:
    validation = draft.get("validation")
    return validation.get("state") if isinstance(validation, Mapping) else None
