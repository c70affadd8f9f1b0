"""A source whose every step a test decides, and what prepares the connectors of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.aio.clock import SystemClock
from connectors.engine import open_engine
from connectors.errors import ConfigurationError
from connectors.fields import Field, Fields
from connectors.filtering.validation import SyncRuleValidationResult
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.services.preparing.examination import Means, Patience
from connectors.services.preparing.preparation import Preparation
from connectors.services.scheduling.roster import Roster
from connectors.settings import EngineSettings
from connectors.source import BaseDataSource
from connectors.storage import Backend, MemoryBackend
from connectors.store.connector import Connector
from connectors.store.connectors import ConnectorStore
from tests.services.kibana import connector, setting

SECRET = "hunter2-and-more"
FILLED = {"host": setting("shop.example"), "password": setting(SECRET, sensitive=True)}
Step = Callable[[], Awaitable[None]]


class Watch(SystemClock):
    """A clock that stands where a test has put it."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.seconds


async def nothing() -> None:
    """Do nothing."""


async def forever() -> None:
    """Never end."""
    await asyncio.Event().wait()


@dataclass
class Script:
    """What the source does when it is reached, by the host that it is configured with."""

    steps: dict[str, Step] = field(default_factory=dict)
    pings: list[str] = field(default_factory=list)
    closed: int = 0
    at_once: int = 0
    most_at_once: int = 0
    checks: Step = nothing
    closing: Step = nothing
    pinging: Callable[[Any], Awaitable[None]] | None = None
    validating: Callable[[Any], Awaitable[list[SyncRuleValidationResult]]] | None = None

    def fail(self, error: Exception, host: str = "shop.example") -> None:
        """Let a ping fail."""

        async def step() -> None:
            raise error

        self.steps[host] = step


def shop_of(script: Script) -> type[Any]:
    """Return a source that follows a script."""

    class Validator:
        async def validate(self, advanced_rules: Any) -> Any:
            assert script.validating is not None
            return await script.validating(advanced_rules)

    class ShopDataSource(BaseDataSource):
        """A shop."""

        name = "Shop"
        service_type = "shop"
        fields = Fields(
            Field("host", "Server address"),
            Field("password", "Password", sensitive=True),
            Field("page_size", "Rows per request", type=int, default=100, advanced=True),
        )

        async def ping(self) -> None:
            host = self.configuration["host"]
            assert self.configuration["password"].reveal() == SECRET
            script.pings.append(host)
            script.at_once += 1
            script.most_at_once = max(script.most_at_once, script.at_once)
            try:
                await script.steps.get(host, nothing)()
                if script.pinging is not None:
                    await script.pinging(self)
            finally:
                script.at_once -= 1

        async def validate_config(self) -> None:
            await script.checks()

        async def close(self) -> None:
            script.closed += 1
            await script.closing()

        def advanced_rules_validators(self) -> list[Any]:
            return [Validator()] if script.validating is not None else []

    return ShopDataSource


class Plain(BaseDataSource):
    """A source without any setting."""

    name = "Plain"
    service_type = "plain"

    async def ping(self) -> None:
        """Reach nothing."""


class Strange(Plain):
    """A source whose settings no document can hold."""

    service_type = "strange"

    @classmethod
    def get_default_configuration(cls) -> dict[str, Any]:
        return {"host": {"value": "x", "of_theirs": object()}}


class Sources(Registry):
    """A registry of these sources."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._sources: dict[str, type[Any]] = {"shop": shop_of(script), "plain": Plain, "strange": Strange}

    def source(self, service_type: str) -> type[Any]:
        if service_type not in self._sources:
            raise ConfigurationError(f"There is no source {service_type!r}.", field="service_type", hint="Known: shop.")
        return self._sources[service_type]


@dataclass
class Daemon:
    """One daemon: its roster, and what prepares the connectors on it."""

    roster: Roster
    preparation: Preparation

    async def look(self) -> None:
        """Look once."""
        await self.roster.look()
        await self.preparation.look(self.roster.connectors)


@dataclass
class Office:
    """An engine with connectors, and as many daemons as a test wants."""

    store: ConnectorStore
    watch: Watch
    script: Script
    patience: Patience = Patience(reach_s=0.3, validator_s=0.3, close_s=0.2)
    storage: Backend = field(default_factory=MemoryBackend)

    def daemon(self, store: ConnectorStore | None = None) -> Daemon:
        """Return a daemon that has just started."""
        means = Means(Grants(), self.storage, self.patience)
        preparation = Preparation(store or self.store, Sources(self.script), means, self.watch, UTC)
        return Daemon(Roster(self.store, self.watch), preparation)

    async def create(self, name: str = "c", /, **fields: Any) -> None:
        """Create a connector as Kibana does."""
        await self.store.create(name, connector(**fields))

    async def change(self, name: str = "c", /, **fields: Any) -> None:
        """Change fields as Kibana does."""
        await self.store.update(name, lambda _: fields)

    async def known(self, name: str = "c") -> Connector:
        """Return a connector as it is stored."""
        found = await self.store.get(name)
        assert found is not None
        return found

    async def state(self, name: str = "c") -> tuple[str | None, str | None]:
        """Return the status and the error of a connector."""
        found = await self.known(name)
        return found.document["status"], found.document["error"]


async def open_office(stack: AsyncExitStack, folder: Path) -> Office:
    """Return an office without connectors."""
    engine = await stack.enter_async_context(open_engine(EngineSettings(data=folder / "data")))
    return Office(await ConnectorStore.open(engine), Watch(), Script())
