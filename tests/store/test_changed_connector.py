"""A changed connector, and everything that may be wrong with what is to be other about it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.engine.records import Revision
from connectors.errors import ConfigurationError
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.sources.directory import DirectoryDataSource
from connectors.store.changed_connector import changes_of
from connectors.store.connector import Connector

NOW = datetime(2026, 11, 21, 20, 15, 30, tzinfo=UTC)
GRANTS = Grants(allowed_paths=None)


def connector(tmp_path: Path, **others: object) -> Connector:
    configuration = DirectoryDataSource.get_default_configuration()
    configuration["directory"] = {**configuration["directory"], "value": str(tmp_path), "label": "As Kibana has it"}
    document = {
        "service_type": "directory",
        "index_name": "files",
        "status": "connected",
        "configuration": {**configuration, "stray": {"value": 7}},
        **others,
    }
    return Connector("c", document, Revision(1, 1))


async def changed(one: Connector, given: Mapping[str, Any]) -> dict[str, Any]:
    return dict(await changes_of(one, given, Registry(), GRANTS, NOW))


async def wrong(one: Connector, given: Mapping[str, Any]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        await changed(one, given)
    return str(caught.value).splitlines()


async def test_a_setting_keeps_the_form_that_it_has_and_others_stay(tmp_path: Path) -> None:
    one = connector(tmp_path)
    found = await changed(one, {"configuration": {"pattern": "*.md"}})
    before = one.configuration
    assert found == {
        "configuration": {**before, "pattern": {**before["pattern"], "value": "*.md"}},
        "updated_at": NOW,
    }


@pytest.mark.parametrize("status", [None, "created", "needs_configuration"])
async def test_a_connector_that_lacked_settings_is_configured_by_them(tmp_path: Path, status: str | None) -> None:
    one = connector(tmp_path, status=status, configuration={})
    found = await changed(one, {"configuration": {"directory": str(tmp_path)}})
    assert found["status"] == "configured"
    default = DirectoryDataSource.get_default_configuration()
    assert found["configuration"] == {**default, "directory": {**default["directory"], "value": str(tmp_path)}}
    assert await wrong(one, {"configuration": {"pattern": "*"}}) == [
        "configuration.directory: 'Directory' can't be empty."
    ]


async def test_a_value_that_is_none_is_what_a_new_connector_begins_with(tmp_path: Path) -> None:
    one = connector(tmp_path)
    given = await changed(one, {"configuration": {"pattern": "*.md"}})
    again = connector(tmp_path, configuration=given["configuration"])
    found = await changed(again, {"configuration": {"pattern": None}})
    assert found["configuration"] == one.configuration


async def test_what_is_left_out_of_objects_stays(tmp_path: Path) -> None:
    full = {"enabled": True, "interval": "0 0 1 * * ?"}
    one = connector(
        tmp_path,
        scheduling={"full": full, "permissions": {"enabled": True}},
        pipeline={"name": "mine", "run_ml_inference": False},
        sync={"delete_guard": {"share": 0.5}, "shared_index": True},
    )
    found = await changed(
        one,
        {
            "scheduling": {"full": {"interval": "0 0 2 * * ?"}, "incremental": {"enabled": True}},
            "pipeline": {"name": "other"},
            "sync": {"delete_guard": {"count": 7}},
        },
    )
    assert found["scheduling"] == {
        "full": {"enabled": True, "interval": "0 0 2 * * ?"},
        "incremental": {"enabled": True, "interval": "0 0 0 * * ?"},
        "access_control": {"enabled": False, "interval": "0 0 0 * * ?"},
        "permissions": {"enabled": True},
    }
    assert (found["pipeline"]["name"], found["pipeline"]["run_ml_inference"]) == ("other", False)
    assert found["sync"] == {"delete_guard": {"share": 0.5, "count": 7}, "shared_index": True}


async def test_what_is_so_already_is_no_change(tmp_path: Path) -> None:
    one = connector(tmp_path, name="Files")
    given = {"name": "Files", "index_name": "files", "configuration": {"directory": str(tmp_path)}}
    assert await changed(one, given) == {}


async def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    given = {
        "id": "other",
        "service_type": "sqlite",
        "index_name": "Files",
        "configuration": {"patern": "x", "follow_links": "maybe"},
        "scheduling": {"full": {"interval": " "}},
        "sync": {"delete_guard": {"cuont": 1}},
    }
    assert [line.partition(". ")[0] for line in await wrong(connector(tmp_path), given)] == [
        "id: It can't be changed.",
        "service_type: It can't be changed.",
        "index_name: No index can have the name 'Files': it has capital letters.",
        "configuration.patern: There is no such setting",
        "configuration.follow_links: 'Follow links' has to be true or false, not 'maybe'.",
        "scheduling.full.interval: It is empty.",
        "sync.delete_guard.cuont: There is no such setting",
    ]


async def test_what_is_not_touched_is_not_looked_at(tmp_path: Path) -> None:
    one = connector(tmp_path, configuration=7, filtering=7, sync=7, service_type="gone")
    assert await changed(one, {"name": "Files"}) == {"name": "Files", "updated_at": NOW}


async def test_rules_that_do_not_fit_a_setting_any_more_are_told(tmp_path: Path) -> None:
    active = {"rules": [{"id": "a"}], "advanced_snippet": {"value": {}}}
    one = connector(tmp_path, filtering=[{"domain": "DEFAULT", "active": active}])
    found = await wrong(one, {"configuration": {"pattern": "*.md"}})
    assert found[0] == "rules: The rule 'a' needs a policy: include or exclude."


async def test_without_a_source_there_are_no_settings(tmp_path: Path) -> None:
    found = await wrong(connector(tmp_path, service_type=None), {"configuration": {"pattern": "*"}})
    assert found == ["service_type: The connector has no source, and so no settings."]
