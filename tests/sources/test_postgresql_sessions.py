"""PostgreSQL: what a walk is of one moment, what happens when the server goes away, and what ends when nobody waits."""

import asyncio
import os
import signal
import tracemalloc
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.changes import Checkpoint, Upsert
from connectors.errors import AccessDenied, ConfigurationError, ConnectorsError, SourceError, SourceUnreachable
from connectors.row_walk import closing_walk
from connectors.sources._sql.incremental import Place
from connectors.sources._sql.page import Statements
from fixtures.postgresql.server import PASSWORD, USER
from tests.sources.postgres import Database, own_server
from tests.sources.sql_connections import ROWS, asked_for_everything, fill
from tests.sources.walks import SEVERAL_MOMENTS, Ahead, ids, walked

FILL = "INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, {}) n"
LARGE = "CREATE TABLE t (id int PRIMARY KEY, v text)"
ACTIVE = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{USER}' AND state = 'active'"
OPEN = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{USER}'"


async def becomes(store: Database, query: str, wanted: int) -> None:
    """Wait until a query returns a number."""
    async with asyncio.timeout(60):
        while await store.run(query) != [(wanted,)]:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)


async def killed(store: Database) -> None:
    await store.run(f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = '{USER}'")


async def test_a_walk_sees_all_tables_as_they_were_at_one_moment(store: Database) -> None:
    await store.run(
        "CREATE TABLE a (id int PRIMARY KEY, v int)",
        "CREATE TABLE b (v int)",
        "INSERT INTO a SELECT n, 1 FROM generate_series(1, 600) n",
        "INSERT INTO b SELECT n FROM generate_series(1, 10) n",
    )
    found: list[Any] = []
    async with store.source(fetch_size=100) as one, aclosing(walked(one)) as documents:
        async for document in documents:
            found.append(document)
            if len(found) == 1:
                await store.run("UPDATE a SET v = 2", "DELETE FROM a WHERE id > 300", "DELETE FROM b")
        assert [one["v"] for one in found] == [1] * 600 + list(range(1, 11))
        assert [document["v"] async for document in walked(one)] == [2] * 300  # the next walk is of its own moment


async def test_a_snapshot_ends_after_some_time_and_the_walk_goes_on(store: Database) -> None:
    clock = Ahead()
    await store.run(
        "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t SELECT n, 1 FROM generate_series(1, 20) n"
    )
    found = []
    async with store.source(fetch_size=5, clock=clock) as one, aclosing(walked(one)) as documents:
        async for document in documents:
            found.append(document["v"])
            if len(found) == 2:
                await store.run("UPDATE t SET v = 2")
            if len(found) == 12:
                assert one.remarks == []
                clock.advance(901)
    assert found == [1] * 15 + [2] * 5
    assert one.remarks == [SEVERAL_MOMENTS]


async def test_each_page_may_be_of_its_own_moment(store: Database) -> None:
    await store.run(
        "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t SELECT n, 1 FROM generate_series(1, 20) n"
    )
    found = []
    async with store.source(fetch_size=5, snapshot_max_s=0) as one, aclosing(walked(one)) as documents:
        async for document in documents:
            found.append(document["v"])
            if len(found) == 2:
                await store.run("UPDATE t SET v = 2")
    assert found == [1] * 5 + [2] * 15


async def test_a_connection_that_is_lost_between_pages_is_made_anew(store: Database) -> None:
    await store.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t SELECT generate_series(1, 50)")
    found = []
    async with store.source(fetch_size=10, retry_count=3, clock=Ahead()) as one:
        async with aclosing(walked(one)) as documents:
            async for document in documents:
                found.append(document["id"])
                if len(found) % 10 == 5:
                    await killed(store)
    assert found == list(range(1, 51))


async def test_a_connection_that_is_lost_before_a_table_is_read_all_at_once_is_made_anew(store: Database) -> None:
    await store.run("CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int)", "INSERT INTO a VALUES (1), (2)")
    await store.run("INSERT INTO b VALUES (3), (4)")
    found = []
    async with store.source(retry_count=3, clock=Ahead()) as one, aclosing(walked(one)) as documents:
        async for document in documents:
            found.append(document["id"])
            if document["id"] == 2:
                await killed(store)
    assert found == [1, 2, 3, 4]


async def test_a_table_that_is_read_all_at_once_can_not_be_gone_on_with(store: Database) -> None:
    await store.run("CREATE TABLE t (v text)", "INSERT INTO t SELECT repeat('x', 10000) FROM generate_series(1, 3000)")
    async with store.source(retry_count=3, clock=Ahead()) as one, aclosing(walked(one)) as documents:
        await anext(documents)
        await killed(store)
        with pytest.raises(SourceUnreachable):
            [True async for _ in documents]


async def test_without_retries_a_lost_connection_ends_the_walk(store: Database) -> None:
    await store.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t SELECT generate_series(1, 50)")
    async with store.source(fetch_size=10) as one, aclosing(walked(one)) as documents:
        await anext(documents)
        await killed(store)
        with pytest.raises(SourceUnreachable, match="can't be reached: terminating connection"):
            [True async for _ in documents]


async def test_a_server_that_is_killed_and_started_again_is_read_on() -> None:
    async with own_server() as store:
        await store.run(LARGE, FILL.format(20_000))
        found: list[int] = []
        starting = None
        async with store.source(retry_count=10) as one, aclosing(walked(one)) as documents:
            async for document in documents:
                found.append(document["id"])
                if len(found) == 5_000:
                    await store.server.kill()
                    starting = asyncio.create_task(store.server.start(), name="starting")
        assert starting is not None
        await starting
    assert found == list(range(1, 20_001))


async def test_a_walk_whose_server_stays_away_ends_in_error() -> None:
    async with own_server() as store:
        await store.run(LARGE, FILL.format(5_000))
        async with store.source(retry_count=2, clock=Ahead()) as one, aclosing(walked(one)) as documents:
            await anext(documents)
            await store.server.kill()
            with pytest.raises(SourceUnreachable) as caught:
                [True async for _ in documents]
        assert caught.value.__notes__ == ["Gave up after 3 attempts."]


async def test_what_is_written_during_a_walk_is_in_no_half(store: Database) -> None:
    """A writer moves amounts between rows all the time: their sum is the same in each snapshot."""
    await store.run(
        "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t SELECT n, 100 FROM generate_series(1, 3000) n"
    )
    stopped = asyncio.Event()

    async def write() -> int:
        moves = 0
        while not stopped.is_set():
            giver, taker = 1 + moves % 1500, 1501 + moves % 1500
            await store.run(
                f"UPDATE t SET v = v + CASE id WHEN {taker} THEN 1 ELSE -1 END WHERE id IN ({giver}, {taker})"
            )
            moves += 1
        return moves

    writing = asyncio.create_task(write(), name="writing")
    sums = []
    for _ in range(5):
        async with store.source(fetch_size=100) as one:
            sums.append(sum([document["v"] async for document in walked(one)]))
    stopped.set()
    assert await writing > 0
    assert sums == [300_000] * 5


async def test_what_is_streamed_does_not_pile_up_while_nobody_reads(store: Database) -> None:
    await store.run("CREATE TABLE t (v text)", "INSERT INTO t SELECT repeat('x', 10000) FROM generate_series(1, 6000)")
    async with store.source() as one:
        [dataset] = await one.datasets()
        tracemalloc.start()
        count = 0
        async with closing_walk(one.read(dataset)) as rows:
            async for _ in rows:
                count += 1
                if count == 10:
                    await asyncio.sleep(1)  # for what is sent meanwhile
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert count == 6000
    assert most < 8 * 2**20


async def test_a_stream_that_is_left_ends_in_the_server_too(store: Database) -> None:
    await store.run("CREATE TABLE t (v text)", "INSERT INTO t SELECT repeat('x', 10000) FROM generate_series(1, 6000)")
    async with store.source() as one:
        [dataset] = await one.datasets()
        for _ in range(3):
            async with closing_walk(one.read(dataset)) as rows:
                assert isinstance(await anext(rows), dict)
        await becomes(store, OPEN, 0)
        assert len([True async for _ in one.read(dataset)]) == 6000


async def test_a_statement_that_nobody_waits_for_any_more_ends_in_the_server(store: Database) -> None:
    await store.run("CREATE TABLE t (id int PRIMARY KEY)")
    async with store.source() as one:
        session = await one.connect()
        asking = asyncio.create_task(session.fetch("SELECT pg_sleep(600)"), name="asking")
        await becomes(store, ACTIVE, 1)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        assert not session.usable
        await becomes(store, ACTIVE, 0)
        await session.close()
        await becomes(store, OPEN, 0)


async def test_a_source_that_is_closed_ends_what_it_does(store: Database) -> None:
    await store.run("CREATE VIEW slow AS SELECT n, pg_sleep(600)::text AS v FROM generate_series(1, 2) n")
    async with store.source(tables="slow") as one:
        reading = asyncio.create_task(anext(walked(one)), name="reading")
        await becomes(store, ACTIVE, 1)
        await one.close()
        with pytest.raises(ConnectorsError):
            await reading
    await becomes(store, OPEN, 0)


async def test_a_statement_that_takes_too_long_is_ended(store: Database) -> None:
    async with store.source(statement_timeout_s=1) as one:
        session = await one.connect()
        with pytest.raises(SourceError, match="statement_timeout_s"):
            await session.fetch("SELECT pg_sleep(600)")
        await session.close()
        await becomes(store, OPEN, 0)


async def test_what_is_streamed_may_take_longer(store: Database) -> None:
    async with store.source(statement_timeout_s=1) as one:
        async with one._sessions.streamed("SELECT pg_sleep(1.5)") as stream:
            assert [len(part) async for part in stream.parts] == [1]
        async with one._sessions.lent() as session:
            assert (await session.fetch("SHOW statement_timeout")).rows == [("1s",)]


async def test_a_server_that_keeps_silent_is_given_up(store: Database) -> None:
    async with store.source(statement_timeout_s=1) as one:
        session = await one.connect()
        [(process,)] = (await session.fetch("SELECT pg_backend_pid()")).rows
        os.kill(process, signal.SIGSTOP)
        try:
            with pytest.raises(SourceUnreachable, match="did not answer within 6 s"):
                await session.fetch("SELECT 1")
        finally:
            os.kill(process, signal.SIGCONT)
        assert not session.usable
        await session.close()
        await becomes(store, OPEN, 0)


async def test_a_session_writes_nothing(store: Database) -> None:
    await store.run("CREATE TABLE t (id int PRIMARY KEY)", f"GRANT ALL ON t TO {USER}")
    async with store.source() as one:
        for text in (
            "INSERT INTO t VALUES (1)",
            "DROP TABLE t",
            "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
            "CREATE TEMPORARY TABLE u AS SELECT 1",
        ):
            with pytest.raises(AccessDenied, match="only read"):
                [row async for row in one.native_query(text)]
        with pytest.raises(SourceError, match="multiple commands"):
            [row async for row in one.native_query("SELECT 1; DROP TABLE t")]
        # What ends the transaction ends the session, with all that was set in it.
        for text in ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "COMMIT"):
            with pytest.raises(SourceError, match="returns no rows"):
                [row async for row in one.native_query(text)]
        with pytest.raises(AccessDenied, match="only read"):
            [row async for row in one.native_query("INSERT INTO t VALUES (1)")]
        set_config = "SELECT set_config('default_transaction_read_only', 'off', false) AS now"
        assert [row async for row in one.native_query(set_config)] == [{"now": "off"}]
        with pytest.raises(AccessDenied, match="only read"):
            [row async for row in one.native_query("INSERT INTO t VALUES (1)")]
    assert await store.run("SELECT * FROM t") == []


async def test_a_query_that_is_wrong_leaves_the_session_as_it_was(store: Database) -> None:
    async with store.source() as one, one._sessions.lent() as session:
        for _ in range(2):
            with pytest.raises(SourceError, match='column "no" does not exist'):
                await session.described("SELECT no")
        assert await session.described("SELECT 1 AS a, 2 AS a, 'x' AS \"Ü\"") == ["a", "a", "Ü"]
        assert session.usable


async def test_an_encrypted_connection_is_checked() -> None:
    authority, other = trustme.CA(), trustme.CA()
    async with own_server(encrypted_by=authority.issue_cert("127.0.0.1")) as store:
        await store.run(LARGE, FILL.format(3000))
        trusted: dict[str, Any] = {
            "ssl_enabled": True,
            "ssl_ca": authority.cert_pem.bytes().decode().replace("\n", " "),
        }
        assert len(await store.rows("t", given=trusted)) == 3000
        async with store.source(**trusted) as one:
            session = await one.connect()
            assert (await session.fetch("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).rows == [(True,)]
            asking = asyncio.create_task(session.fetch("SELECT pg_sleep(600)"), name="asking")
            await becomes(store, ACTIVE, 1)
            asking.cancel()
            await becomes(store, ACTIVE, 0)
            await session.close()
        for given in ({"ssl_enabled": True}, {**trusted, "ssl_ca": other.cert_pem.bytes().decode()}):
            async with store.source(**given) as one:
                with pytest.raises(ConfigurationError, match="not trusted") as caught:
                    await one.ping()
                assert caught.value.field == "ssl_ca"


async def test_the_name_of_the_host_is_checked_unless_it_need_not_be() -> None:
    authority = trustme.CA()
    async with own_server(encrypted_by=authority.issue_cert("db.example.org")) as store:
        trusted: dict[str, Any] = {"ssl_enabled": True, "ssl_ca": authority.cert_pem.bytes().decode()}
        async with store.source(**trusted) as one:
            with pytest.raises(ConfigurationError, match="not trusted"):
                await one.ping()
        async with store.source(**trusted, ssl_check_host=False) as one:
            await one.ping()


async def test_hosts_are_tried_in_turn(store: Database) -> None:
    await store.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    there, away = f"127.0.0.1:{store.server.port}", "127.0.0.1:1"
    assert await store.rows("t", given={"host": f"{away}, {there}", "port": 2}) == [{"id": 1}]
    async with store.source(host=f"{away}, {away}") as one:
        with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1:1 can't be reached"):
            await one.ping()
    async with store.source(host=f"{there}, {away}", password="wrong") as one:
        with pytest.raises(AccessDenied):
            await one.ping()


async def test_a_password_may_have_any_characters(store: Database) -> None:
    await store.run("CREATE USER \"łu kasz'\" PASSWORD 'żółć''-pä ssword='")
    try:
        async with store.source(username="łu kasz'", password="żółć'-pä ssword=", tables="no_*") as one:
            await one.ping()
    finally:
        await store.run('DROP USER "łu kasz\'"')


async def test_no_password_is_sent_as_plain_text(store: Database) -> None:
    """A server that asks for it may be anybody who stands between."""

    async def asks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big"))
        with suppress(ConnectionError):
            heard.append(await reader.read(4096))
        writer.close()
        ended.set()

    ended = asyncio.Event()
    heard: list[bytes] = []
    server = await asyncio.start_server(asks, "127.0.0.1", 0)
    async with server, store.source(port=server.sockets[0].getsockname()[1]) as one:
        with pytest.raises(AccessDenied, match="cleartext"):
            await one.ping()
        await ended.wait()
    assert not any(heard)


async def test_settings_of_this_machine_do_not_count(
    store: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / ".pgpass").write_text(f"*:*:*:*:{PASSWORD}\n")
    (tmp_path / ".pgpass").chmod(0o600)
    for name, value in {
        "PGOPTIONS": "-c nonsense=1",
        "PGSSLMODE": "require",
        "PGPASSWORD": PASSWORD,
        "PGPASSFILE": str(tmp_path / ".pgpass"),
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    async with store.source(tables="no_*") as one:
        await one.ping()
    async with store.source(password="") as one:
        with pytest.raises(AccessDenied):
            await one.ping()
    assert "password file" not in capfd.readouterr().err


async def test_health_tells_the_server_and_tables_without_keys(store: Database) -> None:
    await store.run("CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int)")
    async with store.source() as one:
        health = await one.health()
    assert health["server"].startswith("PostgreSQL 1")
    assert (health["tables"], health["tables_without_key"]) == (2, ["b"])


async def test_what_grows_is_read_from_where_it_was(store: Database) -> None:
    await store.run(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz)",
        "CREATE INDEX ON t (at)",
        "INSERT INTO t SELECT n, timestamptz '2024-01-01' + n * interval '1 hour' FROM generate_series(1, 100) n",
        "INSERT INTO t VALUES (101, NULL), (102, '-infinity')",
    )
    found, cursor = await _changes(store, None)
    assert found == list(range(1, 103))
    await store.run(
        "UPDATE t SET at = '2025-01-01' WHERE id = 7",
        "INSERT INTO t VALUES (200, timestamptz '2024-01-01' + interval '99 hours 59 minutes 10 seconds')",
    )
    found, cursor = await _changes(store, cursor)
    assert found == [102, 200, 100, 7]  # what is of no calendar may have changed
    assert (await _changes(store, cursor))[0] == [102, 7]


async def _changes(store: Database, cursor: Any) -> tuple[list[int], Any]:
    found = []
    async with store.source(cursor_columns="at") as one, closing_walk(one.get_docs_incrementally(cursor)) as walk:
        async for change in walk:
            if isinstance(change, Upsert):
                found.append(change.document["id"])
            elif isinstance(change, Checkpoint):
                cursor = change.cursor
    return found, cursor


async def test_two_reads_at_once_have_sessions_of_their_own(store: Database) -> None:
    await store.run("CREATE TABLE a (v int)", "CREATE TABLE b (id int PRIMARY KEY)")
    await store.run("INSERT INTO a SELECT generate_series(1, 50000)", "INSERT INTO b SELECT generate_series(1, 10)")
    async with store.opened() as (one, datasets):
        seen = 0
        async with closing_walk(one.read(datasets["a"])) as rows:
            async for _ in rows:
                seen += 1
                if seen == 1:
                    assert ids([row async for row in one.read(datasets["b"])]) == list(range(1, 11))
        assert seen == 50_000


async def test_an_index_finds_what_changed(store: Database) -> None:
    await store.run(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz, v text)",
        "CREATE INDEX by_time ON t (at)",
        "INSERT INTO t SELECT n, timestamptz '2024-01-01' + n * interval '1 hour', repeat('x', 100) "
        "FROM generate_series(1, 20000) n",
        "ANALYZE t",
    )
    async with store.source(cursor_columns="at") as one:
        await one.datasets()
        table = one._tables["t"]
        place = Place("at", "2026-03-20T00:00:00+00:00")
        statements = Statements(one.dialect, table, table.names, place.where(timedelta(60)), ("at", "id"))
        for after in (None, (datetime(2026, 3, 21, tzinfo=UTC), 7)):
            text, given = statements.page(after, 50)
            plan = [row[0] for row in (await one._sessions.fetch(f"EXPLAIN {text}", given)).rows]
            assert any("by_time" in line for line in plan), plan
            assert not any("Seq Scan" in line for line in plan), plan


async def test_a_session_goes_on_after_a_stream_only_where_that_was_read_to_its_end(store: Database) -> None:
    async with store.source() as one:
        session = await one.connect()
        await session.begin()
        async with session.streamed("SELECT generate_series(1, 40) AS n") as stream:
            assert [[value for (value,) in part] async for part in stream.parts] == [
                [*range(1, 33)],
                [*range(33, 41)],
            ]
        assert session.usable
        async with session.streamed("SELECT generate_series(1, 40) AS n") as stream:
            assert await anext(stream.parts)
        assert not session.usable


@pytest.mark.parametrize("most", [1, 2])
async def test_a_source_has_as_many_sessions_as_it_may(most: int, store: Database) -> None:
    await fill(store, f"SELECT generate_series(1, {ROWS}) AS n")
    found, sessions = await asked_for_everything(store, most)
    assert found == [2 * ROWS, 2 * ROWS, 3 * ROWS, 2 * ROWS + 2, ROWS, 1, 4]
    assert sessions == most
