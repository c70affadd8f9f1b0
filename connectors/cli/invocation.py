"""An invocation: what every command of one run of the program shares."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from connectors import logger
from connectors.config import Settings, load_settings

if TYPE_CHECKING:
    from connectors.registry import Registry


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

    @cached_property
    def registry(self) -> "Registry":
        """The sources that there are. Raises `ConfigurationError` for settings that are wrong."""
        from connectors.registry import Registry  # rules and settings of sources come with it  # noqa: PLC0415

        return Registry(self.settings.sources)
