"""SQL Server: snapshots, what happens when the server goes away, what ends when nobody waits, and what is refused."""

import asyncio
import socket
import threading
from contextlib import aclosing
from typing import Any

import pytest
import structlog
from OpenSSL import SSL
from pytds import tds_base  # type: ignore[import-untyped]

from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
    Throttled,
)
from connectors.secret import Secret
from connectors.sources._mssql.connection import GRACE_S, connect
from connectors.sources._mssql.errors import explained
from connectors.sources._mssql.reading import objection
from connectors.sources._sql.address import Address
from tests.sources.tds import DATABASE, PASSWORD, USER, Connection, Database, failure, made
from tests.sources.walks import Ahead, ids, walked

NUMBERS = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {}) "
KEYED = "CREATE TABLE t (id int PRIMARY KEY, v int)"
FILLED = f"INSERT INTO t {NUMBERS}SELECT n, 1 FROM s"
HEAP = "CREATE TABLE t (id int, v int)"
HERE = Address("sql.example.org", 1433, USER, DATABASE)
OFF = 0


@pytest.fixture
def shop() -> Any:
    with made() as found:
        yield found


# Snapshots.


async def test_a_walk_sees_all_tables_as_they_were_at_one_moment(shop: Database) -> None:
    await shop.run(KEYED, FILLED.format(50))
    await shop.run(KEYED.replace("TABLE t", "TABLE u"), "INSERT INTO u VALUES (1, 1)")
    found = []
    async with shop.source(fetch_size=10) as one, aclosing(walked(one)) as documents:
        async for document in documents:
            found.append(document["v"])
            if len(found) == 5:
                await shop.run("UPDATE t SET v = 2", "UPDATE u SET v = 2")
        assert found == [1] * 51
        assert [document["v"] async for document in walked(one)] == [2] * 51
    assert {one.level for one in shop.server.connections} == {"SNAPSHOT"}


async def test_a_snapshot_ends_after_some_time_and_the_walk_goes_on(shop: Database) -> None:
    clock, found = Ahead(), []
    await shop.run(KEYED, FILLED.format(20))
    async with shop.source(fetch_size=5, clock=clock) as one, aclosing(walked(one)) as documents:
        async for document in documents:
            found.append(document["v"])
            if len(found) == 2:
                await shop.run("UPDATE t SET v = 2")
            if len(found) == 12:
                clock.advance(901)
    assert found == [1] * 15 + [2] * 5


@pytest.mark.parametrize("state", [OFF, 2, 3, None])
async def test_a_database_without_snapshots_is_read_page_by_page_and_that_is_said(state: int | None) -> None:
    with made(snapshots=state) as shop:
        await shop.run(KEYED, FILLED.format(20))
        found = []
        with structlog.testing.capture_logs() as logs:
            async with shop.source(fetch_size=5) as one, aclosing(walked(one)) as documents:
                async for document in documents:
                    found.append(document["v"])
                    if len(found) == 2:
                        await shop.run("UPDATE t SET v = 2")
                assert (await one.health())["snapshots"] is False
        assert found == [1] * 5 + [2] * 15
        said = [one["event"] for one in logs if "snapshots" in one["event"]]
        assert said == ["The database allows no snapshots, so each page of it is of its own moment."]
        assert {one.level for one in shop.server.connections} == {"READ COMMITTED"}


async def test_health_says_what_server_it_is(shop: Database) -> None:
    await shop.run(KEYED, HEAP.replace("TABLE t", "TABLE heap"))
    async with shop.source() as one:
        assert await one.health() == {
            "server": "Microsoft SQL Server 16.0.4135.4, Developer Edition (64-bit)",
            "tables": 2,
            "tables_without_key": ["heap"],
            "snapshots": True,
        }


async def test_a_session_lets_others_go_first_and_waits_no_longer_than_it_may(shop: Database) -> None:
    await shop.run(KEYED)
    await shop.documents(statement_timeout_s=7)
    [connection] = shop.server.connections
    assert {"SET DEADLOCK_PRIORITY LOW", "SET LOCK_TIMEOUT 7000", "SET DATEFORMAT ymd"} <= set(connection.settings)
    assert connection.is_closed


# Lost connections.


class Failing:
    """Fails once, at the n-th time that something is done."""

    def __init__(self, what: str, nth: int, *, by: Exception | None = None) -> None:
        self._what, self._left, self._by = what, nth, by or tds_base.ClosedConnectionError()

    def __call__(self, text: str, connection: Connection) -> None:
        self._left -= self._what in text
        if self._left == 0:
            self._left = -1
            raise self._by


@pytest.mark.parametrize(
    "error",
    [
        tds_base.ClosedConnectionError(),
        ConnectionResetError(104, "Connection reset by peer"),
        failure(1205, "Transaction was deadlocked and has been chosen as the deadlock victim."),
        failure(3961, "Snapshot isolation transaction failed because of a DDL statement."),
    ],
)
async def test_a_connection_that_is_lost_between_pages_is_made_anew(shop: Database, error: Exception) -> None:
    await shop.run(KEYED, FILLED.format(50))
    shop.server.before = Failing("TOP", 3, by=error)
    assert ids(await shop.documents(fetch_size=10, retry_count=1)) == list(range(1, 51))
    first, second = shop.server.connections
    assert first.is_closed
    assert second.is_closed


async def test_without_retries_a_lost_connection_ends_the_walk(shop: Database) -> None:
    await shop.run(KEYED, FILLED.format(50))
    shop.server.before = Failing("TOP", 3)
    with pytest.raises(SourceUnreachable, match="can't be reached: Server closed connection"):
        await shop.documents(fetch_size=10)


@pytest.mark.parametrize("nth", [40, 101])
async def test_a_table_that_is_read_all_at_once_can_not_be_gone_on_with(shop: Database, nth: int) -> None:
    """An error behind the last row is one, too."""
    await shop.run(HEAP, FILLED.format(100))
    async with shop.source(retry_count=3, clock=Ahead()) as one:
        await one.datasets()
        shop.server.before = Failing("fetch", nth)
        with pytest.raises(SourceUnreachable):
            [True async for _ in walked(one)]


async def test_the_next_host_is_asked_where_one_can_not_be_reached(shop: Database) -> None:
    await shop.run(KEYED, FILLED.format(2))
    hosts = f"nobody.example.org, {shop.host}:1, {shop.host}"
    with structlog.testing.capture_logs() as logs:
        assert len(await shop.documents(host=hosts)) == 2
    assert [one["log_level"] for one in logs] == ["warning", "warning"]


async def test_a_replica_is_asked_for_by_the_intent(shop: Database) -> None:
    await shop.run(KEYED)
    await shop.documents()
    await shop.documents(read_only_intent=True, ssl_enabled=True, ssl_check_host=False)
    assert [intent for _, _, intent in shop.server.dialled] == ["ReadWrite", "ReadOnly"]
    assert [encryption and encryption.check_host for _, encryption, _ in shop.server.dialled] == [None, False]


# Nobody waits any more.


def waits_at(shop: Database, what: str) -> tuple[threading.Event, list[Connection]]:
    """Let a statement get no answer; return what tells that it waits, and which connections did."""
    waiting, those = threading.Event(), []

    def before(text: str, connection: Connection) -> None:
        if what in text:
            those.append(connection)
            waiting.set()
            connection.wait()

    shop.server.before = before
    return waiting, those


@pytest.mark.parametrize("table", [KEYED, HEAP])
async def test_a_walk_that_is_cancelled_cuts_the_line(shop: Database, table: str) -> None:
    await shop.run(table, FILLED.format(500))
    waiting, those = waits_at(shop, "fetch")
    async with shop.source() as one:
        shop.server.before, held = (lambda text, connection: None), shop.server.before
        datasets = await one.datasets()
        shop.server.before = held

        async def read() -> None:
            [True async for _ in one.read(datasets[0])]

        task = asyncio.create_task(read())
        await asyncio.to_thread(waiting.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        [connection] = those
        assert connection.wire.is_cut.is_set()
    assert connection.is_closed


async def test_closing_a_source_ends_what_it_waits_for(shop: Database) -> None:
    await shop.run(HEAP, FILLED.format(500))
    one = shop.source()
    datasets = await one.datasets()
    waiting, those = waits_at(shop, "fetch")

    async def read() -> None:
        [True async for _ in one.read(datasets[0])]

    task = asyncio.create_task(read())
    await asyncio.to_thread(waiting.wait, 30)
    await one.close()
    with pytest.raises(SourceUnreachable):
        await task
    assert those[0].is_closed


async def test_a_statement_without_an_answer_is_given_up(shop: Database) -> None:
    session = await connect(HERE, Secret(PASSWORD), None, 1.0 - GRACE_S, dial=shop.server.dial)
    _, those = waits_at(shop, "SELECT")
    with pytest.raises(SourceError, match=r"no answer within 1 s\..*statement_timeout_s"):
        await session.fetch("SELECT 1")
    assert those[0].wire.is_cut.is_set()
    assert not session.usable
    await session.close()
    assert those[0].is_closed


async def test_a_connection_that_comes_when_nobody_waits_any_more_is_closed(shop: Database) -> None:
    dialling, dialled = threading.Event(), threading.Event()

    def dial(*given: Any) -> Connection:
        dialling.set()
        assert dialled.wait(30)
        return shop.server.dial(*given)

    task = asyncio.create_task(connect(HERE, Secret(PASSWORD), None, 10.0, dial=dial))
    await asyncio.to_thread(dialling.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    dialled.set()
    async with asyncio.timeout(30):
        while [one.is_closed for one in shop.server.connections] != [True]:  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0.01)


async def test_a_stream_that_nobody_reads_to_its_end_leaves_its_connection(shop: Database) -> None:
    await shop.run(HEAP, FILLED.format(5_000))
    async with shop.source() as one:
        [dataset] = await one.datasets()
        rows: Any = one.read(dataset)
        await anext(rows)
        await rows.aclose()
        assert [one.is_closed for one in shop.server.connections] == [True]
        assert len(await shop.rows("t")) == 5_000


async def test_a_stream_that_ended_leaves_its_connection_to_the_next(shop: Database) -> None:
    await shop.run(HEAP, FILLED.format(100), "CREATE TABLE u (id int PRIMARY KEY)", "INSERT INTO u VALUES (1)")
    assert len(await shop.documents()) == 101
    assert len(shop.server.connections) == 1


async def test_a_page_of_large_rows_ends_early_and_the_walk_goes_on(shop: Database) -> None:
    await shop.run('CREATE TABLE t (id int PRIMARY KEY, v "nvarchar(max)")')
    await shop.run(f"INSERT INTO t {NUMBERS.format(120)}SELECT n, hex(zeroblob(250000)) FROM s")
    assert ids(await shop.documents()) == list(range(1, 121))
    assert len(shop.server.connections) > 1


async def test_a_text_that_is_no_unicode_is_an_error_that_says_so(shop: Database) -> None:
    await shop.run(KEYED, FILLED.format(5))
    shop.server.before = Failing("fetch", 12, by=UnicodeDecodeError("utf-16-le", b"\x00\xd8", 0, 2, "illegal encoding"))
    with pytest.raises(SourceError, match="none in Unicode"):
        await shop.documents()


async def test_what_returns_no_rows_is_no_query(shop: Database) -> None:
    async with shop.source() as one, one._sessions.lent() as session:
        with pytest.raises(SourceError, match="returns no rows"):
            await session.fetch("SET NOCOUNT ON")


# Errors.


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"password": "wrong"}, AccessDenied, "refuses the user 'connectors': Login failed"),
        ({"username": "nobody"}, AccessDenied, "refuses the user 'nobody'"),
        ({"database": "nothing"}, ConfigurationError, "has no database 'nothing': Cannot open database"),
        ({"port": 1}, SourceUnreachable, "can't be reached: Connection refused"),
        ({"host": "nobody.example.org"}, SourceUnreachable, "can't be reached: Name or service not known"),
        ({"host": ","}, ConfigurationError, "is no host"),
    ],
)
async def test_what_keeps_from_logging_in_says_what_to_do(
    shop: Database, given: dict[str, Any], kind: type[ConnectorsError], words: str
) -> None:
    async with shop.source(**given) as one:
        with pytest.raises(kind, match=words) as caught:
            await one.ping()
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (failure(229, "The SELECT permission was denied"), AccessDenied, "db_datareader in 'shop'"),
        (failure(230, "denied on the column"), AccessDenied, "GRANT SELECT"),
        (failure(18452, "The login is from an untrusted domain"), AccessDenied, "refuses the user"),
        (failure(18487, "The password of the account has expired"), AccessDenied, "refuses the user"),
        (failure(40615, "Client with IP address is not allowed"), AccessDenied, "firewall"),
        (failure(916, "is not able to access the database"), AccessDenied, "refuses the user"),
        (failure(911, "Database does not exist"), ConfigurationError, "has no database"),
        (failure(978, "accessible when the application intent is read only"), ConfigurationError, "read_only_intent"),
        (failure(1205, "was deadlocked and chosen as the victim"), SourceUnreachable, "victim"),
        (failure(1222, "Lock request time out period exceeded"), SourceUnreachable, "held a lock"),
        (failure(3960, "Snapshot isolation transaction aborted"), SourceUnreachable, "aborted"),
        (failure(40613, "is not currently available"), SourceUnreachable, "can't be reached"),
        (failure(10928, "The request limit is reached"), Throttled, "limit"),
        (failure(17809, "Could not connect because the maximum number"), Throttled, "maximum"),
        (failure(3906, "the database is read-only"), AccessDenied, "this would write"),
        (failure(208, "Invalid object name 't'."), SourceError, r"Invalid object name 't' \(error 208\)"),
        (tds_base.Error("encryption is not supported by server"), ConfigurationError, "has no encrypted"),
        (SSL.Error([("SSL routines", "", "certificate verify failed")]), ConfigurationError, "is not trusted"),
        (SSL.Error([]), SourceUnreachable, "Error"),
        (socket.gaierror(-2, "Name or service not known"), SourceUnreachable, "not known"),
        (TimeoutError(), SourceUnreachable, "no answer came in time"),
        (tds_base.InterfaceError("Connection closed"), SourceUnreachable, "Connection closed"),
    ],
)  # fmt: skip
def test_an_error_means_something(error: Exception, kind: type[ConnectorsError], words: str) -> None:
    found = explained(error, HERE)
    assert type(found) is kind
    assert HERE.host in str(found)
    with pytest.raises(kind, match=words):
        raise found


# What may be run.


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT [delete], \"update\", 'insert; exec', N'drop' FROM t -- insert\n/* /* delete */ */",
        "WITH a AS (SELECT 1 AS x) SELECT * FROM a;",
        "(SELECT place FROM visits) UNION ALL SELECT word FROM words",
        "SELECT TOP 5 WITH TIES * FROM t ORDER BY a",
        "SELECT * FROM a INNER MERGE JOIN b ON a.x = b.x CROSS APPLY (SELECT TOP 1 * FROM c WHERE c.x = a.x) q",
        "SELECT a, COUNT(*) AS n FROM t WITH (NOLOCK) GROUP BY a WITH ROLLUP OPTION (RECOMPILE)",
        "SELECT IIF(a = 1, 2, 3) AS i, TRY_CAST(a AS int) AS c, LEFT(b, 2) AS l, p.place.STAsText() AS g FROM t AS p",
        "SELECT * FROM t ORDER BY a OFFSET 0 ROWS FETCH NEXT 10 ROWS ONLY",
        "SELECT * FROM t FOR JSON PATH",
        "SELECT * FROM t FOR SYSTEM_TIME AS OF '2024-01-01'",
        "SELECT 'a\\' AS x, 'b' AS [into]\r\nFROM t",
    ],
)
def test_what_only_reads_may_be_run(text: str) -> None:
    assert objection(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT * INTO copy FROM t",
        "SELECT 1 AS a DELETE FROM t",
        "SELECT 1 COMMIT",
        "SELECT 1 AS a EXEC sp_who",
        "SELECT 1; DELETE FROM t",
        "SELECT 1; SELECT 2",
        "EXEC sp_who",
        "sp_who",
        "WITH a AS (SELECT 1 AS x) DELETE FROM a",
        "MERGE t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
        "SELECT * FROM OPENROWSET('a', 'b', 'c') AS x",
        "SELECT * FROM OPENROWSET(BULK 'c:\\secret', SINGLE_CLOB) AS x",
        "SELECT * FROM OPENQUERY(linked, 'DELETE FROM t')",
        "SELECT NEXT VALUE FOR numbers",
        "SELECT * FROM t WITH (UPDLOCK)",
        "SELECT * FROM t FOR UPDATE",
        "SELECT 1 -- a\rDELETE FROM t",
        "SELECT 1 -- a\u2028DELETE FROM t",
        "SELECT 'a",
        "DECLARE @a int",
        "BEGIN TRANSACTION",
        "IF 1 = 1 SELECT 1",
        "WAITFOR DELAY '10:00'",
        "DROP TABLE t",
    ],
)
async def test_what_does_more_than_read_is_refused_and_never_sent(shop: Database, text: str) -> None:
    assert objection(text) is not None
    async with shop.source() as one:
        with pytest.raises(AccessDenied, match="this would write"):
            [row async for row in one.native_query(text)]
    assert text not in shop.server.statements


async def test_all_is_undone_and_nothing_is_asked_outside_of_a_transaction(shop: Database) -> None:
    """The rehearsal asserts the second half."""
    await shop.run(KEYED, FILLED.format(3))
    async with shop.source() as one:
        [True async for _ in walked(one)]
        [True async for _ in walked(one)]
    undo = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"
    begin = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION"
    texts = [one for one in shop.server.statements if one in {undo, begin} or "COMMIT" in one]
    assert texts == [undo, begin] * 2


async def test_a_session_that_can_not_be_set_up_is_closed(shop: Database) -> None:
    shop.server.before = Failing("SERVERPROPERTY", 1, by=failure(40613, "Database is not currently available."))
    with pytest.raises(SourceUnreachable, match="not currently available"):
        await shop.documents()
    assert [one.is_closed for one in shop.server.connections] == [True]
