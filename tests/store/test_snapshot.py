"""The snapshot of a connector in its job: all that is needed to know what ran, and no secret."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.engine.records import Revision
from connectors.registry import Registry
from connectors.store.connector import Connector
from connectors.store.snapshot import snapshot_of
from connectors.store.sync_state import JobType

SECRET = "hunter2"


class Declaring(Registry):
    """A registry of one source, which says of these settings whether they are secret."""

    def __init__(self, declared: Mapping[str, bool] | None = None) -> None:
        super().__init__()
        self._declared = declared or {}

    def sensitive(self, service_type: str | None) -> Mapping[str, bool]:
        return self._declared


def connector(**document: Any) -> Connector:
    return Connector("c", document, Revision(1, 1))


def test_a_snapshot_is_what_the_protocol_wants() -> None:
    rules = {"rules": [{"id": "r"}], "advanced_snippet": {"value": {}}}
    found = connector(
        service_type="sqlite",
        index_name="shop",
        language="de",
        pipeline={"name": "p"},
        sync_cursor={"at": 1},
        configuration={"database": {"value": "/x", "sensitive": False}},
        filtering=[{"domain": "DEFAULT", "active": rules, "draft": {"rules": []}}],
        name="Shop",
    )
    assert snapshot_of(found, JobType.FULL, Declaring()) == {
        "id": "c",
        "service_type": "sqlite",
        "index_name": "shop",
        "language": "de",
        "pipeline": {"name": "p"},
        "sync_cursor": {"at": 1},
        "configuration": {"database": {"value": "/x", "sensitive": False}},
        "filtering": rules,
    }


def test_of_an_access_control_job_the_index_is_the_one_that_it_writes_to() -> None:
    found = snapshot_of(connector(index_name="shop"), JobType.ACCESS_CONTROL, Declaring())
    assert found["index_name"] == ".search-acl-filter-shop"


@pytest.mark.parametrize("filtering", [None, [], "none", [5]])
def test_rules_that_can_not_be_read_are_none(filtering: object) -> None:
    found = snapshot_of(connector(filtering=filtering), JobType.FULL, Declaring())
    assert found["filtering"] == {"advanced_snippet": {}, "rules": []}


@pytest.mark.parametrize(
    ("field", "declared", "is_kept"),
    [
        ({"value": SECRET, "sensitive": False}, {}, True),
        ({"value": SECRET, "sensitive": False}, {"f": False}, True),
        ({"value": SECRET}, {"f": False}, True),
        (SECRET, {"f": False}, True),
        ({"value": SECRET, "sensitive": True}, {"f": False}, False),
        ({"value": SECRET, "sensitive": "yes"}, {"f": False}, False),
        ({"value": SECRET, "sensitive": False}, {"f": True}, False),
        ({"value": SECRET}, {"f": True}, False),
        ({"value": SECRET, "default_value": SECRET}, {}, False),
        (SECRET, {}, False),
    ],
)
def test_a_value_is_kept_only_if_it_is_said_to_be_no_secret(
    field: object, declared: dict[str, bool], is_kept: bool
) -> None:
    found = snapshot_of(connector(configuration={"f": field}), JobType.FULL, Declaring(declared))
    assert (SECRET in json.dumps(found)) is is_kept
    assert set(found["configuration"]) == {"f"}
