"""The settings of a daemon that runs: read again when they change, kept where they are wrong."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.config import load_settings
from connectors.secret import Secret
from connectors.services.current_settings import CurrentSettings
from connectors.services.working.messages import Begin, line_of, told
from connectors.settings import Settings
from tests.services.shop import Watch

BEFORE = "service: {workers: 1}\n"


class Here:
    """A settings file, and who keeps up with it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.yml"
        self.write(BEFORE)
        self.current = self.begun()

    def begun(self) -> CurrentSettings:
        return CurrentSettings(load_settings(self.file, {}), self.file, Watch(), {})

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def looks(self, times: int = 3) -> list[Settings]:
        """Return what is new in so many looks."""
        return [found for _ in range(times) if (found := self.current.look()) is not None]


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, object]]:
    """Return what was said, with its fields."""
    said: list[tuple[str, object]] = []
    for record in caplog.records:
        assert isinstance(record.msg, dict)
        fields = {name: record.msg[name] for name in ("changed", "settings", "problem") if name in record.msg}
        said.append((record.msg["event"], fields))
    caplog.clear()
    return said


def test_a_change_is_adopted_once(here: Here, caplog: pytest.LogCaptureFixture) -> None:
    assert here.looks() == []
    here.write("service: {workers: 3}\nallowed_paths: [/srv]\n")
    [found] = here.looks()
    assert (found.service.workers, found.allowed_paths) == (3, (Path("/srv"),))
    assert here.current.now == found
    assert logged(caplog) == [("The settings were read again.", {"changed": ["service.workers", "allowed_paths"]})]


def test_a_file_that_is_being_written_is_waited_for(here: Here) -> None:
    here.looks()
    for number in range(2, 5):
        here.write(f"service: {{workers: {number}}}" + "#" * number)
        assert here.looks(1) == []
    assert [found.service.workers for found in here.looks()] == [4]


def test_a_change_between_the_start_and_the_first_look_is_not_missed(here: Here) -> None:
    here.write("service: {workers: 3}\n")
    assert [found.service.workers for found in here.looks()] == [3]


def test_a_file_in_the_place_of_another_is_a_change(here: Here, tmp_path: Path) -> None:
    here.looks()
    stand = here.file.stat()
    other = tmp_path / "other.yml"
    other.write_text(BEFORE.replace("1", "5"))
    os.utime(other, ns=(stand.st_atime_ns, stand.st_mtime_ns))
    other.replace(here.file)
    assert [found.service.workers for found in here.looks()] == [5]


def test_a_link_that_leads_elsewhere_is_a_change_as_kubernetes_makes_it(here: Here, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"v{number}").mkdir()
        (tmp_path / f"v{number}" / "config.yml").write_text(f"service: {{workers: {number}}}\n")
    (tmp_path / "data").symlink_to("v1")
    here.file.unlink()
    here.file.symlink_to("data/config.yml")
    here.looks()
    (tmp_path / "new").symlink_to("v2")
    (tmp_path / "new").replace(tmp_path / "data")
    assert [found.service.workers for found in here.looks()] == [2]


def test_a_file_with_faults_changes_nothing_and_each_fault_is_told(
    here: Here, caplog: pytest.LogCaptureFixture
) -> None:
    here.looks()
    here.write("service: {workers: 0, jitter: 1}\nlog: {level: debug}\n")
    assert here.looks() == []
    assert [fields for _, fields in logged(caplog)] == [
        {"problem": "service.workers: Expected `int` >= 1, not 0."},
        {"problem": "service.jitter: There is no such setting. Did you mean jitter_s?"},
    ]
    assert here.current.now.log.level is None
    here.write("log: {level: debug}\n")
    assert [found.log.level for found in here.looks()] == ["debug"]


@pytest.mark.parametrize("text", ["engine: [", "engine:\n  api_key: 'hunter2\n", "engine:\n  api_key: !hunter2 x\n"])
def test_a_file_that_is_no_yaml_changes_nothing_and_is_not_quoted(
    here: Here, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    here.looks()
    here.write(text)
    assert here.looks() == []
    assert "can't be read: line " in caplog.text
    assert "hunter2" not in caplog.text


def test_a_file_that_is_gone_changes_nothing(
    here: Here, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    here.current = CurrentSettings(load_settings(None, {}), None, Watch(), {})
    here.looks()
    here.file.unlink()
    assert here.looks() == []
    here.current.ask()
    assert here.looks() == []
    assert caplog.text.count("There is no settings file config.yml.") == 2
    here.write("service: {workers: 7}\n")
    assert [found.service.workers for found in here.looks()] == [7]


def test_a_file_that_comes_to_be_where_there_was_none_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    current = CurrentSettings(Settings(), None, Watch(), {})
    assert [current.look() for _ in range(3)] == [None] * 3
    (tmp_path / "config.yml").write_text("service: {workers: 7}\n")
    assert [one.service.workers for _ in range(3) if (one := current.look()) is not None] == [7]


def test_who_asks_has_it_read_at_once_and_is_told_when_nothing_is_new(
    here: Here, caplog: pytest.LogCaptureFixture
) -> None:
    here.looks()
    here.current.ask()
    assert here.looks() == []
    assert logged(caplog) == [("The settings were read again, and nothing has changed.", {})]
    secret = here.file.with_name("secret")
    secret.write_text("ONE")
    here.write(f"exposed_secrets: ['${{file:{secret}}}']\n")
    here.looks()
    secret.write_text("TWO")  # which the file itself does not tell
    here.current.ask()
    assert [found.exposed_secrets for found in here.looks(1)] == [("TWO",)]


def test_what_can_not_change_stays_and_is_named_beside_what_does(here: Here, caplog: pytest.LogCaptureFixture) -> None:
    here.looks()
    here.write(
        "engine: {attempts: 7, data_connections: 40, data: elsewhere}\n"
        "sync: {heartbeat_timeout_s: 5, batch_documents: 7, concurrency: 30}\n"
    )
    [found] = here.looks()
    assert found.engine == Settings().engine
    assert found.sync == replace(Settings().sync, batch_documents=7)
    fixed = ["engine.data", "engine.data_connections", "engine.attempts"]
    assert logged(caplog) == [
        ("The settings were read again.", {"changed": ["service.workers", "sync.batch_documents"][::-1]}),
        (
            "Settings count only when the daemon is started again.",
            {"settings": [*fixed, "sync.concurrency", "sync.heartbeat_timeout_s"]},
        ),
    ]


def test_the_storage_stays_as_all_processes_have_it(here: Here, caplog: pytest.LogCaptureFixture) -> None:
    here.looks()
    here.write(f"{BEFORE}storage: {{backend: sqlite}}\n")
    assert here.looks() == []
    assert here.current.now.storage == Settings().storage
    assert [fields for _, fields in logged(caplog)] == [{"settings": ["storage.backend"]}]


def test_windows_that_can_not_be_read_change_nothing(here: Here, caplog: pytest.LogCaptureFixture) -> None:
    here.looks()
    here.write("service: {windows: [at night]}\n")
    assert here.looks() == []
    assert "service.windows" in caplog.text


async def test_adopting_goes_on_until_it_is_cancelled(here: Here) -> None:
    adopted: list[int] = []

    class Enough(Exception):
        pass

    async def adopt(settings: Settings) -> None:
        adopted.append(settings.service.workers)
        if len(adopted) == 2:
            raise Enough
        here.write("service: {workers: 12}\n")

    class Quick(Watch):
        async def sleep(self, seconds: float) -> None:
            """Do not wait."""

    here.current.clock = Quick()
    here.write("service: {workers: 3}\n")
    with pytest.raises(Enough):
        await here.current.run(adopt)
    assert adopted == [3, 12]


def test_settings_reach_a_process_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(
        "engine: {host: 'https://e', api_key: swordfish, ca_certs: /ca.crt}\nsources: {a: 'b:C'}\n"
        "allowed_paths: [/a, /b]\nexposed_secrets: [ONE=/run/one]\nmonitoring: {port: null}\n"
    )
    settings = load_settings(file, {})
    message = Begin(settings)
    assert told(line_of(message)) == message
    assert settings.engine.api_key == Secret("swordfish")
    assert "swordfish" not in repr(message)
