from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigurationError
from connectors.fields import Field, Fields
from tests.fields.declarations import plain_configurations

Wire = dict[str, Any]
WIRE = ["type", "label", "order", "display", "default_value", "value", "required", "sensitive", "tooltip", "options"]
WIRE += ["depends_on", "validations", "ui_restrictions"]


@pytest.fixture
def fields() -> Fields:
    return Fields(
        Field("host", "Server address", example="imap.example.org", tooltip="Without the port.", shapes=False),
        Field("port", "Port", type=int, default=993, greater_than=0, less_than=65536, advanced=True),
        Field("auth", "Sign in with", options={"basic": "Password", "token": "Token"}, default="basic"),
        Field("password", "Password", sensitive=True, depends_on={"auth": "basic"}),
        Field("folders", "Folders", type=list, default=("INBOX",), list_type="str", pattern="[A-Z]+"),
        Field("root", "Root", type=Path, default=Path("/srv")),
        Field("ssl", "Use TLS", type=bool),
        Field("note", "Note", required=False, multiline=True),
    )


def test_a_connector_document_has_every_property_of_every_field(fields: Fields) -> None:
    found = fields.configuration()
    assert list(found) == ["host", "port", "auth", "password", "folders", "root", "ssl", "note"]
    assert [list(one) for one in found.values()] == [WIRE] * 8
    assert found["port"] == {
        "type": "int",
        "label": "Port",
        "order": 2,
        "display": "numeric",
        "default_value": 993,
        "value": 993,
        "required": False,
        "sensitive": False,
        "tooltip": None,
        "options": [],
        "depends_on": [],
        "validations": [{"type": "greater_than", "constraint": 0}, {"type": "less_than", "constraint": 65536}],
        "ui_restrictions": ["advanced"],
    }
    assert found["password"] == {
        "type": "str",
        "label": "Password",
        "order": 4,
        "display": "text",
        "default_value": None,
        "value": "",
        "required": True,
        "sensitive": True,
        "tooltip": None,
        "options": [],
        "depends_on": [{"field": "auth", "value": "basic"}],
        "validations": [],
        "ui_restrictions": [],
    }
    assert found["auth"]["options"] == [{"label": "Password", "value": "basic"}, {"label": "Token", "value": "token"}]
    assert [one["display"] for one in found.values()] == [
        "text", "numeric", "dropdown", "text", "text", "text", "toggle", "textarea"
    ]  # fmt: skip
    assert [found[name]["value"] for name in ("folders", "root", "ssl", "note")] == [["INBOX"], "/srv", False, ""]
    assert [found[name]["default_value"] for name in ("folders", "root", "ssl")] == [["INBOX"], "/srv", None]


def test_values_are_put_into_the_configuration(fields: Fields) -> None:
    found = fields.configuration({"port": 1, "root": Path("/x"), "host": None, "unknown": 1})
    assert {name: one["value"] for name, one in found.items()} == {
        "host": None,
        "port": 1,
        "auth": "basic",
        "password": "",
        "folders": ["INBOX"],
        "root": "/x",
        "ssl": False,
        "note": "",
    }


def test_a_configuration_shares_nothing_with_the_declaration() -> None:
    fields = Fields(Field("names", "Names", type=list, default=["a"]))
    found = fields.configuration()["names"]
    found["value"].append("b")
    found["default_value"].append("c")
    assert fields.configuration()["names"]["value"] == ["a"]


def test_fields_are_a_mapping(fields: Fields) -> None:
    assert (fields["port"].label, len(fields), "host" in fields, "hosts" in fields) == ("Port", 8, True, False)
    assert repr(Fields(Field("a", "A"), Field("b", "B"))) == "Fields(a, b)"
    assert Fields() == {}


@given(plain_configurations())
def test_a_plain_configuration_comes_back_with_its_defaults(plain: dict[str, Wire]) -> None:
    fields = Fields.of_configuration(plain)
    found = fields.configuration()
    assert {name: one | {"validations": in_order(one["validations"])} for name, one in found.items()} == {
        name: filled(name, plain[name], place) for place, name in enumerate(fields, 1)
    }
    assert Fields.of_configuration(found).configuration() == found


def filled(name: str, given: Wire, place: int) -> Wire:
    """Return a plain field with what it leaves out."""
    kind = given.get("type", "str")
    suggested = (
        "dropdown" if given.get("options") else {"bool": "toggle", "int": "numeric", "float": "numeric"}.get(kind)
    )
    values = [given.get("value"), given.get("default_value"), {"bool": False, "list": []}.get(kind, "")]
    return {
        "type": kind,
        "label": given.get("label", name.upper()),
        "order": given.get("order", place),
        "display": given.get("display", suggested or "text"),
        "default_value": given.get("default_value"),
        "value": next(value for value in values if value is not None),
        "required": given.get("required", True),
        "sensitive": given.get("sensitive", False),
        "tooltip": given.get("tooltip"),
        "options": given.get("options", []),
        "depends_on": given.get("depends_on", []),
        "validations": in_order(given.get("validations", [])),
        "ui_restrictions": given.get("ui_restrictions", []),
    }


def in_order(validations: list[Wire]) -> list[Wire]:
    return sorted(validations, key=lambda one: str(one["type"]))


def test_plain_fields_stand_in_their_order() -> None:
    plain = {"c": {"order": 3}, "a": {}, "b": {"order": 2}, "first": {"order": 0}, "a2": {"order": None}}
    assert list(Fields.of_configuration(plain)) == ["first", "a", "a2", "b", "c"]


@pytest.mark.parametrize(
    "nothing", [{}, {"value": None}, {"label": "", "type": None, "required": None, "options": None}]
)
def test_a_plain_field_may_leave_out_everything(nothing: Wire) -> None:
    assert Fields.of_configuration({"host": nothing}) == Fields(Field("host", "HOST", required=True))


def test_a_plain_field_may_be_its_value_alone() -> None:
    assert Fields.of_configuration({"host": "h"}) == Fields(Field("host", "HOST", required=True, value="h"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"type": "date"}, "A field has no type 'date'."),
        ({"type": ["str"]}, "A field has no type ['str']."),
        ({"validations": [{"type": "even", "constraint": 1}]}, "A field has no validation 'even'."),
        ({"validations": [{"type": "regex"}]}, "Each of its validations has a type and a constraint."),
        ({"validations": ["regex"]}, "Each of its validations has a type and a constraint."),
        ({"validations": 5}, "Its validations are a list."),
        ({"options": {"value": "a"}}, "Its options are a list."),
        ({"options": [{"value": ["a"], "label": "A"}]}, "Each of its options has a value and a label."),
        ({"options": [{"value": "a", "label": "A"}] * 2}, "Its options have the value 'a' twice."),
        ({"depends_on": [{"field": "ssl", "value": 1}] * 2}, "Its depends_on have the field 'ssl' twice."),
        (
            {"validations": [{"type": "regex", "constraint": "a"}, {"type": "regex", "constraint": "b"}]},
            "Its validations have the type 'regex' twice.",
        ),
        ({"validations": [{"type": "regex", "constraint": "("}]}, "The pattern '(' is wrong: missing ): (."),
        (
            {"validations": [{"type": "less_than", "constraint": "5"}], "type": "int"},
            "It is greater or less than a number.",
        ),
        (
            {"validations": [{"type": "list_type", "constraint": "bool"}], "type": "list"},
            "A list has no elements of the type 'bool'.",
        ),
        ({"validations": [{"type": "included_in", "constraint": "ab"}]}, "What it has to be included in is a list."),
        ({"validations": [{"type": "regex", "constraint": 5}]}, "A pattern is a text."),
        ({"order": "first"}, "Its order is a whole number, not 'first'."),
        ({"display": "slider"}, "Nothing is displayed as 'slider'."),
        ({"required": "false"}, "Its required is true or false, not 'false'."),
        ({"sensitive": True, "type": "int"}, "A sensitive field is a text."),
        ({"value": "x", "type": "int"}, "The declared value 'x' has to be a whole number, not 'x'."),
        ({"value": ["x"], "sensitive": True}, "The declared value *** has to be a text, not ***."),
    ],
)
def test_a_plain_field_that_can_t_be_kept_is_refused_and_named(given: Wire, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Fields.of_configuration({"ssl": {"type": "bool"}, "host": given})
    assert (caught.value.field, str(caught.value)) == ("host", message)


@pytest.mark.parametrize(
    ("declared", "field", "message"),
    [
        ([Field("a", "A"), Field("a", "B")], "a", "It is declared twice."),
        ([Field("a", "A", depends_on={"b": 1})], "a", "It depends on the field 'b', which does not exist."),
        ([Field("a", "A", depends_on={"a": "x"})], "a", "It depends on itself: a → a."),
        (
            [
                Field("a", "A", depends_on={"b": "x"}),
                Field("b", "B", depends_on={"c": "x"}),
                Field("c", "C", depends_on={"a": "x"}),
            ],
            "a",
            "It depends on itself: a → b → c → a.",
        ),
        (
            [Field("a", "A", type=int), Field("b", "B", depends_on={"a": "x"})],
            "b",
            "It depends on 'a', which has to be a whole number, not 'x'.",
        ),
        (
            [Field("a", "A", options={"x": "X"}), Field("b", "B", depends_on={"a": "y"})],
            "b",
            "It depends on 'a', which has to be one of x, not 'y'.",
        ),
    ],
)
def test_fields_that_don_t_fit_together_are_refused(declared: list[Field], field: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Fields(*declared)
    assert (str(caught.value), caught.value.field) == (message, field)


def test_conditions_are_those_of_what_a_field_depends_on_too() -> None:
    fields = Fields(
        Field("c", "C", depends_on={"b": "2", "a": "3"}),
        Field("b", "B", depends_on={"a": "1"}),
        Field("a", "A"),
    )
    assert fields.conditions("c") == [(fields["a"], "1"), (fields["b"], "2"), (fields["a"], "3")]
    assert fields.conditions("a") == []


def test_the_schema_says_what_each_field_is(fields: Fields) -> None:
    assert fields.schema() == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "host": {"title": "Server address", "description": "Without the port.", "type": "string", "minLength": 1},
            "port": {
                "title": "Port",
                "type": "integer",
                "default": 993,
                "exclusiveMinimum": 0,
                "exclusiveMaximum": 65536,
            },
            "auth": {
                "title": "Sign in with",
                "type": "string",
                "default": "basic",
                "enum": ["basic", "token", ""],
            },
            "password": {"title": "Password", "type": "string", "writeOnly": True},
            "folders": {
                "title": "Folders",
                "type": "array",
                "default": ["INBOX"],
                "items": {"type": "string", "pattern": "^(?:[A-Z]+)?$"},
            },
            "root": {"title": "Root", "type": "string", "default": "/srv"},
            "ssl": {"title": "Use TLS", "type": "boolean", "default": False},
            "note": {"title": "Note", "type": "string"},
        },
        "required": ["host"],
        "allOf": [
            {
                "if": {"properties": {"auth": {"enum": ["basic", ""]}}},
                "then": {"properties": {"password": {"minLength": 1}}, "required": ["password"]},
            }
        ],
        "examples": [
            {
                "host": "imap.example.org",
                "port": 993,
                "auth": "basic",
                "password": "…",
                "folders": ["INBOX"],
                "root": "/srv",
                "ssl": False,
            }
        ],
    }


def test_the_schema_of_no_fields_accepts_nothing_and_anything() -> None:
    validator = jsonschema_rs.Draft202012Validator(Fields().schema())
    assert (validator.is_valid({}), validator.is_valid({"unknown": 1}), validator.is_valid([])) == (True, True, False)


@pytest.mark.parametrize(
    ("one", "value"),
    [
        (Field("x", "X"), "…"),
        (Field("x", "X", example="e", value="v", default="d"), "e"),
        (Field("x", "X", value="v", default="d"), "v"),
        (Field("x", "X", default="d"), "d"),
        (Field("x", "X", type=int, default="7"), 7),
        (Field("x", "X", options={"a": "A"}), "a"),
        (Field("x", "X", included_in=["a", "b"], options={"b": "B"}), "b"),
        (Field("x", "X", type=int, greater_than=10), 11),
        (Field("x", "X", type=int, less_than=-10.5), -11),
        (Field("x", "X", type=int, greater_than=1.5, less_than=3), 2),
        (Field("x", "X", type=float, greater_than=2, less_than=2.5), 2.25),
        (Field("x", "X", type=int, greater_than=4, included_in=[3, 5]), 5),
        (Field("x", "X", type=list), ["…"]),
        (Field("x", "X", type=list, list_type="int"), [1]),
        (Field("x", "X", type=list, included_in=["a"]), ["a"]),
        (Field("x", "X", type=list, default="a, b"), ["a", "b"]),
        (Field("x", "X", type=bool), False),
        (Field("x", "X", type=bool, required=True), False),
        (Field("x", "X", type=Path), "…"),
        (Field("x", "X", type=Path, example=Path("/srv")), "/srv"),
    ],
)
def test_an_example_is_a_value_that_is_allowed(one: Field, value: object) -> None:
    fields = Fields(one)
    assert fields.example() == {"x": value}
    assert fields.schema()["examples"] == [{"x": value}]
    assert type(fields.example()["x"]) is type(value)


@pytest.mark.parametrize("one", [Field("x", "X", required=False), Field("x", "X", type=int, required=False)])
def test_what_need_not_be_set_has_no_example(one: Field) -> None:
    assert (Fields(one).example(), Fields(one).schema()["examples"]) == ({}, [{}])


def test_an_example_that_can_t_be_made_up_is_left_out() -> None:
    fields = Fields(Field("x", "X", pattern="[0-9]{3}"), Field("y", "Y", default="z"))
    assert fields.example() == {"y": "z"}
    assert "examples" not in fields.schema()
    assert Fields(Field("x", "X", pattern="[0-9]{3}", example="123")).schema()["examples"] == [{"x": "123"}]


def test_the_schema_shows_no_password_but_one_that_is_an_example() -> None:
    fields = Fields(
        Field("a", "A", sensitive=True, value="hunter2", required=True),
        Field("b", "B", sensitive=True, default="hunter2"),
        Field("c", "C", sensitive=True, example="correct horse"),
    )
    assert fields.example() == {"a": "…", "c": "correct horse"}
    assert "hunter2" not in str(fields.schema())


def test_an_example_has_nothing_that_does_not_count() -> None:
    fields = Fields(
        Field("auth", "A", options={"basic": "B", "token": "T"}, example="token"),
        Field("user", "U", depends_on={"auth": "basic"}),
        Field("mail", "M", depends_on={"user": "…"}),
        Field("token", "T", depends_on={"auth": "token"}),
    )
    assert fields.schema()["examples"] == [{"auth": "token", "token": "…"}]


@given(st.data())
def test_every_example_is_accepted_by_its_schema(data: st.DataObject) -> None:
    schema = Fields.of_configuration(data.draw(plain_configurations())).schema()
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert [list(validator.iter_errors(example)) for example in schema.get("examples", [])] in ([[]], [])
