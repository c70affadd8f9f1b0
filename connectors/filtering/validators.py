"""The validators of a source, of whatever class it is, and whether it has rules of a kind at all."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import methodcaller
from typing import Final

from connectors.filtering.basic import DEFAULT_VALIDATORS

_BASIC: Final = ("basic_rules_validators", "basic_rule_validators")
"""What the method is called, and what older sources call it."""
_ADVANCED: Final = "advanced_rules_validators"

Methods = Mapping[str, Callable[[], object]]
"""Methods of a source, by name."""


class Validators:
    """What a source says of validators. It may lack any of the methods."""

    def __init__(self, source: object) -> None:
        self._source = source
        self._classes = (source if isinstance(source, type) else type(source)).__mro__

    @property
    def source_name(self) -> str:
        """What people call the source."""
        name = getattr(self._source, "name", None)
        return name if isinstance(name, str) and name else self._classes[0].__name__

    @property
    def has_basic_rules(self) -> bool:
        """Whether the source has basic rules: unless it says that it has none."""
        return getattr(self._source, "basic_rules_enabled", True) is not False

    @property
    def has_advanced_rules(self) -> bool:
        """Whether the source has advanced rules: it says so, or brings validators for them.

        A class that says that it has none is believed, but not its base.
        """
        if getattr(self._source, "advanced_rules_enabled", False) is True:
            return True
        brings, says = self._origin(_ADVANCED), self._origin("advanced_rules_enabled")
        return brings is not None and (says is None or brings < says)

    @property
    def of_basic_rules(self) -> Methods:
        """The methods that return validators of basic rules.

        There are two names. Where both are overridden both count; what a base means by one of them does not count when
        the other one is overridden.
        """
        origins = {name: found for name in _BASIC if (found := self._origin(name)) is not None}
        nearest = min(origins.values(), default=0)
        names = [name for name, found in origins.items() if found == nearest or not self._has_both(found)]
        return {name: self._method(name) for name in names} or {"DEFAULT_VALIDATORS": lambda: DEFAULT_VALIDATORS}

    @property
    def of_advanced_rules(self) -> Methods:
        """The method that returns validators of advanced rules, if there is one."""
        return {_ADVANCED: self._method(_ADVANCED)} if self._origin(_ADVANCED) is not None else {}

    def _method(self, name: str) -> Callable[[], object]:
        return partial(methodcaller(name), self._source)  # which looks it up when it is called

    def _origin(self, name: str) -> int | None:
        """Return how far from the object a name is defined: by itself, by its class, by a base. None for nowhere."""
        places = [getattr(self._source, "__dict__", {}), *(vars(kind) for kind in self._classes)]
        return next((number for number, names in enumerate(places) if name in names), None)

    def _has_both(self, origin: int) -> bool:
        return origin > 0 and all(name in vars(self._classes[origin - 1]) for name in _BASIC)


def listed(found: object) -> list[object]:
    """Return what such a method returned as a list: it may be a single validator. Raises a `TypeError` for none."""
    if found is None:
        raise TypeError("it returned nothing")
    if isinstance(found, Iterable) and not isinstance(found, type) and not hasattr(found, "validate"):
        return list(found)
    return [found]
