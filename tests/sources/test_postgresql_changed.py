"""Whether PostgreSQL has changed: never a wrong no, whatever is done to the server, and a no where nothing was."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fixtures.postgresql.server import ADMIN, PASSWORD, USER, PostgreSQL
from tests.sources.changes import Token, asked, has_changed, token_of, until, why_not
from tests.sources.postgres import Database, QuietPostgreSQL, own_server

TABLES = (
    "CREATE TABLE parents (id int PRIMARY KEY, v int)",
    "CREATE TABLE children (id int PRIMARY KEY, p int REFERENCES parents ON DELETE CASCADE)",
    "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)",
    "CREATE TABLE first_part PARTITION OF parts FOR VALUES FROM (0) TO (10)",
    "CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY)",
    "CREATE MATERIALIZED VIEW kept AS SELECT count(*) FROM parents",
    "INSERT INTO parents VALUES (1, 1), (2, 2)",
    "INSERT INTO children VALUES (1, 1), (2, 2)",
)


@pytest.fixture
async def filled(store: Database) -> Database:
    await store.run(*TABLES)
    return store


async def test_what_is_only_read_has_not_changed(filled: Database) -> None:
    token = await token_of(filled)
    assert await filled.documents()
    await filled.run("SELECT * FROM parents", "UPDATE parents SET v = 0 WHERE false", "VACUUM parents", "CHECKPOINT")
    for _ in range(2):
        assert not await has_changed(filled, token)
    assert await why_not(filled) == ""


CHANGES: dict[str, Sequence[str]] = {
    "a row is inserted": ("INSERT INTO parents VALUES (9, 9)",),
    "a row is updated to what it is": ("UPDATE parents SET v = v WHERE id = 1",),
    "rows go by a foreign key": ("DELETE FROM parents WHERE id = 1",),
    "a partition gets a row": ("INSERT INTO first_part VALUES (1)",),
    "an unlogged table gets a row": ("INSERT INTO unlogged VALUES (1)",),
    "a materialized view is refreshed": ("REFRESH MATERIALIZED VIEW kept",),
    "a table is emptied": ("TRUNCATE children",),
    "a part is detached": ("ALTER TABLE parts DETACH PARTITION first_part",),
    "a column is added": ("ALTER TABLE parents ADD COLUMN more int DEFAULT 7",),
    "a table is made": ("CREATE TABLE others (id int)",),
    "rows are copied and frozen": ("BEGIN", "TRUNCATE children", "COPY children FROM '/dev/null' (FREEZE)", "COMMIT"),
    "a grant is taken away": (f"REVOKE SELECT ON parents FROM {USER}",),
    "a column is hidden": (f"REVOKE SELECT ON parents FROM {USER}", f"GRANT SELECT (id) ON parents TO {USER}"),
    "rows are hidden": ("ALTER TABLE parents ENABLE ROW LEVEL SECURITY",),
    "a subtransaction writes": ("BEGIN", "SAVEPOINT a", "INSERT INTO parents VALUES (8, 8)", "RELEASE a", "COMMIT"),
    "an enum gets a name": ("CREATE TYPE mood AS ENUM ('a')", "ALTER TYPE mood RENAME VALUE 'a' TO 'b'"),
    "a setting of the user changes": (f"ALTER ROLE {USER} SET work_mem = '5MB'",),
    "settings are read again": ("SELECT pg_reload_conf()", "SELECT pg_sleep(0.5)"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_after_any_change_it_says_so(filled: Database, name: str) -> None:
    token = await token_of(filled)
    await filled.run(*CHANGES[name])
    assert await has_changed(filled, token)


async def test_one_source_sees_what_changed_since_it_asked(filled: Database) -> None:
    async with filled.source() as source:
        await source.ping()
        _, token = await source.changed(None)
        assert not (await source.changed(token))[0]
        await filled.run("INSERT INTO parents VALUES (9, 9)")
        assert (await source.changed(token))[0]


async def test_what_was_open_when_it_was_asked_has_changed_when_it_ends(filled: Database) -> None:
    writer = await filled.server.connect(database=filled.name)
    await writer.execute("BEGIN")
    await writer.execute("INSERT INTO parents VALUES (9, 9)")
    await filled.run("INSERT INTO parents VALUES (10, 10)")  # so that the open one is named in snapshots
    token = await token_of(filled)
    assert not await has_changed(filled, token)
    await writer.execute("COMMIT")
    await writer.close()
    assert await has_changed(filled, token)


async def test_what_advanced_rules_ask_for_is_never_the_same(filled: Database) -> None:
    rules = [{"tables": ["parents"], "query": "SELECT * FROM parents"}]
    token = await token_of(filled)
    assert await asked(filled, token, rules) == (True, None)


async def test_other_tables_than_before_are_a_change(filled: Database) -> None:
    token = await token_of(filled, tables="parents")
    assert not await has_changed(filled, token, tables="parents")
    assert await has_changed(filled, token, tables="children")


DOUBTFUL: dict[str, tuple[str, Sequence[str]]] = {
    "shown": ("is a view", ("CREATE VIEW shown AS SELECT now() AS at FROM parents",)),
    "policed": (
        "has policies",
        ("CREATE TABLE policed (id int)", "ALTER TABLE policed ENABLE ROW LEVEL SECURITY"),
    ),
    "far": (
        "is a foreign table",
        (
            "CREATE EXTENSION file_fdw",
            "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
            "CREATE FOREIGN TABLE far (id text) SERVER files OPTIONS (filename '/dev/null')",
        ),
    ),
    "half": (
        "is a foreign table, or has one as a part",
        (
            "CREATE EXTENSION file_fdw",
            "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
            "CREATE TABLE half (id int) PARTITION BY RANGE (id)",
            "CREATE TABLE half_of_it PARTITION OF half FOR VALUES FROM (20) TO (30) PARTITION BY RANGE (id)",
            "CREATE FOREIGN TABLE rest PARTITION OF half_of_it DEFAULT SERVER files OPTIONS (filename '/dev/null')",
        ),
    ),
    "strange": (
        "has an access method of its own",
        (
            "CREATE ACCESS METHOD of_its_own TYPE TABLE HANDLER heap_tableam_handler",
            "CREATE TABLE strange (id int) USING of_its_own",
        ),
    ),
}


@pytest.mark.parametrize("name", DOUBTFUL)
async def test_a_table_that_may_change_unnoticed_is_never_the_same(filled: Database, name: str) -> None:
    words, statements = DOUBTFUL[name]
    await filled.run(*statements)
    assert await asked(filled, tables=f"parents,{name}") == (True, None)
    assert f"'{name}' {words}" in await why_not(filled, tables=f"parents,{name}")
    assert await token_of(filled, tables="parents")


async def test_the_servers_own_tables_are_never_the_same(filled: Database) -> None:
    given: dict[str, Any] = {"schema": "pg_catalog", "tables": "pg_class"}
    assert await asked(filled, **given) == (True, None)
    assert await why_not(filled, **given) == "'pg_class' is the server's own."


async def test_a_user_who_may_not_ask_is_told_so(filled: Database) -> None:
    await filled.run("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    assert await asked(filled) == (True, None)
    assert "pg_control_system" in await why_not(filled)
    assert await filled.documents()


@asynccontextmanager
async def alone() -> AsyncIterator[Database]:
    """Provide a database on a server that may be killed."""
    async with own_server() as store:
        await store.run(*TABLES)
        yield store


async def test_a_server_that_ran_not_all_the_time_has_changed() -> None:
    async with alone() as store:
        token = await token_of(store)
        await store.server.stop()
        await store.server.start()
        assert await has_changed(store, token)
        token = await token_of(store)
        await store.server.kill()
        await store.server.start()
        assert await has_changed(store, token)
        assert not await has_changed(store, await token_of(store))


async def test_data_that_were_put_back_have_changed() -> None:
    """The numbers of transactions are given again then, and to others."""
    async with alone() as store:
        await store.server.stop()
        copy = store.server.folder / "copy"
        await asyncio.to_thread(shutil.copytree, store.server.data, copy)
        await store.server.start()
        await store.run("INSERT INTO parents VALUES (8, 8)")
        token = await token_of(store)
        await store.server.stop()
        await asyncio.to_thread(put_back, copy, store.server.data)
        await store.server.start()
        await store.run("INSERT INTO parents VALUES (9, 9)")
        assert await has_changed(store, token)
        assert snapshot_of(await token_of(store)) == snapshot_of(token)


def put_back(copy: Path, data: Path) -> None:
    """Replace the data of a server by a copy, which belong to the same user."""
    owner = data.stat()
    shutil.rmtree(data)
    copy.rename(data)
    for one in (data, *data.rglob("*")):
        os.chown(one, owner.st_uid, owner.st_gid)


class Standby(QuietPostgreSQL):
    """A server that follows another one, from a copy on."""

    def __init__(self, primary: PostgreSQL) -> None:
        super().__init__()
        self._primary = primary

    def initialise(self) -> Sequence[str]:
        program = str(Path(super().initialise()[0]).with_name("pg_basebackup"))
        address = f"host=127.0.0.1 port={self._primary.port} user={ADMIN} password={PASSWORD}"
        return [program, f"--dbname={address}", f"--pgdata={self.data}", "--write-recovery-conf", "--checkpoint=fast"]


async def test_a_standby_can_not_tell_and_when_it_is_promoted_it_has_changed() -> None:
    async with alone() as store, Standby(store.server) as standby:
        token = await token_of(store)
        other = Database(standby, store.name)
        await until(lambda: other.run("SELECT 1 FROM pg_tables WHERE tablename = 'children'"))
        assert await asked(other, token) == (True, None)
        assert "is a standby" in await why_not(other)
        assert await other.rows("parents") == await store.rows("parents")
        await other.run("SELECT pg_promote()")
        await until(lambda: other.run("SELECT 1 WHERE NOT pg_is_in_recovery()"))
        assert await has_changed(other, token)
        assert not await has_changed(other, await token_of(other))


async def test_a_crash_that_the_main_process_survives_is_a_change() -> None:
    """What was written to unlogged tables is gone then, and the numbers of these transactions are given again."""
    async with alone() as store:
        await store.run("CHECKPOINT", "INSERT INTO unlogged VALUES (1)")
        token = await token_of(store)
        [(started,)] = await store.run("SELECT pg_postmaster_start_time()")
        victim = await store.server.connect()
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            await victim.execute("SELECT pg_sleep(60)")
        await until(store.server.answers)
        assert await has_changed(store, token)
        assert next_number(await token_of(store)) <= next_number(token)  # as a transaction of only these is not flushed
        assert await store.run("SELECT pg_postmaster_start_time()") == [(started,)]
        assert await store.run("SELECT * FROM unlogged") == []


async def test_a_commit_that_waits_for_a_standby_is_a_change_when_it_is_seen() -> None:
    async with alone() as store:
        await store.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
        await until(lambda: store.run("SELECT 1 WHERE current_setting('synchronous_standby_names') = 'nobody'"))
        writer = await store.server.connect(database=store.name)
        written = asyncio.create_task(writer.execute("INSERT INTO parents VALUES (9, 9)"))
        waits = f"SELECT 1 FROM pg_stat_activity WHERE pid = {writer.info.backend_pid} AND wait_event = 'SyncRep'"
        await until(lambda: store.run(waits))
        token = await token_of(store)
        assert len(await store.rows("parents")) == 2
        assert not await has_changed(store, token)
        await store.run(f"SELECT pg_cancel_backend({writer.info.backend_pid})")
        await written
        await writer.close()
        assert await has_changed(store, token)
        assert len(await store.rows("parents")) == 3


async def test_a_prepared_transaction_is_a_change_when_it_is_committed() -> None:
    async with own_server() as store:
        await store.run("ALTER SYSTEM SET max_prepared_transactions = 2")
        await store.server.stop()
        await store.server.start()
        await store.run(*TABLES, "BEGIN", "INSERT INTO parents VALUES (9, 9)", "PREPARE TRANSACTION 'x'")
        first = await token_of(store)
        await store.run("INSERT INTO parents VALUES (10, 10)")
        assert await has_changed(store, first)
        second = await token_of(store)
        assert not await has_changed(store, second)
        await store.run("COMMIT PREPARED 'x'")
        assert await has_changed(store, second)


async def test_another_server_at_the_same_address_has_changed() -> None:
    async with own_server() as store, own_server() as other:
        await store.run(*TABLES)
        await other.run(*TABLES)
        token = await token_of(store)
        address = {"port": other.server.port, "database": other.name}
        assert await has_changed(store, token, **address)
        assert snapshot_of(await token_of(store, **address)) == snapshot_of(token)


def next_number(token: Token) -> int:
    return int(snapshot_of(token).partition(":")[0])


def snapshot_of(token: Token) -> str:
    return str(token["moment"]).split()[0]


async def test_a_skipped_sync_has_read_no_table(filled: Database) -> None:
    counted = "SELECT sum(seq_scan + idx_scan) FROM pg_stat_user_tables"
    token = await token_of(filled)
    before = await filled.run("SELECT pg_stat_force_next_flush()", counted)
    assert not await has_changed(filled, token)
    assert await filled.run("SELECT pg_stat_force_next_flush()", counted) == before
