"""The engine: opened from the settings, recognised, and offered over two lanes that do not get in each other's way."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from elastic_transport import TransportError
from elasticsearch import AsyncElasticsearch

from connectors import logger
from connectors.aio.clock import Clock, SystemClock
from connectors.aio.retry import Retry, RetryPolicy
from connectors.engine.client import client_of
from connectors.engine.faults import translate
from connectors.engine.flavor import EngineInfo, Flavor, recognise
from connectors.engine.indices import Indices
from connectors.engine.lane import Lane
from connectors.engine.node import HttpNode
from connectors.engine.opensearch import OpenSearchNode
from connectors.engine.operations import Operations
from connectors.engine.pressure import Pressure
from connectors.engine.traffic import Traffic
from connectors.settings import EngineSettings

log = logger.get(__name__)


@dataclass(frozen=True)
class Engine:
    """A search engine.

    `control` is for what is small and must get through: leases, jobs, status. `data` is for documents: bulk
    requests and scans. Each has connections of its own, and while control is slow or refused, data waits.
    """

    info: EngineInfo
    control: Operations
    data: Operations
    indices: Indices
    pressure: Pressure
    traffic: Mapping[str, Traffic] = field(default_factory=dict)
    """What was sent, by the name of the lane."""


@dataclass(frozen=True)
class _Way:
    """How requests get to an engine: its address, what messages call it, and what sends to it once it is known."""

    settings: EngineSettings
    host: str
    where: str
    nodes: Callable[[Flavor | None], type[HttpNode]]

    def client(self, flavor: Flavor | None, *, connections: int, timeout_s: float) -> AsyncElasticsearch:
        return client_of(self.settings, self.host, self.nodes(flavor), connections=connections, timeout_s=timeout_s)


@asynccontextmanager
async def open_engine(settings: EngineSettings, clock: Clock | None = None) -> AsyncIterator[Engine]:
    """Connect to the engine of the settings, find out what it is, and close the connections at the end.

    Without an address that is the embedded engine: this process runs it while no other one does. Raises
    `ConfigurationError` for settings that can't work and an `EngineError` when the engine can't be reached.
    """
    async with _way_to(settings) as way:
        retry = _retry(settings, clock or SystemClock())
        info = await retry(lambda _: _recognised(way))
        control, data = (
            way.client(info.flavor, connections=connections, timeout_s=timeout_s)
            for connections, timeout_s in (
                (settings.control_connections, settings.control_timeout_s),
                (settings.data_connections, settings.data_timeout_s),
            )
        )
        try:
            yield _assembled(info, control, data, retry, Pressure(slow_after_s=settings.slow_after_s))
        finally:
            await control.close()
            await data.close()


@asynccontextmanager
async def _way_to(settings: EngineSettings) -> AsyncIterator[_Way]:
    if settings.host is None:
        from connectors.engine.embedded.access import Access  # noqa: PLC0415 - loaded only where it is wanted
        from connectors.engine.embedded_node import ADDRESS, EmbeddedNode  # noqa: PLC0415

        async with Access(settings.data) as access:
            yield _Way(settings, ADDRESS, str(settings.data), lambda _: EmbeddedNode.configured_for(access, settings))
        return
    if settings.host.startswith("https:") and not settings.verify_certs:
        log.warning("The engine's certificate is not checked: anybody may answer in its place.", host=settings.host)

    def nodes(flavor: Flavor | None) -> type[HttpNode]:
        node_class = OpenSearchNode if flavor is Flavor.OPENSEARCH else HttpNode
        return node_class.configured(settings, known=flavor is not None)

    yield _Way(settings, settings.host, settings.host, nodes)


def _assembled(
    info: EngineInfo, control: AsyncElasticsearch, data: AsyncElasticsearch, retry: Retry, pressure: Pressure
) -> Engine:
    control_lane = Lane(control, info.where, retry, pressure.control)
    data_lane = Lane(data, info.where, retry, pressure.data)
    return Engine(
        info=info,
        control=Operations(control_lane, info.flavor),
        data=Operations(data_lane, info.flavor),
        indices=Indices(control_lane, info.flavor),
        pressure=pressure,
        traffic={"control": control_lane.traffic, "data": data_lane.traffic},
    )


async def _recognised(way: _Way) -> EngineInfo:
    client = way.client(None, connections=1, timeout_s=way.settings.control_timeout_s)
    stated = None if way.settings.flavor == "auto" else Flavor(way.settings.flavor)
    try:
        return await recognise(client.transport, way.where, stated)
    except TransportError as error:
        raise translate(error, "ask the engine who it is", way.where) from error
    finally:
        await client.close()


def _retry(settings: EngineSettings, clock: Clock) -> Retry:
    def observe(error: Exception, attempt: int, pause_s: float) -> None:
        log.info(
            "The engine did not answer; trying again.", attempt=attempt, pause_s=round(pause_s, 2), error=str(error)
        )

    return Retry(RetryPolicy(attempts=settings.attempts), clock, observe=observe)
