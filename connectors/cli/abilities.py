"""Abilities: the kinds of syncs that a source has, looked at before a connector is to have one of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from connectors.cli import overview
from connectors.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.store.connector import Connector
    from connectors.sync.workplace import Workplace

_FEATURES: Final = {"incremental": "incremental_sync", "access_control": "document_level_security"}
"""What a source has to have for a kind of syncs, as its features call it."""


def check_abilities(place: "Workplace", connector: "Connector", kinds: Sequence[str]) -> None:
    """Raise a `ConfigurationError` for a kind of syncs that the source of a connector has not."""
    from connectors.registry.profile import Profile  # loaded only where it is wanted  # noqa: PLC0415

    needed = [kind for kind in kinds if kind in _FEATURES]
    if not needed or connector.service_type is None:
        return
    profile = Profile.of(place.registry.source(connector.service_type), connector.service_type)
    for kind in needed:
        feature = profile.features.get(_FEATURES[kind])
        if not (isinstance(feature, dict) and feature.get("enabled")):
            message = f"{profile.name} has no {overview.KINDS[kind].replace(' ', '-')} syncs."
            hint = f"`connectors sources show {connector.service_type}` tells what it can."
            raise ConfigurationError(message, field=f"scheduling.{kind}", hint=hint)
