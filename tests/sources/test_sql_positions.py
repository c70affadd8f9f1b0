"""Positions without a server: what servers say that can't be had here, and walks that are led to another server."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from connectors.errors import AccessDenied, ConnectorsError, SourceUnreachable
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.sources._mysql.position import doubt_about, position_of
from connectors.sources._postgresql.position import position_of as position_of_postgresql
from connectors.sources._sql.session import NOTHING, Fetched, Session, Stream
from connectors.sources._sql.table import Table
from connectors.sources.mysql import MySQLDataSource
from connectors.storage import Storage
from tests.sources.walks import walked

Answer = Sequence[tuple[Any, ...]] | ConnectorsError
NOW: Final = 1_700_000_000
MARIADB: Final = {
    "uptime": "60",
    "log_bin": "ON",
    "log_slave_updates": "OFF",
    "gtid_slave_pos": "",
    "slaves_running": "0",
    "innodb_read_only": "OFF",
    "server_uid": "one",
    "binlog_snapshot_file": "log.1",
    "binlog_snapshot_position": "400",
    "innodb_max_trx_id": "30",
}
MYSQL: Final = {
    "uptime": "60",
    "log_bin": "ON",
    "log_replica_updates": "ON",
    "innodb_read_only": "OFF",
    "server_uuid": "one",
    "gtid_mode": "ON",
    "version_comment": "MySQL Community Server - GPL",
    "innodb_log_write_requests": "77",
}
POSTGRESQL: Final = "PostgreSQL 15.4 on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit"
CATALOG: Final[Mapping[str, Answer]] = {
    "information_schema.TABLES\n": [("t", 0, 1)],
    "information_schema.COLUMNS\nWHERE TABLE_SCHEMA = %(group)s ORDER": [("t", "id", "int(11)", 0, 1)],
    "information_schema.STATISTICS": [("t", "PRIMARY", 1, "id", 1, 0)],
    "COALESCE(ENGINE": [("t", "BASE TABLE", "InnoDB")],
    "GENERATION_EXPRESSION": [],
}


async def nobody() -> AsyncIterator[Sequence[tuple[Any, ...]]]:
    """Yield nothing."""
    for _ in ():
        yield ()


class Recorded(Session):
    """Answers what it was told to, by a part of the question."""

    def __init__(self, server: str, answers: Mapping[str, Answer], said: Mapping[str, str]) -> None:
        self.server = server
        self.said = said
        self.asked: list[str] = []
        self.last = "nothing"
        """A part of the question behind which its connection is lost."""
        self._answers = answers

    async def begin(self) -> None:
        """Begin a snapshot."""

    async def fetch(self, text: str, given: Mapping[str, Any] = NOTHING, *, most_bytes: int | None = None) -> Fetched:
        """Return what was recorded."""
        self.asked.append(text)
        self.usable = self.last not in text
        if "UNIX_TIMESTAMP" in text:
            return Fetched([(name, value, NOW) for name, value in self.said.items()], 0, complete=True)
        answer = next(answer for part, answer in self._answers.items() if part in text)
        if isinstance(answer, ConnectorsError):
            self.usable = False
            raise answer
        return Fetched(answer, 0, complete=True)

    @asynccontextmanager
    async def streamed(self, text: str, given: Mapping[str, Any] | None = None) -> AsyncIterator[Stream]:
        """Return nothing: nobody asks."""
        yield Stream((), nobody())

    async def described(self, text: str) -> Sequence[str]:
        """Return nothing: nobody asks."""
        raise NotImplementedError

    async def close(self) -> None:
        """Be of no use any more."""
        self.usable = False


def mariadb(**more: str) -> Recorded:
    return Recorded("10.11.19-MariaDB", {**CATALOG, "FROM `shop`.`t`": [(1,)]}, {**MARIADB, **more})


def mysql(executed: str = "a:1-5", **more: str) -> Recorded:
    return Recorded("8.0.35", {"gtid_executed": [(executed,)]}, {**MYSQL, **more})


async def test_a_server_of_mysql_has_a_position() -> None:
    first = await position_of(mysql())
    assert (first.why_not, first.server.split()) == ("", ["one", str(NOW - 60)])
    assert first == await position_of(mysql())
    others = [mysql("a:1-6"), mysql(innodb_log_write_requests="78"), mysql(uptime="61"), mysql(server_uuid="two")]
    assert first not in [await position_of(one) for one in others]


async def test_what_a_server_of_mysql_has_executed_may_be_long() -> None:
    """The variables of a server are cut off where they are asked for in a table."""
    many = ",".join(f"{number}:1-5" for number in range(1_000))
    assert await position_of(mysql(many)) != await position_of(mysql(f"{many}:7"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"gtid_mode": "OFF"}, "gtid_mode"),
        ({"gtid_mode": "ON_PERMISSIVE"}, "gtid_mode"),
        ({"log_bin": "OFF"}, "log_bin"),
        ({"log_replica_updates": "OFF"}, "log_replica_updates"),
        ({"innodb_read_only": "ON"}, "innodb_read_only"),
        ({"aurora_version": "3.04"}, "Aurora"),
        ({"version_comment": "Dolt"}, "none of MySQL itself"),
        ({"version_comment": "TiDB Server"}, "none of MySQL itself"),
        ({"server_uuid": ""}, "server_uuid"),
        ({"innodb_log_write_requests": ""}, "innodb_log_write_requests"),
        ({"uptime": ""}, "since when"),
        ({"uptime": "1"}, "a moment ago"),
    ],
)
async def test_a_server_of_mysql_says_why_it_has_none(more: Mapping[str, str], words: str) -> None:
    assert words in (await position_of(mysql(**more))).why_not


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"log_bin": "OFF"}, "log_bin"),
        ({"uptime": "1"}, "a moment ago"),
        ({"wsrep_on": "ON"}, "wsrep_on"),
        ({"slaves_running": "1"}, "log_slave_updates"),
        ({"gtid_slave_pos": "0-1-5"}, "log_slave_updates"),
        ({"innodb_max_trx_id": ""}, "innodb_max_trx_id"),
        ({"binlog_snapshot_file": ""}, "binlog_snapshot_file"),
    ],
)
async def test_a_server_of_mariadb_says_why_it_has_none(more: Mapping[str, str], words: str) -> None:
    assert words in (await position_of(mariadb(**more))).why_not


async def test_a_replica_of_mariadb_that_logs_what_it_replicates_has_a_position() -> None:
    found = await position_of(mariadb(slaves_running="1", gtid_slave_pos="0-1-5", log_slave_updates="ON"))
    assert (found.moment, found.why_not) == ("log.1:400 30", "")


async def test_a_table_that_nothing_is_said_about_is_doubted() -> None:
    assert await doubt_about(mariadb(), "shop", [Table("shop", "t", ())]) == ""
    assert "'u'" in await doubt_about(mariadb(), "shop", [Table("shop", "t", ()), Table("shop", "u", ())])


@pytest.mark.parametrize(
    ("version", "is_known"),
    [
        (POSTGRESQL, True),
        ("PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc", True),
        ("PostgreSQL 16.1, compiled by Visual C++ build 1937, 64-bit", True),
        ("PostgreSQL 11.2-YB-2.18.0.1-b0 on x86_64-pc-linux-gnu, compiled by clang", False),
        ("PostgreSQL 12.12 (Greenplum Database 7.0.0 build commit:1) on x86_64-pc-linux-gnu, compiled by gcc", False),
        ("PostgreSQL 17beta1 on x86_64-pc-linux-gnu", False),
        ("CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu)", False),
        ("(openGauss 5.0.0 build a07d57c3) compiled at 2023", False),
    ],
)
async def test_only_postgresql_itself_has_a_position(version: str, is_known: bool) -> None:
    assert bool((await position_of_postgresql(postgresql(version=version))).moment) is is_known


@pytest.mark.parametrize("more", [{"is_standby": True}, {"has_citus": True}, {"is_aurora": True}, {"reset": None}])
async def test_a_server_of_postgresql_says_why_it_has_none(more: Mapping[str, Any]) -> None:
    assert (await position_of_postgresql(postgresql())).why_not == ""
    assert (await position_of_postgresql(postgresql(**more))).why_not


def postgresql(**more: Any) -> Recorded:
    said = {
        "snapshot": "7:7:",
        "is_standby": False,
        "version": POSTGRESQL,
        "has_citus": False,
        "is_aurora": False,
        "system": "1",
        "started": "2026",
        "reset": "2025",
        "configured": "2027",
        **more,
    }
    return Recorded("PostgreSQL 15.4", {"pg_is_in_recovery": [tuple(said.values())]}, {})


class Led(MySQLDataSource):
    """Is led to one server after the other, as by a proxy; the last one stays."""

    servers: Sequence[Recorded] = ()

    async def connect(self) -> Session:
        """Connect to the next one."""
        first, *others = self.servers
        self.servers = others or [first]
        first.usable = True
        return first


def led(storage: Storage, *servers: Recorded) -> Led:
    given = {"host": "a", "user": "u", "password": "p", "database": "shop", "retry_count": 0}
    one = Led(Configuration(Led.fields, given, Grants()))
    one.servers, one.storage = servers, storage
    return one


async def token_after_a_walk(storage: Storage, token: Any, *servers: Recorded) -> tuple[bool, Any]:
    """Ask at the first server, walk at the last one, and return the answer."""
    if len(servers) > 1:
        servers[0].last = "GENERATION_EXPRESSION"
    one = led(storage, *servers)
    answer = await one.changed(token)
    assert [found["id"] async for found in walked(one)] == [1]
    return answer


def other() -> Recorded:
    return mariadb(server_uid="two")


async def test_a_walk_at_the_server_that_was_asked_makes_the_next_sync_needless() -> None:
    storage = Storage.in_memory()
    _, token = await token_after_a_walk(storage, None, mariadb(), mariadb())
    assert not (await led(storage, mariadb()).changed(token))[0]


async def test_the_token_of_a_walk_at_another_server_holds_for_nothing() -> None:
    """Not even after other walks elsewhere, which did not come to their ends; the token of a good one does."""
    storage = Storage.in_memory()
    _, token = await token_after_a_walk(storage, None, mariadb(), other())
    for _ in range(3):
        changed, later = await token_after_a_walk(storage, token, mariadb(), other())
        assert changed
        assert (await led(storage, mariadb()).changed(later))[0]
    assert (await led(storage, mariadb()).changed(token))[0]
    changed, good = await token_after_a_walk(storage, token, mariadb(), mariadb())
    assert changed
    assert not (await led(storage, mariadb()).changed(good))[0]


async def test_a_token_that_lacks_anything_is_a_change() -> None:
    storage = Storage.in_memory()
    _, token = await led(storage, mariadb()).changed(None)
    assert token is not None
    assert not (await led(storage, mariadb()).changed(token))[0]
    for left in token:
        part = {name: one for name, one in token.items() if name != left}
        assert (await led(storage, mariadb()).changed(part))[0]
        assert (await led(storage, mariadb()).changed({**token, left: None}))[0]
    assert (await led(storage, mariadb()).changed({**token, "more": 1}))[0]


async def test_a_server_that_can_not_be_asked_in_a_walk_is_another_one() -> None:
    storage = Storage.in_memory()
    silent = mariadb(uptime="")
    _, token = await token_after_a_walk(storage, None, mariadb(), silent)
    assert (await led(storage, mariadb()).changed(token))[0]


async def test_without_a_token_a_walk_asks_no_server_which_it_is() -> None:
    server = mariadb(log_bin="OFF")
    await token_after_a_walk(Storage.in_memory(), None, server)
    assert len([text for text in server.asked if "UNIX_TIMESTAMP" in text]) == 1


async def test_what_may_pass_is_no_answer() -> None:
    """It is tried again, by whoever asked; what the server refuses is a yes."""
    for error, raised in ((AccessDenied("No."), False), (SourceUnreachable("Gone."), True)):
        server = Recorded("10.11.19-MariaDB", {**CATALOG, "COALESCE(ENGINE": error}, MARIADB)
        one = led(Storage.in_memory(), server)
        if raised:
            with pytest.raises(SourceUnreachable):
                await one.changed(None)
        else:
            assert await one.changed(None) == (True, None)
