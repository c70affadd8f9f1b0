"""Tabular files: what every source promises, with rows that are known by their numbers and by their keys."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from connectors.errors import ConnectorsError, SourceUnreachable
from connectors.sources.tabular_files import TabularFilesDataSource
from connectors.testing.source_contract import Broken, SourceContract
from tests.sources.pages import PAGES

Settings = Mapping[str, object]


def tables(folder: Path, count: int) -> Path:
    folder.mkdir()
    half = count // 2
    with (folder / "a.csv").open("w") as file:
        file.write("id,name,n,at\n")
        file.writelines(f"k{number},name {number},{number},2024-01-01T00:00:00Z\n" for number in range(half))
    with (folder / "b.jsonl").open("w") as file:
        rows = ({"id": f"j{number}", "o": {"x": number}, "f": number / 4} for number in range(count - half))
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


class TestTabularFiles(SourceContract):
    source = TabularFilesDataSource
    pages = PAGES
    key: ClassVar[str] = ""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return {"path": str(tables(tmp_path / "few", 12)), "key": self.key}

    @pytest.fixture
    def many(self, tmp_path: Path) -> Settings:
        return {"path": str(tables(tmp_path / "many", 10_000)), "key": self.key}

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> tuple[Settings, type[ConnectorsError]]:
        return {"path": str(tmp_path / "missing.csv")}, SourceUnreachable

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Broken:
        folder = tables(tmp_path / "broken", 4_000)
        return Broken({"path": str(folder), "key": self.key}, after_first=(folder / "b.jsonl").unlink)

    @pytest.fixture
    def removal(self, settings: Settings) -> Callable[[], object]:
        path = Path(str(settings["path"])) / "a.csv"
        return lambda: path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))

    @pytest.fixture
    def change(self, settings: Settings) -> Callable[[], object]:
        path = Path(str(settings["path"])) / "a.csv"
        return lambda: path.write_text(f"{path.read_text()}k99,new,5,2024-01-02T00:00:00Z\n")


class TestTabularFilesByKey(TestTabularFiles):
    key = "id"
