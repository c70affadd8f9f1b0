"""MySQL: what a walk is of one moment, what happens when the server goes away, and what is held of what is streamed."""

import asyncio
import os
import signal
import tracemalloc
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.errors import AccessDenied, ConfigurationError, SourceError, SourceUnreachable
from connectors.row_walk import closing_walk
from connectors.sources._sql.address import addresses_of
from fixtures.mysql.server import USER
from tests.sources.mariadb import Database, own_server
from tests.sources.sql_connections import ROWS, asked_for_everything, fill
from tests.sources.walks import SEVERAL_MOMENTS, Ahead, ids, walked

LARGE = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(2000))"
FILL = "INSERT INTO t SELECT seq, REPEAT('x', 1000) FROM seq_1_to_{}"


async def test_a_walk_sees_all_tables_as_they_were_at_one_moment(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE a (id INT PRIMARY KEY, v INT)",
        "CREATE TABLE b (v INT)",
        "INSERT INTO a SELECT seq, 1 FROM seq_1_to_600",
        "INSERT INTO b SELECT seq FROM seq_1_to_10",
    )
    found: list[Any] = []
    async with shop.source(fetch_size=100) as one, aclosing(walked(one)) as documents:
        async for document in documents:
            found.append(document)
            if len(found) == 1:
                await shop.run("UPDATE a SET v = 2", "DELETE FROM a WHERE id > 300", "DELETE FROM b")
        assert [one["v"] for one in found] == [1] * 600 + list(range(1, 11))
        assert [document["v"] async for document in walked(one)] == [2] * 300  # the next walk is of its own moment


async def test_a_snapshot_ends_after_some_time_and_the_walk_goes_on(shop: Database) -> None:
    clock = Ahead()
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 1 FROM seq_1_to_20")
    found = []
    async with shop.source(fetch_size=5, clock=clock) as one, aclosing(walked(one)) as documents:
        async for document in documents:
            found.append(document["v"])
            if len(found) == 2:
                await shop.run("UPDATE t SET v = 2")
            if len(found) == 12:
                assert one.remarks == []
                clock.advance(901)
    assert found == [1] * 15 + [2] * 5
    assert one.remarks == [SEVERAL_MOMENTS]


async def test_each_page_may_be_of_its_own_moment(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 1 FROM seq_1_to_20")
    found = []
    async with shop.source(fetch_size=5, snapshot_max_s=0) as one, aclosing(walked(one)) as documents:
        async for document in documents:
            found.append(document["v"])
            if len(found) == 2:
                await shop.run("UPDATE t SET v = 2")
    assert found == [1] * 5 + [2] * 15


async def test_a_connection_that_is_lost_between_pages_is_made_anew(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t SELECT seq FROM seq_1_to_50")
    found = []
    async with shop.source(fetch_size=10, retry_count=3, clock=Ahead()) as one:
        async with aclosing(walked(one)) as documents:
            async for document in documents:
                found.append(document["id"])
                if len(found) % 10 == 5:
                    await killed(shop)
    assert found == list(range(1, 51))


async def killed(shop: Database) -> None:
    for number, user in await shop.run("SELECT id, user FROM information_schema.PROCESSLIST WHERE command <> 'Killed'"):
        if user == USER:
            await shop.run(f"KILL {number}")


async def test_a_connection_that_is_lost_before_a_table_is_read_all_at_once_is_made_anew(shop: Database) -> None:
    await shop.run("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT)", "INSERT INTO a VALUES (1), (2)")
    await shop.run("INSERT INTO b VALUES (3), (4)")
    found = []
    async with shop.source(retry_count=3, clock=Ahead()) as one, aclosing(walked(one)) as documents:
        async for document in documents:
            found.append(document["id"])
            if document["id"] == 2:
                await killed(shop)
    assert found == [1, 2, 3, 4]


async def test_a_table_that_is_read_all_at_once_can_not_be_gone_on_with(shop: Database) -> None:
    await shop.run("CREATE TABLE t (v TEXT)", "INSERT INTO t SELECT REPEAT('x', 10000) FROM seq_1_to_3000")
    async with shop.source(retry_count=3, clock=Ahead()) as one, aclosing(walked(one)) as documents:
        await anext(documents)
        await killed(shop)
        with pytest.raises(SourceUnreachable):
            [True async for _ in documents]


async def test_without_retries_a_lost_connection_ends_the_walk(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t SELECT seq FROM seq_1_to_50")
    async with shop.source(fetch_size=10) as one, aclosing(walked(one)) as documents:
        await anext(documents)
        await killed(shop)
        with pytest.raises(SourceUnreachable, match="can't be reached"):
            [True async for _ in documents]


@pytest.mark.parametrize("change", ["ADD COLUMN more INT DEFAULT 1", "FORCE, ALGORITHM = COPY"])
async def test_a_table_that_is_altered_meanwhile_is_read_on(shop: Database, change: str) -> None:
    await shop.run(
        "CREATE TABLE a (id INT PRIMARY KEY)",
        "CREATE TABLE b (id INT PRIMARY KEY)",
        "INSERT INTO a SELECT seq FROM seq_1_to_20",
        "INSERT INTO b SELECT seq FROM seq_1_to_20",
    )
    found = []
    async with shop.source(fetch_size=10, retry_count=3, clock=Ahead()) as one:
        async with aclosing(walked(one)) as documents:
            async for document in documents:
                found.append(document["id"])
                if len(found) == 1:
                    await shop.run(f"ALTER TABLE b {change}")
    assert found == [*range(1, 21), *range(1, 21)]


async def test_a_server_that_is_killed_and_started_again_is_read_on() -> None:
    async with own_server() as shop:
        await shop.run("SET GLOBAL innodb_flush_log_at_trx_commit = 1", LARGE, FILL.format(20_000))
        found: list[int] = []
        starting = None
        async with shop.source(retry_count=10) as one, aclosing(walked(one)) as documents:
            async for document in documents:
                found.append(document["id"])
                if len(found) == 5_000:
                    await shop.server.kill()
                    starting = asyncio.create_task(shop.server.start(), name="starting")
        assert starting is not None
        await starting
    assert found == list(range(1, 20_001))


async def test_a_walk_whose_server_stays_away_ends_in_error() -> None:
    async with own_server() as shop:
        await shop.run(LARGE, FILL.format(5_000))
        async with shop.source(retry_count=2, clock=Ahead()) as one, aclosing(walked(one)) as documents:
            await anext(documents)
            await shop.server.kill()
            with pytest.raises(SourceUnreachable) as caught:
                [True async for _ in documents]
        assert caught.value.__notes__ == ["Gave up after 3 attempts."]


async def test_what_is_written_during_a_walk_is_in_no_half(shop: Database) -> None:
    """A writer moves amounts between rows all the time: their sum is the same in each snapshot."""
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 100 FROM seq_1_to_3000")
    stopped = asyncio.Event()

    async def write() -> int:
        moves = 0
        while not stopped.is_set():
            giver, taker = 1 + moves % 1500, 1501 + moves % 1500
            await shop.run(f"UPDATE t SET v = v + IF(id = {taker}, 1, -1) WHERE id IN ({giver}, {taker})")
            moves += 1
        return moves

    writing = asyncio.create_task(write(), name="writing")
    sums = []
    for _ in range(5):
        async with shop.source(fetch_size=100) as one:
            sums.append(sum([document["v"] async for document in walked(one)]))
    stopped.set()
    assert await writing > 0
    assert sums == [300_000] * 5


async def test_what_is_streamed_does_not_pile_up_while_nobody_reads(shop: Database) -> None:
    await shop.run("CREATE TABLE t (v TEXT)", "INSERT INTO t SELECT REPEAT('x', 10000) FROM seq_1_to_6000")
    async with shop.source() as one:
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


async def test_a_stream_that_is_left_gives_its_connection_up(shop: Database) -> None:
    await shop.run("CREATE TABLE t (v TEXT)", "INSERT INTO t SELECT REPEAT('x', 10000) FROM seq_1_to_6000")
    async with shop.source() as one:
        [dataset] = await one.datasets()
        for _ in range(3):
            async with closing_walk(one.read(dataset)) as rows:
                assert isinstance(await anext(rows), dict)
        assert len([True async for _ in one.read(dataset)]) == 6000


async def test_two_reads_at_once_have_sessions_of_their_own(shop: Database) -> None:
    await shop.run("CREATE TABLE a (v INT)", "CREATE TABLE b (id INT PRIMARY KEY)")
    await shop.run("INSERT INTO a SELECT seq FROM seq_1_to_50000", "INSERT INTO b SELECT seq FROM seq_1_to_10")
    async with shop.opened() as (one, datasets):
        seen = 0
        async with closing_walk(one.read(datasets["a"])) as rows:
            async for _ in rows:
                seen += 1
                if seen == 1:
                    assert ids([row async for row in one.read(datasets["b"])]) == list(range(1, 11))
        assert seen == 50_000


async def test_a_statement_that_takes_too_long_is_ended(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t SELECT seq FROM seq_1_to_10")
    await shop.run("CREATE VIEW slow AS SELECT id, SLEEP(1) AS v FROM t")
    async with shop.source(statement_timeout_s=1) as one:
        session = await one.connect()
        with pytest.raises(SourceError, match="statement_timeout_s"):
            await session.fetch("SELECT * FROM slow")
        assert session.usable
        await session.close()


async def test_a_session_writes_nothing(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY)", f"GRANT ALL ON {shop.name}.* TO '{USER}'@'127.0.0.1'")
    async with shop.source() as one:
        session = await one.connect()
        for text in ("INSERT INTO t VALUES (1)", "DROP TABLE t", "UPDATE t SET id = 1"):
            with pytest.raises(AccessDenied, match="only read"):
                await session.fetch(text)
        with pytest.raises(SourceError, match="syntax"):
            await session.fetch("SELECT 1; DROP TABLE t")
        assert (await session.fetch("SELECT COUNT(*) FROM t")).rows == [(0,)]
        await session.close()


async def test_a_source_that_is_closed_opens_nothing_more(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY)")
    async with shop.source() as one:
        [dataset] = await one.datasets()
    with pytest.raises(SourceError, match="closed"):
        await anext(one.read(dataset))


async def test_an_encrypted_connection_is_checked() -> None:
    authority, other = trustme.CA(), trustme.CA()
    async with own_server(encrypted_by=authority.issue_cert("127.0.0.1")) as shop:
        await shop.run("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t SELECT seq FROM seq_1_to_3000")
        trusted: dict[str, Any] = {"ssl_enabled": True, "ssl_ca": authority.cert_pem.bytes().decode()}
        assert len(await shop.rows("t", given=trusted)) == 3000
        async with shop.source(**trusted) as one:
            session = await one.connect()
            assert (await session.fetch("SHOW STATUS LIKE 'Ssl_cipher'")).rows[0][1]
            await session.close()
        for given in ({"ssl_enabled": True}, {**trusted, "ssl_ca": other.cert_pem.bytes().decode()}):
            async with shop.source(**given) as one:
                with pytest.raises(ConfigurationError, match="not trusted") as caught:
                    await one.ping()
                assert caught.value.field == "ssl_ca"


async def test_the_name_of_the_host_is_checked_unless_it_need_not_be() -> None:
    authority = trustme.CA()
    async with own_server(encrypted_by=authority.issue_cert("db.example.org")) as shop:
        trusted: dict[str, Any] = {"ssl_enabled": True, "ssl_ca": authority.cert_pem.bytes().decode()}
        async with shop.source(**trusted) as one:
            with pytest.raises(ConfigurationError, match="not trusted"):
                await one.ping()
        async with shop.source(**trusted, ssl_check_host=False) as one:
            await one.ping()


async def test_hosts_are_tried_in_turn(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    there, away = f"127.0.0.1:{shop.server.port}", "127.0.0.1:1"
    assert await shop.rows("t", given={"host": f"{away}, {there}", "port": 2}) == [{"id": 1}]
    async with shop.source(host=f"{away}, {away}") as one:
        with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1:1 can't be reached"):
            await one.ping()
    async with shop.source(host=f"{there}, {away}", password="wrong") as one:
        with pytest.raises(AccessDenied):
            await one.ping()


@pytest.mark.parametrize("host", ["a,,b", "a:b", ":3306", "[a]", "a b"])
async def test_what_is_no_host_is_a_wrong_setting(shop: Database, host: str) -> None:
    async with shop.source(host=host) as one:
        with pytest.raises(ConfigurationError, match="is no host") as caught:
            await one.ping()
    assert caught.value.field == "host"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("db", [("db", 3306)]),
        (" db.example.org:3307 , 10.0.0.1", [("db.example.org", 3307), ("10.0.0.1", 3306)]),
        ("::1, [fe80::1]:33", [("::1", 3306), ("fe80::1", 33)]),
    ],
)
def test_hosts_have_ports_of_their_own_where_they_say_so(given: str, wanted: list[tuple[str, int]]) -> None:
    assert [(found.host, found.port) for found in addresses_of(given, 3306, "me", "shop")] == wanted


async def test_a_password_may_have_any_characters(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "CREATE OR REPLACE USER 'łukasz'@'127.0.0.1' IDENTIFIED BY 'żółć-pässword'",
        f"GRANT SELECT ON {shop.name}.* TO 'łukasz'@'127.0.0.1'",
    )
    async with shop.source(user="łukasz", password="żółć-pässword") as one:
        await one.ping()


async def test_no_password_is_sent_as_plain_text(shop: Database) -> None:
    """A server that asks for it may be anybody who stands between."""

    async def asks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        salt = b"\x01" * 8
        greeting = (
            b"\x0a8.0.0\0\x01\0\0\0" + salt + b"\0\xff\xf7\x2d\x02\0\xff\x81\x15" + b"\0" * 10 + b"\x02" * 12 + b"\0"
        )
        greeting += b"mysql_native_password\0"
        writer.write(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
        await reader.read(4096)
        switch = b"\xfemysql_clear_password\0"
        writer.write(len(switch).to_bytes(3, "little") + b"\x02" + switch)
        with suppress(ConnectionError):
            heard.append(await reader.read(4096))
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    ended = asyncio.Event()
    heard: list[bytes] = []
    server = await asyncio.start_server(asks, "127.0.0.1", 0)
    async with server, shop.source(port=server.sockets[0].getsockname()[1]) as one:
        with pytest.raises(AccessDenied, match="plain text"):
            await one.ping()
        await ended.wait()
    assert not any(heard)


async def test_health_tells_the_server_and_tables_without_keys(shop: Database) -> None:
    await shop.run("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT)")
    async with shop.source() as one:
        health = await one.health()
    assert "MariaDB" in health["server"]
    assert (health["tables"], health["tables_without_key"]) == (2, ["b"])


async def test_a_query_of_ones_own_is_run(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY, v BIT(3))", "INSERT INTO t VALUES (1, 5), (2, NULL)")
    async with shop.source() as one:
        assert [row async for row in one.native_query("SELECT *, id FROM t WHERE '%' = '%' ORDER BY id")] == [
            {"id": 1, "v": 5, "id:1": 1},
            {"id": 2, "v": None, "id:1": 2},
        ]
        with pytest.raises(AccessDenied):
            [row async for row in one.native_query("DELETE FROM t")]


MODE = "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE"


async def test_the_mode_of_a_server_changes_nothing() -> None:
    async with own_server() as shop:
        await shop.run(
            "CREATE TABLE t (n INT, k VARCHAR(20) PRIMARY KEY, c CHAR(5))",
            r"""INSERT INTO t VALUES (1, 'a\\', 'x'), (2, 'b''', 'x'), (3, 'c"', 'x'), (4, 'd\n', 'x')""",
            "INSERT INTO t VALUES (5, 'e', 'x')",
            f"SET GLOBAL sql_mode = '{MODE}'",
        )
        for size in (1, 2):
            rows = await shop.rows("t", given={"fetch_size": size})
            assert [(row["n"], row["c"]) for row in rows if isinstance(row, dict)] == [(n, "x") for n in range(1, 6)]


async def test_sessions_are_two_at_most_and_closed_with_the_source(shop: Database) -> None:
    await shop.run("CREATE TABLE a (v INT)", "CREATE TABLE b (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1), (2)")
    async with shop.source() as one:
        await one.ping()
        for _ in range(3):
            assert len([document async for document in walked(one)]) == 2
        assert await shop.connections() == 1
        async with closing_walk(one.get_docs()) as documents:
            await anext(documents)
            assert [True async for _ in one.read((await one.datasets())[1])] == []
            assert await shop.connections() == 2


async def all_stopped(pid: int) -> None:
    """Wait until each thread of a process has stopped: they do so one after the other."""

    def states() -> set[str]:
        threads = Path(f"/proc/{pid}/task").glob("*/stat")
        return {one.read_text().rpartition(")")[2].split()[0] for one in threads}

    async with asyncio.timeout(30):
        while states() != {"T"}:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_a_server_that_stands_still_is_given_up() -> None:
    async with own_server() as shop:
        await shop.run(LARGE, FILL.format(100))
        async with shop.source(statement_timeout_s=1) as one:
            session = await one.connect()
            os.kill(shop.server.pid, signal.SIGSTOP)
            try:
                await all_stopped(shop.server.pid)
                with pytest.raises(SourceUnreachable, match="did not answer within 6 s"):
                    await session.fetch("SELECT 1")
            finally:
                os.kill(shop.server.pid, signal.SIGCONT)
            assert not session.usable
            await session.close()


@pytest.mark.parametrize("most", [1, 2])
async def test_a_source_has_as_many_sessions_as_it_may(most: int, shop: Database) -> None:
    await fill(shop, f"SELECT seq AS n FROM seq_1_to_{ROWS}")
    found, sessions = await asked_for_everything(shop, most)
    assert found == [2 * ROWS, 2 * ROWS, 3 * ROWS, 2 * ROWS + 2, ROWS, 1, 4]
    assert sessions == most
