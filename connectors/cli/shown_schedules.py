"""Custom schedules as they may be shown: when their syncs are due, and with which settings, secrets masked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.cli.shown_settings import shown_settings
from connectors.cli.wording import as_moment, value_text
from connectors.secret import MASK

if TYPE_CHECKING:
    from connectors.fields import Configuration
    from connectors.store.connector import Connector
    from connectors.store.custom_schedule import CustomSchedule


@dataclass(frozen=True)
class ShownSchedule:
    """One custom schedule."""

    schedule: "CustomSchedule"
    settings: Mapping[str, Any]
    """The values that its syncs have instead of the connector's."""

    @property
    def row(self) -> list[str]:
        """What a person reads of it."""
        one, moment = self.schedule, self.schedule.last_synced
        settings = ", ".join(f"{name}={value_text(value)}" for name, value in self.settings.items())
        when = one.interval if isinstance(one.interval, str) else ""
        last = as_moment(moment) if moment is not None else "never"
        return [one.key, one.name or "", "on" if one.enabled else "off", when, last, one.fault or settings]

    @property
    def described(self) -> dict[str, Any]:
        """What a program reads of it."""
        one, moment = self.schedule, self.schedule.last_synced
        return {
            "name": one.name,
            "enabled": one.enabled,
            "interval": one.interval,
            "last_synced": moment.isoformat() if moment is not None else None,
            "settings": dict(self.settings),
            "error": one.fault,
        }


HEADER = ("KEY", "NAME", "", "WHEN", "LAST SYNC", "SETTINGS")


def shown_schedules(connector: "Connector", configuration: "Configuration | None") -> Iterator[ShownSchedule]:
    """Yield the custom schedules of a connector, whose source has these fields, if there is one."""
    from connectors.store.custom_schedule import custom_schedules, customized  # noqa: PLC0415 - only where it is wanted

    for one in custom_schedules(connector).values():
        stored = customized(connector, one).configuration
        values = {
            each.name: each.value for each in shown_settings(stored, configuration and _as(configuration, stored))
        }
        yield ShownSchedule(one, {name: values.get(name, MASK) for name in one.overrides})


def _as(configuration: "Configuration", stored: Mapping[str, Any]) -> "Configuration":
    return type(configuration)(configuration.fields, stored)
