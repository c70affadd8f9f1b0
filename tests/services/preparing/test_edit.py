"""An edit: what a connector has as its draft, written as Kibana writes it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.engine.records import Revision
from connectors.errors import ConfigurationError
from connectors.services.preparing.edit import edited, is_in_use
from connectors.store.connector import Connector
from tests.services.kibana import DEFAULT_RULE, rule, rules

NOW = datetime(2026, 11, 30, 6, tzinfo=UTC)
TIMES = {"created_at": "2026-11-30T06:00:00Z", "updated_at": "2026-11-30T06:00:00Z"}
EDITED = {"state": "edited", "errors": []}
GIVEN = {"policy": "exclude", "field": "status", "rule": "equals", "value": "draft1"}


def connector(filtering: Any) -> Connector:
    return Connector("c", {"filtering": filtering}, Revision(1, 1))


def domain(active: Any, draft: Any, **others: Any) -> list[dict[str, Any]]:
    return [{"domain": "OTHER", "draft": {}}, {"domain": "DEFAULT", "active": active, "draft": draft, **others}]


def test_rules_become_the_draft_and_what_is_in_use_stays() -> None:
    found = edited(connector(domain(rules(), rules(advanced={"a": 1}), new=5)), {"rules": [GIVEN]}, NOW)
    made = {"id": "rule-1", "order": 1, **GIVEN, **TIMES}
    draft = {**rules(advanced={"a": 1}), "rules": [made, DEFAULT_RULE], "validation": EDITED}
    assert found == domain(rules(), draft, new=5)


def test_advanced_rules_become_the_draft_and_basic_ones_stay() -> None:
    found = edited(connector(domain(rules(), rules(rule()))), {"advanced_rules": [{"a": 1}]}, NOW)
    snippet = {**rules()["advanced_snippet"], "value": [{"a": 1}], "updated_at": TIMES["updated_at"]}
    assert found == domain(rules(), {**rules(rule()), "advanced_snippet": snippet, "validation": EDITED})


def test_a_rule_that_was_there_keeps_its_age() -> None:
    given = [{**GIVEN, "id": "rule-2", "order": 2, "value": "draft2"}, {**GIVEN, "id": "rule-1", "value": "other"}]
    found = edited(connector(domain(rules(), rules(rule(1), rule(2)))), {"rules": given}, NOW)
    first, second, default = found[1]["draft"]["rules"]
    assert (first, default) == (rule(2), DEFAULT_RULE)
    assert second == {**rule(1, value="other", order=2), "updated_at": TIMES["updated_at"]}


def test_the_rule_that_every_set_has_is_not_taken_from_what_was_given() -> None:
    given = {**DEFAULT_RULE, "policy": "exclude"}
    assert edited(connector(domain(rules(), rules(rule()))), {"rules": [given]}, NOW)[1]["draft"]["rules"] == [
        DEFAULT_RULE
    ]


@pytest.mark.parametrize("filtering", [None, [], [{"domain": "OTHER"}]])
def test_a_connector_without_rules_gets_a_domain(filtering: Any) -> None:
    found = edited(connector(filtering), {"rules": [GIVEN]}, NOW)[-1]
    default = {**DEFAULT_RULE, **TIMES}
    snippet = {"value": {}, **TIMES}
    assert found == {
        "domain": "DEFAULT",
        "active": {
            "rules": [default],
            "advanced_snippet": snippet,
            "validation": {"state": "valid", "errors": []},
        },
        "draft": {
            "rules": [{"id": "rule-1", "order": 1, **GIVEN, **TIMES}, default],
            "advanced_snippet": snippet,
            "validation": EDITED,
        },
    }


def test_a_single_object_stays_one() -> None:
    found = edited(connector({"active": rules(), "draft": rules(), "new": 1}), {"rules": []}, NOW)
    assert found == {"active": rules(), "draft": rules(), "new": 1}
    found = edited(connector({"active": rules(), "draft": rules(), "new": 1}), {"rules": [GIVEN]}, NOW)
    assert (found["active"], found["new"], found["draft"]["validation"]) == (rules(), 1, EDITED)


def test_rules_in_use_that_stand_alone_get_a_draft_beside_them() -> None:
    [found] = edited(connector(rules(rule())), {"rules": []}, NOW)
    assert (found["active"], found["draft"]["rules"]) == (rules(rule()), [DEFAULT_RULE])


@pytest.mark.parametrize(("state", "is_left"), [("valid", True), ("edited", True), ("invalid", False), ("", False)])
def test_a_draft_that_says_so_already_is_left_unless_nobody_would_look_at_it(state: str, is_left: bool) -> None:
    stored = domain(rules(), rules(rule(), state=state, advanced={"a": 1}))
    found = edited(connector(stored), {"rules": [rule()], "advanced_rules": {"a": 1}}, NOW)
    assert (found is stored) is is_left
    assert found == (stored if is_left else domain(rules(), rules(rule(), state="edited", advanced={"a": 1})))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rules": [5]}, "The rule number 1 is 5, not an object."),
        ({"rules": {}}, "rules: This is an object, not a list."),
        ({"advanced_rules": "a"}, "The advanced rules are 'a', neither an object nor a list."),
    ],
)
def test_what_is_no_rule_at_all_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        edited(connector(domain(rules(), rules())), given, NOW)
    assert caught.value.message == message


def test_a_connector_whose_rules_can_not_be_read_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not an object"):
        edited(connector([5]), {"rules": []}, NOW)


def test_a_draft_is_in_use_when_it_is_valid_and_says_the_same() -> None:
    later = {"created_at": "2026-11-30T06:00:00Z"}
    assert is_in_use(connector(None))
    assert is_in_use(connector(domain(rules(rule()), rules({**rule(), **later}))))
    assert not is_in_use(connector(domain(rules(rule()), rules(rule(), state="edited"))))
    assert not is_in_use(connector(domain(rules(rule()), rules(rule(2)))))
    assert not is_in_use(connector(domain(rules(), rules(advanced={"a": 1}))))
