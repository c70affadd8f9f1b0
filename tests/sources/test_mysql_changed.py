"""Whether MariaDB has changed: never a wrong no, whatever is done to the server, and a no where nothing was."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fixtures.mysql.server import USER
from tests.sources.changes import Token, asked, has_changed, token_of, until, why_not
from tests.sources.mariadb import Database, QuietMariaDB

TABLES = (
    "CREATE TABLE parents (id INT PRIMARY KEY, v INT, twice INT AS (v * 2 + 1))",
    "CREATE TABLE children (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parents (id) ON DELETE CASCADE)",
    "CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
    "CREATE TRIGGER logged AFTER UPDATE ON parents FOR EACH ROW INSERT INTO log (v) VALUES (NEW.v)",
    "INSERT INTO parents (id, v) VALUES (1, 1), (2, 2)",
    "INSERT INTO children VALUES (1, 1), (2, 2)",
)
UNLOGGED = "SET sql_log_bin = 0"


class Started(QuietMariaDB):
    """A server with other options, which may be others each time it starts."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self.options = options

    def command(self) -> Sequence[str]:
        return [*super().command(), *self.options]


class Alone(Database):
    """A database on a server that may be killed."""

    server: Started


@asynccontextmanager
async def alone(*options: str, port: int | None = None) -> AsyncIterator[Alone]:
    """Provide one with tables, on a port that is free now."""
    if not all(map(shutil.which, ("mariadbd", "mariadb-install-db"))):
        pytest.skip("MariaDB is not installed.")
    server = Started(*options)
    server.port = port or server.port
    async with server:
        store = Alone(server, "shop")
        await store.run(f"GRANT SELECT ON shop.* TO '{USER}'@'127.0.0.1'", *TABLES)
        yield store


@pytest.fixture
async def filled(shop: Database) -> Database:
    await shop.run(*TABLES)
    return shop


async def test_what_is_only_read_has_not_changed(filled: Database) -> None:
    token = await token_of(filled)
    assert await filled.documents()
    await filled.run("SELECT * FROM parents", "BEGIN", "SELECT * FROM children", "ROLLBACK", "CHECK TABLE log")
    for _ in range(2):
        assert not await has_changed(filled, token)
    assert await why_not(filled) == ""


CHANGES: dict[str, Sequence[str]] = {
    "a row is inserted": ("INSERT INTO parents (id) VALUES (9)",),
    "rows go by a foreign key": ("DELETE FROM parents WHERE id = 1",),
    "a trigger writes": ("UPDATE parents SET v = 7",),
    "a table is emptied": ("TRUNCATE children",),
    "a column is added": ("ALTER TABLE parents ADD COLUMN more INT DEFAULT 7",),
    "a table is made": ("CREATE TABLE others (id INT)",),
    "a grant is taken away": (f"REVOKE SHOW VIEW ON *.* FROM '{USER}'@'127.0.0.1'",),
    "statements are logged": ("SET binlog_format = 'STATEMENT'", "DELETE FROM parents WHERE id = 1"),
    "a transaction is prepared and committed": (
        "XA START 'x'",
        "INSERT INTO parents (id) VALUES (9)",
        "XA END 'x'",
        "XA PREPARE 'x'",
        "XA COMMIT 'x'",
    ),
    "the log begins anew": ("RESET MASTER",),
    "a row is inserted without the log": (UNLOGGED, "INSERT INTO parents (id) VALUES (9)"),
    "a row is updated without the log": (UNLOGGED, "UPDATE parents SET v = 7 WHERE id = 1"),
    "a table is emptied without the log": (UNLOGGED, "TRUNCATE children"),
    "tables change their names without the log": (UNLOGGED, "RENAME TABLE log TO logs", "RENAME TABLE logs TO log"),
    "a column is added without the log": (UNLOGGED, "ALTER TABLE parents ADD COLUMN more INT DEFAULT 7"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_after_any_change_it_says_so(filled: Database, name: str) -> None:
    token = await token_of(filled)
    await filled.run(*CHANGES[name])
    assert await has_changed(filled, token)


async def test_a_grant_that_is_not_logged_is_a_change(filled: Database) -> None:
    hidden = f"CREATE TABLE {filled.name}_hidden.t (id INT PRIMARY KEY)"
    given = {"database": f"{filled.name}_hidden"}
    await filled.run(f"CREATE DATABASE {filled.name}_hidden", hidden)
    await filled.run(f"GRANT SELECT (id) ON {filled.name}_hidden.t TO '{USER}'@'127.0.0.1'")
    await filled.run(f"ALTER TABLE {filled.name}_hidden.t ADD COLUMN more INT")
    token = await token_of(filled, **given)
    await filled.run(UNLOGGED, f"GRANT SELECT (more) ON {filled.name}_hidden.t TO '{USER}'@'127.0.0.1'")
    assert await has_changed(filled, token, **given)
    await filled.run(f"DROP DATABASE {filled.name}_hidden")


async def test_one_source_sees_what_changed_since_it_asked(filled: Database) -> None:
    async with filled.source() as source:
        await source.ping()
        _, token = await source.changed(None)
        assert not (await source.changed(token))[0]
        await filled.run("INSERT INTO parents (id) VALUES (9)")
        assert (await source.changed(token))[0]


@pytest.mark.parametrize("logged", [1, 0])
async def test_what_was_open_when_it_was_asked_has_changed_when_it_ends(filled: Database, logged: int) -> None:
    writer = await filled.server.connect()
    cursor = writer.cursor()
    for one in (f"SET sql_log_bin = {logged}", "BEGIN", f"INSERT INTO {filled.name}.parents (id) VALUES (9)"):
        await cursor.execute(one)
    token = await token_of(filled)
    assert not await has_changed(filled, token)
    await cursor.execute("COMMIT")
    await writer.ensure_closed()
    assert await has_changed(filled, token)


async def test_what_advanced_rules_ask_for_is_never_the_same(filled: Database) -> None:
    rules = [{"tables": ["parents"], "query": "SELECT * FROM parents"}]
    assert await asked(filled, await token_of(filled), rules) == (True, None)


async def test_other_tables_than_before_are_a_change(filled: Database) -> None:
    token = await token_of(filled, tables="parents")
    assert not await has_changed(filled, token, tables="parents")
    assert await has_changed(filled, token, tables="children")


DOUBTFUL: dict[str, tuple[str, str]] = {
    "shown": ("is no plain table (VIEW)", "CREATE VIEW shown AS SELECT NOW() AS at FROM parents"),
    "files": ("is kept by MyISAM", "CREATE TABLE files (id INT) ENGINE = MyISAM"),
    "crash_safe": ("is kept by Aria", "CREATE TABLE crash_safe (id INT) ENGINE = Aria"),
    "fleeting": ("is kept by MEMORY", "CREATE TABLE fleeting (id INT) ENGINE = MEMORY"),
    "merged": ("is kept by MRG_MyISAM", "CREATE TABLE merged (id INT) ENGINE = MERGE"),
    "versioned": ("is no plain table (SYSTEM VERSIONED)", "CREATE TABLE versioned (id INT) WITH SYSTEM VERSIONING"),
}


@pytest.mark.parametrize("name", DOUBTFUL)
async def test_a_table_that_may_change_unnoticed_is_never_the_same(filled: Database, name: str) -> None:
    words, statement = DOUBTFUL[name]
    await filled.run(statement)
    assert await asked(filled, tables=f"parents,{name}") == (True, None)
    assert f"'{name}' {words}" in await why_not(filled, tables=f"parents,{name}")
    assert await token_of(filled, tables="parents")


@pytest.mark.parametrize("expression", ["NOW()", "CURRENT_TIMESTAMP", "CONNECTION_ID()", "id + RAND()", "IF(id, 1, 2)"])
async def test_a_column_that_may_depend_on_the_time_is_never_the_same(filled: Database, expression: str) -> None:
    await filled.run(f"CREATE TABLE computed (id INT, v VARCHAR(50) AS ({expression}) VIRTUAL)")
    assert await asked(filled) == (True, None)
    assert await why_not(filled) == (
        "The column 'v' of 'computed' is computed when it is read, and may depend on the time."
    )


async def test_the_servers_own_tables_are_never_the_same(filled: Database) -> None:
    await filled.run(f"GRANT SELECT ON mysql.innodb_table_stats TO '{USER}'@'127.0.0.1'")
    given: dict[str, Any] = {"database": "mysql", "tables": "innodb_table_stats"}
    assert await asked(filled, **given) == (True, None)
    assert await why_not(filled, **given) == "The tables of 'mysql' are the server's own."


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


async def test_another_server_at_the_same_address_has_changed() -> None:
    """Both have the same log and the same numbers, as whoever made them did the same."""
    async with alone() as store:
        token = await token_of(store)
        port = store.server.port
        await store.server.stop()
        async with alone(port=port) as other:
            assert await has_changed(other, token)
            assert {**await token_of(other), "server": "", "walk": ""} == {**token, "server": "", "walk": ""}


async def test_data_that_were_put_back_have_changed() -> None:
    async with alone() as store:
        await store.server.stop()
        copy, data = store.server.folder / "copy", store.server.data
        await asyncio.to_thread(shutil.copytree, data, copy)
        await store.server.start()
        await store.run("INSERT INTO parents (id) VALUES (8)")
        token = await token_of(store)
        await store.server.stop()
        owner = data.stat()
        await asyncio.to_thread(shutil.rmtree, data)
        copy.rename(data)
        for one in (data, *data.rglob("*")):
            os.chown(one, owner.st_uid, owner.st_gid)
        await store.server.start()
        await store.run("INSERT INTO parents (id) VALUES (9)")
        assert await has_changed(store, token)
        again = await token_of(store)
        assert place_of(again) == place_of(token)
        assert again["server"] != token["server"]


def place_of(token: Token) -> str:
    """Return the place in the log."""
    return str(token["moment"]).split()[0]


async def test_without_a_log_it_says_so() -> None:
    async with alone("--skip-log-bin") as store:
        assert await asked(store) == (True, None)
        assert await why_not(store) == "The server has no binary log (log_bin)."
        assert await store.documents()


async def test_a_server_that_only_reads_says_so() -> None:
    async with alone() as store:
        await store.server.stop()
        store.server.options = ("--innodb-read-only=ON",)
        await store.server.start()
        assert await asked(store) == (True, None)
        assert "innodb_read_only" in await why_not(store)


async def test_a_replica_whose_log_lacks_what_it_replicates_is_never_the_same() -> None:
    async with alone() as store:
        assert await token_of(store)
        await store.run("SET GLOBAL gtid_slave_pos = '0-7-12'")
        assert await asked(store) == (True, None)
        assert "log_slave_updates" in await why_not(store)


async def test_a_commit_that_is_in_the_log_and_waits_is_a_change_when_it_is_seen() -> None:
    """The place at the end of the log has moved before the row is seen: the place of the snapshot has not."""
    async with alone() as store:
        await store.run(
            "SET GLOBAL rpl_semi_sync_master_timeout = 600000, GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'",
            "SET GLOBAL rpl_semi_sync_master_enabled = ON",
        )
        before = await end_of_log(store)
        written = asyncio.create_task(store.run("INSERT INTO parents (id) VALUES (9)"))
        await until(lambda: is_beyond(store, before))
        token: Token = await token_of(store)
        assert len(await store.rows("parents")) == 2
        assert not await has_changed(store, token)
        assert not written.done()
        await store.run("SET GLOBAL rpl_semi_sync_master_enabled = OFF")
        await written
        assert await has_changed(store, token)
        assert len(await store.rows("parents")) == 3


async def is_beyond(store: Database, end: tuple[str, int]) -> bool:
    return await end_of_log(store) != end


async def end_of_log(store: Database) -> tuple[str, int]:
    [(file, position, *_)] = await store.run("SHOW MASTER STATUS")
    return file, position


async def test_a_skipped_sync_has_read_no_table(filled: Database) -> None:
    await filled.run("TRUNCATE mysql.general_log", "SET GLOBAL log_output = 'TABLE'", "SET GLOBAL general_log = 1")
    token = await token_of(filled)
    assert not await has_changed(filled, token)
    found = await filled.run(
        "SET GLOBAL general_log = 0",
        f"SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE user_host LIKE '{USER}%' "
        "AND command_type IN ('Query', 'Execute', 'Prepare')",
    )
    statements = [text for (text,) in found]
    assert any("binlog_snapshot_position" in one for one in statements)
    assert not [one for one in statements if "parents" in one or "children" in one]
