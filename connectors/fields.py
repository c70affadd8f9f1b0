"""Fields: the settings of a source; the connector's configuration, a JSON Schema and every check are made from them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from connectors.errors import ConfigurationError
from connectors.field import TYPES, Field, Wire

__all__ = ["Field", "Fields"]
_JSON_TYPES: Final = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", Path: "string"}
_PYTHON_TYPES: Final[Mapping[str, type]] = {name: kind for kind, name in TYPES.items() if kind is not Path}


class Fields(Mapping[str, Field]):
    """The fields of a source by name, in the order in which they are shown.

    Raises a `ConfigurationError` for declarations that don't fit together.
    """

    def __init__(self, *declared: Field) -> None:
        self._fields = {one.name: one for one in declared}
        if len(self._fields) < len(declared):
            names = [one.name for one in declared]
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigurationError("It is declared twice.", field=twice)
        for one in declared:
            self._check_dependencies(one.name, ())

    @classmethod
    def of_configuration(cls, configuration: Mapping[str, object]) -> "Fields":
        """Return the fields of a plain configuration, as `get_default_configuration()` gives it."""
        given: dict[str, Mapping[str, Any]] = {
            name: one if isinstance(one, Mapping) else {"value": one} for name, one in configuration.items()
        }
        ordered = sorted(given, key=lambda name: int(given[name].get("order") or 1))
        return cls(*(_field_of(name, given[name]) for name in ordered))

    def __getitem__(self, name: str) -> Field:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Fields({', '.join(self)})"

    def configuration(self, values: Mapping[str, object] | None = None) -> dict[str, Wire]:
        """Return what a connector document holds as its configuration, with these values where they are given."""
        given = values or {}
        return {
            name: _wire_of(one, order, given.get(name, one.initial))
            for order, (name, one) in enumerate(self._fields.items(), 1)
        }

    def schema(self) -> Wire:
        """Return a JSON Schema (2020-12) of the settings, with an example of all of them."""
        conditions = [_condition(one) for one in self.values() if one.has_to_be_set and one.depends_on]
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {name: _schema_of(one) for name, one in self.items()},
            "required": [name for name, one in self.items() if one.has_to_be_set and not one.depends_on],
            **({"allOf": conditions} if conditions else {}),
            "examples": [self.example()],
        }

    def example(self) -> Wire:
        """Return a value for each field that has to be set or has an example or default."""
        return {name: value for name, one in self.items() if (value := _example_of(one)) is not None}

    def _check_dependencies(self, name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ConfigurationError(f"It depends on itself: {' → '.join((*above, name))}.", field=name)
        for other in self._fields[name].depends_on:
            if other not in self._fields:
                raise ConfigurationError(f"It depends on the field {other!r}, which does not exist.", field=name)
            self._check_dependencies(other, (*above, name))


def _wire_of(one: Field, order: int, value: object) -> Wire:
    return {
        "type": TYPES[one.type],
        "label": one.label,
        "order": order,
        "display": one.display,
        "default_value": str(one.default) if isinstance(one.default, Path) else one.default,
        "value": str(value) if isinstance(value, Path) else value,
        "required": one.has_to_be_set,
        "sensitive": one.sensitive,
        "tooltip": one.tooltip,
        "options": [{"label": label, "value": option} for option, label in one.options.items()],
        "depends_on": [{"field": other, "value": wanted} for other, wanted in one.depends_on.items()],
        "validations": one.validations,
        "ui_restrictions": ["advanced"] if one.advanced else [],
    }


def _field_of(name: str, given: Mapping[str, Any]) -> Field:
    rules = {rule["type"]: rule["constraint"] for rule in given.get("validations") or ()}
    kind = _PYTHON_TYPES.get(given.get("type") or "str")
    unknown = sorted(rules.keys() - {"greater_than", "less_than", "included_in", "regex", "list_type"})
    if kind is None or unknown:
        what = f"type {given.get('type')!r}" if kind is None else f"validation {unknown[0]!r}"
        raise ConfigurationError(f"A field has no {what}.", field=name)
    return Field(
        name,
        given.get("label") or name.upper(),
        type=kind,
        default=given.get("default_value"),
        value=given.get("value"),
        tooltip=given.get("tooltip"),
        required=given.get("required", True),
        sensitive=given.get("sensitive", False),
        advanced="advanced" in (given.get("ui_restrictions") or ()),
        multiline=given.get("display") == "textarea",
        options={option["value"]: option["label"] for option in given.get("options") or ()},
        depends_on={other["field"]: other["value"] for other in given.get("depends_on") or ()},
        greater_than=rules.get("greater_than"),
        less_than=rules.get("less_than"),
        included_in=rules.get("included_in", ()),
        pattern=rules.get("regex"),
        list_type=rules.get("list_type"),
    )


def _schema_of(one: Field) -> Wire:
    allowed = list(one.included_in) or list(one.options)
    value: Wire = {
        "type": _JSON_TYPES[one.type],
        "exclusiveMinimum": one.greater_than,
        "exclusiveMaximum": one.less_than,
        "pattern": None if one.pattern is None else f"^(?:{one.pattern})$",
        "enum": allowed or None,
        "minLength": 1 if one.has_to_be_set and one.type in {str, Path} else None,
    }
    if one.type is list:
        inner = {**value, "type": {"str": "string", "int": "integer"}.get(one.list_type or "")}
        value = {"type": "array", "items": {key: v for key, v in inner.items() if v is not None} or None}
    described: Wire = {
        "title": one.label,
        "description": one.tooltip,
        **value,
        "default": str(one.default) if isinstance(one.default, Path) else one.default,
        "writeOnly": one.sensitive or None,
    }
    return {key: v for key, v in described.items() if v is not None}


def _condition(one: Field) -> Wire:
    """Return the part of a schema that requires a field only where its dependencies are met."""
    met = {other: {"const": wanted} for other, wanted in one.depends_on.items()}
    return {"if": {"properties": met, "required": list(met)}, "then": {"required": [one.name]}}


def _example_of(one: Field) -> Any:  # noqa: ANN401 - of the field's type
    for given in (one.example, one.value, one.default):
        if given is not None and given not in ("", []):
            return str(given) if isinstance(given, Path) else given
    if not one.has_to_be_set:
        return False if one.type is bool else None
    if one.options:
        return next(iter(one.options))
    return {bool: False, int: 1, float: 1.0, list: ["…"]}.get(one.type, "…")
