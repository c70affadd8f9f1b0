"""The advanced snippet: where a connector document has the advanced rules of its source."""

from collections.abc import Mapping
from typing import Any

from connectors.errors import ConfigurationError
from connectors.filtering.validation import AdvancedRules
from connectors.wording import shown


def advanced_rules_of(filtering: Mapping[str, Any]) -> AdvancedRules:
    """Return the advanced rules, an object or a list as their source has it; an empty object without any.

    Raises a `ConfigurationError` for what is neither.
    """
    snippet = filtering.get("advanced_snippet")
    if snippet is None:
        return {}
    if not isinstance(snippet, Mapping):
        raise ConfigurationError(f"The advanced snippet is {shown(snippet)}, not an object.", field="filtering")
    rules = snippet.get("value")
    if rules is None:
        return {}
    if not isinstance(rules, Mapping | list):
        message = f"The advanced rules are {shown(rules)}, neither an object nor a list."
        raise ConfigurationError(message, field="filtering")
    return rules
