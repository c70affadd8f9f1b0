"""The metrics: every number that a daemon tells Prometheus, each declared here once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

import connectors
from connectors.engine.traffic import BOUNDS_S, Traffic

# They would double the series, and Prometheus sees by itself when a counter begins anew.
disable_created_metrics()  # type: ignore[no-untyped-call]
DELAYS_S: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0)
"""What waiting is counted by: from a look to hours behind other jobs."""
KIND: Final = ("job_type", "service_type")
Numbers = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Written:
    """The metrics as they are sent."""

    content: bytes
    content_type: str


class Metrics:
    """All metrics of a daemon: those that are counted, and those that are read when somebody asks.

    Labels have few values: the type of a job, of a source that this daemon knows, of an end; never an id of a document
    or of a job.
    """

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        ProcessCollector(registry=own)
        self.jobs_ended = Counter(
            "connectors_jobs_ended",
            "Jobs that this daemon ran and that ended, by how: completed, error, canceled, suspended (to be gone on "
            "with), lost (another process took it over), died (its process did).",
            [*KIND, "status"],
            registry=own,
        )
        self.documents = Counter(
            "connectors_documents",
            "Documents, by what became of them: created, updated, unchanged, dropped (by a sync rule), superseded (it "
            "came again in the same sync), dead_letter; besides, deleted, held (to be deleted, if a person says so), "
            "and without_content (that could not be had).",
            [*KIND, "outcome"],
            registry=own,
        )
        self.sent_bytes = Counter(
            "connectors_sent_bytes", "Bytes of documents that were sent to the engine.", KIND, registry=own
        )
        self.downloaded_bytes = Counter(
            "connectors_downloaded_bytes", "Bytes of contents that were fetched from sources.", KIND, registry=own
        )
        self.jobs_running = Gauge(
            "connectors_jobs_running", "Jobs that this daemon has given to its processes.", KIND, registry=own
        )
        self.jobs_waiting = Gauge(
            "connectors_jobs_waiting",
            "Jobs that somebody should begin or go on with, as any daemon sees them: of more than a thousand, the "
            "oldest ones and others of each connector.",
            KIND,
            registry=own,
        )
        self.job_wait_seconds = Histogram(
            "connectors_job_wait_seconds",
            "From when a job was made to when it was given to a process. Those that were suspended do not count again.",
            ["job_type"],
            buckets=DELAYS_S,
            registry=own,
        )
        self.tick_delay_seconds = Histogram(
            "connectors_tick_delay_seconds",
            "From when a tick of a schedule was due, its jitter included, to when this daemon made its job; that a job "
            "waits for a window in which syncs may begin counts too.",
            ["job_type"],
            buckets=DELAYS_S,
            registry=own,
        )
        self.worker_deaths = Counter(
            "connectors_worker_deaths", "Worker processes that ended without having been told to.", registry=own
        )
        self.traffic: dict[str, Traffic] = {"control": Traffic(), "data": Traffic()}
        own.register(_TrafficCollector(self.traffic))
        self.readings = Readings(own)

    def written(self, accepted: str = "") -> Written:
        """Return all of them, in the form that the `Accept` header of a request asks for."""
        encode, content_type = choose_encoder(accepted)
        return Written(encode(self._registry), content_type)

    def families(self) -> Iterator[Metric]:
        """Yield what there is, for the docs."""
        yield from self._registry.collect()


class Readings:
    """The metrics that somebody has to say how to read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.worker_processes = self._read("connectors_worker_processes", "Worker processes that there are now.")
        self.resident_memory = self._read(
            "connectors_resident_memory_bytes", "Resident memory of the daemon, and of its workers together.", "process"
        )
        self.look_age = self._read(
            "connectors_look_age_seconds", "How long ago a part of the daemon last looked and came through.", "part"
        )
        self.connectors = self._read(
            "connectors_connectors", "Connectors that the engine holds, by their status.", "status"
        )
        self.live_lag = self._read(
            "connectors_live_lag_seconds",
            "For how long the index of a live sync has been behind its source, the longest of each type: 0 while all "
            "that came is written. Of those that wait, for as long as that was so last.",
            "service_type",
        )
        self.info = self._read("connectors_build_info", "The version of Connectors.", "version")
        self.info.read = lambda: {(connectors.__version__,): 1.0}

    def _read(self, name: str, text: str, *labels: str) -> "Reading":
        reading = Reading(name, text, labels)
        self._registry.register(reading)
        return reading


class Reading:
    """A gauge that is read when somebody asks for it."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self.read: Callable[[], Numbers] = dict
        """Returns its numbers now, by the values of its labels."""

    def collect(self) -> Iterator[Metric]:
        """Yield it."""
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for values, number in self.read().items():
            family.add_metric(values, number)
        yield family


class _TrafficCollector:
    """What was sent to the engine, by the daemon and its workers."""

    def __init__(self, lanes: Mapping[str, Traffic]) -> None:
        self._lanes = lanes

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "connectors_engine_requests",
            "Requests to the engine, by what came of them: answered, rejected (429), failed (5xx, or it takes nothing "
            "at the moment), unreachable. The lane is data for bulk requests and scans, and control for all else.",
            labels=["lane", "outcome"],
        )
        rejected = CounterMetricFamily(
            "connectors_engine_rejected_operations",
            "Operations that the engine rejected (429) within bulk requests that it answered.",
            labels=["lane"],
        )
        took = HistogramMetricFamily(
            "connectors_engine_request_seconds",
            "From the sending of a request to its whole answer, or to its failure.",
            labels=["lane"],
        )
        bounds = [*(str(one) for one in BOUNDS_S), "+Inf"]
        for lane, traffic in self._lanes.items():
            for outcome in ("answered", "rejected", "failed", "unreachable"):
                requests.add_metric([lane, outcome], getattr(traffic, outcome))
            rejected.add_metric([lane], traffic.rejected_operations)
            took.add_metric([lane], list(zip(bounds, accumulate(traffic.took), strict=True)), traffic.seconds)
        yield from (requests, rejected, took)
