"""A profile: what the class of a source says of itself, for those who list, show and describe sources."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.fields import Configuration, Fields
from connectors.grants import Grants
from connectors.source import BaseDataSource
from connectors.source_class import can_be_live, can_list_ids, fields_of, has

ABILITIES: Final[Mapping[str, str]] = {
    "rules": "Basic sync rules say which documents are kept.",
    "advanced rules": "Advanced sync rules, in a form of its own, say what is read.",
    "incremental": "An incremental sync reads only what changed.",
    "live": "A live sync writes what changes as it happens.",
    "deletes only": "A sync can find out by ids alone what is gone, and read nothing else.",
    "access control": "Documents carry who may read them.",
    "rows": "It has datasets of rows, so that it can be previewed, queried and exported.",
}
"""What a source may be able to do, and what that means."""


@dataclass(frozen=True)
class Profile:
    """What a source says of itself. All of it is said by its class: nothing is connected to."""

    service_type: str
    name: str
    paragraphs: tuple[str, ...]
    fields: Fields
    configuration: Mapping[str, Any]
    features: Mapping[str, Any]
    abilities: tuple[str, ...]
    drivers: Mapping[str, str]

    @classmethod
    def of(cls, source: type[Any], service_type: str | None = None) -> "Profile":
        """Return the profile of a class, which may go by another service type than its own.

        Whatever the class raises is raised, a `ConfigurationError` for fields that can't be.
        """
        known_as = service_type or str(getattr(source, "service_type", ""))
        features = _features_of(source)
        return cls(
            service_type=known_as,
            name=str(getattr(source, "name", "") or known_as),
            paragraphs=tuple(inspect.cleandoc(source.__doc__ or "").split("\n\n")) if source.__doc__ else (),
            fields=fields_of(source),
            configuration=_configuration_of(source),
            features=features,
            abilities=tuple(_abilities_of(source, features)),
            drivers=dict(getattr(source, "drivers", {})),
        )

    @property
    def summary(self) -> str:
        """The first paragraph of its description, on one line."""
        return " ".join(self.paragraphs[0].split()) if self.paragraphs else ""


def advanced_schemas(source: type[Any]) -> list[Mapping[str, Any]]:
    """Return the JSON Schemas of a source's advanced rules, those of its validators that have one in `schema`.

    They are those of an object, made with an example of its settings; a class of which none can be made has none.
    """
    fields = fields_of(source)
    try:
        made = source(Configuration(fields, fields.example(), Grants(allowed_paths=None)))
        validators: Any = made.advanced_rules_validators() if hasattr(made, "advanced_rules_validators") else []
    except Exception:  # noqa: BLE001 - a stranger's class, which is to be described all the same
        return []
    several = validators if isinstance(validators, list | tuple) else [validators]
    found = (getattr(validator, "schema", None) for validator in several)
    return [schema for schema in found if isinstance(schema, Mapping)]


def _configuration_of(source: type[Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (
        source.get_default_configuration()
        if hasattr(source, "get_default_configuration")
        else source.fields.configuration()
    )
    return found


def _features_of(source: type[Any]) -> Mapping[str, Any]:
    """Return what the class says of its features; one without the method says as much as its attributes do."""
    whole: Any = source if hasattr(source, "features") else type(source.__name__, (source, BaseDataSource), {})
    features: Mapping[str, Any] = whole.features()
    return features


def _abilities_of(source: type[Any], features: Mapping[str, Any]) -> list[str]:
    def enabled(*path: str) -> bool:
        found: Any = features
        for name in (*path, "enabled"):
            found = found.get(name) if isinstance(found, Mapping) else None
        return bool(found)

    can = {
        "rules": enabled("sync_rules", "basic"),
        "advanced rules": enabled("sync_rules", "advanced"),
        "incremental": enabled("incremental_sync"),
        "live": can_be_live(source),
        "deletes only": can_list_ids(source),
        "access control": enabled("document_level_security"),
        "rows": has(source, "datasets") and has(source, "read"),
    }
    return [ability for ability in ABILITIES if can[ability]]
