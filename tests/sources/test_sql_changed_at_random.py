"""A write at a random moment around a token and its walk: if it was missed by the walk, the next answer is yes."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from tests.sources.sql_store import Store

ROUNDS = 20
MOST_ROUNDS = 400
"""So many are made until one write was missed by a walk, and one by the question too."""
EARLIER_S = (-0.1, 0.1)
"""How much earlier than the question a write begins, which takes about as long to connect."""
TABLES = ("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 0), (2, 0)")
WRITES: dict[str, Sequence[Sequence[str]]] = {
    "shop": (
        ("UPDATE t SET v = {n} WHERE id = 1",),
        ("BEGIN", "INSERT INTO t VALUES ({n} + 10, 0)", "DO SLEEP(0.01)", "COMMIT"),
        ("BEGIN", "UPDATE t SET v = {n} WHERE id = 2", "DO SLEEP(0.03)", "COMMIT"),
        ("SET sql_log_bin = 0", "UPDATE t SET v = {n}"),
        ("SET sql_log_bin = 0", "BEGIN", "INSERT INTO t VALUES ({n} + 10, 0)", "DO SLEEP(0.01)", "COMMIT"),
        ("BEGIN", "DELETE FROM t WHERE id > 2", "DO SLEEP(0.01)", "ROLLBACK"),
        ("CREATE TABLE IF NOT EXISTS o{n} (id INT)", "DROP TABLE o{n}"),
    ),
    "store": (
        ("UPDATE t SET v = {n} WHERE id = 1",),
        ("BEGIN", "INSERT INTO t VALUES ({n} + 10, 0)", "SELECT pg_sleep(0.01)", "COMMIT"),
        ("BEGIN", "UPDATE t SET v = {n} WHERE id = 2", "SELECT pg_sleep(0.03)", "COMMIT"),
        ("SET synchronous_commit = off", "UPDATE t SET v = {n}"),
        ("BEGIN", "SAVEPOINT a", "INSERT INTO t VALUES ({n} + 10, 0)", "RELEASE a", "SELECT pg_sleep(0.01)", "COMMIT"),
        ("BEGIN", "DELETE FROM t WHERE id > 2", "SELECT pg_sleep(0.01)", "ROLLBACK"),
        ("TRUNCATE t",),
    ),
}


@pytest.fixture(params=WRITES)
def named(request: pytest.FixtureRequest) -> tuple[str, Store]:
    """One of MariaDB and one of PostgreSQL."""
    return request.param, request.getfixturevalue(request.param)


async def test_what_a_walk_missed_is_never_denied(named: tuple[str, Store]) -> None:
    name, store = named
    await asyncio.to_thread(store.done, *TABLES)
    chance, missed, same = random.Random(1), 0, 0
    for number in range(MOST_ROUNDS):
        early_s = chance.uniform(*EARLIER_S)
        statements = [one.format(n=number + 1) for one in chance.choice(WRITES[name])]
        written = asyncio.create_task(later(max(0.0, -early_s), store, statements))
        await asyncio.sleep(max(0.0, early_s))
        async with store.source(tables="t") as source:
            _, token = await source.changed(None)
            before = [one async for one in source.get_docs()]
        await written
        now = await store.documents(tables="t")
        async with store.source(tables="t") as source:
            changed, _ = await source.changed(token)
        is_other = [one[0] if isinstance(one, tuple) else one for one in before] != now
        assert changed or not is_other, (number, statements, before, now)
        missed, same = missed + is_other, same + (not changed)
        if number >= ROUNDS and missed and same:
            return
    pytest.fail(f"Of {MOST_ROUNDS} writes {missed} were missed by walks, and {same} made no difference.")


async def later(after_s: float, store: Store, statements: Sequence[str]) -> None:
    await asyncio.sleep(after_s)
    await store.run(*statements)
