import copy
import json
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigurationError
from connectors.fields import Configuration, Field, Fields
from connectors.grants import Grants
from connectors.secret import Secret
from tests.fields.hostile import HOSTILE

SECRET = "hunter2"
FIELDS = Fields(
    Field("host", "Server", shapes=False),
    Field("port", "Port", type=int, default=993, greater_than=0, shapes=False),
    Field("ratio", "Ratio", type=float, default=1),
    Field("ssl", "Use TLS", type=bool, default=True),
    Field("folders", "Folders", type=list, default=["INBOX"]),
    Field("password", "Password", sensitive=True, required=False),
    Field("mode", "Mode", options={"all": "All", "new": "New"}, default="all"),
    Field("since", "Since", depends_on={"mode": "new"}),
)


def problems(configuration: Configuration) -> list[str]:
    return [str(problem) for problem in configuration.problems()]


def exposing(*names: str, **environ: str) -> Grants:
    return Grants(exposed_secrets=names, environ=environ)


def test_values_are_typed_and_read_by_name_and_attribute() -> None:
    values = {"host": "h", "port": "1143", "ratio": 2, "ssl": "off", "folders": "A, B", "password": SECRET}
    configuration = Configuration(FIELDS, values)
    assert (configuration["host"], configuration.host) == ("h", "h")
    assert (configuration.port, configuration.ratio, configuration.ssl) == (1143, 2.0, False)
    assert type(configuration.ratio) is float
    assert configuration.folders == ["A", "B"]
    assert configuration.password == Secret(SECRET)
    assert configuration.fields is FIELDS
    assert (configuration.get("port"), configuration.get("none", 5), len(configuration)) == (1143, 5, 8)


def test_what_is_not_given_or_empty_has_its_default() -> None:
    empty: list[dict[str, Any]] = [{}, dict.fromkeys(FIELDS), dict.fromkeys(FIELDS, ""), {name: {} for name in FIELDS}]
    for values in empty:
        configuration = Configuration(FIELDS, values)
        assert {name: configuration[name] for name in FIELDS} == {
            "host": "",
            "port": 993,
            "ratio": 1.0,
            "ssl": True,
            "folders": ["INBOX"],
            "password": Secret(""),
            "mode": "all",
            "since": "",
        }


def test_a_secret_that_is_not_set_looks_empty() -> None:
    assert not Configuration(FIELDS, {}).password
    assert Configuration(FIELDS, {"password": SECRET}).password


def test_a_default_is_not_shared() -> None:
    Configuration(FIELDS, {}).folders.append("more")
    assert Configuration(FIELDS, {}).folders == ["INBOX"]


def test_a_stored_configuration_is_read_as_it_is() -> None:
    stored: dict[str, Any] = FIELDS.configuration({"host": "h", "port": "1"})
    stored |= {"ratio": "0.5", "folders": None, "ssl": {"value": None}, "extra": {"value": [[]]}, "more": 5}
    del stored["mode"], stored["password"]["value"]
    configuration = Configuration(FIELDS, stored)
    assert problems(configuration) == []
    found = (configuration.host, configuration.port, configuration.ratio, configuration.folders, configuration.ssl)
    assert found == ("h", 1, 0.5, ["INBOX"], True)
    assert (configuration.mode, configuration.password) == ("all", Secret(""))
    assert "extra" not in configuration
    assert list(configuration) == list(FIELDS)


def test_an_unknown_name_is_an_error_of_the_one_who_asks() -> None:
    configuration = Configuration(FIELDS, {"extra": "x"})
    with pytest.raises(KeyError):
        _ = configuration["extra"]
    with pytest.raises(AttributeError, match=r"There is no setting 'hosts'\. Known: host, port, "):
        _ = configuration.hosts
    assert not hasattr(configuration, "_host")
    assert copy.copy(configuration)["port"] == 993


def test_a_field_of_a_reserved_name_is_read_by_name() -> None:
    configuration = Configuration(Fields(Field("items", "Items", default="x"), Field("fields", "F", default="y")), {})
    assert (configuration["items"], configuration["fields"]) == ("x", "y")
    assert configuration.fields["items"].label == "Items"


def test_a_value_of_another_type_is_an_error_where_it_is_looked_at() -> None:
    configuration = Configuration(FIELDS, {"port": "many"})
    with pytest.raises(ConfigurationError) as caught:
        _ = configuration.port
    assert (caught.value.field, str(caught.value)) == ("port", "'Port' has to be a whole number.")
    assert "port" in configuration


def test_every_problem_is_named_with_its_field_at_once() -> None:
    values = {"port": 0, "ratio": "x", "ssl": "maybe", "mode": "new", "folders": [["A"]]}
    with pytest.raises(ConfigurationError) as caught:
        Configuration(FIELDS, values).check()
    assert caught.value.field == "host"
    assert str(caught.value).splitlines() == [
        "host: 'Server' can't be empty.",
        "port: 'Port' has to be greater than 0, not 0.",
        "ratio: 'Ratio' has to be a number, not 'x'.",
        "ssl: 'Use TLS' has to be true or false, not 'maybe'.",
        "folders: 'Folders' has to be a list of texts and numbers, not [['A']].",
        "since: 'Since' can't be empty.",
    ]


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({}, ["host"]),
        ({"host": "", "mode": "new"}, ["host", "since"]),
        ({"host": {"value": None}, "since": ""}, ["host"]),
        ({"host": "h", "port": "many", "mode": "new", "since": [1]}, []),
        ({"host": "${NOT_EXPOSED}"}, []),
    ],
)
def test_what_has_to_be_set_and_is_not_is_told_apart_from_what_is_wrong(values: Any, missing: list[str]) -> None:
    assert list(Configuration(FIELDS, values).missing()) == missing


def test_a_configuration_without_problems_passes() -> None:
    Configuration(FIELDS, {"host": "h"}).check()


@pytest.mark.parametrize("value", ["", None])
def test_a_required_flag_has_to_be_set(value: object) -> None:
    fields = Fields.of_configuration({"ssl": {"type": "bool", "label": "TLS", "default_value": True}})
    assert problems(Configuration(fields, {"ssl": value})) == ["ssl: 'TLS' can't be empty."]
    assert problems(Configuration(fields, {"ssl": False})) == []


@pytest.mark.parametrize("one", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
def test_a_hostile_value_is_one_problem_at_most(one: Field, value: object) -> None:
    configuration = Configuration(FIELDS, {"host": "h", "mode": "new", "since": "x", one.name: value})
    found = list(configuration.problems())
    assert [problem.name for problem in found] in ([], [one.name])
    assert SECRET not in f"{found} {configuration}"
    for look in (lambda: configuration[one.name], lambda: json.dumps(configuration.shaping())):
        assert refused(look) in [None, *(problem.name for problem in found)]


def refused(look: Callable[[], object]) -> str | None:
    """Return the field that an error names, if there is one."""
    try:
        look()
    except ConfigurationError as error:
        return error.field
    return None


@given(
    st.dictionaries(
        st.sampled_from(list(FIELDS)),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text()
            | st.sampled_from(["${X}", "${", "a,${X:-}"]),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("value"), inner, max_size=3)
            ),
            max_leaves=5,
        ),
    )
)
def test_every_document_is_read_or_refused_field_by_field(values: dict[str, Any]) -> None:
    configuration = Configuration(FIELDS, values)
    wrong = {problem.name for problem in configuration.problems()}
    for name in FIELDS:
        field = refused(partial(configuration.__getitem__, name))
        assert field in {None, name}
        assert field is None or name in wrong or not configuration.counts(name)
    assert str(configuration).startswith("Configuration(host=")


# What depends on others.


def test_a_field_whose_dependencies_are_not_met_is_not_checked() -> None:
    assert problems(Configuration(FIELDS, {"host": "h", "mode": "all", "since": ["x"]})) == []
    assert problems(Configuration(FIELDS, {"host": "h", "mode": "new", "since": ["x"]})) == [
        "since: 'Since' has to be a text, not ['x']."
    ]


CHAIN = Fields(
    Field("tls", "TLS", type=bool),
    Field("check", "Check", type=bool, depends_on={"tls": "yes"}, default=True),
    Field("ca", "Authorities", depends_on={"check": True}),
)


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ({}, False),
        ({"tls": True}, True),
        ({"tls": "true", "check": "1"}, True),
        ({"tls": True, "check": False}, False),
        ({"tls": False, "check": True}, False),
        ({"tls": "maybe", "check": True}, False),
        ({"tls": "${UNKNOWN}"}, False),
    ],
)
def test_a_field_counts_where_all_that_it_depends_on_does(values: dict[str, Any], counts: bool) -> None:
    configuration = Configuration(CHAIN, values)
    assert configuration.counts("ca") == counts
    assert ("ca: 'Authorities' can't be empty." in problems(configuration)) == counts


# What is referred to.


def test_references_are_resolved_at_each_look_and_never_stored() -> None:
    environ = {"HOST": "old", "PORT": "1", "LIST": "a,b"}
    values = {"host": "${HOST}.org", "port": "${PORT}", "folders": ["${LIST}", "c"]}
    configuration = Configuration(FIELDS, values, Grants(exposed_secrets=tuple(environ), environ=environ))
    assert (configuration.host, configuration.port, configuration.folders) == ("old.org", 1, ["a,b", "c"])
    environ["HOST"] = "new"
    assert configuration.host == "new.org"
    assert values == {"host": "${HOST}.org", "port": "${PORT}", "folders": ["${LIST}", "c"]}
    assert "new" not in repr(configuration)
    assert "new" not in str(vars(configuration))


def test_a_list_may_be_one_reference() -> None:
    configuration = Configuration(FIELDS, {"folders": "${LIST}"}, exposing("LIST", LIST="a, b"))
    assert configuration.folders == ["a", "b"]


def test_an_escaped_reference_is_text() -> None:
    assert Configuration(FIELDS, {"host": "$${HOST}"}).host == "${HOST}"


def test_a_reference_that_is_empty_is_an_empty_value() -> None:
    configuration = Configuration(FIELDS, {"host": "${X:-}", "port": "${X:-}", "password": "${X}"}, exposing("X", X=""))
    assert (configuration.host, configuration.port, bool(configuration.password)) == ("", 993, False)
    assert problems(configuration) == ["host: 'Server' can't be empty."]


@pytest.mark.parametrize("values", [{}, {"host": ""}, {"host": None}, {"host": "${EMPTY}"}])
def test_a_default_may_refer_to_something(values: dict[str, Any]) -> None:
    fields = Fields(Field("host", "Server", default="${HOST}"))
    grants = exposing("HOST", "EMPTY", HOST="${EMPTY}", EMPTY="")
    assert Configuration(fields, values, grants).host == "${EMPTY}"


def test_a_reference_that_is_not_exposed_is_a_problem_of_its_field() -> None:
    configuration = Configuration(FIELDS, {"host": "${HOME}", "folders": ["a", "${NONE}"]}, exposing("NONE", HOME="/h"))
    hint = "Add it to exposed_secrets of config.yml, or write $${ for ${."
    assert problems(configuration) == [
        f"host: 'Server' can't be used: ${{HOME}} is not exposed to connectors. {hint}",
        "folders: 'Folders' can't be used: The environment variable NONE is not set.",
    ]
    with pytest.raises(ConfigurationError, match="is not exposed") as caught:
        _ = configuration.host
    assert caught.value.field == "host"


def test_a_list_of_a_field_that_is_none_is_not_looked_through() -> None:
    configuration = Configuration(FIELDS, {"host": ["${KEY}"]}, exposing("KEY", KEY=SECRET))
    assert problems(configuration) == ["host: 'Server' has to be a text, not ['${KEY}']."]


# What has a part in the documents.


def test_what_shapes_documents_is_neither_secret_nor_a_connection_nor_without_effect() -> None:
    values = {"host": "h", "port": 1, "ratio": "2", "folders": "b,a", "password": SECRET, "since": "x"}
    shaping = Configuration(FIELDS, values).shaping()
    assert shaping == {"ratio": 2.0, "ssl": True, "folders": ["b", "a"], "mode": "all"}
    values["mode"] = "new"
    assert Configuration(FIELDS, values).shaping() == {**shaping, "mode": "new", "since": "x"}


def test_what_shapes_documents_is_the_same_however_it_was_written() -> None:
    written = {"ratio": "1", "ssl": "yes", "folders": "INBOX", "mode": ""}
    assert Configuration(FIELDS, written).shaping() == Configuration(FIELDS, {}).shaping()


def test_what_shapes_documents_refers_to_secrets_without_holding_them(tmp_path: Path) -> None:
    fields = Fields(
        Field("a", "A", type=int),
        Field("b", "B", type=list, list_type="int"),
        Field("c", "C", type=Path),
        Field("d", "D", type=Path),
        Field("e", "E", type=list, default=["${KEY}"]),
    )
    values = {"a": "${KEY}", "b": ["${KEY}", 2], "c": "${KEY}", "d": f"{tmp_path}//x"}
    configuration = Configuration(fields, values, exposing("KEY", KEY=SECRET))
    assert configuration.shaping() == {
        "a": "${KEY}",
        "b": ["${KEY}", 2],
        "c": "${KEY}",
        "d": f"{tmp_path}/x",
        "e": ["${KEY}"],
    }


def test_a_wrong_value_that_shapes_documents_is_an_error() -> None:
    for values in ({"ratio": "x"}, {"folders": ["${X}", ["a"]]}):
        with pytest.raises(ConfigurationError) as caught:
            Configuration(FIELDS, values).shaping()
        assert caught.value.field in values


# Paths.


def test_a_path_is_granted_below_the_allowed_folders_alone(tmp_path: Path) -> None:
    fields = Fields(Field("root", "Folder", type=Path))
    grants = Grants((tmp_path,))
    assert Configuration(fields, {"root": f"{tmp_path}/a/../b"}, grants).root == tmp_path.resolve() / "b"
    refused = Configuration(fields, {"root": f"{tmp_path}/.."}, grants)
    expected = (
        f"{f'{tmp_path}/..'!r} is not below an allowed path. "
        f"Name a folder above it in allowed_paths of config.yml (now: {tmp_path})."
    )
    assert problems(refused) == [f"root: 'Folder' can't be used: {expected}"]
    with pytest.raises(ConfigurationError) as caught:
        _ = refused.root
    assert (caught.value.field, str(caught.value)) == ("root", expected)


def test_a_path_that_need_not_be_set_is_none() -> None:
    configuration = Configuration(Fields(Field("root", "Folder", type=Path, required=False)), {"root": ""})
    assert (configuration.root, problems(configuration)) == (None, [])


# Nothing secret is shown.

LEAKY = Fields(
    Field("password", "Password", sensitive=True, pattern="[a-z]+", depends_on={"mode": "x"}),
    Field("mode", "Mode", included_in=["x"]),
    Field("port", "Port", type=int, less_than=5),
    Field("size", "Size", type=float),
    Field("ssl", "TLS", type=bool),
    Field("names", "Names", type=list, list_type="int"),
    Field("words", "Words", type=list, included_in=["x"]),
    Field("root", "Folder", type=Path),
    Field("code", "Code", pattern="[0-9]+"),
    Field("preset", "Preset", default="${KEY}", pattern="[0-9$]*|..KEY.", required=False),
)


@pytest.mark.parametrize(
    "secret", [SECRET, f"{SECRET}\0", f"/root/{SECRET}", f"~{SECRET}", f"a,{SECRET}", f"${{{SECRET}}}"]
)
@pytest.mark.parametrize("form", ["{}", "x{}", "${{NONE:-}}{}"])
def test_a_secret_is_shown_nowhere(secret: str, form: str) -> None:
    text = form.format("${KEY}")
    grants = Grants((Path("/srv"),), ("KEY", "NONE"), {"KEY": secret})
    values: dict[str, object] = dict.fromkeys(LEAKY, text) | {"words": [text], "password": secret, "mode": "x"}
    for written in (values, {**values, "password": text, "mode": text, "names": [text, "1"]}):
        configuration = Configuration(LEAKY, written, grants)
        with pytest.raises(ConfigurationError) as caught:
            configuration.check()
        shown = [said_of(caught.value), f"{configuration} {configuration!r} {list(configuration.problems())}"]
        shown += [json.dumps(configuration.shaping()), str(configuration.fields), str(LEAKY.schema())]
        shown += [looked_at(configuration, name) for name in LEAKY if isinstance(written[name], str) and name in WRONG]
        shown += [printed_or_refused(configuration, "password")]
        assert SECRET not in "".join(shown)


def printed_or_refused(configuration: Configuration, name: str) -> str:
    try:
        found = configuration[name]
    except ConfigurationError as error:
        return said_of(error)
    return f"{found} {found!r} {[found]}"


WRONG = ["port", "size", "ssl", "names", "root"]


def looked_at(configuration: Configuration, name: str) -> str:
    """Return all that is said when a wrong value is looked at."""
    with pytest.raises(ConfigurationError) as caught:
        _ = configuration[name]
    return said_of(caught.value)


def said_of(error: BaseException) -> str:
    """Return what an error says, with all that it is chained to."""
    parts = [*traceback.format_exception(error), repr(error), repr(error.args), repr(vars(error))]
    return "".join(parts + [said_of(one) for one in (error.__cause__, error.__context__) if one is not None])


def test_a_file_that_is_not_text_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(SECRET.encode() + b"\xff")
    configuration = Configuration(FIELDS, {"host": "${KEY}"}, exposing(f"KEY={tmp_path / 'key'}"))
    assert SECRET not in looked_at(configuration, "host") + str(problems(configuration))


# A class with the plain dictionary.


def test_fields_and_the_plain_dictionary_work_the_same() -> None:
    plain = Fields.of_configuration(FIELDS.configuration())
    for values in (
        {},
        {"host": "h"},
        {"host": "h", "port": "0", "mode": "new", "folders": "a"},
        {"ssl": "x", "ratio": 2},
    ):
        ours, theirs = Configuration(FIELDS, values), Configuration(plain, values)
        assert problems(ours) == problems(theirs)
        assert [ours.counts(name) for name in FIELDS] == [theirs.counts(name) for name in FIELDS]
        if "ssl" not in values:
            assert dict(ours) == dict(theirs)


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = ["asyncio", "aiohttp", "apsw", "elasticsearch", "jsonschema_rs", "pyarrow", "sqlglot", "structlog", "yaml"]
    code = f"import sys, connectors.fields.configuration; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"


def test_secrets_are_masked_in_what_somebody_else_wrote() -> None:
    fields = Fields(
        Field("password", "Password", sensitive=True),
        Field("host", "Host"),
        Field("plain", "Plain", required=False),
        Field("other", "Other", sensitive=True, required=False),
    )
    values = {"password": "s/cret 1", "host": "db-${PART}", "plain": "shown", "other": "${GONE}"}
    configuration = Configuration(fields, values, exposing("PART", PART="hidden"))
    text = "no way to postgres://me:s%2Fcret%201@db-hidden as 's/cret 1', shown"
    assert configuration.masked(text) == "no way to postgres://me:***@*** as '***', shown"
    assert Configuration(fields, {"host": "h"}).masked("nothing to hide") == "nothing to hide"
