"""PostgreSQL: what every source promises, with tables of every kind of key and column, on a real server."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from connectors.sources.postgresql import PostgreSQLDataSource
from fixtures.postgresql.server import PostgreSQL
from tests.sources.postgres import Database, made
from tests.sources.sql_contract import Making, Settings, SQLContract
from tests.sources.sql_store import Store

PEOPLE = """CREATE TABLE people (
    id bigint PRIMARY KEY, name varchar(100), born date, height float8, weight real, photo bytea,
    price numeric(12, 2), flag bool, small smallint, at timestamp, seen timestamptz, slept time(3),
    mood mood, likes text[], bits bit(12), more jsonb, place point, during tstzrange, code char(8), note text,
    who uuid, net inet, took interval, any_number numeric, "odd ""name"" %s :x $1" int)"""
PERSON = """INSERT INTO people SELECT
    n, 'Person ' || n, date '1900-01-01' + n * 37, n / 8.0, n / 10.0,
    int4send(n), round(n / 3.0, 2), n % 2 = 0, n % 100,
    timestamp '2024-01-31 10:00:00.5' + n * interval '1 hour',
    CASE WHEN n % 3 > 0 THEN timestamptz '2024-02-29 23:59:59+05' + n * interval '1 second' END,
    time '00:00' + n * interval '1 second', (enum_range(NULL::mood))[1 + n % 3], ARRAY['tea', NULL, 'ü ' || n],
    (n % 4096)::bit(12), jsonb_build_object('a', n, 'b', jsonb_build_array(1.10, NULL, 'ü')), point(n, 2),
    tstzrange('2024-01-01', NULL), (ARRAY['a', 'A ', 'ä', NULL])[1 + n % 4], repeat('long ', n % 50),
    gen_random_uuid(), inet '10.0.0.0/8' + n, n * interval '1 hour', n, n FROM generate_series(1, {}) n"""
OTHERS = (
    "CREATE TABLE visits (place varchar(50), who int, n int, PRIMARY KEY (place, who))",
    "INSERT INTO visits VALUES ('Rome', 1, 1), ('Rome', 2, 2), ('Oslo', 1, 3), ('40 %', 3, NULL), ('a', 1, 1)",
    "INSERT INTO visits VALUES ('ß', 1, 1)",
    'CREATE TABLE words (word text COLLATE any_case UNIQUE NOT NULL, "group" char(3))',
    "INSERT INTO words VALUES ('a', 'a'), ('b', 'A'), ('A%', ''), ('_', 'ab'), ('', NULL), ('é', 'é'), ('😀', '1')",
    "CREATE TABLE days (day date, hour time(3), stock numeric(5, 1), PRIMARY KEY (day, hour, stock))",
    "INSERT INTO days VALUES ('2024-01-31', '10:00', 1.5), ('2024-01-31', '9:59:59.125', 2), ('infinity', '24:00', 2)",
    "INSERT INTO days VALUES ('1999-12-31', '0:00', 2), ('0044-03-15 BC', '1:00', 'NaN'), ('12024-01-01', '1:00', 7)",
    """INSERT INTO people (id, born, at, seen, height, weight, any_number) VALUES
        (0, 'infinity', '-infinity', 'infinity', 'NaN', 'Infinity', 'NaN'),
        (-1, '0044-03-15 BC', '12024-01-01', '0001-01-01 BC', '-Infinity', 'NaN', 'Infinity'),
        (-2, NULL, NULL, NULL, 0, 0, 0)""",
)


class TestPostgreSQL(SQLContract):
    source = PostgreSQLDataSource

    def filled(self, database: Store, people: int) -> Settings:
        database.done(
            "CREATE TYPE mood AS ENUM ('gut', 'schlecht', 'it''s so-so')",
            "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            PEOPLE,
            PERSON.format(people),
            *OTHERS,
        )
        return {**database.settings, "fetch_size": 5, "cursor_columns": "small"}

    @pytest.fixture
    def database(self, store: Database) -> Store:
        return store

    @pytest.fixture
    def making(self, postgres: PostgreSQL) -> Making:
        return lambda: made(postgres)

    @pytest.fixture
    def change(self, store: Database) -> Callable[[], Awaitable[Any]]:
        return lambda: store.run("UPDATE people SET name = 'Nobody', small = 20000 WHERE id = 3")
