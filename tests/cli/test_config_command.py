"""`connectors config` as a person meets it."""

import dataclasses

from connectors.settings import Settings
from tests.cli.desk import Desk

NUMBER = sum(
    len(dataclasses.fields(one)) if dataclasses.is_dataclass(one) else 1
    for one in (getattr(Settings(), one.name) for one in dataclasses.fields(Settings))
)


def config(desk: Desk, text: str) -> None:
    (desk.folder / "config.yml").write_text(text)


def test_every_setting_is_shown_with_where_it_is_from(desk: Desk) -> None:
    config(desk, "engine:\n  host: http://${WHERE:-localhost}:9200\n  attempts: 3\nallowed_paths: [/a, /b]\n")
    done = desk.run("config", "show", CONNECTORS__SYNC__CONCURRENCY="7")
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    told = {name: " ".join(rest.split()) for name, rest in lines}
    assert (done.returncode, done.stderr, len(lines)) == (0, "", NUMBER + 1)
    assert told["engine.host"] == "http://localhost:9200 config.yml, line 2"
    assert told["engine.attempts"] == "3 config.yml, line 3"
    assert told["engine.verify_certs"] == "true default"
    assert told["sync.concurrency"] == "7 CONNECTORS__SYNC__CONCURRENCY"
    assert told["allowed_paths"] == "/a, /b config.yml, line 4"
    assert told["log.level"] == "error CONNECTORS__LOG__LEVEL"


def test_secrets_and_what_is_in_files_are_masked(desk: Desk) -> None:
    (desk.folder / "hidden").write_text("swordfish")
    config(
        desk,
        "engine: {host: 'http://e', api_key: hunter2, proxy: 'http://${file:hidden}'}\n"
        "exposed_secrets: ['${file:hidden}']\nsources: {a: 'a:${file:hidden}'}\n",
    )
    done = desk.run("config", "show")
    assert "hunter2" not in done.stdout
    assert "swordfish" not in done.stdout
    found = desk.json("config", "show")
    assert found["engine.api_key"] == {"value": "***", "from": "config.yml, line 1"}
    assert [found[name]["value"] for name in ("engine.proxy", "exposed_secrets", "sources")] == ["***"] * 3
    assert found["engine.password"] == {"value": None, "from": "default"}


def test_settings_that_are_valid_are_counted_by_where_they_are_from(desk: Desk) -> None:
    config(desk, "engine: {attempts: 3}\nallowed_paths: [.]\n")
    done = desk.run("config", "check")
    assert (done.returncode, done.stderr, done.stdout) == (
        0,
        "",
        f"The settings are valid. 2 from config.yml, 1 from the environment, {NUMBER - 3} have their defaults.\n",
    )
    assert desk.json("config", "check") == {"valid": True, "problems": []}


def test_everything_that_is_wrong_is_named(desk: Desk) -> None:
    config(desk, "engine: {hots: x, attempts: many}\n")
    hots, attempts = "There is no such setting. Did you mean host?", "Expected `int`, got `str`, not 'many'."
    for command in ("check", "show"):
        done = desk.run("config", command)
        expected = f"engine.hots: {hots}\nengine.attempts: {attempts}\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
    assert desk.json("config", "check", code=2) == {
        "valid": False,
        "problems": [{"name": "engine.hots", "text": hots}, {"name": "engine.attempts", "text": attempts}],
    }


def test_a_source_that_can_not_be_used_is_wrong_too(desk: Desk) -> None:
    config(desk, "sources: {letters: 'nowhere.letters:Letters', things: 'things:Things'}\n")
    done = desk.run("config", "check")
    assert (done.returncode, done.stderr) == (2, "sources.letters: The module nowhere can't be found.\n")


def test_a_file_that_can_not_be_read_is_told(desk: Desk) -> None:
    done = desk.run("--config", "none.yml", "config", "check")
    assert (done.returncode, done.stderr) == (2, "There is no settings file none.yml.\n")
    config(desk, "engine: [")
    [problem] = desk.json("config", "check", code=2)["problems"]
    assert problem["text"].startswith("The settings file config.yml can't be read: ")


def test_a_key_with_dots_is_shown_where_it_stands_and_told_when_it_is_given_twice(desk: Desk) -> None:
    config(desk, "engine:\n  attempts: 3\nengine.host: http://e\n")
    assert desk.json("config", "show")["engine.host"] == {"value": "http://e", "from": "config.yml, line 3"}
    config(desk, "engine:\n  host: http://a\nengine.host: http://e\n")
    done = desk.run("config", "check")
    told = "engine.host: It is given twice, in lines 2 and 3. Keep one of them.\n"
    assert (done.returncode, done.stderr) == (2, told)
