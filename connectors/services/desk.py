"""The desk: what the parts of a daemon read and write."""

from dataclasses import dataclass

from connectors.registry import Registry
from connectors.store.connectors import ConnectorStore
from connectors.store.jobs import JobStore
from connectors.store.ticks import Ticks


@dataclass(frozen=True)
class Desk:
    """The stores of an engine, and the sources that there are."""

    connectors: ConnectorStore
    jobs: JobStore
    ticks: Ticks
    registry: Registry
