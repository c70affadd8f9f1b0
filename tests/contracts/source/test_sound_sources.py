"""Sound sources keep every promise: one that does everything, and one without our base class."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from connectors.errors import AccessDenied, ConfigurationError, ConnectorsError
from connectors.testing.source_contract import Broken, SourceContract
from tests.contracts.source.letters import LettersDataSource, letter, write_letters
from tests.contracts.source.notes import NotesDataSource

Settings = Mapping[str, object]
KEY = "a key of some length"


class TestLetters(SourceContract):
    source = LettersDataSource
    valid_rules = ({"senders": ["a"]}, {"senders": []})
    invalid_rules = (["a"], {"senders": "a"})

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return write_letters(tmp_path / "few", 12, key=KEY)

    @pytest.fixture
    def many(self, tmp_path: Path) -> Settings:
        return write_letters(tmp_path / "many", 10_000, key=KEY)

    @pytest.fixture
    def unreachable(self, settings: Settings) -> tuple[Settings, type[ConnectorsError]]:
        return {**settings, "key": "another key of that length"}, AccessDenied

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Settings:
        return write_letters(tmp_path / "broken", 1_200, key=KEY, last_line="{")

    @pytest.fixture
    def change(self, settings: Settings) -> Callable[[], object]:
        letters = Path(str(settings["folder"])) / "letters"
        return lambda: letters.write_text(letter(500) + letters.read_text("utf-8").replace('"a"', '"z"'), "utf-8")


class TestNotes(SourceContract):
    source = NotesDataSource
    documents_of_many = 1_000  # as each of them is a file

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return {"folder": str(notes(tmp_path / "few", 5))}

    @pytest.fixture
    def many(self, tmp_path: Path) -> Settings:
        return {"folder": str(notes(tmp_path / "many", 1_000))}

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> tuple[Settings, type[ConnectorsError]]:
        return {"folder": str(tmp_path / "none")}, ConfigurationError

    @pytest.fixture
    async def broken(self, tmp_path: Path) -> Broken:
        folder = notes(tmp_path / "broken", 1_000)
        return Broken({"folder": str(folder)}, after_first=(folder / "999").unlink)


def notes(folder: Path, number: int) -> Path:
    folder.mkdir()
    for name in range(number):
        (folder / str(name)).write_text(f"note {name}")
    return folder
