"""The assembly: which parts are made anew for which settings, and that the worker is not."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.services.assembly import Assembly, of_processes
from connectors.services.monitoring.watched import Watched
from connectors.services.working.messages import Begin
from connectors.settings import ServiceSettings, Settings
from connectors.sync.workplace import SyncLimits
from tests.services.yard import Yard


def changed(**sections: Any) -> Settings:
    """Return the defaults with other values, section by section."""
    settings = Settings()
    for name, values in sections.items():
        value = replace(getattr(settings, name), **values) if isinstance(values, dict) else values
        settings = replace(settings, **{name: value})
    return settings


def made(yard: Yard) -> Assembly:
    watched = Watched(yard.watch)
    return Assembly(yard.shelf, yard.watch, watched.metrics, watched.pulses, Settings())


@pytest.mark.parametrize(
    ("sections", "anew"),
    [
        ({}, set()),
        ({"log": {"level": "debug"}}, set()),
        ({"sync": {"batch_documents": 7}, "downloads": {"concurrent": 3}}, set()),
        ({"service": {"workers": 9, "max_concurrent_content_syncs": 9, "source_timeout_s": 9.0}}, set()),
        ({"service": {"jitter_s": 9.0}}, {"scheduler"}),
        ({"service": {"timezone": "Europe/Berlin"}}, {"scheduler", "preparation"}),
        ({"service": {"keep_jobs_days": 9}}, {"janitor"}),
        ({"service": {"windows": ("20:00-24:00",)}}, {"scheduler"}),
        ({"allowed_paths": (Path("/srv"),)}, {"preparation"}),
        ({"exposed_secrets": ("ONE",)}, {"preparation"}),
    ],
)
async def test_a_part_is_made_anew_when_a_setting_of_its_changes(
    yard: Yard, sections: dict[str, Any], anew: set[str]
) -> None:
    assembly = made(yard)
    before = {part.name: part.made_of for part in assembly.parts()}
    assembly.adopt(changed(**sections))
    after = assembly.parts()
    assert [part.name for part in after] == ["worker", "scheduler", "live syncs", "preparation", "janitor"]
    assert {part.name for part in after if part.made_of != before[part.name]} == anew
    assert all(callable(part.make()) for part in after)


async def test_the_worker_goes_on_within_the_new_limits(yard: Yard) -> None:
    assembly = made(yard)
    worker, crew = assembly.worker, assembly.worker.crew
    settings = changed(
        service={"workers": 5, "source_timeout_s": 7.0, "shutdown_timeout_s": 8.0}, sync={"batch_documents": 7}
    )
    assembly.adopt(settings)
    assert assembly.worker is worker
    assert (crew.size, crew.silent_after_s, crew.stop_within_s) == (5, 7.0, 8.0)
    assert crew.begin == Begin(settings)


async def test_sources_of_later_settings_have_their_names_in_metrics(yard: Yard) -> None:
    assembly = made(yard)
    job = await yard.job("pending", connector={"id": "c", "service_type": "mine"})
    assembly.adopt(replace(Settings(), sources={"mine": "a.b:C"}))
    assembly._tally.known([await yard.known(job)])
    text = assembly.metrics.written().content.decode()
    assert 'connectors_jobs_waiting{job_type="full",service_type="mine"} 1.0' in text
    assert "connectors_worker_processes 0.0" in text


@pytest.mark.parametrize("name", [one.name for one in fields(ServiceSettings)])
def test_processes_are_renewed_for_the_settings_of_the_daemon_that_syncs_follow(name: str) -> None:
    before = getattr(ServiceSettings(), name)
    others = {"timezone": "Europe/Berlin", "windows": ("20:00-24:00",)}
    settings = changed(service={name: others[name] if name in others else (before or 0) + 1})
    syncs_differ = SyncLimits.of(settings) != SyncLimits.of(Settings())
    assert (of_processes(settings) != of_processes(Settings())) == syncs_differ
