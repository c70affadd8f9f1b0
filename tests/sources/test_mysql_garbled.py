"""MySQL: rows whose texts are none in UTF-8, which a server keeps and sends all the same."""

from typing import Any

import pytest

from connectors.changes import Checkpoint, Failed, Upsert
from connectors.errors import ConfigurationError, SourceError
from tests.sources.mariadb import Database

HALF = "x'61EDA08062'"
"""A text with half of a character of UTF-16 in it, as programs write it that take CESU-8 for UTF-8."""
NOT_UTF8 = "The text in the column 'v' is not UTF-8."


async def _foreign(shop: Database) -> None:
    """Make a table whose texts were stored as latin1, as others see to it that replace the files of a table."""
    await shop.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(25)) ENGINE=MyISAM CHARACTER SET utf8mb4",
        "CREATE TABLE old (id INT PRIMARY KEY, v VARCHAR(100)) ENGINE=MyISAM CHARACTER SET latin1",
        "INSERT INTO old VALUES (1, 'one'), (2, 'café'), (3, 'Größe'), (4, 'four')",
        "FLUSH TABLES",
    )
    folder = shop.server.data / shop.name
    for suffix in ("MYD", "MYI"):
        (folder / f"t.{suffix}").write_bytes((folder / f"old.{suffix}").read_bytes())
    await shop.run("FLUSH TABLES", "DROP TABLE old")


def _shown(found: list[Any]) -> list[Any]:
    """Return rows by their ids, and those that failed by theirs."""
    return [one.id if isinstance(one, Failed) else one["id"] for one in found]


@pytest.mark.parametrize("charset", ["utf8mb4", "utf8mb3", "ucs2", "utf32"])
@pytest.mark.parametrize("fetch_size", [1, 2, 1_000])
async def test_half_a_character_fails_its_row_alone(shop: Database, charset: str, fetch_size: int) -> None:
    half = {"ucs2": "_ucs2 x'0061D8000062'", "utf32": "_utf32 x'0000D800'"}.get(charset, HALF)
    await shop.run(
        f"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET {charset}, w TEXT)",
        f"INSERT INTO t VALUES (1, 'a', 'ü'), (2, {half}, 'ü'), (3, 'b', 'ü'), (4, {half}, NULL), (5, {half}, 'ü')",
    )
    assert await shop.rows("t", given={"fetch_size": fetch_size}) == [
        {"id": 1, "v": "a", "w": "ü"},
        Failed(f"{shop.name}/t/2", NOT_UTF8),
        {"id": 3, "v": "b", "w": "ü"},
        Failed(f"{shop.name}/t/4", NOT_UTF8),
        Failed(f"{shop.name}/t/5", NOT_UTF8),
    ]


async def test_bytes_of_another_encoding_fail_their_rows_alone(shop: Database) -> None:
    await _foreign(shop)
    assert await shop.rows("t") == [
        {"id": 1, "v": "one"},
        Failed(f"{shop.name}/t/2", NOT_UTF8),
        Failed(f"{shop.name}/t/3", NOT_UTF8),
        {"id": 4, "v": "four"},
    ]


@pytest.mark.parametrize("size", [10, 70_000, 300_000])
async def test_a_garbled_row_is_found_wherever_what_is_received_ends(shop: Database, size: int) -> None:
    await shop.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT, w VARCHAR(9))",
        f"INSERT INTO t SELECT seq, REPEAT('x', {size}), IF(seq MOD 3, 'fine', {HALF}) FROM seq_1_to_60",
    )
    found = await shop.rows("t")
    assert _shown(found) == [number if number % 3 else f"{shop.name}/t/{number}" for number in range(1, 61)]
    assert {one.reason for one in found if isinstance(one, Failed)} == {"The text in the column 'w' is not UTF-8."}
    assert {len(one["v"]) for one in found if isinstance(one, dict)} == {size}


async def test_a_row_that_becomes_garbled_fails_under_the_id_of_its_document(shop: Database) -> None:
    await shop.run("CREATE TABLE t (a VARCHAR(9) PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES ('ä/1', 'fine')")
    [document] = await shop.documents()
    await shop.run(f"UPDATE t SET v = {HALF}")
    assert await shop.rows("t") == [Failed(document["_id"], NOT_UTF8)]


@pytest.mark.parametrize("fetch_size", [1, 2, 1_000])
async def test_pages_go_on_behind_a_garbled_key(shop: Database, fetch_size: int) -> None:
    await shop.run(
        "CREATE TABLE t (a VARCHAR(9), id INT, PRIMARY KEY (a, id)) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        f"INSERT INTO t VALUES ('a', 1), ({HALF}, 2), ({HALF}, 3), ('b', 4), (x'EDBFBF', 5), ('z', 6), ('🐞', 7)",
    )
    found = await shop.rows("t", given={"fetch_size": fetch_size})
    failed = [one for one in found if isinstance(one, Failed)]
    assert sorted(one["id"] for one in found if isinstance(one, dict)) == [1, 4, 6, 7]
    assert len({one.id for one in failed}) == len(failed) == 3
    assert all(one.id.encode() for one in failed)
    assert {one.reason for one in failed} == {"The text in the column 'a' is not UTF-8."}


async def test_each_garbled_row_of_a_table_without_a_key_has_an_id(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (id INT, v TEXT)",
        f"INSERT INTO t SELECT seq, IF(seq MOD 1000, 'fine', {HALF}) FROM seq_1_to_3000",
    )
    found = await shop.rows("t")
    failed = {one.id for one in found if isinstance(one, Failed)}
    assert (len(found), len(failed)) == (3_000, 3)
    assert failed == {one.id for one in await shop.rows("t") if isinstance(one, Failed)}


async def test_a_query_yields_what_is_garbled_as_failed(shop: Database) -> None:
    await shop.run("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)", f"INSERT INTO t VALUES (1, 'a'), (2, {HALF})")
    rules = [{"tables": ["t"], "query": "SELECT * FROM t ORDER BY id"}]
    async with shop.source() as one:
        [_, first, second] = [found async for found in one.get_docs_by_rules(rules)]
        assert isinstance(first, dict)
        assert first["_id"] == f"{shop.name}/t/1"
        assert second == Failed(f"{shop.name}/t/2", NOT_UTF8)
        with pytest.raises(SourceError, match="The text in the column 'v' is not UTF-8"):
            _ = [found async for found in one.native_query("SELECT * FROM t")]


async def test_an_incremental_sync_tells_of_a_garbled_row_and_goes_on(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v TEXT, n INT)",
        f"INSERT INTO t VALUES (1, {HALF}, 1), (2, 'b', 2)",
    )
    async with shop.source(cursor_columns=["n"]) as one:
        found = [change async for change in one.get_docs_incrementally(None)]
    assert found[0] == Failed(f"{shop.name}/t/1", NOT_UTF8)
    assert [type(one) for one in found[1:]] == [Upsert, Checkpoint]


async def test_json_and_enums_are_looked_at_too(shop: Database) -> None:
    await shop.run(
        "CREATE TABLE t (id INT PRIMARY KEY, j JSON, e ENUM('a', 'ü'), s SET('x', 'y'), b BLOB)",
        f"INSERT INTO t VALUES (1, CONCAT('[\"', {HALF}, '\"]'), 'ü', 'x,y', x'FF'), (2, '[1]', 'ü', 'x,y', x'FF')",
    )
    first, second = await shop.rows("t")
    assert first == Failed(f"{shop.name}/t/1", "The text in the column 'j' is not UTF-8.")
    assert second == {"id": 2, "j": [1], "e": "ü", "s": ["x", "y"], "b": b"\xff"}


async def test_a_name_that_is_not_utf8_has_to_be_changed_before_its_table_is_read(shop: Database) -> None:
    connection = await shop.server.connect()
    cursor = connection.cursor()
    await cursor.execute(f"USE {shop.name}")
    for text in (
        "CREATE TABLE `a\udced\udca0\udc80` (id INT PRIMARY KEY)",
        "CREATE TABLE b (id INT PRIMARY KEY, `x\udced\udca0\udc80` INT)",
        "CREATE TABLE c (id INT PRIMARY KEY)",
    ):
        await cursor.execute(text)
    await connection.ensure_closed()
    for tables in (["*"], ["a*"], ["b"]):
        async with shop.source(tables=tables) as one:
            with pytest.raises(ConfigurationError, match="is not UTF-8") as caught:
                await one.datasets()
            assert str(caught.value).encode()
    async with shop.source(tables=["c"]) as one:
        assert [dataset.name for dataset in await one.datasets()] == ["c"]


async def test_a_query_that_names_a_column_so_is_an_error(shop: Database) -> None:
    connection = await shop.server.connect()
    cursor = connection.cursor()
    await cursor.execute(f"USE {shop.name}")
    await cursor.execute("CREATE TABLE b (id INT PRIMARY KEY, `x\udced\udca0\udc80` INT)")
    await connection.ensure_closed()
    async with shop.source() as one:
        with pytest.raises(SourceError, match="name is not UTF-8"):
            _ = [found async for found in one.native_query("SELECT * FROM b")]
