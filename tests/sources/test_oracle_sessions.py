"""Oracle: what a walk is of one moment, what is asked of a session, and what happens when a server goes away."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
    Throttled,
)
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.row_walk import closing_walk
from connectors.secret import Secret
from connectors.sources._oracle.connection import Login, OracleSession, connect
from connectors.sources._sql.address import Address
from connectors.sources.oracle import OracleDataSource
from tests.sources.oracle_stand_in import Database, dpy, made, ora
from tests.sources.walks import SEVERAL_MOMENTS, Ahead, ids, walked

HERE = Address("127.0.0.1", 1521, "CONNECTORS", "FREEPDB1")
MANY = "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {}) INSERT INTO {} SELECT n, 1 FROM s"


@asynccontextmanager
async def shop(**tables: int) -> AsyncIterator[Database]:
    """Provide a database with tables of so many rows."""
    with made() as database:
        for name, rows in tables.items():
            key = "" if name.startswith("B") else " PRIMARY KEY"
            await database.run(
                f"CREATE TABLE {name} (ID NUMBER(10,0) NOT NULL{key}, V NUMBER(10,0))", MANY.format(rows, name)
            )
        yield database


async def test_a_walk_sees_all_tables_as_they_were_at_one_moment() -> None:
    async with shop(A=600, B=10) as database:
        found: list[Any] = []
        async with database.source(fetch_size=100) as one, aclosing(walked(one)) as documents:
            async for document in documents:
                found.append(document)
                if len(found) == 1:
                    await database.run("UPDATE A SET V = 2", "DELETE FROM A WHERE ID > 300", "DELETE FROM B")
            assert [one["V"] for one in found] == [1] * 610
            assert [document["V"] async for document in walked(one)] == [2] * 300


async def test_a_snapshot_is_the_first_statement_of_its_transaction() -> None:
    async with shop(A=3) as database:
        async with database.source() as one:
            assert len([True async for _ in walked(one)]) == 3
        asked = [text for text in database.server.asked if text not in {"FETCH", "CONNECT"}]
        assert asked[0].startswith("ALTER SESSION SET NLS_SORT = BINARY NLS_COMP = BINARY")
        assert asked[1:4] == [
            "ALTER SESSION SET TIME_ZONE = '+00:00'",
            'ALTER SESSION SET CURRENT_SCHEMA = "SHOP"',
            "SET TRANSACTION READ ONLY",
        ]
        assert asked[4:6] == ["ROLLBACK", "SET TRANSACTION READ ONLY"]
        assert asked[-1] == "CLOSE"


async def test_a_snapshot_ends_after_some_time_and_the_walk_goes_on() -> None:
    clock, found = Ahead(), []
    async with shop(A=20) as database:
        async with database.source(fetch_size=5, clock=clock) as one, aclosing(walked(one)) as documents:
            async for document in documents:
                found.append(document["V"])
                if len(found) == 2:
                    await database.run("UPDATE A SET V = 2")
                if len(found) == 12:
                    clock.advance(901)
    assert found == [1] * 15 + [2] * 5
    assert one.remarks == [SEVERAL_MOMENTS]


async def test_a_snapshot_that_is_too_old_is_followed_by_the_next() -> None:
    found = []
    async with shop(A=20) as database:
        async with (
            database.source(fetch_size=5, retry_count=1, clock=Ahead()) as one,
            aclosing(walked(one)) as documents,
        ):
            async for document in documents:
                found.append((document["ID"], document["V"]))
                if len(found) == 5:
                    await database.run("UPDATE A SET V = 2")
                    database.server.faults.append(("FETCH", ora(1555)))
        assert [connection.is_open for connection in database.server.connections] == [False, False]
    assert found == [(n, 1) for n in range(1, 6)] + [(n, 2) for n in range(6, 21)]


@pytest.mark.parametrize("fault", [dpy(4011), ora(3113), ora(1466), ora(28)])
async def test_a_connection_that_is_lost_between_pages_is_made_anew(fault: Exception) -> None:
    found = []
    async with shop(A=50) as database:
        async with (
            database.source(fetch_size=10, retry_count=3, clock=Ahead()) as one,
            aclosing(walked(one)) as documents,
        ):
            async for document in documents:
                found.append(document["ID"])
                if len(found) % 10 == 5:
                    database.server.faults.append(("SELECT", fault))
    assert found == list(range(1, 51))


async def test_a_table_that_is_read_all_at_once_can_not_be_gone_on_with() -> None:
    async with shop(B=3_000) as database:
        async with database.source(retry_count=3, clock=Ahead()) as one, aclosing(walked(one)) as documents:
            await anext(documents)
            database.server.faults.append(("FETCH", ora(1555)))
            with pytest.raises(SourceUnreachable, match="snapshot too old") as caught:
                [True async for _ in documents]
        assert "UNDO_RETENTION" in str(caught.value.hint)


async def test_a_table_that_is_read_all_at_once_is_begun_again() -> None:
    async with shop(B=30) as database:
        database.server.faults.append((' FROM "SHOP"."B" "rows"', dpy(4011)))
        async with database.source(retry_count=1, clock=Ahead()) as one:
            assert len([True async for _ in walked(one)]) == 30


async def test_a_stream_that_is_left_keeps_its_connection() -> None:
    """Nothing is on its way: the server sends rows when they are asked for."""
    async with shop(B=3_000) as database:
        async with database.source() as one:
            [dataset] = await one.datasets()
            for _ in range(3):
                async with closing_walk(one.read(dataset)) as rows:
                    assert isinstance(await anext(rows), dict)
            assert len([True async for _ in one.read(dataset)]) == 3_000
        assert len(database.server.connections) == 1


async def test_a_stream_that_is_cancelled_in_its_midst_gives_the_connection_up() -> None:
    async with shop(B=3_000) as database:
        async with database.source() as one:
            [dataset] = await one.datasets()
            begun = asyncio.Event()

            async def read() -> None:
                async for _ in one.read(dataset):
                    database.server.silent = True
                    begun.set()

            reading = asyncio.create_task(read(), name="reading")
            await begun.wait()
            while database.server.asked[-1] != "FETCH" or one._sessions._lent == set():  # noqa: ASYNC110
                await asyncio.sleep(0)
            for _ in range(5):
                await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            [connection] = database.server.connections
            assert (connection.is_canceled, connection.is_open) == (True, False)
            database.server.silent = False
            assert len([True async for _ in one.read(dataset)]) == 3_000


class Hurried(OracleSession):
    """A session that waits no longer than the driver, and less."""

    grace_s = -0.9


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    async with shop(A=3) as database:
        async with database.source(statement_timeout_s=1) as one:
            await one.ping()
            session = Hurried(database.server.connections[0], HERE, 1)
            database.server.silent = True
            with pytest.raises(SourceUnreachable, match=r"did not answer within 0\.1 s"):
                await session.fetch('SELECT "ID" FROM "SHOP"."A"')
            assert not session.usable
            [connection] = database.server.connections
            assert (connection.is_canceled, connection.is_open) == (True, False)
            await session.close()
            database.server.silent = False


async def test_the_driver_ends_a_statement_that_takes_too_long() -> None:
    async with shop(A=3) as database:
        async with database.source(statement_timeout_s=7) as one:
            session = await one.connect()
            assert database.server.connections[0].call_timeout == 7_000
            database.server.faults.append(("SELECT", dpy(4024, timeout=7_000)))
            with pytest.raises(SourceError, match="call timeout of 7000 ms exceeded"):
                await session.fetch('SELECT "ID" FROM "SHOP"."A"')
            assert session.usable
            await session.close()


async def test_a_page_that_turns_out_huge_ends_early_and_the_connection_stays() -> None:
    async with shop(A=2_000) as database:
        async with database.source() as one:
            session = await one.connect()
            page = await session.fetch('SELECT "ID", "V" FROM "SHOP"."A"', most_bytes=5_000)
            assert (page.complete, session.usable) == (False, True)
            assert 200 < len(page.rows) < 2_000
            whole = await session.fetch('SELECT "ID", "V" FROM "SHOP"."A"')
            assert (whole.complete, len(whole.rows)) == (True, 2_000)
            await session.close()


async def test_a_source_that_is_closed_gives_up_what_runs() -> None:
    async with shop(A=3) as database:
        async with database.source() as one:
            await one.ping()
            database.server.silent = True
            asking = asyncio.create_task(one.ping(), name="asking")
            for _ in range(20):
                await asyncio.sleep(0)
        with pytest.raises(ConnectorsError):
            await asking
        assert not any(connection.is_open for connection in database.server.connections)


async def test_two_reads_at_once_have_sessions_of_their_own() -> None:
    async with shop(A=10, B=5_000) as database, database.opened() as (one, datasets):
        seen = 0
        async with closing_walk(one.read(datasets["B"])) as rows:
            async for _ in rows:
                seen += 1
                if seen == 1:
                    assert ids([row async for row in one.read(datasets["A"])], "ID") == list(range(1, 11))
        assert seen == 5_000
        assert len(database.server.connections) == 2


async def test_health_tells_the_server_and_tables_without_keys() -> None:
    async with shop(A=1, B=1) as database, database.source() as one:
        assert await one.health() == {
            "server": "Oracle Database 23.4.0.24.5",
            "tables": 2,
            "tables_without_key": ["B"],
        }


@pytest.mark.parametrize(
    ("given", "kind", "field"),
    [
        ({"password": "wrong"}, AccessDenied, None),
        ({"service_name": "ELSEWHERE"}, ConfigurationError, "service_name"),
        ({"connection_source": "sid", "sid": "ORCL"}, ConfigurationError, "sid"),
        ({"schema": "shop"}, ConfigurationError, "schema"),
    ],
)
async def test_who_can_not_log_in_is_told_why(
    given: dict[str, Any], kind: type[ConnectorsError], field: str | None
) -> None:
    async with shop(A=1) as database, database.source(**given) as one:
        with pytest.raises(kind) as caught:
            await one.ping()
        assert getattr(caught.value, "field", None) == field
        assert not any(connection.is_open for connection in database.server.connections)


# The driver itself, with a listener that answers as Oracle's does until somebody would log in.


@asynccontextmanager
async def listener(code: int | None, trusted: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Provide the port of a listener that refuses with a code, or says nothing at all."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            if await reader.read(4_096) and code is not None:
                words = (
                    f"(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR={code})(ERROR_STACK=(ERROR=(CODE={code})(EMFI=4))))".encode()
                )
                body = b"\x04\x22" + struct.pack(">H", len(words)) + words
                writer.write(struct.pack(">HHBBH", 8 + len(body), 0, 4, 0, 0) + body)
                await writer.drain()
            elif code is None:
                await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=trusted)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def source(port: int, **given: object) -> OracleDataSource:
    settings = {"host": "127.0.0.1", "username": "u", "password": "p", "service_name": "S", "retry_count": 0, **given}
    configuration = Configuration(OracleDataSource.fields, {"port": port, **settings}, Grants(None))
    configuration.check()
    return OracleDataSource(configuration)


@pytest.mark.parametrize(
    ("code", "given", "kind"),
    [
        (12514, {}, ConfigurationError),
        (12505, {"connection_source": "sid", "sid": "X"}, ConfigurationError),
        (12516, {}, Throttled),
        (12519, {}, Throttled),
        (12520, {}, Throttled),
        (12528, {}, SourceUnreachable),
        (12541, {}, SourceUnreachable),
    ],
)
async def test_what_a_listener_refuses_with_is_told(
    code: int, given: dict[str, Any], kind: type[ConnectorsError]
) -> None:
    async with listener(code) as port, source(port, **given) as one:
        with pytest.raises(kind) as caught:
            await one.ping()
        assert type(caught.value) is kind
        assert "CONNECTION_ID" not in str(caught.value)


async def test_a_host_where_nobody_listens_is_told() -> None:
    async with source(1) as one:
        with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1:1 can't be reached: .*Connect call failed"):
            await one.ping()
    async with source(1, host="nobody.invalid, 127.0.0.1:2") as one:
        with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1:2 can't be reached"):
            await one.ping()


async def test_a_listener_that_says_nothing_is_given_up() -> None:
    login = Login("service_name", Secret("p"), "SHOP")
    async with listener(None) as port:
        with pytest.raises(SourceUnreachable, match="no answer came in time"):
            await connect(Address("127.0.0.1", port, "u", "S"), login, 1, within_s=0.1)


def server_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def test_an_encrypted_connection_is_checked() -> None:
    authority, other = trustme.CA(), trustme.CA()
    trusted = {"oracle_protocol": "TCPS", "ssl_ca": authority.cert_pem.bytes().decode()}
    async with listener(12514, server_of(authority.issue_cert("db.example.org"))) as port:
        for given in ({"oracle_protocol": "TCPS"}, {**trusted, "ssl_ca": other.cert_pem.bytes().decode()}, trusted):
            async with source(port, **given) as one:
                with pytest.raises(ConfigurationError, match="not trusted") as caught:
                    await one.ping()
                assert caught.value.field == "ssl_ca"
        async with source(port, **trusted, ssl_check_host=False) as one:
            with pytest.raises(ConfigurationError, match="no service 'S'"):
                await one.ping()


async def test_a_server_that_is_not_encrypted_is_told_from_one_that_is() -> None:
    async with listener(12514) as port, source(port, oracle_protocol="TCPS") as one:
        with pytest.raises((ConfigurationError, SourceUnreachable)) as caught:
            await one.ping()
        assert "encrypted" in str(caught.value) or "can't be reached" in str(caught.value)


async def test_the_certificates_of_a_wallet_count(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ewallet.pem"))
    given = {"oracle_protocol": "TCPS", "ssl_check_host": False, "wallet_configuration_path": str(tmp_path)}
    async with listener(12514, server_of(authority.issue_cert("db.example.org"))) as port:
        async with source(port, **given) as one:
            with pytest.raises(ConfigurationError, match="no service 'S'"):
                await one.ping()
        (tmp_path / "ewallet.pem").unlink()
        async with source(port, **given) as one:
            with pytest.raises(ConfigurationError, match="no wallet") as caught:
                await one.ping()
            assert caught.value.field == "wallet_configuration_path"


async def test_what_is_no_certificate_is_a_wrong_setting() -> None:
    async with source(1, oracle_protocol="TCPS", ssl_ca="nonsense") as one:
        with pytest.raises(ConfigurationError, match="no certificate") as caught:
            await one.ping()
        assert caught.value.field == "ssl_ca"


def test_a_name_of_a_service_is_a_name() -> None:
    with pytest.raises(ConfigurationError) as caught:
        source(1, service_name="x)(SERVER=y")
    assert caught.value.field == "service_name"
