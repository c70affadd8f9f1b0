"""The indices that a sync makes: their settings and mappings, and what an index that is there has to have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors import logger
from connectors.engine.flavor import Flavor
from connectors.errors import ConfigurationError
from connectors.store.index_name import FIELD
from connectors.sync.index.analysis import LANGUAGES, UNIVERSAL, language_of
from connectors.sync.index.mark import FIELD as MARK_FIELD
from connectors.sync.index.mark import Mark

log = logger.get(__name__)
MARK: Final[Mapping[str, Any]] = Mark.MAPPING[MARK_FIELD]
MOST_FIELDS: Final = 5_000
"""Fields of an index, sub-fields included: a connector brings many tables into one. A document with more is refused."""
LONGEST_KEYWORD: Final = 256
_KEYWORD: Final = {"type": "keyword", "ignore_above": LONGEST_KEYWORD}
_READERS: Final = {"type": "keyword", "fields": {"enum": {"type": "keyword"}}}
_DATE: Final = {
    "type": "date",
    "format": "strict_date_optional_time||epoch_millis",  # said, because else it is the first that fitted
    "fields": {"keyword": _KEYWORD},
}
_TIMESTAMP: Final = {"type": "date", "ignore_malformed": True}
_ID: Final = {"type": "keyword", "ignore_above": 1_024}
_OWN: Final[Mapping[str, Any]] = {"_sync": MARK, "_allow_access_control": _READERS, "_timestamp": _TIMESTAMP, "id": _ID}
_DATES: Final = [
    "strict_date",
    "strict_date_time",
    "strict_date_time_no_millis",
    "strict_date_hour_minute_second_fraction",
    "strict_date_hour_minute_second",
]
"""What a text has to look like to make its field one of dates: a whole day at least, so neither 2026 nor 2026-01."""
_TEMPLATES: Final[list[Mapping[str, Any]]] = [
    {"texts": {"match_mapping_type": "string", "mapping": {"type": "text", "fields": {"keyword": _KEYWORD}}}},
    {"dates": {"match_mapping_type": "date", "mapping": _DATE}},
    {"decimals": {"match_mapping_type": "double", "mapping": {"type": "double"}}},
]
_NAMES: Final = [{"names": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 8_191}}}]


@dataclass(frozen=True)
class NewIndex:
    """What an index is created with."""

    settings: Mapping[str, Any]
    mappings: Mapping[str, Any]


def content_index(name: str, language: str | None, flavor: Flavor) -> NewIndex:
    """Return what the index of a connector's documents is created with; `name` is what connectors know it by.

    The embedded engine has one analysis and its own way with new fields: there the language does nothing.
    """
    key = language_of(language)
    mappings: dict[str, Any] = {"_meta": _meta(name), "properties": _OWN}
    settings: dict[str, Any] = {
        "index.gc_deletes": "1h",
        "index.mapping.total_fields.limit": MOST_FIELDS,
        "index.mapping.ignore_malformed": True,
    }
    if flavor is Flavor.EMBEDDED:
        if key != UNIVERSAL:
            log.info("The embedded engine searches words as they are, in every language.", index=name, language=key)
        return NewIndex(settings, mappings)
    return NewIndex(
        {**settings, "analysis": LANGUAGES[key].settings()},
        {**mappings, "dynamic_date_formats": _DATES, "dynamic_templates": _TEMPLATES},
    )


def access_control_index(name: str, flavor: Flavor) -> NewIndex:
    """Return what the index is created with that says who may read what: names are exact, and queries are only kept."""
    mappings: dict[str, Any] = {
        "_meta": _meta(name),
        "date_detection": False,
        "properties": {"_sync": MARK, "query": {"type": "object", "enabled": False}, "id": _ID},
    }
    if flavor is not Flavor.EMBEDDED:
        mappings["dynamic_templates"] = _NAMES
    return NewIndex({"index.gc_deletes": "1h", "index.mapping.total_fields.limit": MOST_FIELDS}, mappings)


def _meta(name: str) -> dict[str, Any]:
    return {"connectors": {"format": 1, "target": name}}


def was_made_for(mappings: Mapping[str, Any], name: str) -> bool:
    """Return whether an index is one that we created for that name."""
    stated = mappings.get("_meta", {}).get("connectors")
    return isinstance(stated, dict) and stated.get("target") == name


def missing_fields(index: str, mappings: Mapping[str, Any], *, access_control: bool) -> dict[str, Any]:
    """Return what the mapping of an index that is there lacks for a sync; nothing else of it is ever changed.

    That is our mark, and for content who may read a document. Where a mapping takes no new fields (`strict`), it is
    also what each document has beside its source's fields. Raises `ConfigurationError` for an index that can't do.
    """
    _check_whole(index, mappings)
    fields = mappings.get("properties", {})
    names = ["_sync"] if access_control else ["_sync", "_allow_access_control"]
    if mappings.get("dynamic") == "strict":
        names += ["id"] if access_control else ["id", "_timestamp"]
    missing = {name: _OWN[name] for name in names if name not in fields}
    if "_sync" in fields:
        parts = _missing_parts(index, fields["_sync"])
        missing |= {"_sync": {"properties": parts}} if parts else {}
    return missing


def _check_whole(index: str, mappings: Mapping[str, Any]) -> None:
    """Raise a `ConfigurationError` for an index that does not keep documents, or not where they can be found."""
    if mappings.get("_source", {}).get("enabled") is False:
        raise ConfigurationError(
            f"The index {index} does not keep what is written to it (_source is off).",
            field=FIELD,
            hint="Give the connector another index, and _source is on by default.",
        )
    if mappings.get("_routing", {}).get("required") is True:
        raise ConfigurationError(
            f"The index {index} wants a routing with each document, and connectors give none.",
            field=FIELD,
            hint="Give the connector another index, or create this one anew without required routing.",
        )


def _missing_parts(index: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of the mark that a mapping of it lacks; raises `ConfigurationError` where it can't be one."""
    if stored.get("type", "object") != "object" or stored.get("enabled") is False:
        raise _not_our_mark(index, "_sync", "it is no object with fields")
    parts = stored.get("properties", {})
    for name, wanted in MARK["properties"].items():
        found = parts.get(name, wanted)
        if found.get("type", "object") != wanted["type"]:
            raise _not_our_mark(index, f"_sync.{name}", f"it is not of the type {wanted['type']}")
        if found.get("doc_values") is False:
            raise _not_our_mark(index, f"_sync.{name}", "it has no doc values")
        if wanted.get("index", True) and found.get("index") is False:
            raise _not_our_mark(index, f"_sync.{name}", "it can't be searched for")
    return {name: wanted for name, wanted in MARK["properties"].items() if name not in parts}


def _not_our_mark(index: str, path: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The field {path} of the index {index} can't hold what connectors write there: {why}.",
        field=FIELD,
        hint="Reindex into an index without the field _sync, or give the connector another index.",
    )
