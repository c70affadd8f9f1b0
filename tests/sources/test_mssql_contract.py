"""SQL Server: what every source promises, with tables of every kind of key and column, by a rehearsal of a server."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from connectors.testing.source_contract import Broken
from tests.sources.sql_contract import Making, Settings, SQLContract
from tests.sources.sql_store import Store
from tests.sources.tds import ACCENTS, OLD, RehearsedDataSource, made

PEOPLE = f"""CREATE TABLE people (
    id bigint PRIMARY KEY, name nvarchar(100) COLLATE {ACCENTS}, code varchar(20) COLLATE {OLD},
    fixed char(10) COLLATE {OLD}, born date, height float, weight real, photo varbinary(50), price decimal(12, 2),
    owed money, flag bit, small tinyint, at datetime2(6), old datetime, minute smalldatetime, seen datetimeoffset(3),
    fine datetime2(7), finest datetimeoffset(7), slept time(3), guid uniqueidentifier COLLATE guid, more json,
    place geography, path hierarchyid,
    note "nvarchar(max)" COLLATE {ACCENTS}, remark text COLLATE {OLD}, thing sql_variant,
    "odd ]name %s :x @y" int)"""
PERSON = """WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {})
    INSERT INTO people SELECT n, 'Person ' || n, substr('aAbÄß', 1 + n % 5, 1) || CASE n % 3 WHEN 0 THEN ' ' ELSE n END,
    substr('x' || n || '          ', 1, 10), date('1900-01-01', (n * 37) || ' days'), n / 8.0, n / 10.0,
    CAST('b' || n AS BLOB), round(n / 3.0, 2), n / 16.0, n % 2, n % 256,
    strftime('%Y-%m-%d %H:%M:%S', '2024-01-31 10:00:00', n || ' hours') || '.5000000',
    ticked(strftime('%Y-%m-%d %H:%M:%S', '2024-01-31 10:00:00', n || ' hours') || '.' || (100 + n % 899)),
    strftime('%Y-%m-%d %H:%M:00', '2024-01-31 10:00:00', n || ' minutes') || '.0000000',
    CASE WHEN n % 3 THEN strftime('%Y-%m-%d %H:%M:%S', '2024-02-29 23:59:59', n || ' seconds') || '.1250000 +00:00' END,
    strftime('%Y-%m-%d %H:%M:%S', '2024-01-31 10:00:00', (n / 50) || ' hours') || '.1234567',
    strftime('%Y-%m-%d %H:%M:%S', '2024-01-31 10:00:00', n || ' hours') || '.1234567 +00:00',
    strftime('%H:%M:%S', n, 'unixepoch') || '.1250000',
    upper(substr(hex(zeroblob(16)) || hex(n), -8)) || '-0000-0000-' || substr('000' || (n % 7), -4) || '-000000000000',
    '{{"a": ' || n || ', "b": [1.10, null, "ü"]}}', 'POINT (' || n || ' 2)', '/' || n || '/',
    substr('lang lang lang ', 1, n % 15), 'remark ' || n, n, n FROM numbers"""
OTHERS = (
    f"CREATE TABLE visits (place varchar(50) COLLATE {OLD}, who int, n int, PRIMARY KEY (place, who))",
    "INSERT INTO visits VALUES ('Rome', 1, 1), ('rome ', 2, 2), ('Oslo', 1, 3), ('40 %', 3, NULL), ('a', 1, 1)",
    "INSERT INTO visits VALUES ('ß', 1, 1)",
    'CREATE TABLE words (word nvarchar(20) COLLATE Latin1_General_100_BIN2 UNIQUE NOT NULL, "group" nchar(3))',
    "INSERT INTO words VALUES ('a', 'a'), ('A', 'A'), ('a%', ''), ('_', 'ab'), ('', NULL), ('é', 'é'), ('😀', '1')",
    "INSERT INTO words VALUES ('\uffff', '\uffff')",
    "CREATE TABLE days (day date, hour time(3), stock decimal(5, 1), PRIMARY KEY (day, hour, stock))",
    "INSERT INTO days VALUES ('2024-01-31', '10:00:00.0000000', 1.5), ('2024-01-31', '09:59:59.1250000', 2)",
    "INSERT INTO days VALUES ('1999-12-31', '23:59:59.0000000', 2)",
    "CREATE TABLE ids (id uniqueidentifier COLLATE guid PRIMARY KEY, n int)",
    "INSERT INTO ids VALUES ('00000000-0000-0000-0000-000000000002', 1), ('F0000000-0000-0000-0000-000000000001', 2)",
    "INSERT INTO ids VALUES ('10000000-0000-0000-0000-000000000001', 3), ('00000000-0000-0001-0000-000000000001', 4)",
    "CREATE TABLE moments (at datetime PRIMARY KEY, raw binary(4) UNIQUE NOT NULL)",
    "INSERT INTO moments VALUES ('2024-01-31 10:00:00.0033333', x'00000001')",
    "INSERT INTO moments VALUES ('2024-01-31 10:00:00.0066666', x'02000000')",
    "INSERT INTO moments VALUES ('2024-01-31 10:00:00.0000000', x'000000ff')",
    "CREATE TABLE fine (at datetime2(7) PRIMARY KEY, n int)",
    "INSERT INTO fine VALUES ('2024-01-31 10:00:00.1234567', 1), ('2024-01-31 10:00:00.1234568', 2)",
)


class TestMSSQL(SQLContract):
    source = RehearsedDataSource
    most_predicates = 700  # each of which is parsed twice here

    def filled(self, database: Store, people: int) -> Settings:
        database.done(PEOPLE, PERSON.format(people), *OTHERS)
        return {**database.settings, "fetch_size": 5, "cursor_columns": "at"}

    @pytest.fixture
    def database(self) -> Iterator[Store]:
        with made() as found:
            yield found

    @pytest.fixture
    def making(self) -> Making:
        return made

    @pytest.fixture
    def change(self, database: Store) -> Callable[[], Awaitable[Any]]:
        later = "strftime('%Y-%m-%d %H:%M:%S', at, '100 days') || '.0000000'"
        return lambda: database.run(f"UPDATE people SET name = 'Nobody', at = {later} WHERE id = 3")

    @pytest.fixture
    def broken(self, making: Making) -> Iterator[Broken]:
        with making() as database:
            settings = {**self.filled(database, 5_000), "snapshot_max_s": 0, "fetch_size": 100}
            gone = ("DROP TABLE visits", "DROP TABLE words", "DROP TABLE people")
            yield Broken(settings, after_first=lambda: database.run(*gone))
