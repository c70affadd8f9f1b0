"""The layers: a module imports its own row or a lower one, and a driver only in the one file that uses it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# From the bottom up. What stands in one row may import each other, but for sources and engines, and two sources.
ROWS: list[set[str]] = [
    {"errors", "logger", "pattern", "references", "secret", "wording"},
    {"aio", "schedule"},
    {"binding", "config", "fields", "grants", "settings", "settings_file"},
    {"byoc", "filtering", "literal", "predicate"},
    {"changes", "dataset", "download", "row_walk", "source", "source_class", "storage"},
    {"engine", "registry", "sources"},
    {"storages", "store"},
    {"sync"},
    {"services", "testing"},
    {"cli", "__main__"},
]
# The same within the sync, whose parts are cut so that each may be read with only those below it in mind.
ROWS_OF_SYNC: list[set[str]] = [
    {"index", "report", "verdict", "silence", "foreign", "ending"},
    {"owner", "document", "outcome"},
    {"ledger", "letters"},
    {"writing"},
    {"content"},
    {"workplace"},
    {"job"},
    {"deleting", "reach"},
    {"full"},
    {"partial"},
    {"sync"},
    {"foreground", "removal"},
]
# Third-party packages that may be imported in one place only.
DRIVERS: dict[str, str | tuple[str, ...]] = {
    "aiohttp": ("connectors/engine/", "connectors/services/monitoring/server.py"),
    "apsw": (
        "connectors/engine/embedded/",
        "connectors/sources/_sqlite",
        "connectors/sources/sqlite.py",
        "connectors/storages/sqlite.py",
    ),
    "asyncmy": "connectors/sources/_mysql/",
    "bson": "connectors/sources/_mongodb/",
    "click": "connectors/cli/",
    "cryptography": "connectors/sources/_mssql/",
    "elastic_transport": "connectors/engine/",
    "elasticsearch": "connectors/engine/",
    "jsonschema_rs": ("connectors/filtering/", "connectors/testing/"),
    "numpy": "connectors/sync/",
    "OpenSSL": "connectors/sources/_mssql/",
    "oracledb": "connectors/sources/_oracle/",
    "orjson": "connectors/sync/",
    "prometheus_client": "connectors/services/monitoring/",
    "psycopg": "connectors/sources/_postgresql/",
    "pyarrow": "connectors/sources/",
    "pymongo": "connectors/sources/_mongodb/",
    "pytds": "connectors/sources/_mssql/",
    "re2": "connectors/pattern.py",
    "redis": ("connectors/storages/redis.py", "connectors/sources/_redis/"),
    "sqlglot": (
        "connectors/sources/_sql",
        "connectors/sources/_mssql/dialect.py",
        "connectors/sources/_mssql/reading.py",
        "connectors/sources/_mysql/dialect.py",
        "connectors/sources/_oracle/dialect.py",
        "connectors/sources/_postgresql/dialect.py",
    ),
    "structlog": ("connectors/logger.py", "connectors/testing/"),
    "xxhash": "connectors/sync/",
    "yaml": ("connectors/settings_file.py", "connectors/cli/create.py"),
    "yarl": "connectors/engine/node.py",
}


@dataclass(frozen=True)
class Import:
    path: str
    line: int
    target: str


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    name = str(path.relative_to(root))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno} imports relatively"
            yield Import(name, node.lineno, node.module or "")
            for alias in node.names:
                yield Import(name, node.lineno, f"{node.module}.{alias.name}")


def breaches(root: Path) -> list[str]:
    found = []
    for path in sorted((root / "connectors").rglob("*.py")):
        for one in imports_of(path, root):
            found += [f"{one.path}:{one.line} imports {one.target}: {why}" for why in (upwards(one), stray(one)) if why]
    return found


def upwards(one: Import) -> str | None:
    parts = one.target.split(".")
    if parts[0] != "connectors" or len(parts) == 1:
        return None
    path = Path(one.path).with_suffix("").parts
    own, other = row(path[1]), row(parts[1])
    if path[1] == parts[1] == "sync" and len(path) > 2 < len(parts) and path[2] != parts[2]:
        own, other = row(path[2], ROWS_OF_SYNC), row(parts[2], ROWS_OF_SYNC)
    if own is None:
        return "it is in no row of the layers"
    if {Path(one.path).parts[1], parts[1]} == {"sources", "engine"}:
        return "sources and engines know nothing of each other"
    if one.path.startswith("connectors/sources/") and parts[1] == "sources" and is_public(one.path, parts):
        return "that is another source; what they share begins with an underscore"
    return "that is a higher row" if other is not None and other > own else None


def is_public(path: str, parts: list[str]) -> bool:
    return len(parts) > 2 and not parts[2].startswith("_") and Path(path).with_suffix("").parts[2] != parts[2]


def row(name: str, rows: list[set[str]] = ROWS) -> int | None:
    return next((number for number, names in enumerate(rows) if name in names), None)


def stray(one: Import) -> str | None:
    home = DRIVERS.get(one.target.split(".")[0])
    return None if home is None or one.path.startswith(home) else f"only {home} may"


def test_the_package_keeps_its_layers() -> None:
    assert breaches(ROOT) == []


@pytest.mark.parametrize(("folder", "rows"), [("connectors", ROWS), ("connectors/sync", ROWS_OF_SYNC)])
def test_every_module_has_a_row(folder: str, rows: list[set[str]]) -> None:
    names = {path.stem if path.is_file() else path.name for path in (ROOT / folder).iterdir()}
    assert {name for name in names if row(name, rows) is None} == {"__init__", "__pycache__"} & names


@pytest.mark.parametrize(
    ("path", "code", "breach"),
    [
        ("connectors/errors.py", "import connectors.config", "higher row"),
        ("connectors/aio/retry.py", "def f() -> None:\n    from connectors import engine", "higher row"),
        ("connectors/config.py", "import aiohttp", "only ('connectors/engine/', "),
        ("connectors/engine/lane.py", "from yarl import URL", "only connectors/engine/node.py may"),
        ("connectors/sources/mysql.py", "import connectors.engine.client", "nothing of each other"),
        ("connectors/engine/lane.py", "from connectors.sources import _sql", "nothing of each other"),
        ("connectors/sources/mysql.py", "from connectors.sources.sqlite import keys", "another source"),
        ("connectors/sync/ledger/run.py", "from connectors.sync.writing import writer", "higher row"),
        ("connectors/surprise.py", "import connectors.errors", "in no row"),
        ("connectors/sync/surprise.py", "import connectors.sync.report", "in no row"),
    ],
)
def test_a_breach_is_found(tmp_path: Path, path: str, code: str, breach: str) -> None:
    module = tmp_path / path
    module.parent.mkdir(parents=True)
    module.write_text(code)
    assert [breach in found for found in breaches(tmp_path)] == [True] * len(breaches(tmp_path)) != []
