"""The filling: what a connector document lacks of what the class of its source says of itself."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.registry.profile import Profile
from connectors.store.connector import Connector, ConnectorStatus

WAITING: Final = frozenset({None, ConnectorStatus.CREATED, ConnectorStatus.NEEDS_CONFIGURATION})
"""A connector of such a status waits for a person, as long as something that has to be set is not."""


def filled(connector: Connector, profile: Profile, grants: Grants) -> dict[str, Any]:
    """Return the fields of a connector that have to be other than they are, as its source has this profile.

    What a person gave is never changed, and what is not known stays. So whoever fills a document that was filled finds
    nothing to do.
    """
    declared = profile.configuration
    configuration = _configuration(connector.configuration, declared)
    wanted: dict[str, Any] = {"configuration": configuration, "features": _features(connector, profile.features)}
    if connector.status in WAITING or (declared and not connector.configuration):
        lacks = any(True for _ in Configuration(profile.fields, configuration, grants).missing())
        status = ConnectorStatus.NEEDS_CONFIGURATION if lacks else ConnectorStatus.CONFIGURED
        wanted |= {"status": status} if status is connector.status else {"status": status, "error": None}
    return {name: one for name, one in wanted.items() if connector.document.get(name) != one}


def _configuration(given: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a document with those that it lacks, and with the properties that one of its own lacks."""
    settings = {name: _setting(one, declared[name]) if name in declared else one for name, one in given.items()}
    return {**settings, **{name: one for name, one in declared.items() if name not in given}}


def _setting(given: object, declared: object) -> object:
    """Return a setting with every property; one that is a plain value, as older clients wrote it, becomes the value."""
    properties = given if isinstance(given, Mapping) else {"value": given}
    return _completed(properties, declared) if isinstance(declared, Mapping) else given


def _features(connector: Connector, declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the features: of a native connector a person may have decided on some, else the source alone knows."""
    if connector.document.get("is_native") is True:
        return _deeply_completed(connector.features, declared)
    return {**connector.features, **declared}


def _completed(given: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    return {**given, **{name: one for name, one in declared.items() if name not in given}}


def _deeply_completed(given: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    within = {
        name: _deeply_completed(one, declared[name])
        for name, one in given.items()
        if isinstance(one, Mapping) and isinstance(declared.get(name), Mapping)
    }
    return {**_completed(given, declared), **within}
