"""The metrics, and the page that tells of them."""

import re
from pathlib import Path

import connectors
from connectors.engine.traffic import Traffic
from connectors.services.monitoring.metrics import Metrics

PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"


def rows() -> list[str]:
    """Return what the page has to say, a row for each metric of ours."""
    found = []
    for metric in Metrics().families():
        if metric.name.startswith("connectors_"):
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            labels = ", ".join(f"`{label}`" for label in LABELS[metric.name])
            found.append(f"| `{name}` | {metric.type} | {labels} | {metric.documentation} |")
    return found


KIND = ["job_type", "service_type"]
LABELS = {
    "connectors_jobs_ended": [*KIND, "status"],
    "connectors_documents": [*KIND, "outcome"],
    "connectors_sent_bytes": KIND,
    "connectors_downloaded_bytes": KIND,
    "connectors_jobs_running": KIND,
    "connectors_jobs_waiting": KIND,
    "connectors_job_wait_seconds": ["job_type"],
    "connectors_tick_delay_seconds": ["job_type"],
    "connectors_worker_deaths": [],
    "connectors_engine_requests": ["lane", "outcome"],
    "connectors_engine_rejected_operations": ["lane"],
    "connectors_engine_request_seconds": ["lane"],
    "connectors_worker_processes": [],
    "connectors_resident_memory_bytes": ["process"],
    "connectors_look_age_seconds": ["part"],
    "connectors_connectors": ["status"],
    "connectors_live_lag_seconds": ["service_type"],
    "connectors_build_info": ["version"],
}


def test_the_page_tells_of_every_metric_in_its_own_words() -> None:
    told = re.findall(r"^\| `connectors_\w+` \| .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert told == rows()


def test_a_fresh_daemon_tells_its_version_and_noughts() -> None:
    metrics = Metrics()
    text = metrics.written().content.decode()
    assert f'connectors_build_info{{version="{connectors.__version__}"}} 1.0' in text
    assert 'connectors_engine_requests_total{lane="data",outcome="rejected"} 0.0' in text
    assert "_created" not in text


def test_two_daemons_of_a_process_do_not_share_their_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.worker_deaths.inc()
    one.traffic["data"].add(Traffic(answered=1))
    assert b"connectors_worker_deaths_total 0.0" in other.written().content
    assert other.traffic["data"] == Traffic()
