"""Fields: the settings of a source; the connector's configuration, a JSON Schema and every check are made from them."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Final

from connectors.errors import ConfigurationError
from connectors.fields.casts import is_empty
from connectors.fields.field import TYPES, Field, plain
from connectors.fields.schema import annotations_of, being, example_of, limits_of

Wire = dict[str, Any]
_PYTHON_TYPES: Final[Mapping[str, type]] = {name: kind for kind, name in TYPES.items() if kind is not Path}
_VALIDATIONS: Final = {
    "greater_than": "greater_than",
    "less_than": "less_than",
    "included_in": "included_in",
    "regex": "pattern",
    "list_type": "list_type",
}
"""What the protocol calls the limits of a field, and what `Field` does."""


class Fields(Mapping[str, Field]):
    """The fields of a source by name, in the order in which they are shown.

    Raises a `ConfigurationError` for declarations that don't fit together.
    """

    def __init__(self, *declared: Field) -> None:
        self._fields: dict[str, Field] = {}
        for one in declared:
            if one.name in self._fields:
                raise ConfigurationError("It is declared twice.", field=one.name)
            self._fields[one.name] = one
        self._check_dependencies()

    @classmethod
    def of_configuration(cls, configuration: Mapping[str, object]) -> "Fields":
        """Return the fields of a plain configuration, as `get_default_configuration()` gives it."""
        found = [
            _field_of(name, given if isinstance(given, Mapping) else {"value": given})
            for name, given in configuration.items()
        ]
        return cls(*sorted(found, key=lambda one: 1 if one.order is None else one.order))

    def __getitem__(self, name: str) -> Field:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Fields({', '.join(self)})"

    def conditions(self, name: str) -> list[tuple[Field, object]]:
        """Return the fields that one depends on, those that they depend on too, each with the value it has to have."""
        found: list[tuple[Field, object]] = []
        for other, wanted in self._fields[name].depends_on.items():
            found += [*self.conditions(other), (self._fields[other], wanted)]
        return found

    def configuration(self, values: Mapping[str, object] | None = None) -> dict[str, Wire]:
        """Return what a connector document holds as its configuration, with these values where they are given."""
        given = values or {}
        return {
            name: _wire_of(one, place, plain(given.get(name, one.initial)))
            for place, (name, one) in enumerate(self._fields.items(), 1)
        }

    def schema(self) -> Wire:
        """Return a JSON Schema (2020-12) of the settings, with an example of all of them.

        It accepts what the checks accept: values that are written as their type, and refer to nothing. What it can't
        say, a pattern beyond the syntax that JSON Schema knows and which paths are allowed, is for the checks alone.
        """
        properties = {
            name: {**annotations_of(one), **({} if one.depends_on else limits_of(one))} for name, one in self.items()
        }
        needed = [name for name, one in self.items() if _has_to_be_given(one)]
        conditions = [self._condition(name) for name, one in self.items() if one.depends_on]
        example = self.example()
        complete = all(name in example or not self._counts(name, example) for name in needed)
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": [name for name in needed if not self[name].depends_on],
            **({"allOf": conditions} if conditions else {}),
            **({"examples": [example]} if complete else {}),
        }

    def example(self) -> Wire:
        """Return a value for each field that has to be set or has an example or default, where it counts.

        A field that has to match a pattern and has none of these is left out: nothing can be made up for it.
        """
        values = {name: value for name, one in self.items() if (value := example_of(one)) is not None}
        return {name: value for name, value in values.items() if self._counts(name, values)}

    def _condition(self, name: str) -> Wire:
        """Return the part of a schema that asks something of a field only where its dependencies are met."""
        one = self._fields[name]
        then = {"properties": {name: limits_of(one)}, **({"required": [name]} if _has_to_be_given(one) else {})}
        first, *others = [being(other, wanted) for other, wanted in self.conditions(name)]
        return {"if": {"allOf": [first, *others]} if others else first, "then": then}

    def _counts(self, name: str, values: Mapping[str, object]) -> bool:
        return all(
            other.effective(values.get(other.name, other.initial)) == other.cast(wanted)
            for other, wanted in self.conditions(name)
        )

    def _check_dependencies(self) -> None:
        for name, one in self._fields.items():
            for other, wanted in one.depends_on.items():
                if other not in self._fields:
                    raise ConfigurationError(f"It depends on the field {other!r}, which does not exist.", field=name)
                for fault in self._fields[other].faults(wanted):
                    raise ConfigurationError(f"It depends on {other!r}, which {fault}", field=name)
        try:
            TopologicalSorter({name: one.depends_on for name, one in self._fields.items()}).prepare()
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            raise ConfigurationError(f"It depends on itself: {' → '.join(circle)}.", field=circle[0]) from None


def _wire_of(one: Field, place: int, value: object) -> Wire:
    limits = {kind: plain(getattr(one, name)) for kind, name in _VALIDATIONS.items()}
    return {
        "type": TYPES[one.type],
        "label": one.label,
        "order": place if one.order is None else one.order,
        "display": _display_of(one),
        "default_value": plain(one.default),
        "value": value,
        "required": one.has_to_be_set,
        "sensitive": one.sensitive,
        "tooltip": one.tooltip,
        "options": [{"label": label, "value": option} for option, label in one.options.items()],
        "depends_on": [{"field": other, "value": plain(wanted)} for other, wanted in one.depends_on.items()],
        "validations": [
            {"type": kind, "constraint": limit} for kind, limit in limits.items() if limit not in (None, [])
        ],
        "ui_restrictions": ["advanced"] if one.advanced else [],
    }


def _display_of(one: Field) -> str:
    """Return how Kibana's form shows a field."""
    if one.display is not None:
        return one.display
    if one.options:
        return "dropdown"
    if one.multiline:
        return "textarea"
    return {bool: "toggle", int: "numeric", float: "numeric"}.get(one.type, "text")


def _field_of(name: str, given: Mapping[str, Any]) -> Field:
    limits = _pairs(name, given, "validations", ("type", "constraint"))
    kind = _PYTHON_TYPES.get(str(given.get("type") or "str"))
    unknown = [one for one in limits if one not in _VALIDATIONS]
    if kind is None or unknown:
        what = f"type {given.get('type')!r}" if kind is None else f"validation {unknown[0]!r}"
        raise ConfigurationError(f"A field has no {what}.", field=name)
    if not isinstance(limits.get("regex", ""), str):
        raise ConfigurationError("A pattern is a text.", field=name)
    return Field(
        name,
        given.get("label") or name.upper(),
        type=kind,
        default=given.get("default_value"),
        value=given.get("value"),
        tooltip=given.get("tooltip"),
        required=_flag(name, given, "required", default=True),
        sensitive=_flag(name, given, "sensitive", default=False),
        advanced="advanced" in (given.get("ui_restrictions") or ()),
        display=given.get("display"),
        order=given.get("order"),
        options=_pairs(name, given, "options", ("value", "label")),
        depends_on=_pairs(name, given, "depends_on", ("field", "value")),
        **{_VALIDATIONS[one]: limit for one, limit in limits.items()},
    )


def _pairs(name: str, given: Mapping[str, Any], part: str, of: tuple[str, str]) -> dict[Any, Any]:
    """Return a list of objects that have two properties each as the one by the other."""
    pairs: dict[Any, Any] = {}
    key, value = of
    found = given.get(part) or []
    if not isinstance(found, list | tuple):
        raise ConfigurationError(f"Its {part} are a list.", field=name)
    for one in found:
        if not isinstance(one, Mapping) or not isinstance(one.get(key), str | int | float) or value not in one:
            raise ConfigurationError(f"Each of its {part} has a {key} and a {value}.", field=name)
        if one[key] in pairs:
            raise ConfigurationError(f"Its {part} have the {key} {one[key]!r} twice.", field=name)
        pairs[one[key]] = one[value]
    return pairs


def _flag(name: str, given: Mapping[str, Any], part: str, *, default: bool) -> bool:
    found = given.get(part)
    if not isinstance(found, bool | None):
        raise ConfigurationError(f"Its {part} is true or false, not {found!r}.", field=name)
    return default if found is None else found


def _has_to_be_given(one: Field) -> bool:
    return one.has_to_be_set and is_empty(one.cast(one.initial))
