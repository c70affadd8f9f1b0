"""Preparation: each connector comes as far as it can by itself, and says what it waits for or what is wrong."""

import asyncio
import logging
from typing import Any

import pytest

from connectors.errors import AccessDenied, ConfigurationError, EngineUnreachable, SourceUnreachable, Throttled
from connectors.services.preparing.examination import Patience
from connectors.services.preparing.preparation import AT_ONCE, LONGEST_PAUSE_S
from connectors.storage import Storage
from connectors.store.connector import Connector
from connectors.store.connectors import ConnectorStore, Update
from tests.services.kibana import setting
from tests.services.shop import FILLED, SECRET, Office, forever

AWAY = SourceUnreachable("The shop is closed.")


def configured(host: str) -> dict[str, Any]:
    return {**FILLED, "host": setting(host)}


async def test_a_connector_comes_from_created_to_connected_as_a_person_configures_it(office: Office) -> None:
    await office.create()
    daemon = office.daemon()
    await daemon.look()
    assert (await office.state())[0] == "needs_configuration"
    await office.change(configuration={"host": setting("shop.example"), "password": setting("")})
    await daemon.look()
    assert (await office.state())[0] == "needs_configuration"
    assert office.script.pings == []
    await office.change(configuration=FILLED)
    await daemon.look()
    assert await office.state() == ("connected", None)
    assert (office.script.pings, office.script.closed) == (["shop.example"], 1)


@pytest.mark.parametrize("status", ["configured", "connected", "error"])
async def test_a_connector_that_is_all_right_is_connected(office: Office, status: str) -> None:
    await office.create(configuration=FILLED, status=status, error="What was wrong before.")
    await office.daemon().look()
    assert await office.state() == ("connected", None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AWAY, "The shop is closed."),
        (AccessDenied("No entry.", hint="Ask for a key."), "No entry. Ask for a key."),
        (ConfigurationError(f"{SECRET} is too short.", field="password"), "*** is too short."),
        (SourceUnreachable(f"no way to https://me:{SECRET}@shop"), "no way to https://***@shop"),
        (SourceUnreachable("no way to https://me:other@shop"), "no way to https://***@shop"),
        (
            OSError(f"{SECRET} refused"),
            "The source failed: OSError: *** refused. This is a fault of the source, or of what it reads.",
        ),
        (
            TimeoutError("slow"),
            "The source failed: TimeoutError: slow. This is a fault of the source, or of what it reads.",
        ),
        (SourceUnreachable("x" * 10_000), "x" * 7_999 + "…"),
    ],
)
@pytest.mark.parametrize("step", ["ping", "validate_config"])
async def test_what_is_wrong_with_a_source_is_told_without_secrets(
    office: Office, caplog: pytest.LogCaptureFixture, error: Exception, words: str, step: str
) -> None:
    async def fail() -> None:
        raise error

    if step == "ping":
        office.script.fail(error)
    else:
        office.script.checks = fail
    await office.create(configuration=FILLED)
    with caplog.at_level(logging.DEBUG):
        await office.daemon().look()
    assert await office.state() == ("error", words)
    assert "A connector was checked." in caplog.text
    assert SECRET not in caplog.text
    assert office.script.closed == 1


async def test_settings_that_can_not_be_are_told_and_the_source_is_not_reached(office: Office) -> None:
    wrong = {**FILLED, "password": setting(""), "page_size": setting("many")}
    await office.create(status="configured", configuration=wrong)
    await office.daemon().look()
    status, error = await office.state()
    assert status == "error"
    assert error is not None
    assert error.splitlines() == [
        "password: 'Password' can't be empty.",
        "page_size: 'Rows per request' has to be a whole number, not 'many'.",
    ]
    assert office.script.pings == []


@pytest.mark.parametrize("status", ["created", "configured", "connected"])
async def test_a_source_that_there_is_not_is_told_in_the_words_of_the_registry(office: Office, status: str) -> None:
    await office.create(status=status, service_type="shopp")
    await office.daemon().look()
    assert await office.state() == ("error", "There is no source 'shopp'. Known: shop.")


async def test_without_a_service_type_a_new_connector_waits_and_another_one_is_told(office: Office) -> None:
    await office.create("new", service_type=None)
    await office.create("old", service_type=None, status="connected")
    await office.daemon().look()
    assert await office.state("new") == ("created", None)
    assert await office.state("old") == ("error", "The connector does not say which source it reads.")


async def test_a_source_that_hangs_is_told_and_holds_up_no_other(office: Office) -> None:
    office.script.steps["hangs"] = forever
    await office.create("hangs", configuration=configured("hangs"))
    for number in range(10):
        await office.create(f"c{number}", configuration=configured(f"host{number}"))
    daemon = office.daemon()
    await daemon.look()
    assert await office.state("hangs") == ("error", "The source did not answer within 0.3 s.")
    assert {await office.state(f"c{number}") for number in range(10)} == {("connected", None)}
    assert office.script.closed == 11
    office.script.steps.clear()
    office.watch.seconds += 5
    await daemon.look()
    assert await office.state("hangs") == ("connected", None)


async def test_a_source_that_does_not_close_is_not_waited_for(office: Office) -> None:
    office.script.closing = forever
    await office.create(configuration=FILLED)
    await asyncio.wait_for(office.daemon().look(), 5)
    assert await office.state() == ("connected", None)


async def test_few_sources_are_reached_at_once(office: Office) -> None:
    are_all_there = asyncio.Event()

    async def slow() -> None:
        if office.script.at_once == AT_ONCE:
            are_all_there.set()
        await are_all_there.wait()

    office.patience = Patience(reach_s=20, validator_s=20, close_s=20)
    for number in range(3 * AT_ONCE):
        office.script.steps[f"host{number}"] = slow
        await office.create(f"c{number}", configuration=configured(f"host{number}"))
    await office.daemon().look()
    assert office.script.most_at_once == AT_ONCE
    assert len(office.script.pings) == 3 * AT_ONCE


async def test_a_look_ends_and_the_next_one_begins_with_what_was_just_edited(office: Office) -> None:
    async def slow() -> None:
        office.watch.seconds += 60

    for number in range(3 * AT_ONCE):
        office.script.steps[f"host{number}"] = slow
        await office.create(f"c{number}", configuration=configured(f"host{number}"))
    daemon = office.daemon()
    await daemon.look()
    done = list(office.script.pings)
    assert len(done) == AT_ONCE
    edited = done[0].replace("host", "c")
    await office.change(edited, configuration=configured("edited"))
    await daemon.look()
    assert "edited" in office.script.pings[AT_ONCE : 2 * AT_ONCE]
    for _ in range(3):
        await daemon.look()
    assert {await office.state(f"c{number}") for number in range(3 * AT_ONCE)} == {("connected", None)}


@pytest.mark.parametrize("error", [AWAY, Throttled("Not so fast."), OSError("broken pipe")])
async def test_what_may_pass_is_tried_again_after_pauses_that_grow_and_heals(office: Office, error: Exception) -> None:
    office.script.fail(error)
    await office.create(configuration=FILLED)
    daemon = office.daemon()
    pauses, tried_at = list[float](), 0.0
    await daemon.look()
    revision = (await office.known()).revision
    while len(pauses) < 9:
        office.watch.seconds += 1
        before = len(office.script.pings)
        await daemon.look()
        if len(office.script.pings) > before:
            pauses.append(office.watch.seconds - tried_at)
            tried_at = office.watch.seconds
    assert pauses == [5, 10, 20, 40, 80, 160, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert (await office.known()).revision == revision
    office.script.steps.clear()
    office.watch.seconds += LONGEST_PAUSE_S
    await daemon.look()
    assert await office.state() == ("connected", None)
    count = len(office.script.pings)
    office.watch.seconds += 10 * LONGEST_PAUSE_S
    await daemon.look()
    assert len(office.script.pings) == count


async def test_what_a_person_has_to_mend_is_looked_at_when_it_was_mended(office: Office) -> None:
    office.script.fail(AccessDenied("No entry."))
    await office.create(configuration=FILLED)
    daemon = office.daemon()
    await daemon.look()
    office.watch.seconds += 10 * LONGEST_PAUSE_S
    await daemon.look()
    assert office.script.pings == ["shop.example"]
    await office.change(configuration=configured("elsewhere"))
    await daemon.look()
    assert (await office.state(), len(office.script.pings)) == (("connected", None), 2)


async def test_what_is_edited_in_a_pause_is_looked_at_at_once(office: Office) -> None:
    office.script.fail(AWAY)
    await office.create(configuration=FILLED)
    daemon = office.daemon()
    await daemon.look()
    await office.change(configuration=configured("elsewhere"))
    await daemon.look()
    assert await office.state() == ("connected", None)


async def test_what_others_write_of_syncs_and_of_life_has_no_source_reached(office: Office) -> None:
    await office.create(configuration=FILLED)
    daemon = office.daemon()
    await daemon.look()
    for change in (
        {"last_seen": "2026-01-01T12:00:00Z"},
        {"last_sync_status": "in_progress", "sync_cursor": {"at": 1}},
        {"status": "error", "error": "SourceError: a sync failed", "last_sync_error": "SourceError: a sync failed"},
        {"last_sync_scheduled_at": "2026-01-01T12:00:00Z", "name": "Another name"},
        {"filtering": (await office.known()).document["filtering"] * 2},
    ):
        await office.change(**change)
        await daemon.look()
    assert office.script.pings == ["shop.example"]
    assert await office.state() == ("error", "SourceError: a sync failed")


async def test_a_look_before_the_roster_has_looked_again_reaches_no_source(office: Office) -> None:
    await office.create(configuration=FILLED)
    daemon = office.daemon()
    await daemon.look()
    for _ in range(3):
        await daemon.preparation.look(daemon.roster.connectors)
    assert office.script.pings == ["shop.example"]


async def test_a_roster_that_is_behind_what_was_just_written_reaches_no_source(office: Office) -> None:
    daemon = office.daemon()

    async def look() -> None:
        await daemon.roster.look()

    office.script.steps["shop.example"] = look
    await office.create(configuration=FILLED)
    await daemon.look()
    assert daemon.roster.connectors["c"].status == "configured"
    await daemon.preparation.look(daemon.roster.connectors)
    await daemon.look()
    assert (office.script.pings, await office.state()) == (["shop.example"], ("connected", None))


async def test_settings_that_somebody_saves_again_are_checked_again(office: Office) -> None:
    await office.create(configuration=FILLED)
    daemon = office.daemon()
    await daemon.look()
    await office.change(status="configured")
    await daemon.look()
    assert (await office.state(), len(office.script.pings)) == (("connected", None), 2)


async def test_that_a_sync_failed_is_not_taken_back_by_a_daemon_that_starts(office: Office) -> None:
    failed = {"status": "error", "error": "TooManyLetters: 5,000", "last_sync_error": "TooManyLetters: 5,000"}
    await office.create(configuration=FILLED, **failed)
    daemon = office.daemon()
    await daemon.look()
    assert await office.state() == ("error", "TooManyLetters: 5,000")
    await office.change(configuration=configured("elsewhere"))
    await daemon.look()
    assert await office.state() == ("connected", None)


async def test_what_is_edited_while_its_source_is_reached_is_looked_at_again(office: Office) -> None:
    async def edit() -> None:
        await office.change(configuration=configured("elsewhere"), name="Edited")
        raise AWAY

    office.script.steps["shop.example"] = edit
    await office.create(configuration=FILLED)
    daemon = office.daemon()
    await daemon.look()
    assert await office.state() == ("configured", None)
    await daemon.look()
    assert (await office.state(), office.script.pings) == (("connected", None), ["shop.example", "elsewhere"])
    assert (await office.known()).name == "Edited"


async def test_a_connector_that_is_deleted_while_its_source_is_reached_is_forgotten(office: Office) -> None:
    async def delete() -> None:
        await office.store._operations.delete(".elastic-connectors", "c")

    office.script.steps["shop.example"] = delete
    await office.create(configuration=FILLED)
    await office.create("d", configuration=configured("d"))
    daemon = office.daemon()
    for _ in range(3):
        await daemon.look()
        office.watch.seconds += 60
    assert await office.store.get("c") is None
    assert (await office.state("d"), len(office.script.pings)) == (("connected", None), 2)


async def test_a_schedule_that_is_wrong_stays_told_until_it_is_mended(office: Office) -> None:
    wrong = {"full": {"enabled": True, "interval": "every hour"}}
    await office.create(configuration=FILLED, scheduling=wrong)
    daemon = office.daemon()
    await daemon.look()
    status, error = await office.state()
    assert status == "error"
    assert error is not None
    assert error.startswith("scheduling.full.interval: The schedule 'every hour' ")
    await office.change(scheduling={"full": {"enabled": True, "interval": "0 0 * * * ?"}})
    await daemon.look()
    assert await office.state() == ("connected", None)


async def test_many_daemons_write_what_one_would(office: Office) -> None:
    async def slow() -> None:
        await asyncio.sleep(0.01)

    documents: dict[str, dict[str, Any]] = {
        "new": {},
        "full": {"configuration": FILLED},
        "away": {"configuration": configured("away")},
        "none": {"service_type": "none"},
        "plain": {"service_type": "plain", "is_native": True},
    }
    office.script.steps["shop.example"] = slow
    office.script.fail(AWAY, "away")
    for name, document in documents.items():
        await office.create(name, **document)
        await office.create(f"{name}-alone", **document)
    daemons = [office.daemon() for _ in range(3)]
    for _ in range(3):
        await asyncio.gather(*(daemon.look() for daemon in daemons))
    revisions = {one.id: one.revision async for one in office.store.all()}
    for _ in range(3):
        await asyncio.gather(*(daemon.look() for daemon in daemons))
    assert {one.id: one.revision async for one in office.store.all()} == revisions
    for name in documents:
        assert (await office.known(name)).document == (await office.known(f"{name}-alone")).document
    assert [(await office.state(name))[0] for name in documents] == [
        "needs_configuration",
        "connected",
        "error",
        "error",
        "connected",
    ]


async def test_a_source_whose_settings_are_no_json_is_told(office: Office) -> None:
    await office.create(service_type="strange")
    await office.daemon().look()
    status, error = await office.state()
    assert status == "error"
    assert error is not None
    assert error.startswith("The source failed: TypeError: ")


class Failing(ConnectorStore):
    """A store whose engine is away while a test says so."""

    is_away = True

    async def update(self, connector_id: str, update: Update) -> Connector:
        if self.is_away:
            raise EngineUnreachable("The engine is away.")
        return await super().update(connector_id, update)


async def test_what_the_engine_did_not_take_is_tried_again(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    store = Failing(office.store._operations)
    failed = {"status": "error", "error": "SourceError: no", "last_sync_error": "SourceError: no"}
    await office.create(configuration=FILLED, last_seen="2026-01-01T12:00:00Z")
    await office.create("d", configuration=FILLED, last_seen="2026-01-01T12:00:00Z", **failed)
    daemon = office.daemon(store)
    await daemon.look()
    assert caplog.text.count("The engine is away.") == 2
    store.is_away = False
    office.watch.seconds += 5
    await daemon.look()
    assert await office.state() == ("connected", None)
    assert await office.state("d") == ("error", "SourceError: no")


async def test_a_source_that_is_reached_has_what_its_connector_remembers(office: Office) -> None:
    await Storage(office.storage, "c").set("token", "of c")
    await Storage(office.storage, "d").set("token", "of d")
    found = []

    async def look(source: Any) -> None:
        found.append(await source.storage.get("token"))
        await source.storage.set("token", "a newer one")

    office.script.pinging = look
    await office.create(configuration=FILLED, status="configured")
    await office.daemon().look()
    assert (found, await Storage(office.storage, "c").get("token")) == (["of c"], "a newer one")


async def test_settings_of_a_custom_schedule_are_checked_with_the_others_and_told_without_secrets(
    office: Office,
) -> None:
    def schedule(**values: Any) -> dict[str, Any]:
        given = {name: {"label": name, "value": value} for name, value in values.items()}
        return {"hot": {"enabled": True, "interval": "0 0 * * * ?", "configuration_overrides": given}}

    await office.create(configuration=FILLED, custom_scheduling=schedule(page_size="many", password="hunter3"))
    daemon = office.daemon()
    await daemon.look()
    status, error = await office.state()
    assert status == "error"
    assert error is not None
    assert error.startswith("custom_scheduling.hot.configuration_overrides: page_size: ")
    assert "hunter3" not in error
    await office.change(custom_scheduling=schedule(page_size="50"))
    await daemon.look()
    assert await office.state() == ("connected", None)
    pings = len(office.script.pings)
    seen = {"hot": {**schedule(page_size="50")["hot"], "last_synced": "2026-01-01T00:00:00Z"}}
    await office.change(custom_scheduling=seen)
    await daemon.look()
    assert len(office.script.pings) == pings
