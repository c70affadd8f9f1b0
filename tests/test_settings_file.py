"""Dotted keys in a settings file, and what is given more than once."""

from pathlib import Path

import pytest

from connectors.config import LoadedSettings, read_settings
from connectors.settings import EngineSettings
from connectors.settings_file import SettingsFile


def read(tmp_path: Path, text: str, **environ: str) -> LoadedSettings:
    path = tmp_path / "c.yml"
    path.write_text(text)
    return read_settings(path, environ)


def problems(tmp_path: Path, text: str) -> list[str]:
    return [str(one) for one in read(tmp_path, text).problems]


def test_a_dotted_key_means_the_same_as_one_in_its_section(tmp_path: Path) -> None:
    dotted = read(tmp_path, "engine.host: http://e\nengine.attempts: 3\nsources.a: b:C\nmonitoring.port: null\n")
    nested = read(tmp_path, "engine:\n  host: http://e\n  attempts: 3\nsources:\n  a: b:C\nmonitoring:\n  port: null\n")
    assert (dotted.settings, dotted.problems) == (nested.settings, ())
    assert dotted.settings.engine == EngineSettings(host="http://e", attempts=3)
    assert (dotted.settings.sources, dotted.settings.monitoring.port) == ({"a": "b:C"}, None)


@pytest.mark.parametrize("text", ["engine.host: http://e\nengine: {attempts: 3}", "engine:\nengine.host: http://e"])
def test_a_section_may_be_given_in_both_ways_as_long_as_no_setting_is(tmp_path: Path, text: str) -> None:
    loaded = read(tmp_path, text)
    assert (loaded.settings.engine.host, loaded.problems) == ("http://e", ())


def test_it_is_told_where_a_dotted_key_stands(tmp_path: Path) -> None:
    text = "engine:\n  attempts: 2\n\nengine.data: x\nlog.level: debug\nsources.a: b:C\nallowed_paths: [/a]\n"
    found = read(tmp_path, text, CONNECTORS__LOG__LEVEL="error").origins
    assert {name: origin.place.rpartition("/")[2] for name, origin in found.items()} == {
        "engine.attempts": "c.yml, line 2",
        "engine.data": "c.yml, line 4",
        "log.level": "CONNECTORS__LOG__LEVEL",
        "sources": "c.yml, line 6",
        "allowed_paths": "c.yml, line 7",
    }
    assert (found["engine.data"].given, found["sources"].given) == ("x", {"a": "b:C"})


def test_the_environment_comes_before_a_dotted_key(tmp_path: Path) -> None:
    loaded = read(tmp_path, "engine.attempts: 2\n", CONNECTORS__ENGINE__ATTEMPTS="3")
    assert (loaded.settings.engine.attempts, loaded.problems) == (3, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("engine: {host: http://a}\nengine.host: http://b", ["engine.host", "1 and 2"]),
        ("engine.host: http://b\n\nengine: {host: http://a}", ["engine.host", "1 and 3"]),
        ("engine.host: http://a\nengine.host: http://a", ["engine.host", "1 and 2"]),
        ("engine:\n  host: http://a\n  host: http://a", ["engine.host", "2 and 3"]),
        ("log: {level: debug}\nlog: {format: json}", ["log", "1 and 2"]),
        ("allowed_paths: [/a]\nallowed_paths: [/b]", ["allowed_paths", "1 and 2"]),
        ("sources: {a: 'b:C'}\nsources.a: d:E", ["sources.a", "1 and 2"]),
    ],
)
def test_what_is_given_twice_is_told_with_both_lines(tmp_path: Path, text: str, expected: list[str]) -> None:
    name, lines = expected
    assert problems(tmp_path, text) == [f"{name}: It is given twice, in lines {lines}. Keep one of them."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("engine.hots: x", "engine.hots: There is no such setting. Did you mean host?"),
        ("engine.host.name: x", "engine.host.name: There is no such setting. Did you mean host?"),
        ("engine: here\nengine.host: x", "engine: This is a section: its settings stand below it, indented."),
        ("engin.host: x", "engin.host: There is no such setting. Did you mean engine?"),
        ("allowed_paths.x: /a", "allowed_paths.x: There is no such setting. Did you mean allowed_paths?"),
        ("engine.: x", "engine.: There is no such setting."),
        ("1.5: x", "1.5: There is no such setting."),
    ],
)
def test_a_dotted_key_that_names_nothing_is_told(tmp_path: Path, text: str, expected: str) -> None:
    [found] = problems(tmp_path, text)
    assert found.startswith(expected)


def test_what_was_given_is_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "c.yml"
    path.write_text("engine.api_key: swordfish\n")
    assert "swordfish" not in repr(SettingsFile.read(path, {"engine"}, required=True))
