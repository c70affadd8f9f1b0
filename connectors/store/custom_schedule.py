"""A custom schedule: syncs of a connector at times of their own, and with other settings where it says so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self

from connectors.errors import ConfigurationError
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.source_class import fields_of
from connectors.store.connector import Connector
from connectors.store.job import SyncJob
from connectors.store.lenient import instant_of
from connectors.wording import shown

FIELD: Final = "custom_scheduling"
OVERRIDES: Final = "configuration_overrides"
METADATA: Final = "custom_schedule"
"""Where the metadata of a job says of which custom schedule it is."""


@dataclass(frozen=True)
class CustomSchedule:
    """One of the schedules that a connector has by keys of its own, as the document has it."""

    key: str
    name: str | None = None
    enabled: bool = False
    interval: object = None
    last_synced: datetime | None = field(default=None, compare=False)
    overrides: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The values that settings of the source have in its syncs, by their names."""
    fault: str | None = None
    """Why it can't be told what its syncs are to be."""

    @classmethod
    def of(cls, connector: Connector, key: str, found: object) -> Self:
        """Return a schedule as a connector has it under a key."""
        given = found if isinstance(found, Mapping) else {}
        name, overrides = given.get("name"), given.get(OVERRIDES)
        readable = overrides if isinstance(overrides, Mapping) else {}
        return cls(
            key=key,
            name=name if isinstance(name, str) and name else None,
            enabled=given.get("enabled") is True,
            interval=given.get("interval"),
            last_synced=instant_of(given.get("last_synced")),
            overrides={name: _value(one) for name, one in readable.items()},
            fault=_fault(connector, overrides),
        )

    @property
    def tick_name(self) -> str:
        """What its ticks go by: never the type of a sync, whatever the key is."""
        return f"custom:{self.key}"

    @property
    def setting(self) -> str:
        """Where it stands in the document."""
        return f"{FIELD}.{self.key}"


def custom_schedules(connector: Connector) -> Mapping[str, CustomSchedule]:
    """Return the custom schedules of a connector by their keys."""
    found = connector.document.get(FIELD)
    given = found if isinstance(found, Mapping) else {}
    return {key: CustomSchedule.of(connector, key, one) for key, one in given.items()}


def schedule_key(job: SyncJob) -> str | None:
    """Return the key of the custom schedule that a job is of; None for a job that is of none."""
    found = job.metadata.get(METADATA)
    return found if isinstance(found, str) else None


def schedule_of(connector: Connector, key: str) -> CustomSchedule:
    """Return the custom schedule under a key. Raises a `ConfigurationError` when it is gone, or can't be followed."""
    found = custom_schedules(connector).get(key)
    if found is None:
        raise ConfigurationError(f"The connector has no custom schedule {shown(key)} any more.", field=FIELD)
    if found.fault is not None:
        raise ConfigurationError(found.fault, field=f"{found.setting}.{OVERRIDES}")
    return found


def customized(connector: Connector, schedule: CustomSchedule) -> Connector:
    """Return a connector as the syncs of a custom schedule are to have it: with its settings."""
    configuration = {
        name: one if name not in schedule.overrides else _with_value(one, schedule.overrides[name])
        for name, one in connector.configuration.items()
    }
    return replace(connector, document={**connector.document, "configuration": configuration})


def synced(connector: Connector, key: str, now: datetime) -> Mapping[str, Any]:
    """Return the fields of a connector that say when a sync of a custom schedule ended; none when that is gone."""
    found = connector.document.get(FIELD)
    if not isinstance(found, Mapping) or not isinstance(found.get(key), Mapping):
        return {}
    return {FIELD: {**found, key: {**found[key], "last_synced": now}}}


def faults_of(connector: Connector, source: type[Any], grants: Grants) -> Iterator[str]:
    """Yield what is wrong with the values that custom schedules in use give to settings, and is right without them."""
    used = [one for one in custom_schedules(connector).values() if one.enabled and one.fault is None and one.overrides]
    if not used:
        return
    fields = fields_of(source)
    before = set(map(str, Configuration(fields, connector.configuration, grants).problems()))
    for one in used:
        configuration = Configuration(fields, customized(connector, one).configuration, grants)
        for problem in map(str, configuration.problems()):
            if problem not in before:
                yield f"{one.setting}.{OVERRIDES}: {problem}"


def _fault(connector: Connector, overrides: object) -> str | None:
    if overrides is None:
        return None
    if not isinstance(overrides, Mapping):
        return f"It is {type(overrides).__name__}, not an object that gives settings other values."
    unknown = [name for name in overrides if name not in connector.configuration]
    if unknown:
        named = ", ".join(map(shown, unknown))
        return f"The connector has no such settings: {named}. Known: {', '.join(connector.configuration) or 'none'}."
    empty = [name for name, one in overrides.items() if isinstance(one, Mapping) and "value" not in one]
    return f"It does not say which values these have: {', '.join(map(shown, empty))}." if empty else None


def _value(one: object) -> object:
    return one.get("value") if isinstance(one, Mapping) else one


def _with_value(one: object, value: object) -> object:
    return {**one, "value": value} if isinstance(one, Mapping) else value
