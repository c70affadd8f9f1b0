"""The snapshot: what a job document says of its connector, as it was when the job was made, without anything secret."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.errors import ConfigurationError
from connectors.registry import Registry
from connectors.store.connector import Connector
from connectors.store.sync_state import JobType

NO_RULES: Final[Mapping[str, Any]] = {"advanced_snippet": {}, "rules": []}


def snapshot_of(connector: Connector, job_type: JobType, registry: Registry) -> dict[str, Any]:
    """Return a connector as its job has it.

    A setting keeps its value only if it is said to be no secret, by the source or by its own field, and neither says
    that it is one. Whoever runs the job reads the settings from the connector.
    """
    document, sensitive = connector.document, registry.sensitive(connector.service_type)
    return {
        "id": connector.id,
        "configuration": {
            name: one if _is_open(one, sensitive.get(name)) else _without_value(one)
            for name, one in connector.configuration.items()
        },
        "filtering": _rules(connector),
        "index_name": connector.index_for(job_type),
        "language": document.get("language"),
        "pipeline": document.get("pipeline"),
        "service_type": connector.service_type,
        "sync_cursor": document.get("sync_cursor"),
    }


def _rules(connector: Connector) -> Mapping[str, Any]:
    """Return the rules in use; none where they can't be read, which is the error that the job then ends in."""
    try:
        return connector.filtering or NO_RULES
    except ConfigurationError:
        return NO_RULES


def _is_open(one: object, declared: bool | None) -> bool:  # noqa: FBT001 - three states, not a switch
    said = one.get("sensitive") if isinstance(one, Mapping) else None
    if declared or said not in (False, None):
        return False
    return declared is False or said is False


def _without_value(one: object) -> object:
    return {**one, "value": None, "default_value": None} if isinstance(one, Mapping) else None
