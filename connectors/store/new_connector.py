"""A new connector: its document, made of what a person wrote about it, and checked before anything is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from connectors.grants import Grants
from connectors.registry import Registry
from connectors.registry.profile import Profile
from connectors.store.connector import DOMAIN, ConnectorStatus
from connectors.store.description import Description

_NOT_YET: Final = (
    "api_key_id",
    "api_key_secret_id",
    "error",
    "last_access_control_sync_error",
    "last_access_control_sync_scheduled_at",
    "last_access_control_sync_status",
    "last_deleted_document_count",
    "last_incremental_sync_scheduled_at",
    "last_indexed_document_count",
    "last_seen",
    "last_sync_error",
    "last_sync_scheduled_at",
    "last_sync_status",
    "last_synced",
    "sync_cursor",
)
"""What there is to say of a connector once it was synced."""


@dataclass(frozen=True)
class NewConnector:
    """A connector that can be created. Its document may hold secrets."""

    id: str
    service_type: str
    index_name: str
    document: Mapping[str, Any] = field(repr=False)


async def new_connector(given: object, registry: Registry, grants: Grants, now: datetime) -> NewConnector:
    """Return the connector that somebody described, as Kibana would have written it.

    Raises one `ConfigurationError` that names every problem. The source is contacted only where checking its advanced
    rules needs it.
    """
    description = Description(given)
    service_type = description.text("service_type", needed=True)
    source = registry.source(service_type) if service_type else None
    profile = Profile.of(source, service_type) if source else None
    configuration = description.configuration(profile, grants) if profile else None
    document = {
        **dict.fromkeys(_NOT_YET),
        "name": description.text("name") or (profile.name if profile else None),
        "description": description.text("description"),
        "service_type": service_type,
        "index_name": description.index_name(),
        "language": description.text("language"),
        "is_native": False,
        "status": ConnectorStatus.CONFIGURED,
        "configuration": description.wire(profile) if profile else {},
        "custom_scheduling": {},
        "features": profile.features if profile else {},
        "filtering": [_domain(description.rules(now), now)],
        "pipeline": description.pipeline(),
        "scheduling": description.scheduling(now),
        **description.sync(source),
        "created_at": now,
        "updated_at": now,
    }
    own = description.id()
    if source and configuration and not description.problems:
        await description.check_rules(source(configuration), document["filtering"][0]["active"])
    description.settle()
    return NewConnector(own, str(service_type), str(document["index_name"]), document)


def _domain(rules: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return a rule set as the only domain has it: in use, and as the draft that somebody may change."""
    times = {"created_at": now, "updated_at": now}
    valid = {**rules, "validation": {"state": "valid", "errors": []}, **times}
    return {"domain": DOMAIN, "active": valid, "draft": valid}
