"""MySQL: what every source promises, with tables of every kind of key and column, on a real MariaDB."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from connectors.sources.mysql import MySQLDataSource
from fixtures.mysql.server import MariaDB
from tests.sources.mariadb import Database, made
from tests.sources.sql_contract import Making, Settings, SQLContract
from tests.sources.sql_store import Store

PEOPLE = """CREATE TABLE people (
    id BIGINT PRIMARY KEY, name VARCHAR(100), born DATE, height DOUBLE, weight FLOAT, photo VARBINARY(50),
    price DECIMAL(12, 2), flag TINYINT(1), big BIGINT UNSIGNED, at DATETIME(6), seen TIMESTAMP NULL, slept TIME(3),
    mood ENUM('gut', 'schlecht', 'it''s so-so') , likes SET('tea', 'coffee'), bits BIT(12), more JSON, place POINT,
    year YEAR, code CHAR(8) CHARACTER SET latin1, note TEXT, `odd ``name`` %s :x` INT)"""
PERSON = """INSERT INTO people SELECT
    seq, CONCAT('Person ', seq), '1900-01-01' + INTERVAL seq * 37 DAY, seq / 8, seq / 10,
    UNHEX(HEX(seq)), ROUND(seq / 3, 2), seq % 2, 18446744073709551615 - seq,
    '2024-01-31 10:00:00.5' + INTERVAL seq HOUR,
    IF(seq % 3, '2024-02-29 23:59:59' + INTERVAL seq SECOND, NULL), SEC_TO_TIME(seq), 1 + seq % 3, seq % 4,
    seq % 4096, JSON_OBJECT('a', seq, 'b', JSON_ARRAY(1.10, NULL, 'ü')), ST_GeomFromText(CONCAT('POINT(', seq, ' 2)')),
    2000 + seq % 100, ELT(1 + seq % 4, 'a', 'A ', 'ä', NULL), REPEAT('long ', seq % 50), seq FROM seq_1_to_{}"""
OTHERS = (
    "CREATE TABLE visits (place VARCHAR(50), who INT, n INT, PRIMARY KEY (place, who))",
    "INSERT INTO visits VALUES ('Rome', 1, 1), ('Rome', 2, 2), ('Oslo', 1, 3), ('40 %', 3, NULL), ('a', 1, 1)",
    "INSERT INTO visits VALUES ('ß', 1, 1)",
    "CREATE TABLE words (word VARCHAR(20) COLLATE utf8mb4_bin UNIQUE NOT NULL, `group` CHAR(3) COLLATE utf8mb4_bin)",
    "INSERT INTO words VALUES ('a', 'a'), ('A', 'A'), ('a%', ''), ('_', 'ab'), ('', NULL), ('é', 'é'), ('😀', '1')",
    "CREATE TABLE days (day DATE, hour TIME(3), stock DECIMAL(5, 1), PRIMARY KEY (day, hour, stock))",
    "INSERT INTO days VALUES ('2024-01-31', '10:00', 1.5), ('2024-01-31', '9:59:59.125', 2)",
    "INSERT INTO days VALUES ('1999-12-31', '-800:00', 2)",
    "SET sql_mode = ''",
    "INSERT INTO people (id, born, at) VALUES (0, '0000-00-00', '0000-00-00 00:00:00'), (-1, '2024-02-00', NULL)",
)


class TestMySQL(SQLContract):
    source = MySQLDataSource

    def filled(self, database: Store, people: int) -> Settings:
        database.done(PEOPLE, PERSON.format(people), *OTHERS)
        return {**database.settings, "fetch_size": 5, "cursor_columns": "at"}

    @pytest.fixture
    def database(self, shop: Database) -> Store:
        return shop

    @pytest.fixture
    def making(self, mariadb: MariaDB) -> Making:
        return lambda: made(mariadb)

    @pytest.fixture
    def change(self, shop: Database) -> Callable[[], Awaitable[Any]]:
        return lambda: shop.run("UPDATE people SET name = 'Nobody', at = at + INTERVAL 100 DAY WHERE id = 3")
