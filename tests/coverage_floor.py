"""Fails where tests cover too little of a source or of the rule engine; run by `make test` after the tests."""

import io
import shutil
import sys
from pathlib import Path
from typing import Final

from coverage import Coverage
from coverage.exceptions import NoDataError

FLOOR = 90.0
HELD = (
    "connectors/sources/**/*.py",
    "connectors/filtering/*.py",
    "connectors/byoc.py",
    "connectors/literal.py",
    "connectors/pattern.py",
    "connectors/predicate.py",
)
SERVERS: Final = {
    ("_sql", "_mysql", "mysql"): "mariadbd",
    ("_postgresql", "postgresql"): "pg_lsclusters",
    ("_redis", "redis"): "redis-server",
    ("_mongodb", "mongodb"): "mvn",
}
"""What is tested with a server, and its program: where there is none, and none can be installed, nothing is held."""


def below(root: Path, data: Path) -> dict[str, float]:
    """Return the modules that are held to the floor and are below it, each with the percentage that is covered."""
    coverage = Coverage(data_file=str(data), config_file=str(root / "pyproject.toml"))
    coverage.load()
    found = {}
    for path in sorted(path for pattern in HELD for path in root.glob(pattern) if not lacks_server(path)):
        try:
            covered = coverage.report(include=[str(path)], file=io.StringIO())
        except NoDataError:
            covered = 0.0 if path.read_text(encoding="utf-8").count("\n") > 1 else 100.0  # nothing but a docstring
        if covered < FLOOR:
            found[str(path.relative_to(root))] = covered
    return found


def lacks_server(path: Path) -> bool:
    """Return whether a module could not be tested here."""
    names = {path.stem, path.parent.name}
    return any(names & set(parts) and shutil.which(program) is None for parts, program in SERVERS.items())


def main() -> int:
    """Name what is below the floor."""
    root = Path(__file__).parent.parent
    found = below(root, root / ".coverage")
    for name, covered in found.items():
        print(f"{name}: its tests cover {covered:.0f} %, and have to cover {FLOOR:.0f} %.")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
