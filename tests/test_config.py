from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from connectors.binding import Binder, Problem, setting
from connectors.config import load_settings, read_settings
from connectors.errors import ConfigurationError
from connectors.grants import Grants
from connectors.secret import Secret
from connectors.settings import EngineSettings, LogSettings, Settings, StorageSettings
from connectors.store.sync_settings import SyncSettings


def load(tmp_path: Path, text: str, **environ: str) -> Settings:
    path = tmp_path / "settings.yml"
    path.write_text(text)
    return load_settings(path, environ)


def problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text, **environ)
    return str(caught.value).splitlines()


def test_without_a_file_everything_has_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {}) == Settings()


def test_the_file_in_the_repository_says_exactly_the_defaults() -> None:
    assert load_settings(Path(__file__).parent.parent / "config.yml", {}) == Settings()


def test_values_are_typed(tmp_path: Path) -> None:
    text = "engine: {host: 'https://e', verify_certs: false, ca_certs: /ca, attempts: 7, password: pw, username: u}"
    assert load(tmp_path, text).engine == EngineSettings(
        host="https://e", verify_certs=False, ca_certs=Path("/ca"), attempts=7, password=Secret("pw"), username="u"
    )


def test_references_are_replaced_from_the_environment(tmp_path: Path) -> None:
    text = "engine: {api_key: '${KEY}', host: 'http://${HOST:-localhost}:${PORT:-9200}'}"
    assert load(tmp_path, text, KEY="k", HOST="engine").engine == EngineSettings(
        api_key=Secret("k"), host="http://engine:9200"
    )


def test_a_file_stands_for_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k:${KEY}\n")
    given = f"${{file:{tmp_path}/key}}"
    assert load(tmp_path, f"engine: {{api_key: '{given}', host: 'http://e'}}").engine.api_key == Secret("k:${KEY}")
    from_environment = load(tmp_path, "engine: {host: 'http://e'}", CONNECTORS__ENGINE__API_KEY=given)
    assert from_environment.engine.api_key == Secret("k:${KEY}")


def test_a_file_that_can_not_be_used_is_told_with_the_setting(tmp_path: Path) -> None:
    text = "engine: {api_key: '${file:/none/key}', host: '${file:}'}"
    assert problems(tmp_path, text) == [
        "engine.api_key: The file '/none/key' can't be used: No such file or directory.",
        "engine.host: The file '' can't be used: it is no file.",
    ]


def test_a_connector_reads_no_files(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("7")
    with pytest.raises(ConfigurationError, match="Expected `int`, got `str`"):
        SyncSettings.of({"delete_guard": {"count": f"${{file:{tmp_path}/count}}"}})


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "engine: {attempts: 2, verify_certs: true}\nlog:\n",
        CONNECTORS__ENGINE__ATTEMPTS="3",
        CONNECTORS__ENGINE__VERIFY_CERTS="false",
        CONNECTORS__LOG__LEVEL="debug",
        CONNECTORS__ENGINE="ignored: it names no setting",
        PATH="/bin",
    )
    assert loaded == Settings(EngineSettings(attempts=3, verify_certs=False), LogSettings(level="debug"))


def test_what_connectors_may_use_is_named_in_the_file_or_the_environment(tmp_path: Path) -> None:
    text = "sources: {letters: 'mine:Letters'}\nallowed_paths: ['${ROOT}/a', /b]\nexposed_secrets: [ONE]\n"
    loaded = load(tmp_path, text, ROOT="/r", CONNECTORS__SOURCES__MAIL="a.b:C.D")
    assert loaded.sources == {"letters": "mine:Letters", "mail": "a.b:C.D"}
    assert loaded.allowed_paths == (Path("/r/a"), Path("/b"))
    assert loaded.exposed_secrets == ("ONE",)
    variables = {"CONNECTORS__ALLOWED_PATHS": "/c,/d", "CONNECTORS__EXPOSED_SECRETS": "ONE,TWO=/run/two"}
    loaded = load(tmp_path, text, ROOT="/r", **variables)
    assert loaded.grants == Grants((Path("/c"), Path("/d")), ("ONE", "TWO=/run/two"))


def test_nothing_is_granted_by_an_empty_variable(tmp_path: Path) -> None:
    variables = {"CONNECTORS__ALLOWED_PATHS": "", "CONNECTORS__EXPOSED_SECRETS": " , "}
    assert load(tmp_path, "", **variables).grants == Grants()
    variables = {"CONNECTORS__ALLOWED_PATHS": " /c, /d,", "CONNECTORS__EXPOSED_SECRETS": "ONE, TWO"}
    assert load(tmp_path, "", **variables).grants == Grants((Path("/c"), Path("/d")), ("ONE", "TWO"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("allowed_paths: ['${NONE:-}']", ["allowed_paths: Expected a path"]),
        ("sources: {letters: Letters}", ["sources.letters: A class is named as package.module:Class."]),
        ("sources: [a]", ["sources: Expected `object`, got `array`, not ['a']."]),
        ("exposed_secrets: ['A B']", ["exposed_secrets: "]),
        ("allowed_paths: {a: b}", ["allowed_paths: Expected `array`, got `object`, not {'a': 'b'}."]),
    ],
)
def test_what_connectors_may_use_is_checked(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert [line[: len(start)] for line, start in zip(problems(tmp_path, text), expected, strict=True)] == expected


@pytest.mark.parametrize("text", ["", "# nothing\n", "engine:\n", "engine: {api_key: , ca_certs: ''}"])
def test_what_is_empty_is_the_default(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == Settings()


@pytest.mark.parametrize(
    ("text", "port"), [("", 9481), ("monitoring: {port: null}", None), ("monitoring:\n  port:", None)]
)
def test_what_is_set_to_null_is_off_where_its_default_is_not(tmp_path: Path, text: str, port: int | None) -> None:
    assert load(tmp_path, text).monitoring.port == port
    assert load(tmp_path, text, CONNECTORS__MONITORING__PORT="null").monitoring.port is None


IANA = "It is named as in the IANA database, such as UTC, Europe/Berlin or America/New_York."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("engin: {}", ["engin: There is no such setting. Did you mean engine?"]),
        (
            "zzz: 1",
            [f"zzz: There is no such setting. Known here: {', '.join(one.name for one in fields(Settings))}."],
        ),
        ("engine: {hots: x}", ["engine.hots: There is no such setting. Did you mean host?"]),
        ("engine: http://e", ["engine: This is a section: its settings stand below it, indented."]),
        ("engine: {verify_certs: maybe}", ["engine.verify_certs: Expected `bool`, got `str`, not 'maybe'."]),
        ("engine: {attempts: 0}", ["engine.attempts: Expected `int` >= 1, not 0."]),
        (
            "sync: {batch_bytes: 100, waiting_bytes: 99}\ndownloads: {largest_bytes: 8, at_once_bytes: 7}",
            [
                "sync.waiting_bytes: There has to be room for one bulk request: 100 bytes.",
                "downloads.at_once_bytes: There has to be room for the largest content: 8 bytes.",
            ],
        ),
        (
            "sync: {concurrency: 17}",
            ["sync.concurrency: There are connections for 16: raise engine.data_connections too."],
        ),
        ("engine: {flavor: solr}", ["engine.flavor: There is no 'solr' here. Known: auto, elasticsearch, opensearch."]),
        ("engine: {api_key: 123}", ["engine.api_key: Expected `str`, got `int`. Put it into quotes."]),
        (
            "engine: {username: 5, password: p}",
            ["engine.username: Expected `str | null`, got `int`. Put it into quotes."],
        ),
        (
            "engine: {api_key: a, proxy: 'http://p'}",
            [
                "engine.api_key: It is for an engine of yours, and engine.host does not say where that is.",
                "engine.proxy: It is for an engine of yours, and engine.host does not say where that is.",
            ],
        ),
        ("engine: {api_key: '${KEY}'}", ["engine.api_key: The environment variable KEY is not set."]),
        ("engine: {host: 'http://h', username: u}", ["engine.password: A user name and its password go together."]),
        ("engine: {host: 'http://h', password: u}", ["engine.username: A user name and its password go together."]),
        (
            "engine: {host: 'http://h', proxy_username: u}",
            ["engine.proxy_password: A user name and its password go together."],
        ),
        (
            "engine: {host: 'http://h', client_key: k}",
            ["engine.client_cert: There is a client key without its certificate."],
        ),
        (
            "engine: {host: localhost, proxy: 'http://h:99999'}",
            [
                "engine.host: An address looks like http://localhost:9200 or https://engine.example.org.",
                "engine.proxy: Port out of range 0-65535.",
            ],
        ),
        (
            "engine: {host: 'http://u:p@h'}",
            ["engine.host: Put the user name and password into settings of their own, where they are kept secret."],
        ),
        (
            "engine: {host: 'http://h', api_key: a, username: u, password: p}",
            ["engine.api_key: An API key and a user name are both set. Keep one of the two."],
        ),
        (
            "engine: {attempts: x}\nlog: {level: loud}",
            [
                "engine.attempts: Expected `int`, got `str`, not 'x'.",
                "log.level: There is no 'loud' here. Known: debug, info, warning, error.",
            ],
        ),
        (
            "service: {timezone: Nowhere, windows: ['1:00-1:00']}",
            [
                f"service.timezone: There is no time zone 'Nowhere'. {IANA}",
                "service.windows: The window '1:00-1:00' can't be used. It has no length. Write 00:00-24:00 for a day.",
            ],
        ),
    ],
)
def test_every_problem_is_named_with_its_setting(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert problems(tmp_path, text) == expected


def test_a_wrong_secret_is_not_shown(tmp_path: Path) -> None:
    assert "4711" not in "".join(problems(tmp_path, "engine: {password: 4711}"))


def test_the_first_problem_names_the_field(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, "engine: {attempts: 0, slow_after_s: 0}")
    assert caught.value.field == "engine.attempts"


def test_a_file_that_was_asked_for_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no settings file"):
        load_settings(tmp_path / "missing.yml", {})


@pytest.mark.parametrize(
    ("text", "message"), [(": : [", "can't be read"), ("- 1\n", "holds a list"), ("just words", "holds a str")]
)
def test_a_file_without_settings_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize("section", [EngineSettings, LogSettings])
def test_every_setting_is_explained_and_every_empty_one_has_an_example(
    section: type[EngineSettings | LogSettings],
) -> None:
    for one in fields(section):
        assert one.metadata["text"].endswith("."), one.name
        assert one.default is not None or one.metadata["example"], one.name


def test_a_section_within_a_section_is_bound_under_its_full_name() -> None:
    @dataclass(frozen=True)
    class Inner:
        size: int = setting(default=1, text="Size.")

        def problems(self) -> list[Problem]:
            return [Problem("size", "Too large.")] if self.size > 9 else []

    @dataclass(frozen=True)
    class Outer:
        inner: Inner = Inner()

    binder = Binder({})
    assert binder.section(Outer, {"inner": {"size": 2}}) == Outer(Inner(2))
    binder.section(Outer, {"inner": {"size": 10}})
    assert [str(problem) for problem in binder.problems] == ["inner.size: Too large."]


def test_where_each_setting_is_from_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.yml"
    path.write_text("# mine\nengine:\n  attempts: 2\n  data: x\nlog:\nallowed_paths:\n  - /a\nsources: {a: 'b:C'}\n")
    environ = {"CONNECTORS__ENGINE__DATA": "y", "CONNECTORS__SOURCES__D": "e:F", "CONNECTORS__ENGINE": "nothing"}
    found = read_settings(path, environ).origins
    assert {name: origin.place.replace(str(path), "c.yml") for name, origin in found.items()} == {
        "engine.attempts": "c.yml, line 3",
        "engine.data": "CONNECTORS__ENGINE__DATA",
        "allowed_paths": "c.yml, line 6",
        "sources": "CONNECTORS__SOURCES__D",
    }
    assert (found["engine.attempts"].given, found["engine.data"].given) == (2, "y")


def test_what_is_wrong_is_returned_beside_what_is_not(tmp_path: Path) -> None:
    path = tmp_path / "c.yml"
    path.write_text("engine: {attempts: many, hots: x, data: y}\nnone: 1\n")
    loaded = read_settings(path, {})
    assert [problem.name for problem in loaded.problems] == ["engine.attempts", "engine.hots", "none"]
    assert (loaded.settings.engine.attempts, loaded.settings.engine.data) == (5, Path("y"))
    assert "engine.hots" in loaded.origins


def test_the_storage_of_sources_is_the_engine_unless_it_is_named(tmp_path: Path) -> None:
    assert load(tmp_path, "storage: {backend: sqlite, path: /srv/s.db}").storage == StorageSettings(
        backend="sqlite", path=Path("/srv/s.db")
    )
    text = "storage: {backend: redis, url: 'rediss://cache.example.org:6380/3', password: pw}"
    assert load(tmp_path, text).storage == StorageSettings(
        backend="redis", url="rediss://cache.example.org:6380/3", password=Secret("pw")
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{backend: postgres}", "storage.backend: There is no 'postgres' here. Known: engine, sqlite, redis."),
        ("{backend: redis}", "storage.url: The address of Redis is needed, such as redis://localhost:6379/0."),
        ("{url: 'redis://a/0'}", "storage.url: It is for Redis, and storage.backend is engine."),
        ("{backend: sqlite, password: pw}", "storage.password: It is for Redis, and storage.backend is sqlite."),
        (
            "{backend: redis, url: 'redis://a', username: u}",
            "storage.password: A user name and its password go together.",
        ),
        *(
            (
                f"{{backend: redis, url: '{url}'}}",
                "storage.url: An address looks like redis://localhost:6379/0 or rediss://redis.example.org/1.",
            )
            for url in (
                "http://a",
                "redis://",
                "redis://a/b",
                "redis://a/0?db=1",
                "redis://a:0/0",
                "a",
                "redis://a/0#b",
            )
        ),
        (
            "{backend: redis, url: 'redis://u:secret@a/0'}",
            "storage.url: Put the user name and password into settings of their own, where they are kept secret.",
        ),
        (
            "{backend: sqlite, path: data/storage.db}",
            "storage.path: The embedded engine removes strange files from there: name another folder.",
        ),
        ("{backend: redis, url: 'redis://a:b/0'}", "storage.url: Port could not be cast to integer value as 'b'."),
    ],
)
def test_what_is_wrong_with_the_storage_is_told(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, f"storage: {text}") == [problem]
