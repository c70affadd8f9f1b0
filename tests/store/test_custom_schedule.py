"""Custom schedules as a connector document has them, whoever wrote it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.engine.records import Revision
from connectors.errors import ConfigurationError
from connectors.fields import Field, Fields
from connectors.grants import Grants
from connectors.source import BaseDataSource
from connectors.store.connector import Connector
from connectors.store.custom_schedule import (
    CustomSchedule,
    custom_schedules,
    customized,
    faults_of,
    schedule_of,
    synced,
)


def connector(schedules: Any, **configuration: Any) -> Connector:
    document = {"configuration": configuration, "custom_scheduling": schedules, "name": "Shop"}
    return Connector("c", document, Revision(1, 1))


@pytest.mark.parametrize("schedules", [None, {}, [], "hot", 5])
def test_a_connector_without_any_has_none(schedules: Any) -> None:
    assert custom_schedules(connector(schedules)) == {}


def test_what_can_not_be_read_of_one_counts_as_not_there() -> None:
    found = custom_schedules(connector({"a": None, "b": {"name": 5, "enabled": "yes", "last_synced": "never"}}))
    assert found == {"a": CustomSchedule("a"), "b": CustomSchedule("b")}
    assert found["b"].last_synced is None


def test_overrides_take_the_place_of_values_and_of_nothing_else() -> None:
    given = {"host": {"label": "Host", "value": "hot"}, "port": 5, "user": {"value": None}}
    stored = {"host": {"value": "all", "type": "str"}, "port": 1, "user": {"value": "me"}, "page": {"value": 3}}
    found = connector({"hot": {"configuration_overrides": given}}, **stored)
    shaped = customized(found, schedule_of(found, "hot"))
    assert shaped.configuration == {
        "host": {"value": "hot", "type": "str"},
        "port": 5,
        "user": {"value": None},
        "page": {"value": 3},
    }
    assert (shaped.id, shaped.name, shaped.revision) == ("c", "Shop", found.revision)
    assert found.configuration == stored


def test_a_schedule_that_is_gone_or_names_unknown_settings_is_an_error() -> None:
    found = connector({"hot": {"configuration_overrides": {"hoost": {"value": "x"}}}}, host={"value": "all"})
    with pytest.raises(ConfigurationError, match="no custom schedule 'cold' any more"):
        schedule_of(found, "cold")
    with pytest.raises(ConfigurationError, match=r"no such settings: 'hoost'\. Known: host") as caught:
        schedule_of(found, "hot")
    assert caught.value.field == "custom_scheduling.hot.configuration_overrides"


def test_no_value_of_a_setting_is_printed() -> None:
    found = connector({"hot": {"configuration_overrides": {"host": {"value": "hunter2"}}}}, host={"value": "all"})
    assert "hunter2" not in repr(custom_schedules(found))


def test_when_a_sync_ended_is_said_of_its_schedule_alone() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    schedules = {"hot": {"name": "Hot", "of_theirs": 1}, "cold": {"name": "Cold"}, "odd": None}
    found = connector(schedules)
    assert synced(found, "hot", now) == {
        "custom_scheduling": {**schedules, "hot": {"name": "Hot", "of_theirs": 1, "last_synced": now}}
    }
    assert synced(found, "odd", now) == synced(found, "gone", now) == synced(connector(None), "hot", now) == {}


class Shop(BaseDataSource):
    """A shop."""

    name = "Shop"
    service_type = "shop"
    fields = Fields(Field("host", "Host"), Field("pages", "Pages", type=int, default=1))


def test_faults_are_those_of_overrides_in_use_alone() -> None:
    wrong = {"enabled": True, "configuration_overrides": {"pages": {"value": "many"}, "host": {"value": ""}}}
    schedules = {"hot": wrong, "off": {**wrong, "enabled": False}, "fine": {"enabled": True}}
    found = list(faults_of(connector(schedules, host={"value": "h"}, pages={"value": 2}), Shop, Grants()))
    assert [one.partition(": ")[0] for one in found] == ["custom_scheduling.hot.configuration_overrides"] * 2
    assert "'Host' can't be empty." in found[0]
    assert "'Pages'" in found[1]
    assert not list(faults_of(connector({"hot": wrong}, host={"value": ""}, pages={"value": "many"}), Shop, Grants()))
