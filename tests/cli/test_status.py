"""`connectors status` as a person meets it, with the embedded engine."""

import asyncio
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pytest

from connectors.cli.overview import BEGINNING
from connectors.cli.survey import survey
from connectors.engine import Engine
from connectors.engine.bulk import index_line
from connectors.engine.indices import Indices
from connectors.engine.lane import Lane, Request
from connectors.engine.operations import Operations
from connectors.settings import Settings
from connectors.store.connectors import ConnectorStore
from connectors.store.dead_letter import DeadLetter, LetterKind
from connectors.store.dead_letters import DeadLetters
from connectors.store.held import HeldSet, HeldSets
from connectors.store.job import Trigger
from connectors.store.jobs import JobStore
from connectors.store.state import INDEX as STATE
from connectors.store.state import StateStore
from connectors.store.sync_state import JobType
from connectors.store.targets import TargetRecord
from connectors.store.ticks import Ticks
from connectors.sync.owner.instance import Instance
from tests.cli.desk import Desk
from tests.cli.test_terminal import Terminal

T = TypeVar("T")
HOUR = timedelta(hours=1)
AGO = 2 * HOUR
YEARLY = "0 0 0 1 1 ?"
"""A schedule that is not due while a test runs, unless that begins in the last seconds of a year."""


class Office:
    """A desk whose engine is written to as daemons and Kibana do."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.now = datetime.now(UTC)

    def put(self, *connectors: tuple[str, dict[str, Any]]) -> None:
        """Write connectors that are well but for what is said of them."""

        self._run(lambda engine: self.write(engine, *connectors))

    async def write(self, engine: Engine, *connectors: tuple[str, dict[str, Any]]) -> None:
        """Write the same to an engine that is open already."""
        await ConnectorStore.open(engine)
        usual = {"name": "Shop", "service_type": "things", "index_name": "shelf", "status": "connected"}
        documents = ((name, {**usual, "last_seen": self.now, **one}) for name, one in connectors)
        lines = [index_line(name) + msgspec.json.encode(one) + b"\n" for name, one in documents]
        await engine.control.bulk(".elastic-connectors", b"".join(lines), operations=len(lines))

    def job(self, job_id: str, connector: str, **changes: Any) -> None:
        """Write a job."""

        async def write(engine: Engine) -> None:
            jobs = await JobStore.open(engine)
            await jobs.create(job_id, {"id": connector}, JobType.FULL, Trigger.SCHEDULED)
            await jobs.change(job_id, lambda _: {"created_at": self.now - AGO, **changes})

        self._run(write)

    def run_job(self, job_id: str, connector: str, **changes: Any) -> None:
        """Write a job that runs."""
        usual = {"started_at": self.now - AGO, "last_seen": self.now, "worker_hostname": "host"}
        self.job(job_id, connector, **{"status": "in_progress", **usual, **changes})

    def letters(self, connector: str, number: int) -> None:
        """Write dead letters."""

        async def write(engine: Engine) -> None:
            about = {"connector": connector, "kind": LetterKind.READ, "cause": "read", "reason": "No", "run": "r"}
            letters = (DeadLetter(id=f"d{one}", at=self.now, **about) for one in range(number))  # type: ignore[arg-type]
            await (await DeadLetters.open(engine)).put_many(letters)

        self._run(write)

    def hold(self, connector: str, number: int) -> None:
        """Hold deletions."""

        async def write(engine: Engine) -> None:
            async def ids() -> Any:
                yield [f"d{one}" for one in range(number)]

            held = HeldSet(
                connector=connector,
                run="r",
                target="t",
                job_type=JobType.FULL,
                reason="It yielded nothing.",
                created_at=self.now - AGO,
            )
            await HeldSets(await StateStore.open(engine)).hold(held, ids())

        self._run(write)

    def saw(self, connector: str, form: str, since: datetime) -> None:
        """Note a schedule as a daemon does."""

        async def write(engine: Engine) -> None:
            await Ticks(await StateStore.open(engine)).since(connector, {"full": form}, since)

        self._run(write)

    def own(self, connector: str, owner: str, run: str = "") -> None:
        """Give the index of a connector to a process."""

        async def write(engine: Engine) -> None:
            record = TargetRecord(target=connector, index="shelf", epoch=1, owner=owner, connector=connector, run=run)
            await (await StateStore.open(engine)).put(TargetRecord.key_of(connector), record)

        self._run(write)

    def put_record(self, record: dict[str, Any]) -> None:
        """Write a record of the shared state as no version of today does."""
        self._run(lambda engine: engine.control.put(STATE.name, "odd", record))

    def status(self, *options: str, code: int = 0) -> list[str]:
        """Return the lines of the screen."""
        done = self.desk.run("status", *options)
        assert (done.returncode, done.stderr) == (code, "")
        return [re.sub(r"\d+ s( ago)?$", r"SOON\1", line) for line in done.stdout.splitlines()]

    def _run(self, write: Any) -> None:
        async def run() -> None:
            async with self.desk.engine() as engine:
                await write(engine)

        asyncio.run(run())


@pytest.fixture
def office(desk: Desk) -> Office:
    return Office(desk)


def totals(text: str) -> str:
    return f"The embedded engine, at data: {text}."


def test_without_a_connector_it_is_told_how_one_is_made(office: Office) -> None:
    assert office.status() == [f"The embedded engine, at data: there is no connector yet. {BEGINNING}"]
    assert office.desk.json("status")["connectors"] == []


def test_who_needs_a_person_comes_first_then_what_runs_and_what_waits(office: Office) -> None:
    synced = {"last_synced": office.now - 3 * HOUR, "last_sync_status": "completed"}
    yearly = {"scheduling": {"full": {"enabled": True, "interval": YEARLY}}}
    office.put(
        ("a", synced | {"last_access_control_sync_status": "canceled"}),
        ("b", synced),
        ("c", {}),
        ("d", {"status": "error", "error": "AccessDenied: No\nway."} | synced | {"last_sync_status": "error"}),
        ("e", synced | yearly),
    )
    office.run_job("1", "c", metadata={"sync": {"walked": 1_200, "expected": 3_000}})
    office.job("2", "b")
    office.letters("e", 3)
    office.hold("e", 2)
    shown = office.status(code=3)
    assert re.fullmatch(r"A daemon looked after them \d+ s ago\.", shown[1])
    days = (datetime(office.now.year + 1, 1, 1, tzinfo=UTC) - office.now).total_seconds() / 86_400
    next_one = f"in {round(days)} days" if days > 2 else "in"
    assert shown[0] == totals("5 connectors, 2 need a person; 1 sync runs, 1 waits; 2 held deletions, 3 dead letters")
    assert [re.sub(r" {2,}", "  ", line.rstrip()) for line in shown[2:]] == [
        "",
        "  CONNECTOR  STATUS  LAST SYNC  NEXT  NOW",
        "! d  error  error 3 h ago  off",
        "  AccessDenied: No way. (connectors check d)",
        "  The last sync failed: it does not say why (connectors sync d)",
        f"! e  connected  completed 3 h ago  {next_one}",
        "  2 deletions held back for 2 h: It yielded nothing. (connectors deletes list e)",
        "  3 dead letters of documents that could not be indexed. (connectors dead-letters list e)",
        "  c  connected  never  off  full sync for 2 h, 1,200 of 3,000 documents read, on host",
        "  b  connected  completed 3 h ago  off  full sync waits for 2 h",
        "  a  connected  completed, access control canceled 3 h ago  off",
    ]


def test_as_json_everything_is_told_whole(office: Office) -> None:
    office.put(("a", {"scheduling": {"full": {"enabled": True, "interval": YEARLY}}}), ("b", {}))
    office.run_job("1", "a", status="canceling", indexed_document_count=7, deleted_document_count=1)
    office.job("2", "a", status="suspended")
    office.letters("a", 1)
    office.hold("a", 2)
    found = office.desk.json("status", code=3)
    then = (office.now - AGO).isoformat()
    a, b = found.pop("connectors")
    assert (found.pop("engine"), found.pop("at") > office.now.isoformat()) == ("The embedded engine, at data", True)
    assert found == {
        "daemon_seen_at": office.now.isoformat(),
        "totals": {
            "connectors": 2,
            "need_a_person": 1,
            "running": 1,
            "waiting": 1,
            "held_deletions": 2,
            "dead_letters": 1,
        },
        "needs_a_person": [],
    }
    year = office.now.year + 1
    assert a["next"] == [
        {
            "job_type": "full",
            "custom_schedule": None,
            "interval": YEARLY,
            "at": f"{year}-01-01T00:00:00+00:00",
            "due_since": None,
        }
    ]
    counts = {"phase": None, "live": False, "lag_s": None, "read": None, "expected": None, "indexed": 7, "deleted": 1}
    seen = office.now.isoformat()
    assert a["running"] == [
        {"job": "1", "job_type": "full", "status": "canceling", "since": then, "last_seen": seen, "where": "host"}
        | counts
    ]
    [waiting] = a["waiting"]
    assert (waiting["job"], waiting["status"], waiting["since"], waiting["where"]) == ("2", "suspended", then, None)
    assert (a["held_deletions"], a["dead_letters"]) == (2, 1)
    assert [one["kind"] for one in a["needs_a_person"]] == ["held_deletions", "dead_letters"]
    assert (b["id"], b["needs_a_person"], b["next"], b["running"], b["waiting"]) == ("b", [], [], [], [])
    assert (b["status"], b["held_deletions"], b["dead_letters"]) == ("connected", 0, 0)


def test_a_screen_has_room_for_some_and_says_what_is_not_shown(office: Office) -> None:
    wrong = {"status": "error", "error": "x" * 500}
    office.put(*((f"c{number:03}", wrong if number < 30 else {}) for number in range(200)))
    for number in range(190, 198):
        office.run_job(f"j{number}", f"c{number}")
    shown = office.status(code=3)
    rows = [line[2:6] for line in shown if re.match(r"[! ] c\d", line)]
    assert rows == [*(f"c{number:03}" for number in range(15)), *(f"c{number}" for number in range(190, 195))]
    assert shown[5] == f"    {'x' * 179}… (connectors check c000)"
    assert shown[-1] == "180 more connectors, 15 of which need a person: connectors status --all"
    everyone = office.status("--all", code=3)
    assert len([line for line in everyone if re.match(r"[! ] c\d", line)]) == 200
    assert everyone[-1].startswith("  c199       connected")


@dataclass(frozen=True)
class Counting(Lane):
    """A lane that keeps what was asked."""

    calls: list[str] = field(default_factory=list)

    async def call(self, what: str, request: Request, answer: type[T], *, repeat: bool = True) -> T:
        self.calls.append(what)
        return await super().call(what, request, answer, repeat=repeat)


async def asked(engine: Engine) -> list[str]:
    """Return what is asked of an engine to find out how all connectors stand."""
    known = engine.control._lane
    lane, flavor = Counting(known.client, known.where, known.retry, known.turn), engine.info.flavor
    await survey(replace(engine, control=Operations(lane, flavor), indices=Indices(lane, flavor)), Settings())
    return lane.calls


async def test_a_thousand_connectors_take_hardly_more_requests_than_one(desk: Desk) -> None:
    scheduled = {"scheduling": {"full": {"enabled": True, "interval": YEARLY}}}
    office = Office(desk)
    async with desk.engine() as engine:
        await asked(engine)  # which makes the indices
        few = await asked(engine)
        for start in range(0, 1_000, 250):
            await office.write(engine, *((f"c{number:04}", scheduled) for number in range(start, start + 250)))
        many = await asked(engine)
    assert "search .elastic-connectors-sync-jobs" in few
    assert len(many) == len(few) + 1


@pytest.mark.parametrize(
    ("last_seen", "text"),
    [
        (None, "No daemon has looked after them yet, and 1 schedule made a sync due, the first 3 h ago."),
        (timedelta(hours=2), "No daemon has been there for 2 h, and 1 schedule made a sync due, the first 3 h ago."),
        (
            timedelta(minutes=5),
            "A daemon looked after them 5 min ago, and 1 schedule made a sync due, the first 3 h ago.",
        ),
    ],
)
def test_schedules_that_nobody_follows_need_a_person(office: Office, last_seen: timedelta | None, text: str) -> None:
    due = office.now - 3 * HOUR
    form = f"{due.second} {due.minute} {due.hour} {due.day} {due.month} ?"
    seen_at = office.now - last_seen if last_seen is not None else None
    schedule = {"scheduling": {"full": {"enabled": True, "interval": form}}, "last_seen": seen_at}
    office.put(("c", schedule))
    office.saw("c", form, office.now - 5 * HOUR)
    shown = office.status(code=3)
    assert shown[0] == totals("1 connector, 0 need a person; 0 syncs run, 0 wait; 0 held deletions, 0 dead letters")
    assert shown[1] == f"! {text} (connectors run)"
    assert shown[-1].split("  ")[-1] == "due since 3 h"


def test_a_schedule_without_any_daemon_needs_a_person(office: Office) -> None:
    office.put(("c", {"scheduling": {"full": {"enabled": True, "interval": YEARLY}}, "last_seen": None}))
    text = "No daemon has looked after them yet, and schedules are switched on."
    assert office.status(code=3)[1] == f"! {text} (connectors run)"
    office.put(("c", {"last_seen": None}))
    assert office.status()[1] == "No daemon has looked after them yet."


def test_syncs_that_wait_while_none_is_run_need_a_person(office: Office) -> None:
    office.put(("c", {}))
    office.job("1", "c")
    office.job("2", "c", created_at=office.now)
    [line] = [one for one in office.status(code=3) if one.startswith("!")]
    assert line.endswith(" and 2 syncs wait, the longest for 2 h, and none is run. (connectors run)")
    office.run_job("3", "gone")
    assert [one for one in office.status() if one.startswith("!")] == []


def test_a_sync_without_a_job_is_shown_while_its_process_lives(office: Office) -> None:
    office.put(("c", {}), ("d", {}))
    own = Instance.current()
    office.own("c", str(own))
    office.own("d", str(Instance(own.host, own.place, own.pid, "1")))
    shown = office.status()
    assert shown[0] == totals("2 connectors, 0 need a person; 1 sync runs, 0 wait; 0 held deletions, 0 dead letters")
    assert shown[-2].endswith(f" off   sync without a job, process {os.getpid()} on {own.host}")
    assert shown[-1].endswith(" off")


def test_a_record_that_can_not_be_read_is_told_and_all_else_is_shown(office: Office) -> None:
    office.put(("c", {}))
    office.letters("c", 1)
    office.hold("c", 2)
    office.put_record({"kind": "held", "format": 99, "record": {}})
    done = office.status(code=3)
    assert done[0] == totals("1 connector, 1 needs a person; 0 syncs run, 0 wait; 0 held deletions, 1 dead letter")
    known = "Use a version of Connectors at least as new as the newest that ran here."
    assert done[1] == f"! The record 'odd' has format 99, and this version knows held up to 1. {known}"
    [trouble] = office.desk.json("status", code=3)["needs_a_person"]
    assert (trouble["kind"], trouble["command"]) == ("record", None)


def test_a_job_that_has_its_index_is_one_sync(office: Office) -> None:
    office.put(("c", {}))
    office.run_job("1", "c")
    office.own("c", str(Instance.current()), run="1")
    shown = office.status()
    assert shown[0] == totals("1 connector, 0 need a person; 1 sync runs, 0 wait; 0 held deletions, 0 dead letters")
    assert shown[-1].endswith(" off   full sync for 2 h, 0 documents indexed, on host")


@pytest.fixture
def narrow(office: Office) -> Iterator[list[str]]:
    office.put(("a-connector-with-a-long-name-of-its-own", {"status": "error", "error": "No way. " * 60}))
    office.run_job("1", "a-connector-with-a-long-name-of-its-own", metadata={"sync": {"walked": 1_200}})
    terminal = Terminal(office.desk, "status", COLUMNS="80")
    try:
        yield re.sub(r"\x1b\[\d*m", "", terminal.end()).splitlines()
    finally:
        terminal.close()


def test_on_a_terminal_it_is_no_wider_than_that(narrow: list[str]) -> None:
    assert max(map(len, narrow)) <= 80
    assert sum("No way." in line for line in narrow) > 1
