"""Maildir: what every source promises, and what is special about this one."""

import mailbox
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from pathlib import Path

import pytest
from connectors_maildir import MaildirDataSource

from connectors.changes import Failed
from connectors.download import Download
from connectors.errors import ConfigurationError, ConnectorsError, DocumentSkipped
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.source import Document
from connectors.testing.source_contract import Broken, SourceContract

Settings = Mapping[str, object]


def message(number: int) -> EmailMessage:
    found = EmailMessage()
    found["From"], found["To"] = "Ada <ada@example.org>", "charles@example.org"
    found["Subject"], found["Date"] = f"Grüße {number}", f"Mon, 01 Jan 2024 00:{number % 60:02}:00 +0100"
    found.set_content(f"This is the message {number}.")
    return found


def filled(folder: Path, count: int) -> mailbox.Maildir:
    box, text = mailbox.Maildir(folder), message(0).as_bytes()
    for number in range(count):  # by hand, as the box would wait for the disk after each
        (folder / "new" / f"{number}.box").write_bytes(text.replace(b"00:00:00", b"00:%02d:00" % (number % 60)))
    return box


def read_all(folder: Path) -> None:
    for path in (folder / "new").iterdir():
        path.rename(path.parent.parent / "cur" / f"{path.name}:2,S")


def source(folder: Path) -> MaildirDataSource:
    return MaildirDataSource(Configuration(MaildirDataSource.fields, {"folder": str(folder)}, Grants((folder,))))


async def walked(folder: Path) -> list[tuple[Document, Download]]:
    found = [one async for one in source(folder).get_docs()]
    assert not any(isinstance(one, Failed) for one in found)
    return [one for one in found if not isinstance(one, Failed)]


class TestMaildir(SourceContract):
    source = MaildirDataSource

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        filled(tmp_path / "few", 5)
        return {"folder": str(tmp_path / "few")}

    @pytest.fixture
    def many(self, tmp_path: Path) -> Settings:
        filled(tmp_path / "many", 10_000)
        return {"folder": str(tmp_path / "many")}

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> tuple[Settings, type[ConnectorsError]]:
        return {"folder": str(tmp_path)}, ConfigurationError

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Broken:
        filled(tmp_path / "broken", 2_000)
        cur = tmp_path / "broken" / "cur"
        return Broken({"folder": str(tmp_path / "broken")}, after_first=lambda: cur.rename(tmp_path / "gone"))

    @pytest.fixture
    def removal(self, settings: Settings) -> Callable[[], object]:
        return lambda: mailbox.Maildir(str(settings["folder"])).popitem()

    @pytest.fixture
    def change(self, settings: Settings) -> Callable[[], object]:
        return lambda: mailbox.Maildir(str(settings["folder"])).add(message(99))


async def test_a_message_is_found_with_its_headers_flags_and_text(tmp_path: Path) -> None:
    box = filled(tmp_path / "box", 0)
    seen = mailbox.MaildirMessage(message(7))
    seen.set_subdir("cur")
    seen.set_flags("RS")
    name = box.add(seen)
    [(document, download)] = await walked(tmp_path / "box")
    assert document.pop("_timestamp").isoformat() == "2024-01-01T00:07:00+01:00"
    assert document == {
        "_id": name,
        "subject": "Grüße 7",
        "from": "Ada <ada@example.org>",
        "to": "charles@example.org",
        "flags": ["replied", "seen"],
    }
    assert await download() == {"text": "This is the message 7.\n"}


async def test_a_message_that_is_opened_in_mid_walk_is_seen_once(tmp_path: Path) -> None:
    box = filled(tmp_path / "box", 1_500)
    found = []
    async for one in source(tmp_path / "box").get_docs():
        assert not isinstance(one, Failed)
        found.append(one[0]["_id"])
        if len(found) == 1:
            read_all(tmp_path / "box")
    assert sorted(found) == sorted(box.keys())


async def test_a_message_that_is_gone_has_no_text(tmp_path: Path) -> None:
    box = filled(tmp_path / "box", 1)
    [(_, download)] = await walked(tmp_path / "box")
    box.clear()
    with pytest.raises(DocumentSkipped, match="No such file"):
        await download()


async def test_a_message_in_no_known_charset_has_no_text(tmp_path: Path) -> None:
    filled(tmp_path / "box", 0)
    (tmp_path / "box" / "new" / "1").write_bytes(b"Content-Type: text/plain; charset=klingon\n\nQapla'")
    [(document, download)] = await walked(tmp_path / "box")
    assert document == {"_id": "1", "flags": []}
    with pytest.raises(DocumentSkipped, match="klingon"):
        await download()
