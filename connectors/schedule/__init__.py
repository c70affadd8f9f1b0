"""Schedules: when syncs are due, as a pure function of a Quartz expression, an instant and a time zone."""

from connectors.schedule.due import Due, Timetable, due
from connectors.schedule.jitter import delay_of
from connectors.schedule.schedule import Schedule
from connectors.schedule.window import Windows
from connectors.schedule.zone import zone_of

__all__ = ["Due", "Schedule", "Timetable", "Windows", "delay_of", "due", "zone_of"]
