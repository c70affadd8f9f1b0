"""Schedules: when syncs are due, as a pure function of a Quartz expression, an instant and a time zone."""

from connectors.schedule.schedule import Schedule
from connectors.schedule.zone import zone_of

__all__ = ["Schedule", "zone_of"]
