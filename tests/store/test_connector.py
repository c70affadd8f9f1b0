"""A connector, whoever wrote its document."""

from typing import Any

import pytest

from connectors.byoc import Filter
from connectors.engine.records import Revision
from connectors.errors import ConfigurationError
from connectors.store.connector import Connector, ConnectorStatus
from connectors.store.sync_settings import DeleteGuard, MaxDeadLetters, SyncSettings
from connectors.store.sync_state import JobType

RULE = {"id": "a", "policy": "exclude", "field": "status", "rule": "equals", "value": "paid", "order": 0}
RULES = {"rules": [RULE], "advanced_snippet": {"value": {}}}


def connector(**document: Any) -> Connector:
    return Connector("c", document, Revision(1, 1))


def test_what_is_there_is_read() -> None:
    found = connector(
        name="Shop",
        service_type="sqlite",
        index_name="shop",
        language="de",
        status="connected",
        error="broken",
        configuration={"database": {"value": "x"}},
        features={"sync_rules": {}},
        scheduling={"full": {}},
        sync_cursor={"a": 1},
        deleted=True,
    )
    assert (found.name, found.service_type, found.index_name, found.language) == ("Shop", "sqlite", "shop", "de")
    assert (found.status, found.error, found.deleted) == (ConnectorStatus.CONNECTED, "broken", True)
    assert (found.configuration, found.features) == ({"database": {"value": "x"}}, {"sync_rules": {}})
    assert (found.scheduling, found.sync_cursor) == ({"full": {}}, {"a": 1})


@pytest.mark.parametrize("value", [None, "", 7, [], [1], False, "unset"])
def test_what_has_no_meaning_where_it_stands_counts_as_not_there(value: object) -> None:
    names = ("status", "configuration", "features", "scheduling", "sync_cursor", "deleted")
    found = connector(**dict.fromkeys(names, value))
    assert [getattr(found, name) for name in names] == [None, {}, {}, {}, None, False]


@pytest.mark.parametrize("name", ["name", "service_type", "index_name", "language", "error"])
@pytest.mark.parametrize("value", [None, "", 7, [], {"a": 1}, False])
def test_a_text_that_is_none_counts_as_not_there(name: str, value: object) -> None:
    assert getattr(connector(**{name: value}), name) is None
    assert getattr(connector(), name) is None


@pytest.mark.parametrize(
    ("pipeline", "wanted"),
    [
        (None, None),
        ("", None),
        ("mine", {"name": "mine"}),
        ({"name": "mine", "run_ml_inference": False}, {"name": "mine", "run_ml_inference": False}),
        ({"name": None}, {"name": None}),
    ],
)
def test_a_pipeline_is_read_however_it_was_written(pipeline: object, wanted: object) -> None:
    assert connector(pipeline=pipeline).pipeline == wanted


@pytest.mark.parametrize("pipeline", [7, ["mine"], {"name": 7}, True])
def test_a_pipeline_that_is_none_is_not_passed_over(pipeline: object) -> None:
    with pytest.raises(ConfigurationError, match="not an object with a name") as caught:
        _ = connector(pipeline=pipeline).pipeline
    assert caught.value.field == "pipeline"


@pytest.mark.parametrize(
    "filtering",
    [
        [{"domain": "DEFAULT", "active": RULES, "draft": {}}],
        [{"domain": "other", "active": {}}, {"domain": "DEFAULT", "active": RULES}],
        [{"active": RULES}],
        {"domain": "DEFAULT", "active": RULES},
        RULES,
    ],
    ids=["kibana", "two domains", "no domain", "one object", "as in a job"],
)
def test_the_active_rules_are_found_however_they_were_written(filtering: object) -> None:
    assert connector(filtering=filtering).filtering == RULES


@pytest.mark.parametrize("filtering", [None, [], {}, [{"domain": "other", "active": RULES}], [{"draft": RULES}]])
def test_without_active_rules_there_are_none(filtering: object) -> None:
    assert not Filter(connector(filtering=filtering).filtering).basic_rules


@pytest.mark.parametrize("filtering", ["rules", 7, [7], [None], [{"active": [RULE]}], [{"active": "rules"}]])
def test_rules_that_can_not_be_read_are_not_passed_over(filtering: object) -> None:
    with pytest.raises(ConfigurationError, match="not an object") as caught:
        _ = connector(filtering=filtering).filtering
    assert caught.value.field == "filtering"


def test_settings_of_syncs_have_defaults() -> None:
    assert connector().sync == connector(sync=None).sync == SyncSettings()
    assert SyncSettings() == SyncSettings(
        shared_index=False, delete_guard=DeleteGuard(100, 0.2), max_dead_letters=MaxDeadLetters(1_000, 0.01)
    )


def test_settings_of_syncs_are_read() -> None:
    given = {"shared_index": True, "delete_guard": {"share": 0.5}, "max_dead_letters": {"count": 0, "share": 0}}
    wanted = SyncSettings(
        shared_index=True, delete_guard=DeleteGuard(100, 0.5), max_dead_letters=MaxDeadLetters(0, 0.0)
    )
    assert connector(sync=given).sync == wanted


def test_everything_that_is_wrong_with_settings_of_syncs_is_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _ = connector(sync={"delete_gaurd": {}, "delete_guard": {"share": 2, "count": -1}, "shared_index": "x"}).sync
    assert str(caught.value).splitlines() == [
        "sync.delete_gaurd: There is no such setting. Did you mean delete_guard?",
        "sync.delete_guard.share: Expected `float` <= 1.0, not 2.",
        "sync.delete_guard.count: Expected `int` >= 0, not -1.",
        "sync.shared_index: Expected `bool`, got `str`, not 'x'.",
    ]
    with pytest.raises(ConfigurationError, match="This is a section"):
        _ = connector(sync=True).sync


@pytest.mark.parametrize(
    ("documents", "guard", "letters"),
    [(0, 100, 1_000), (500, 100, 1_000), (501, 100, 1_000), (505, 101, 1_000), (1_000_000, 200_000, 10_000)],
)
def test_the_larger_of_number_and_share_counts(documents: int, guard: int, letters: int) -> None:
    settings = SyncSettings()
    assert (settings.delete_guard.most(documents), settings.max_dead_letters.most(documents)) == (guard, letters)


def test_no_setting_is_printed() -> None:
    shown = repr(connector(configuration={"password": {"value": "swordfish"}}))
    assert shown == "Connector(id='c')"


@pytest.mark.parametrize(
    ("job_type", "index"),
    [(JobType.FULL, "docs"), (JobType.INCREMENTAL, "docs"), (JobType.ACCESS_CONTROL, ".search-acl-filter-docs")],
)
def test_who_may_read_what_has_an_index_of_its_own_named_as_kibana_names_it(job_type: JobType, index: str) -> None:
    assert connector(index_name="docs").index_for(job_type) == index
    assert connector().index_for(job_type) is None
