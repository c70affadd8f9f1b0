"""Oracle: what every source promises, with tables of every kind of key and column, in a rehearsal."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from connectors.testing.source_contract import Broken
from tests.sources.oracle_stand_in import Database, RehearsedOracle, made
from tests.sources.sql_contract import Making, Settings, SQLContract
from tests.sources.sql_store import Store

PEOPLE = """CREATE TABLE PEOPLE (
    ID NUMBER(10,0) PRIMARY KEY, NAME VARCHAR2(100), BORN DATE COLLATE TIMES, HEIGHT BINARY_DOUBLE, WEIGHT BINARY_FLOAT,
    PHOTO RAW(50), PRICE NUMBER(12,2), BIG NUMBER, ANY_NUMBER FLOAT, AT TIMESTAMP(6) COLLATE TIMES,
    FINE TIMESTAMP(9) COLLATE TIMES, SEEN "TIMESTAMP(6) WITH TIME ZONE", TOOK "INTERVAL DAY(2) TO SECOND(6)",
    AGE "INTERVAL YEAR(2) TO MONTH", MORE JSON, WORDS "IS JSON", CODE CHAR(8) COLLATE RTRIM, NOTE CLOB, SCAN BLOB,
    PLACE VECTOR, "odd ""name"" %s :x" NUMBER(10,0))"""
PERSON = """INSERT INTO PEOPLE
    WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {})
    SELECT n, 'Person ' || n, ' ' || date('1900-01-01', (n * 37) || ' days') || 'T10:00:0' || (n % 10), n / 8.0,
    n / 10.0, CAST('x' || n AS BLOB), round(n / 4.0, 2), n * 5, n / 4.0,
    strftime(' %Y-%m-%dT%H:%M:%S', '2024-01-31 10:00:00', n || ' hours') || '.500000000',
    ' 2024-01-31T10:00:00.12345678' || (n % 10),
    CASE WHEN n % 3 THEN strftime(' %Y-%m-%dT%H:%M:%S', '2024-02-29 23:59:59', n || ' seconds') ||
        '.000000000+05:30' END,
    n * 3600.5, n - 20, json_object('a', n, 'b', json_array(1.25, NULL, 'ü')), json_object('c', n),
    CASE n % 4 WHEN 0 THEN 'a' WHEN 1 THEN 'A' WHEN 2 THEN 'ä' END, nullif(hex(zeroblob(n % 50)), ''),
    nullif(zeroblob(n % 5), x''), '[1.5,' || n || ']', n FROM s"""
OTHERS = (
    "CREATE TABLE VISITS (PLACE VARCHAR2(50) NOT NULL, WHO NUMBER NOT NULL, N NUMBER(10,0), PRIMARY KEY (PLACE, WHO))",
    "INSERT INTO VISITS VALUES ('Rome', 1, 1), ('Rome', 2, 2), ('Oslo', 1.5, 3), ('40 %', 3, NULL), ('a', 1, 1)",
    "INSERT INTO VISITS VALUES ('ß', 1, 1)",
    'CREATE TABLE WORDS (WORD VARCHAR2(20) NOT NULL UNIQUE, "group" CHAR(3) COLLATE RTRIM)',
    "INSERT INTO WORDS VALUES ('a', 'a'), ('A', 'A'), ('a%', 'b'), ('_', 'ab'), ('é', NULL), ('É', 'é'), ('😀', '1')",
    """CREATE TABLE DAYS (DAY DATE COLLATE TIMES NOT NULL, HOUR TIMESTAMP(9) COLLATE TIMES NOT NULL,
        CODE CHAR(4) COLLATE RTRIM NOT NULL, PRIMARY KEY (DAY, HOUR, CODE))""",
    "INSERT INTO DAYS VALUES (' 2024-01-31T10:00:00', ' 2024-01-31T10:00:00.000000001', 'a')",
    "INSERT INTO DAYS VALUES (' 2024-01-31T10:00:00', ' 2024-01-31T10:00:00.000000002', 'a')",
    "INSERT INTO DAYS VALUES (' 2024-01-31T10:00:00', ' 2024-01-31T10:00:00.000000002', 'b')",
    "INSERT INTO DAYS VALUES ('-0044-03-15T12:00:00', ' 0001-01-01T00:00:00.000000000', 'ab')",
    "INSERT INTO DAYS VALUES (' 9999-12-31T23:59:59', '-4712-01-01T00:00:00.500000000', 'x y')",
    """INSERT INTO PEOPLE (ID, BORN, AT, HEIGHT, WEIGHT, AGE) VALUES
        (0, '-0044-03-15T12:00:00', '-0001-01-01T00:00:00.500000000', 9e999, -9e999, -13),
        (-1, NULL, NULL, 0, 0, 0)""",
)


class TestOracle(SQLContract):
    source = RehearsedOracle
    pages = None  # type: ignore[assignment]  # it is of the class that has a driver, and `make lint` looks at it
    most_predicates = 400  # each is a statement that is parsed here and translated
    valid_rules = (
        [{"tables": ["PEOPLE"], "query": "SELECT id, name, born, price FROM people WHERE id > 5;"}],
        [
            {
                "tables": ["PEOPLE", "VISITS"],
                "query": "WITH v AS (SELECT who, COUNT(*) AS n FROM visits GROUP BY who) -- all of them\n"
                "SELECT p.id, v.who, v.n, p.seen FROM people p JOIN v ON v.who = p.id",
                "id_columns": ["ID"],
            },
            {"tables": ["VISITS"], "query": "SELECT place FROM visits UNION ALL SELECT word FROM words"},
        ],
    )
    invalid_rules = (
        *SQLContract.invalid_rules[:2],
        [{"tables": ["NOBODY"], "query": "SELECT 1 FROM dual"}],
        [{"tables": ["PEOPLE"], "query": "SELECT nothing FROM people"}],
        [{"tables": ["PEOPLE"], "query": "SELECT id FROM people", "id_columns": ["NAME"]}],
        [{"tables": ["PEOPLE"], "query": "SELECT 1; SELECT 2"}],
        [{"tables": ["PEOPLE"], "query": "DELETE FROM people"}],
        [{"tables": ["PEOPLE"], "query": "SELECT id FROM people FOR UPDATE"}],
        [{"tables": ["PEOPLE"], "query": "SELECT FROM WHERE"}],
        {"another_database": {"PEOPLE": "SELECT id FROM people"}},
    )

    def filled(self, database: Store, people: int) -> Settings:
        database.done(PEOPLE, PERSON.format(people), *OTHERS)
        return {**database.settings, "fetch_size": 5, "cursor_columns": "AT"}

    @pytest.fixture
    def database(self) -> Iterator[Database]:
        with made() as found:
            yield found

    @pytest.fixture
    def making(self) -> Making:
        return made

    @pytest.fixture
    def change(self, database: Database) -> Callable[[], Awaitable[Any]]:
        return lambda: database.run(
            "UPDATE PEOPLE SET NAME = 'Nobody', AT = ' 2024-06-01T10:00:00.500000000' WHERE ID = 3"
        )

    @pytest.fixture
    def broken(self, making: Making) -> Iterator[Any]:
        with making() as database:
            settings = {**self.filled(database, 5_000), "snapshot_max_s": 0, "fetch_size": 100}
            drops = ("DROP TABLE VISITS", "DROP TABLE WORDS", "DROP TABLE PEOPLE")
            yield Broken(settings, after_first=lambda: database.run(*drops))
