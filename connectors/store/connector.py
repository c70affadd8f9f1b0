"""A connector: the document of one configured source, read leniently, as Kibana, curl or an older version wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from connectors.errors import ConfigurationError
from connectors.store.lenient import LenientDocument
from connectors.store.sync_settings import FIELD, SyncSettings
from connectors.store.sync_state import JobType
from connectors.wording import shown

DOMAIN: Final = "DEFAULT"
"""The only domain of sync rules that there is."""

ACCESS_CONTROL: Final = ".search-acl-filter-"
"""What the index that says who may read a content index is called, before that one's name."""


class ConnectorStatus(StrEnum):
    """How far a connector has come, as the protocol calls it."""

    CREATED = "created"
    NEEDS_CONFIGURATION = "needs_configuration"
    CONFIGURED = "configured"
    CONNECTED = "connected"
    ERROR = "error"


@dataclass(frozen=True)
class StoredSchedule:
    """When syncs of one kind are due, as the document has it; the interval is a Quartz expression, or none at all."""

    enabled: bool = False
    interval: str | None = None


@dataclass(frozen=True)
class Connector(LenientDocument):
    """A connector document as it was read, with what we do not know of it too.

    What has no meaning where it stands counts as not there, unless documents would be lost or indexed wrongly by that:
    then looking at it raises a `ConfigurationError`.
    """

    @property
    def name(self) -> str | None:
        """What people call it."""
        return self._text("name")

    @property
    def service_type(self) -> str | None:
        """Which source it reads."""
        return self._text("service_type")

    @property
    def index_name(self) -> str | None:
        """The index, or alias, that it writes to."""
        return self._text("index_name")

    def index_for(self, job_type: JobType) -> str | None:
        """Return the index that a sync of this type writes to: who may read what has an index of its own."""
        name = self.index_name
        return f"{ACCESS_CONTROL}{name}" if name is not None and job_type is JobType.ACCESS_CONTROL else name

    @property
    def language(self) -> str | None:
        """The language of its documents; None where that is not said."""
        return self._text("language")

    @property
    def status(self) -> ConnectorStatus | None:
        """How far it has come."""
        text = self._text("status")
        return ConnectorStatus(text) if text in set(ConnectorStatus) else None

    @property
    def error(self) -> str | None:
        """What is wrong with it."""
        return self._text("error")

    @property
    def deleted(self) -> bool:
        """Whether it is kept only so that others see that it is gone."""
        return self.document.get("deleted") is True

    @property
    def configuration(self) -> Mapping[str, Any]:
        """The settings of its source, as `connectors.fields.Configuration` takes them."""
        return self._mapping("configuration") or {}

    @property
    def features(self) -> Mapping[str, Any]:
        """What its source can do, as far as the document says so."""
        return self._mapping("features") or {}

    @property
    def scheduling(self) -> Mapping[str, Any]:
        """When its syncs are due."""
        return self._mapping("scheduling") or {}

    @property
    def schedules(self) -> Mapping[JobType, StoredSchedule]:
        """The same for each kind of syncs; what can't be read is off."""
        found = {kind: self.scheduling.get(kind) for kind in JobType}
        return {
            kind: _schedule_of(one) if isinstance(one, Mapping) else StoredSchedule() for kind, one in found.items()
        }

    @property
    def last_synced(self) -> datetime | None:
        """When its last sync ended, of whichever kind."""
        return self._instant("last_synced")

    @property
    def sync_cursor(self) -> Mapping[str, Any] | None:
        """Where its incremental syncs stand; None for the beginning."""
        return self._mapping("sync_cursor")

    @property
    def pipeline(self) -> Mapping[str, Any] | None:
        """The ingest pipeline and its flags. Raises a `ConfigurationError` for what is none."""
        found = self.document.get("pipeline")
        if found is None or found == "":
            return None
        if isinstance(found, str):
            return {"name": found}
        if isinstance(found, Mapping) and isinstance(found.get("name"), str | None):
            return found
        raise ConfigurationError(f"The pipeline is {shown(found)}, not an object with a name.", field="pipeline")

    @property
    def filtering(self) -> Mapping[str, Any]:
        """The rules that are in use, as `connectors.byoc.Filter` takes them; empty where there are none.

        Raises a `ConfigurationError` for what leads to no rules: it was meant to keep something out of the index.
        """
        found = self.document.get("filtering")
        if isinstance(found, Mapping) and not found.keys() & {"active", "draft"}:
            return found  # one rule set by itself, as jobs have it
        elements = found if isinstance(found, list) else [found] if found is not None else []
        for place, element in enumerate(elements):
            if not isinstance(element, Mapping):
                raise _no_rules(f"filtering[{place}]", element)
            if element.get("domain", DOMAIN) == DOMAIN:
                active = element.get("active")
                if not isinstance(active, Mapping | None):
                    raise _no_rules("The active filtering", active)
                return active or {}
        return {}

    @property
    def sync(self) -> SyncSettings:
        """The settings of its syncs. Raises one `ConfigurationError` that names every problem."""
        return SyncSettings.of(self.document.get(FIELD))


def _schedule_of(given: Mapping[str, Any]) -> StoredSchedule:
    interval = given.get("interval")
    return StoredSchedule(given.get("enabled") is True, interval if isinstance(interval, str) and interval else None)


def _no_rules(what: str, found: object) -> ConfigurationError:
    return ConfigurationError(f"{what} is {shown(found)}, not an object.", field="filtering")
