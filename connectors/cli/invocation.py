"""An invocation: what every command of one run of the program shares."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from connectors import logger
from connectors.config import Settings, load_settings


@dataclass
class Invocation:
    """The settings, read when a command first asks for them, so that `--help` needs none."""

    config: Path | None

    @cached_property
    def settings(self) -> Settings:
        """The settings. Raises `ConfigurationError`."""
        settings = load_settings(self.config)
        logger.set_up(level=settings.log.level, style=settings.log.format)
        return settings
