"""An invocation: what every command of one run of the program shares."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from connectors import logger
from connectors.config import load_settings
from connectors.settings import LogSettings, Settings

if TYPE_CHECKING:
    from connectors.grants import Grants
    from connectors.registry import Registry
    from connectors.sync.workplace import Workplace


@dataclass
class Invocation:
    """The settings, read when a command first asks for them, so that `--help` needs none."""

    config: Path | None
    is_service: bool = False
    """Whether the command is a service that its log tells of. All others say themselves what there is to say."""

    @cached_property
    def settings(self) -> Settings:
        """The settings. Raises `ConfigurationError`."""
        settings = load_settings(self.config)
        self._log(settings.log, None)
        return settings

    @cached_property
    def registry(self) -> "Registry":
        """The sources that there are. Raises `ConfigurationError` for settings that are wrong."""
        from connectors.registry import Registry  # rules and settings of sources come with it  # noqa: PLC0415

        return Registry(self.settings.sources)

    def log_to(self, stream: TextIO | None) -> None:
        """Send the log there from now on; without a stream, back to stderr."""
        self._log(self.settings.log, stream)

    def _log(self, log: LogSettings, stream: TextIO | None) -> None:
        logger.set_up(level=log.least(is_service=self.is_service), style=log.format, stream=stream)

    @asynccontextmanager
    async def workplace(self, grants: "Grants | None" = None) -> AsyncIterator["Workplace"]:
        """Provide what syncs work with, at the engine of the settings, with their grants unless others are given.

        Raises a `ConfigurationError` or an `EngineError`.
        """
        from connectors.engine import open_engine  # the client takes most of a second to import  # noqa: PLC0415
        from connectors.storages.opening import open_backend  # noqa: PLC0415
        from connectors.sync.workplace import SyncLimits, open_workplace  # noqa: PLC0415

        settings, registry = self.settings, self.registry
        async with open_engine(settings.engine) as engine, open_backend(settings.storage, engine) as storage:
            yield await open_workplace(
                engine,
                registry,
                grants=grants or settings.grants,
                copies=settings.sync.ledgers,
                limits=SyncLimits.of(settings),
                storage=storage,
            )
