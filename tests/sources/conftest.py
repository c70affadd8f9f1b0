"""What the tests of several sources use."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.mongodb.server import MongoDB
from fixtures.mysql.server import MariaDB
from fixtures.postgresql.server import PostgreSQL
from tests.sources import mariadb as servers
from tests.sources import mongo as mongo_servers
from tests.sources import postgres as postgres_servers


@pytest.fixture
def commons() -> Iterator[Path]:
    """A folder that everybody may reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder).resolve()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A server for all tests that need one."""
    yield from servers.started()


@pytest.fixture
def shop(mariadb: MariaDB) -> Iterator[servers.Database]:
    """A database of its own."""
    with servers.made(mariadb) as found:
        yield found


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    """A server for all tests that need one."""
    yield from postgres_servers.started()


@pytest.fixture
def store(postgres: PostgreSQL) -> Iterator[postgres_servers.Database]:
    """A database of its own."""
    with postgres_servers.made(postgres) as found:
        yield found


@pytest.fixture(scope="session")
def mongodb() -> Iterator[MongoDB]:
    """A server for all tests that need one."""
    yield from mongo_servers.started()


@pytest.fixture
def mongo(mongodb: MongoDB) -> Iterator[mongo_servers.Store]:
    """A database of its own."""
    with mongo_servers.made(mongodb) as found:
        yield found
