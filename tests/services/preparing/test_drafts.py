"""Drafts: sync rules that somebody edited are in use when the source's validators agree, and only then."""

import asyncio
from typing import Any

import pytest

from connectors.errors import AccessDenied, SourceUnreachable
from connectors.filtering.validation import SyncRuleValidationResult as Result
from tests.services.kibana import rule, rules
from tests.services.shop import FILLED, SECRET, Office, forever

ACTIVE = rules(rule(9))


async def edited(office: Office, draft: dict[str, Any], name: str = "c", **fields: Any) -> None:
    other = {"domain": "OTHER", "active": rules(), "draft": rules(state="edited")}
    domain = {"domain": "DEFAULT", "active": ACTIVE, "draft": draft, "of_a_newer_version": 1}
    await office.create(name, configuration=FILLED, filtering=[other, domain], **fields)


async def filtering(office: Office, name: str = "c") -> dict[str, Any]:
    other, domain = (await office.known(name)).document["filtering"]
    assert other == {"domain": "OTHER", "active": rules(), "draft": rules(state="edited")}
    assert (domain["domain"], domain["of_a_newer_version"]) == ("DEFAULT", 1)
    return dict(domain)


async def test_a_valid_draft_is_in_use(office: Office) -> None:
    await edited(office, rules(rule(), state="edited"))
    await office.daemon().look()
    found = await filtering(office)
    assert found["draft"] == found["active"] == rules(rule())
    assert await office.state() == ("connected", None)


async def test_a_draft_of_a_single_object_is_in_use(office: Office) -> None:
    domain = {"active": ACTIVE, "draft": rules(rule(), state="edited")}
    await office.create(configuration=FILLED, filtering=domain)
    await office.daemon().look()
    assert (await office.known()).document["filtering"] == {"active": rules(rule()), "draft": rules(rule())}


async def test_a_draft_that_is_not_valid_says_why_and_is_not_in_use(office: Office) -> None:
    draft = rules(rule(rule="is"), rule(2, field=""), state="edited")
    await edited(office, draft)
    await office.daemon().look()
    found = await filtering(office)
    validation = found["draft"]["validation"]
    assert (found["active"], found["draft"] | {"validation": None}) == (ACTIVE, draft | {"validation": None})
    assert validation["state"] == "invalid"
    assert [one["ids"] for one in validation["errors"]] == [["rule-1"], ["rule-2"]]
    assert all(set(one) == {"ids", "messages"} and one["messages"] for one in validation["errors"])
    assert (await office.state())[0] == "connected"


@pytest.mark.parametrize("behaviour", ["hangs", "raises", "refuses"])
async def test_a_validator_of_the_source_that_does_not_agree_is_an_error_without_secrets(
    office: Office, caplog: pytest.LogCaptureFixture, behaviour: str
) -> None:
    async def validating(_: Any) -> list[Result]:
        if behaviour == "hangs":
            await forever()
        if behaviour == "raises":
            raise OSError(f"{SECRET} broke it")
        return [Result.invalid_result("advanced_snippet", f"{SECRET} is not allowed.")]

    office.script.validating = validating
    await edited(office, rules(state="edited", advanced={"a": 1}))
    await office.daemon().look()
    found = await filtering(office)
    ((error,), active) = found["draft"]["validation"]["errors"], found["active"]
    assert (active, error["ids"], len(error["messages"])) == (ACTIVE, ["advanced_snippet"], 1)
    assert SECRET not in error["messages"][0]
    assert SECRET not in caplog.text
    assert await office.state() == ("connected", None)


@pytest.mark.parametrize("state", ["valid", "invalid", None, "of some day"])
async def test_a_draft_that_nobody_edited_is_left_alone(office: Office, state: str | None) -> None:
    draft = rules(rule(), state=state or "")
    await edited(office, draft)
    await office.daemon().look()
    assert await filtering(office) == {
        "domain": "DEFAULT",
        "active": ACTIVE,
        "draft": draft,
        "of_a_newer_version": 1,
    }


@pytest.mark.parametrize(
    ("features", "is_on"),
    [
        ({"sync_rules": {"basic": {"enabled": False}, "advanced": {"enabled": False}}}, False),
        ({"sync_rules": {"basic": {"enabled": False}, "advanced": {"enabled": True}}}, True),
        ({"sync_rules": {"basic": {"enabled": False}, "advanced": {"enabled": False}}, "filtering_rules": True}, True),
    ],
)
async def test_drafts_count_where_sync_rules_are_on(office: Office, features: dict[str, Any], is_on: bool) -> None:
    await edited(office, rules(rule(), state="edited"), is_native=True, features=features)
    await office.daemon().look()
    assert (await filtering(office))["draft"]["validation"]["state"] == ("valid" if is_on else "edited")


async def test_a_draft_waits_until_its_source_can_be_reached(office: Office) -> None:
    office.script.fail(SourceUnreachable("The shop is closed."))
    await edited(office, rules(rule(), state="edited"))
    daemon = office.daemon()
    await daemon.look()
    assert (await filtering(office))["draft"]["validation"]["state"] == "edited"
    office.script.steps.clear()
    office.watch.seconds += 60
    await daemon.look()
    assert (await filtering(office))["active"] == rules(rule())


async def test_a_draft_of_a_source_that_refused_us_is_validated_when_a_sync_has_reached_it(office: Office) -> None:
    office.script.fail(AccessDenied("No entry."))
    await edited(office, rules(rule(), state="edited"))
    daemon = office.daemon()
    for _ in range(3):
        await daemon.look()
        office.watch.seconds += 600
    assert len(office.script.pings) == 1
    office.script.steps.clear()
    await office.change(status="connected", error=None, last_sync_status="in_progress")
    await daemon.look()
    assert (await filtering(office))["active"] == rules(rule())


async def test_a_draft_that_is_edited_while_it_is_validated_is_validated_again(office: Office) -> None:
    seen = []

    async def validating(snippet: Any) -> list[Result]:
        seen.append(snippet)
        if len(seen) == 1:
            other, domain = (await office.known()).document["filtering"]
            await office.change(filtering=[other, {**domain, "draft": rules(state="edited", advanced={"a": 2})}])
        return [Result.valid_result("advanced_snippet")]

    office.script.validating = validating
    await edited(office, rules(state="edited", advanced={"a": 1}))
    daemon = office.daemon()
    await daemon.look()
    assert (await filtering(office))["active"] == ACTIVE
    await daemon.look()
    assert (await filtering(office))["active"] == rules(advanced={"a": 2})
    assert seen == [{"a": 1}, {"a": 2}]


async def test_a_draft_that_is_edited_later_is_validated_then(office: Office) -> None:
    await edited(office, rules())
    daemon = office.daemon()
    await daemon.look()
    for number in (1, 2):
        other, domain = (await office.known()).document["filtering"]
        draft = rules(rule(number), state="edited")
        await office.change(filtering=[other, {**domain, "draft": draft}])
        await daemon.look()
        assert (await filtering(office))["active"] == rules(rule(number))


async def test_many_daemons_settle_a_draft_as_one_would(office: Office) -> None:
    await edited(office, rules(rule(), state="edited"))
    await edited(office, rules(rule(rule="is"), state="edited"), "wrong")
    daemons = [office.daemon() for _ in range(4)]
    for _ in range(4):
        await asyncio.gather(*(daemon.look() for daemon in daemons))
    assert (await filtering(office))["active"] == rules(rule())
    wrong = await filtering(office, "wrong")
    assert (wrong["active"], wrong["draft"]["validation"]["state"]) == (ACTIVE, "invalid")
    revision = (await office.known()).revision
    await asyncio.gather(*(daemon.look() for daemon in daemons))
    assert (await office.known()).revision == revision
