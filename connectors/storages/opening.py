"""The opening of what keeps the values of sources, as the settings name it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from connectors.aio.clock import Clock
from connectors.engine import Engine
from connectors.errors import ConfigurationError
from connectors.registry.installation import install_command, own_distribution
from connectors.settings import StorageSettings
from connectors.storage import Backend
from connectors.storages.engine import EngineBackend
from connectors.store.state import StateStore


@asynccontextmanager
async def open_backend(settings: StorageSettings, engine: Engine, clock: Clock | None = None) -> AsyncIterator[Backend]:
    """Provide what keeps the values of sources.

    Raises a `ConfigurationError` for what the settings name and this machine does not have, a `StorageError` or an
    `EngineError`. Redis is connected to when something is asked of it, and not here.
    """
    match settings.backend:
        case "sqlite":
            async with _sqlite(settings.path) as backend:
                yield backend
        case "redis":
            async with _redis(settings) as backend:
                yield backend
        case "engine":
            yield EngineBackend(await StateStore.open(engine, clock))


@asynccontextmanager
async def _sqlite(path: Path) -> AsyncIterator[Backend]:
    from connectors.storages.sqlite import open_sqlite  # loaded only where it is wanted  # noqa: PLC0415

    async with open_sqlite(path) as backend:
        yield backend


@asynccontextmanager
async def _redis(settings: StorageSettings) -> AsyncIterator[Backend]:
    try:
        from connectors.storages.redis import open_redis  # a package that not everybody has  # noqa: PLC0415
    except ModuleNotFoundError as error:
        install = install_command("redis", ["redis"], own_distribution())
        raise ConfigurationError(
            f"The storage of sources is Redis, and the module {error.name} can't be found.",
            field="storage.backend",
            hint=f"Install it: {install}",
        ) from None
    async with open_redis(str(settings.url), settings.username, settings.password) as backend:
        yield backend
