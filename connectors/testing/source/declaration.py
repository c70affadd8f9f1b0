"""What a source declares: its name, its settings, what it can do, its page."""

import json
from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs

from connectors.errors import ConfigurationError
from connectors.fields import Field, Fields
from connectors.registry.page import page_of
from connectors.source_class import has
from connectors.testing.source.case import SourceCase
from connectors.testing.source.promise import applies, fail, promise
from connectors.testing.source.subject import Subject

_KEYS: Final = {*Fields(Field("any", "Any")).configuration()["any"], "placeholder"}
"""What the configuration of a connector document says of each setting."""
_DISPLAYS: Final = ("textbox", "text", "textarea", "numeric", "toggle", "dropdown")
_NEEDED: Final = {
    "dls_enabled": ("get_access_control",),
    "incremental_sync_enabled": ("get_docs_incrementally", "read"),
    "advanced_rules_enabled": ("advanced_rules_validators",),
}
"""What a source that enables a feature has to have: one of these methods."""


class Declaration(SourceCase):
    """A source says what it is before it is made."""

    def test_it_has_a_name_and_a_service_type(self) -> None:
        """People read the one; connector documents, files and pages hold the other."""
        name, service_type = getattr(self.source, "name", ""), getattr(self.source, "service_type", "")
        promise(isinstance(name, str) and name.strip(), "Set `name` to what people call it, as in 'MySQL'.")
        sound = isinstance(service_type, str) and service_type.isidentifier() and service_type.islower()
        promise(sound, f"Set `service_type` to lower-case letters, digits and underscores, not {service_type!r}.")

    def test_every_field_has_a_label(self) -> None:
        """A form shows the label beside the setting."""
        for name, given in self._configuration().items():
            label = given.get("label") if isinstance(given, Mapping) else None
            promise(isinstance(label, str) and label.strip(), f"Give the field {name!r} a label.")

    def test_defaults_and_examples_pass_the_checks_of_their_fields(self, subject: Subject) -> None:
        """What the documentation shows can be used as it stands."""
        try:
            example = subject.fields.example()
            subject.configuration(example).check()
        except ConfigurationError as error:
            text = f"The field {error.field!r} refuses its own default or example: {error}"
            fail(f"{text} Correct it, or give the field an example that passes.")

    def test_the_configuration_has_the_shape_of_the_protocol(self, subject: Subject) -> None:
        """Kibana makes a form of it."""
        configuration = self._configuration()
        for name, given in configuration.items():
            for fault in _faults_of(given, configuration):
                fail(f"get_default_configuration()[{name!r}] {fault}.")
        try:
            json.dumps(configuration)
        except (TypeError, ValueError) as error:
            fail(f"get_default_configuration() can't be written as JSON: {error}.")
        same = set(configuration) == set(subject.fields)
        promise(same, "get_default_configuration() has other names than `fields`: override it or declare, not both.")

    def test_the_schema_of_the_settings_accepts_their_example(self, subject: Subject) -> None:
        """Other programs check settings by the schema."""
        schema = subject.fields.schema()
        try:
            jsonschema_rs.meta.validate(schema)
            jsonschema_rs.validate(schema, subject.fields.example())
        except (jsonschema_rs.ValidationError, ValueError) as error:
            reason = getattr(error, "message", str(error))
            at = "/".join(map(str, getattr(error, "instance_path", ())))
            fail(f"The JSON Schema of the settings refuses the example, at {at!r}: {reason}.")

    def test_what_it_enables_is_there(self) -> None:
        """A feature that is enabled is offered to people."""
        for flag, methods in _NEEDED.items():
            there = not getattr(self.source, flag, False) or any(has(self.source, method) for method in methods)
            promise(there, f"`{flag}` is True: write {' or '.join(f'{method}()' for method in methods)}.")

    def test_its_page_is_current(self) -> None:
        """Its page in the documentation is written from its declaration."""
        applies(self.pages is not None, "set `pages` to the folder of the documentation page")
        assert self.pages is not None  # noqa: S101 - for the type checker
        page = self.pages / f"{getattr(self.source, 'service_type', '')}.md"
        applies(page.exists(), f"there is no page {page}")
        wanted = page_of(self.source)
        promise(page.read_text(encoding="utf-8") == wanted, f"{page} is not current: run `make docs`.")

    def _configuration(self) -> Mapping[str, Any]:
        source: Any = self.source
        configuration: Mapping[str, Any] = source.get_default_configuration()
        return configuration


def _faults_of(given: object, all_of_them: Mapping[str, Any]) -> list[str]:
    if not isinstance(given, Mapping):
        return ["has to be an object with a label, a type and a value"]
    faults = [f"has the unknown key {key!r}" for key in given if key not in _KEYS]
    if given.get("type", "str") not in {"str", "int", "float", "bool", "list"}:
        faults.append(f"has the unknown type {given['type']!r}")
    if given.get("display") not in {None, *_DISPLAYS}:
        faults.append(f"has the unknown display {given['display']!r}")
    if not all(isinstance(given.get(flag, False), bool) for flag in ("required", "sensitive")):
        faults.append("has a `required` or `sensitive` that is neither true nor false")
    for key, names in {"options": {"label", "value"}, "depends_on": {"field", "value"}}.items():
        if any(not isinstance(one, Mapping) or set(one) != names for one in given.get(key) or ()):
            faults.append(f"has `{key}` that are not objects of {' and '.join(sorted(names))}")
        elif key == "depends_on" and any(one["field"] not in all_of_them for one in given.get(key) or ()):
            faults.append("depends on a field that there is not")
    return faults
