"""A changed connector: what is to be other about one, checked as a new one is before anything is stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connectors.binding import Problem
from connectors.errors import ConfigurationError, Conflict
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.registry.profile import Profile
from connectors.store.connector import Connector, ConnectorStatus
from connectors.store.connectors import ConnectorStore
from connectors.store.description import Description
from connectors.store.sync_settings import FIELD

FIXED: Final = ("id", "service_type", "rules", "advanced_rules")
"""What a description of a new connector may say, and one of a change may not."""
_UNFINISHED: Final = (None, ConnectorStatus.CREATED, ConnectorStatus.NEEDS_CONFIGURATION)


async def changes_of(
    connector: Connector, given: Mapping[str, Any], registry: Registry, grants: Grants, now: datetime
) -> Mapping[str, Any]:
    """Return the fields of a connector that are other when what is given holds, each whole; none if all is so already.

    `given` is what a new connector is made of, as far as it is to be other; what it leaves out of objects stays. Raises
    one `ConfigurationError` that names every problem. What is not touched is not looked at, but for rules that may
    depend on a setting: where checking these needs it, the source is contacted.
    """
    description = Description(given, connector.document)
    description.problems += [Problem(name, "It can't be changed.") for name in FIXED if name in description]
    changes: dict[str, Any] = {
        name: description.text(name) for name in ("name", "description", "language") if name in description
    }
    if "index_name" in description:
        changes["index_name"] = description.index_name()
    if "configuration" in description:
        changes |= await _configured(connector, description, registry, grants)
    if "pipeline" in description:
        changes["pipeline"] = description.pipeline()
    if "scheduling" in description:
        changes["scheduling"] = description.scheduling(now)
    if FIELD in description:
        changes |= description.sync(registry.source(connector.service_type) if connector.service_type else None)
    description.settle()
    changes = {name: value for name, value in changes.items() if value != connector.document.get(name)}
    return {**changes, "updated_at": now} if changes else {}


async def store_changes(connectors: ConnectorStore, connector: Connector, changes: Mapping[str, Any]) -> Connector:
    """Write changes of a connector as it was when they were checked, and return it as it is now.

    Raises `Conflict` when somebody has changed the same fields since; changes of other fields stay.
    """

    def still(found: Connector) -> Mapping[str, Any]:
        for name, value in changes.items():
            now = found.document.get(name)
            if name != "updated_at" and now not in (connector.document.get(name), value):
                raise _Changed
        return changes

    try:
        return await connectors.update(connector.id, still)
    except _Changed:
        message = f"Somebody else has changed the connector {connector.id!r} meanwhile. Nothing was stored."
        raise Conflict(message, hint=f"Look with `connectors show {connector.id}`, and try again.") from None


class _Changed(Exception):
    """Leaves an update, which a `Conflict` would only begin anew."""


async def _configured(
    connector: Connector, description: Description, registry: Registry, grants: Grants
) -> dict[str, Any]:
    """Return the settings of the source, and that the connector has all that it needs if it had not before."""
    if connector.service_type is None:
        description.problems.append(Problem("service_type", "The connector has no source, and so no settings."))
        return {}
    source = registry.source(connector.service_type)
    profile = Profile.of(source, connector.service_type)
    configuration = description.configuration(profile, grants)
    filtering: Mapping[str, Any] = {}
    try:
        filtering = connector.filtering
    except ConfigurationError as error:
        description.problems.append(Problem("filtering", error.message))
    if filtering and not description.problems:
        await description.check_rules(source(configuration), filtering)
    has_come_so_far = {"status": ConnectorStatus.CONFIGURED} if connector.status in _UNFINISHED else {}
    return {"configuration": description.wire(profile), **has_come_so_far}
