"""`connectors create` as a person meets it: a real process, with the embedded engine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.cli.create import described_in
from connectors.engine import open_engine
from connectors.errors import ConfigurationError
from connectors.settings import EngineSettings
from connectors.store.connectors import ConnectorStore

ROOT = Path(__file__).parent.parent.parent
SHOP = """\
id: shop
service_type: sqlite
index_name: shop
configuration:
  database: {folder}/shop.db
  tables: [orders]
rules:
  - {{policy: exclude, field: sent, rule: ">", value: "2026-01-01"}}
"""


def create(folder: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "config.yml").write_text(f"allowed_paths: [{folder}]\n")
    command = [sys.executable, "-m", "connectors", "create", *arguments]
    environ = {"PATH": "/usr/bin", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, input=text, cwd=folder, timeout=60, env=environ
    )


async def stored(folder: Path, connector_id: str) -> dict[str, object] | None:
    async with open_engine(EngineSettings(data=folder / "data")) as engine:
        found = await (await ConnectorStore.open(engine)).get(connector_id)
        return None if found is None else dict(found.document)


async def test_a_described_connector_is_created_and_its_id_printed(tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text(SHOP.format(folder=tmp_path))
    done = create(tmp_path, "--from-file", "shop.yml")
    assert (done.stdout, done.stderr, done.returncode) == ("shop\n", "", 0)
    found = await stored(tmp_path, "shop")
    assert found is not None
    assert (found["service_type"], found["index_name"], found["status"]) == ("sqlite", "shop", "configured")


async def test_an_id_that_there_is_already_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    text = SHOP.format(folder=tmp_path)
    assert create(tmp_path, "--from-file", "-", text=text).returncode == 0
    before = await stored(tmp_path, "shop")
    done = create(tmp_path, "--from-file", "-", text=text.replace("index_name: shop", "index_name: other"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "There is a connector 'shop' already.\nChoose another id, or update that one.\n"
    assert await stored(tmp_path, "shop") == before


async def test_json_is_read_and_printed(tmp_path: Path) -> None:
    given = {"service_type": "sqlite", "index_name": "shop", "configuration": {"database": f"{tmp_path}/a.db"}}
    done = create(tmp_path, "--from-file", "-", "--json", text=json.dumps(given, indent=4))
    printed = json.loads(done.stdout)
    assert {**printed, "id": ""} == {"id": "", "service_type": "sqlite", "index_name": "shop"}
    assert await stored(tmp_path, printed["id"]) is not None


def test_everything_that_is_wrong_is_told_and_nothing_is_stored(tmp_path: Path) -> None:
    text = "service_type: sqlite\nindex: shop\nconfiguration: {database: /etc/passwd}\n"
    done = create(tmp_path, "--from-file", "-", text=text)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(". ")[0] for line in done.stderr.splitlines()] == [
        "index: There is no such setting",
        "configuration.database: 'Database file' can't be used: '/etc/passwd' is not below an allowed path",
        "index_name: It has to be given.",
    ]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"password: [swordfish\n", "c.yml can't be read: expected ',' or ']', but got '<stream end>' (line 2)."),
        (b"a: 1\npassword: 'swordfish\n", "c.yml can't be read: found unexpected end of stream (line 3)."),
        (b"password: a\npassword: swordfish\n", "c.yml can't be read: a name is there twice (line 2)."),
        (b"a: {b: 1, c: 2, b: 3}\n", "c.yml can't be read: a name is there twice (line 1)."),
        (b"a: !!bool swordfish\n", "c.yml can't be read: it is neither YAML nor JSON."),
        (b"password: swordfish\x00\n", "c.yml can't be read: it is neither YAML nor JSON."),
        (b"name: \xff\n", "c.yml can't be read: it is not text in UTF-8."),
        (b"a: " + b"[" * 100_000, "c.yml can't be read: it is neither YAML nor JSON."),
    ],
    ids=["list", "quote", "twice", "twice within", "flag", "character", "bytes", "depth"],
)
def test_a_file_that_can_not_be_read_is_told_without_quoting_it(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "c.yml"
    path.write_bytes(raw)
    with path.open(encoding="utf-8") as file, pytest.raises(ConfigurationError) as caught:
        described_in(file)
    assert str(caught.value).replace(str(path), "c.yml") == message


def test_yaml_is_read_as_json_has_it(tmp_path: Path) -> None:
    path = tmp_path / "c.yml"
    path.write_text(
        "a: 2026-01-01\nb: &b {x: 1}\nc: {<<: *b, x: 2}\nd: [1, 0.5, true, null, '7']\ne: !!timestamp 2026\n"
    )
    with path.open(encoding="utf-8") as file:
        found = described_in(file)
    assert found == {"a": "2026-01-01", "b": {"x": 1}, "c": {"x": 2}, "d": [1, 0.5, True, None, "7"], "e": "2026"}
