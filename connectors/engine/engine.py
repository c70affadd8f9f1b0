"""The engine: opened from the settings, recognised, and offered over two lanes that do not get in each other's way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from elastic_transport import TransportError
from elasticsearch import AsyncElasticsearch

from connectors import logger
from connectors.aio.clock import Clock, SystemClock
from connectors.aio.retry import Retry, RetryPolicy
from connectors.config import EngineSettings
from connectors.engine.client import client_of
from connectors.engine.faults import translate
from connectors.engine.flavor import EngineInfo, Flavor, recognise
from connectors.engine.indices import Indices
from connectors.engine.lane import Lane
from connectors.engine.node import HttpNode
from connectors.engine.opensearch import OpenSearchNode
from connectors.engine.operations import Operations
from connectors.engine.pressure import Pressure

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


@asynccontextmanager
async def open_engine(settings: EngineSettings, clock: Clock | None = None) -> AsyncIterator[Engine]:
    """Connect to the engine of the settings, find out what it is, and close the connections at the end.

    Raises `ConfigurationError` for settings that can't work and an `EngineError` when the engine can't be reached.
    """
    if settings.host.startswith("https:") and not settings.verify_certs:
        log.warning("The engine's certificate is not checked: anybody may answer in its place.", host=settings.host)
    retry = _retry(settings, clock or SystemClock())
    info = await retry(lambda _: _recognised(settings))
    node_class = OpenSearchNode if info.flavor is Flavor.OPENSEARCH else HttpNode
    node_class = node_class.configured(settings, known=True)
    control, data = (
        client_of(settings, node_class, connections=settings.control_connections, timeout_s=settings.control_timeout_s),
        client_of(settings, node_class, connections=settings.data_connections, timeout_s=settings.data_timeout_s),
    )
    try:
        yield _assembled(info, control, data, retry, Pressure(slow_after_s=settings.slow_after_s))
    finally:
        await control.close()
        await data.close()


def _assembled(
    info: EngineInfo, control: AsyncElasticsearch, data: AsyncElasticsearch, retry: Retry, pressure: Pressure
) -> Engine:
    control_lane = Lane(control, info.where, retry, pressure.control)
    data_lane = Lane(data, info.where, retry, pressure.data)
    return Engine(
        info=info,
        control=Operations(control_lane, info.flavor),
        data=Operations(data_lane, info.flavor),
        indices=Indices(control_lane),
        pressure=pressure,
    )


async def _recognised(settings: EngineSettings) -> EngineInfo:
    node_class = HttpNode.configured(settings, known=False)
    client = client_of(settings, node_class, connections=1, timeout_s=settings.control_timeout_s)
    stated = None if settings.flavor == "auto" else Flavor(settings.flavor)
    try:
        return await recognise(client.transport, settings.host, stated)
    except TransportError as error:
        raise translate(error, "ask the engine who it is", settings.host) from error
    finally:
        await client.close()


def _retry(settings: EngineSettings, clock: Clock) -> Retry:
    def observe(error: Exception, attempt: int, pause_s: float) -> None:
        log.info(
            "The engine did not answer; trying again.", attempt=attempt, pause_s=round(pause_s, 2), error=str(error)
        )

    return Retry(RetryPolicy(attempts=settings.attempts), clock, observe=observe)
