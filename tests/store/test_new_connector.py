"""A new connector, and everything that may be wrong with what somebody wrote about it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.byoc import Filter
from connectors.engine.records import Revision
from connectors.errors import ConfigurationError
from connectors.fields import Configuration
from connectors.filtering.chain import validate_all
from connectors.grants import Grants
from connectors.registry import Registry
from connectors.registry.profile import Profile
from connectors.source_class import fields_of
from connectors.sources.directory import DirectoryDataSource
from connectors.sources.sqlite import SQLiteDataSource
from connectors.store.connector import Connector, ConnectorStatus
from connectors.store.description import KEYS
from connectors.store.new_connector import NewConnector, new_connector

NOW = datetime(2026, 11, 21, 20, 15, 30, tzinfo=UTC)
RULE = {"policy": "exclude", "field": "status", "rule": "equals", "value": "paid"}


@pytest.fixture
def least(tmp_path: Path) -> dict[str, Any]:
    return {"service_type": "sqlite", "index_name": "shop", "configuration": {"database": str(tmp_path / "a.db")}}


async def made(given: object, *, allowed: tuple[Path, ...] | None = None) -> NewConnector:
    return await new_connector(given, Registry(), Grants(allowed_paths=allowed), NOW)


async def wrong(given: object) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        await made(given)
    return str(caught.value).splitlines()


def as_read(new: NewConnector) -> Connector:
    """Return a connector as the store reads it."""
    return Connector(new.id, msgspec.json.decode(msgspec.json.encode(new.document)), Revision(1, 1))


async def test_the_least_that_can_be_said_makes_a_connector_that_can_be_synced(least: dict[str, Any]) -> None:
    found = as_read(await made(least))
    assert (found.service_type, found.index_name, found.name) == ("sqlite", "shop", "SQLite")
    assert (found.status, found.deleted, found.sync_cursor) == (ConnectorStatus.CONFIGURED, False, None)
    assert found.features == Profile.of(SQLiteDataSource).features
    assert not Filter(found.filtering).basic_rules
    assert found.sync == Connector("", {}, Revision(1, 1)).sync
    never = {"enabled": False, "interval": "0 0 0 * * ?"}
    assert found.scheduling == {"full": never, "incremental": never, "access_control": never}
    assert found.pipeline == {
        "name": "search-default-ingestion",
        "extract_binary_content": True,
        "reduce_whitespace": True,
        "run_ml_inference": True,
    }


async def test_the_configuration_has_the_shape_that_kibana_shows(least: dict[str, Any]) -> None:
    found = as_read(await made({**least, "configuration": {**least["configuration"], "tables": ["a"], "page_size": 7}}))
    default = SQLiteDataSource.get_default_configuration()
    values = {"database": least["configuration"]["database"], "tables": ["a"], "page_size": 7}
    assert found.configuration == {
        name: {**wire, "value": values.get(name, wire["value"])} for name, wire in default.items()
    }
    settings = Configuration(fields_of(SQLiteDataSource), found.configuration, Grants(allowed_paths=None))
    assert (settings.tables, settings.page_size) == (["a"], 7)


async def test_two_connectors_without_ids_have_different_ones(least: dict[str, Any]) -> None:
    assert (await made(least)).id != (await made(least)).id
    assert (await made({**least, "id": "mine"})).id == "mine"


async def test_everything_that_can_be_said_is_in_the_document(least: dict[str, Any], tmp_path: Path) -> None:
    everything = {
        "id": "c",
        "name": "Shop",
        "description": "All orders",
        "service_type": "directory",
        "index_name": "shop",
        "language": "de",
        "configuration": {"directory": str(tmp_path)},
        "rules": [RULE, {**RULE, "id": "mine", "value": "late"}],
        "advanced_rules": [{"pattern": "**/*.md"}],
        "scheduling": {"full": {"enabled": True, "interval": "0 0 * * * ?"}, "incremental": {"enabled": True}},
        "pipeline": {"name": "mine", "run_ml_inference": False},
        "sync": {"shared_index": True},
    }
    assert everything.keys() == KEYS.keys()
    found = as_read(await made(everything))
    assert (found.name, found.document["description"], found.language) == ("Shop", "All orders", "de")
    assert [(rule.id, rule.order) for rule in Filter(found.filtering).basic_rules.rules] == [("rule-1", 1), ("mine", 2)]
    assert Filter(found.filtering).get_advanced_rules() == [{"pattern": "**/*.md"}]
    assert found.scheduling["full"] == {"enabled": True, "interval": "0 0 * * * ?"}
    assert found.scheduling["incremental"] == {"enabled": True, "interval": "0 0 0 * * ?"}
    assert found.pipeline == {
        "name": "mine",
        "extract_binary_content": True,
        "reduce_whitespace": True,
        "run_ml_inference": False,
    }
    assert (found.sync.shared_index, found.document["sync"]) == (True, {"shared_index": True})
    source = DirectoryDataSource(Configuration(DirectoryDataSource.fields, found.configuration))
    assert [one.validation.is_valid for one in await validate_all(source, found.document["filtering"])] == [True, True]


async def test_references_to_secrets_are_stored_as_references(tmp_path: Path) -> None:
    given = {"service_type": "sqlite", "index_name": "i", "configuration": {"database": "${PLACE}/$${a}"}}
    grants = Grants(None, ("PLACE",), {"PLACE": str(tmp_path)})
    found = await new_connector(given, Registry(), grants, NOW)
    assert found.document["configuration"]["database"]["value"] == "${PLACE}/$${a}"


async def test_everything_that_is_wrong_is_told_at_once(least: dict[str, Any]) -> None:
    given = {
        "service_type": "sqlite",
        "schedule": "daily",
        "name": 7,
        "id": "ü" * 300,
        "configuration": {"databse": None, "page_size": 0},
        "rules": {},
        "scheduling": {"ful": {}, "full": {"enabled": "yes", "intervall": ""}, "incremental": 7},
        "pipeline": {"name": "a", "reduce_white": True, "run_ml_inference": 1},
        "sync": {"delete_guard": {"share": 2}},
    }
    assert await wrong(given) == [
        "schedule: There is no such setting. Did you mean scheduling?",
        "configuration.databse: There is no such setting. Did you mean database?",
        "configuration.database: 'Database file' can't be empty.",
        "configuration.page_size: 'Rows per page' has to be greater than 0, not 0.",
        "name: This is 7, not a text. Put it into quotes.",
        "index_name: It has to be given.",
        "rules: This is an object, not a list.",
        "pipeline.reduce_white: There is no such setting. Did you mean reduce_whitespace?",
        "pipeline.run_ml_inference: This is 1, not true or false.",
        "scheduling.ful: There is no such setting. Did you mean full?",
        "scheduling.incremental: This is 7, not an object.",
        "scheduling.full.intervall: There is no such setting. Did you mean interval?",
        "scheduling.full.enabled: This is 'yes', not true or false.",
        "sync.delete_guard.share: Expected `float` <= 1.0, not 2.",
        "id: It is longer than 512 bytes.",
    ]


@pytest.mark.parametrize("given", [None, "text", 7, ["service_type"]])
async def test_what_describes_nothing_is_told(given: object) -> None:
    assert "not an object. It says id, name" in (await wrong(given))[0]


@pytest.mark.parametrize("configuration", ["text", 7, ["database"], True])
async def test_a_configuration_that_is_none_is_told(least: dict[str, Any], configuration: object) -> None:
    assert (await wrong({**least, "configuration": configuration}))[0].startswith("configuration: This is ")


@pytest.mark.parametrize("pipeline", ["mine", {"name": "mine"}])
async def test_a_pipeline_may_be_named_alone(least: dict[str, Any], pipeline: object) -> None:
    found = as_read(await made({**least, "pipeline": pipeline})).pipeline
    assert found is not None
    assert (found["name"], found["extract_binary_content"]) == ("mine", True)


async def test_a_source_that_there_is_not_is_told_with_the_nearest(least: dict[str, Any]) -> None:
    assert await wrong({**least, "service_type": "sqlight"}) == ["There is no source 'sqlight'. Did you mean sqlite?"]
    assert await wrong({**least, "service_type": None}) == ["service_type: It has to be given."]


async def test_rules_that_validators_refuse_are_told(least: dict[str, Any]) -> None:
    rules = [RULE, RULE, {**RULE, "rule": "resembles"}, 7]
    found = await wrong({**least, "rules": rules, "advanced_rules": [{"table": "a"}]})
    assert [line.partition(". ")[0] for line in found] == [
        "rules: rules[3] is 7, not an object.",
        "rules: The rule 'rule-3' has the operator 'resembles', which does not exist",
        "rules: The rule 'rule-2' says the same as the rule 'rule-1' before it",
        "rules: rules: It fits none of what is possible",
    ]


async def test_a_path_that_the_daemon_may_not_read_is_refused(least: dict[str, Any], tmp_path: Path) -> None:
    assert (await made(least, allowed=(tmp_path,))).id
    with pytest.raises(ConfigurationError, match="is not below an allowed path"):
        await made(least, allowed=())


async def test_no_setting_is_printed(least: dict[str, Any]) -> None:
    assert least["configuration"]["database"] not in repr(await made(least))
