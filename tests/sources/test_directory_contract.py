"""Directory: what every source promises."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.errors import ConnectorsError, SourceUnreachable
from connectors.fields import Configuration
from connectors.sources.directory import DirectoryDataSource
from connectors.testing.source_contract import Broken, SourceContract
from tests.sources.folders import Ahead

Settings = Mapping[str, object]


def files(folder: Path, count: int) -> Path:
    for number in range(count):
        path = folder / str(number % 20) / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"file {number}\n" * (number % 5))
    return folder


class LaterDirectory(DirectoryDataSource):
    __doc__ = DirectoryDataSource.__doc__

    def __init__(self, configuration: Configuration) -> None:
        # What was written in this moment may change again without a sign of it, so it has no version that stays.
        super().__init__(configuration, clock=Ahead(timedelta(hours=1)))


class TestDirectory(SourceContract):
    source = LaterDirectory
    valid_rules = ([{"pattern": "1/*"}], [{"min_size": "1kb"}, {"newer_than": "1d", "max_size": 20}])
    invalid_rules = ([{}], [{"pattern": "a**"}], [{"min_size": "many"}], [{"colour": "red"}], "1/*")

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return {"directory": str(files(tmp_path / "few", 30))}

    @pytest.fixture
    def many(self, tmp_path: Path) -> Settings:
        return {"directory": str(files(tmp_path / "many", 10_000))}

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> tuple[Settings, type[ConnectorsError]]:
        return {"directory": str(tmp_path / "missing")}, SourceUnreachable

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Broken:
        root = files(tmp_path / "broken", 5_000)
        return Broken({"directory": str(root)}, after_first=lambda: root.rename(tmp_path / "elsewhere"))

    @pytest.fixture
    def removal(self, settings: Settings) -> Callable[[], object]:
        return (Path(str(settings["directory"])) / "3" / "3.txt").unlink

    @pytest.fixture
    def change(self, settings: Settings) -> Callable[[], object]:
        path = Path(str(settings["directory"])) / "3" / "3.txt"
        return lambda: path.write_text("changed")
