"""Filling: a document gets what it lacks of its source's settings, and keeps all that somebody wrote."""

from typing import Any

import pytest

from tests.services.kibana import connector, setting
from tests.services.shop import FILLED, SECRET, Office

PROPERTIES = set(setting(None))
FEATURES = {
    "sync_rules": {"basic": {"enabled": True}, "advanced": {"enabled": True}},
    "document_level_security": {"enabled": False},
    "incremental_sync": {"enabled": False},
    "native_connector_api_keys": {"enabled": True},
}
OURS = {"configuration", "features", "status", "error", "last_seen"}


@pytest.mark.parametrize("configuration", [{}, None, [], ""])
async def test_an_empty_configuration_is_filled_and_waits_for_a_person(office: Office, configuration: object) -> None:
    await office.create(configuration=configuration)
    await office.daemon().look()
    found = await office.known()
    assert await office.state() == ("needs_configuration", None)
    assert {name: one["value"] for name, one in found.configuration.items()} == {
        "host": "",
        "password": "",
        "page_size": 100,
    }
    assert {name: set(one) for name, one in found.configuration.items()} == dict.fromkeys(
        found.configuration, PROPERTIES
    )
    assert found.configuration["password"]["sensitive"] is True
    assert found.configuration["page_size"]["ui_restrictions"] == ["advanced"]
    assert found.features == FEATURES
    others = {name: one for name, one in found.document.items() if name not in OURS}
    assert others == {name: one for name, one in connector().items() if name not in OURS}
    assert office.script.pings == []


@pytest.mark.parametrize("status", ["created", "configured", "connected", "error"])
async def test_an_empty_configuration_waits_for_a_person_whatever_was_said_before(office: Office, status: str) -> None:
    await office.create(status=status, error="There is no source 'shop'.")
    await office.daemon().look()
    assert await office.state() == ("needs_configuration", None)


async def test_a_source_without_settings_is_configured_and_connected_at_once(office: Office) -> None:
    await office.create(service_type="plain")
    await office.daemon().look()
    assert (await office.state(), (await office.known()).configuration) == (("connected", None), {})


async def test_a_connected_source_without_settings_is_not_written_to(office: Office) -> None:
    await office.create(service_type="plain")
    await office.daemon().look()
    revision = (await office.known()).revision
    await office.daemon().look()
    assert (await office.known()).revision == revision


@pytest.mark.parametrize("status", ["created", "needs_configuration", None, "unset"])
async def test_what_is_set_in_full_is_configured_and_what_is_not_needs_it(office: Office, status: str | None) -> None:
    await office.create("full", status=status, configuration=FILLED)
    await office.create("half", status=status, configuration={"host": setting("shop.example")})
    await office.daemon().look()
    assert await office.state("full") == ("connected", None)
    assert await office.state("half") == ("needs_configuration", None)
    assert office.script.pings == ["shop.example"]


async def test_fields_and_properties_that_are_missing_are_added_and_nothing_else_changes(office: Office) -> None:
    given: dict[str, Any] = {
        "host": {"value": "shop.example", "label": "Theirs", "of_theirs": 1},
        "password": SECRET,
        "unknown": {"value": "x"},
        "strange": 5,
    }
    await office.create(configuration=given)
    await office.daemon().look()
    found = (await office.known()).configuration
    assert list(found) == ["host", "password", "unknown", "strange", "page_size"]
    assert (found["unknown"], found["strange"]) == ({"value": "x"}, 5)
    assert found["host"] == {**setting("shop.example", label="Theirs"), "of_theirs": 1}
    assert (found["password"]["value"], found["password"]["sensitive"]) == (SECRET, True)
    assert found["page_size"]["value"] == 100
    assert await office.state() == ("connected", None)


@pytest.mark.parametrize("value", ["", None, [], "  "])
async def test_a_value_that_a_person_emptied_stays_empty(office: Office, value: object) -> None:
    await office.create(configuration={**FILLED, "page_size": setting(value, type="int")})
    await office.daemon().look()
    assert (await office.known()).configuration["page_size"]["value"] == value


async def test_features_of_a_connector_are_those_of_its_source(office: Office) -> None:
    theirs = {"incremental_sync": {"enabled": True}, "some_day": {"enabled": True}}
    await office.create(features=theirs)
    await office.daemon().look()
    assert (await office.known()).features == {**FEATURES, "some_day": {"enabled": True}}


async def test_of_a_native_connector_only_features_that_are_missing_are_added(office: Office) -> None:
    theirs = {
        "incremental_sync": {"enabled": True},
        "sync_rules": {"advanced": {"enabled": False}},
        "filtering_rules": False,
    }
    await office.create(is_native=True, features=theirs)
    await office.daemon().look()
    assert (await office.known()).features == {
        **FEATURES,
        "incremental_sync": {"enabled": True},
        "sync_rules": {"basic": {"enabled": True}, "advanced": {"enabled": False}},
        "filtering_rules": False,
    }


async def test_a_connector_that_became_one_of_another_source_keeps_the_old_settings_and_gets_the_new(
    office: Office,
) -> None:
    await office.create(service_type="plain", configuration={"of_before": setting("x")})
    daemon = office.daemon()
    await daemon.look()
    await office.change(service_type="shop")
    await daemon.look()
    found = await office.known()
    assert list(found.configuration) == ["of_before", "host", "password", "page_size"]
    status, error = await office.state()
    assert (status, error) == ("error", "host: 'Server address' can't be empty.\npassword: 'Password' can't be empty.")
