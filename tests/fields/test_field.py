import copy
import math
import pickle
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigurationError
from connectors.fields.casts import Uncastable
from connectors.fields.field import Field, plain
from tests.fields.hostile import HOSTILE

TYPES = [str, int, float, bool, list, Path]


@pytest.mark.parametrize(
    ("declared", "needed"),
    [
        ({}, True),
        ({"default": "x"}, False),
        ({"default": "x", "required": True}, True),
        ({"required": False}, False),
        ({"type": bool}, False),
        ({"type": bool, "required": True}, True),
        ({"type": list}, True),
        ({"type": int, "value": 5}, True),
    ],
)
def test_a_field_without_a_default_has_to_be_set(declared: dict[str, Any], needed: bool) -> None:
    assert Field("x", "X", **declared).has_to_be_set == needed


def test_secrets_and_connections_have_no_part_in_the_documents() -> None:
    assert Field("x", "X").shapes_documents
    assert not Field("x", "X", shapes=False).shapes_documents
    assert not Field("x", "X", sensitive=True, shapes=True).shapes_documents


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        ({}, "", ""),
        ({}, None, ""),
        ({"default": "d"}, "", "d"),
        ({"default": "d"}, "v", "v"),
        ({"default": "d", "required": True}, "", ""),
        ({"type": int}, "", None),
        ({"type": int, "default": "7"}, None, 7),
        ({"type": int, "default": 7}, 0, 0),
        ({"type": float, "default": 1}, "", 1.0),
        ({"type": bool}, "", False),
        ({"type": bool, "default": True}, "", True),
        ({"type": bool, "default": True}, False, False),
        ({"type": bool, "default": True, "required": True}, "", None),
        ({"type": list, "required": False}, None, []),
        ({"type": list, "default": "a,b"}, [""], ["a", "b"]),
        ({"type": Path, "default": Path("/d")}, "", Path("/d")),
        ({"type": Path, "required": False}, "", None),
        ({"type": str}, [], ""),
    ],
)
def test_an_empty_value_is_its_default_unless_it_has_to_be_set(
    declared: dict[str, Any], value: object, expected: object
) -> None:
    found = Field("x", "X", **declared).effective(value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("declared", "initial"),
    [
        ({}, ""),
        ({"type": int}, ""),
        ({"type": bool}, False),
        ({"type": list}, []),
        ({"default": "d"}, "d"),
        ({"default": "d", "value": ""}, ""),
        ({"type": bool, "default": True, "value": False}, False),
        ({"type": Path, "default": Path("/d")}, "/d"),
        ({"type": list, "default": {"b", "a"}}, ["a", "b"]),
    ],
)
def test_a_new_connector_begins_with_the_value_or_the_default(declared: dict[str, Any], initial: object) -> None:
    assert Field("x", "X", **declared).initial == initial


@pytest.mark.parametrize(
    ("declared", "value", "faults"),
    [
        ({}, "", []),
        ({"type": int, "greater_than": 0}, None, []),
        ({"type": int}, "x", ["has to be a whole number, not 'x'."]),
        ({"type": int, "greater_than": 0, "less_than": 10_485_760}, 0, ["has to be greater than 0, not 0."]),
        ({"type": int, "less_than": 10_485_760}, 10_485_760, ["has to be less than 10485760, not 10485760."]),
        ({"type": float, "greater_than": 0.5}, 0.5, ["has to be greater than 0.5, not 0.5."]),
        ({"options": {"a": "A", "b": "B"}}, "c", ["has to be one of a, b, not 'c'."]),
        ({"type": int, "options": {"1": "A"}}, "1", []),
        ({"type": int, "options": {"1": "A"}}, 2, ["has to be one of 1, not 2."]),
        ({"included_in": ["a", "b"], "options": {"b": "B"}}, "a", ["has to be one of b, not 'a'."]),
        ({"pattern": "[a-z]+"}, "a1", ["has to match [a-z]+, not 'a1'."]),
        ({"pattern": "a|b"}, "ab", ["has to match a|b, not 'ab'."]),
        (
            {"options": {"a": "A"}, "pattern": "a"},
            "B",
            ["has to be one of a, not 'B'.", "has to match a, not 'B'."],
        ),
        ({"type": list, "included_in": ["a"]}, "a, b, c", ["has to be one of a, not 'b', 'c'."]),
        (
            {"type": list, "list_type": "str", "pattern": "[a-z]"},
            [str(number) for number in range(1000)],
            ["has to match [a-z], not '0', '1', '2', '3', '4' and 995 more."],
        ),
        ({"type": list, "included_in": [1]}, [True, 1.0], ["has to be one of 1, not True."]),
        ({"type": list, "list_type": "int"}, "1,x", ["has to be a list of whole numbers, not '1,x'."]),
        ({"sensitive": True, "pattern": "[a-z]+"}, "S3cret", ["has to match [a-z]+, not ***."]),
        ({"sensitive": True}, ["S3cret"], ["has to be a text, not ***."]),
        ({"type": bool}, "maybe", ["has to be true or false, not 'maybe'."]),
    ],
)
def test_what_is_wrong_with_a_value_is_said(declared: dict[str, Any], value: object, faults: list[str]) -> None:
    assert list(Field("x", "X", **declared).faults(value)) == faults


def test_a_masked_value_is_not_shown() -> None:
    one = Field("x", "X", type=list, list_type="str", pattern="[a-z]+")
    assert list(one.faults("S3cret,A", masked=True)) == ["has to match [a-z]+, not ***, ***."]
    assert list(one.faults([["S3cret"]], masked=True)) == ["has to be a list of texts, not ***."]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
def test_whatever_is_given_has_at_most_one_fault_and_raises_nothing_else(kind: type, value: object) -> None:
    limits: dict[str, Any] = {"greater_than": -5.5, "less_than": 5} if kind in {int, float} else {}
    one = Field("x", "X", type=kind, required=False, **limits)
    faults = list(one.faults(value))
    assert len("".join(faults)) < 200
    try:
        one.effective(value)
    except Uncastable:
        assert len(faults) == 1


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"type": dict}, "A field has no type <class 'dict'>."),
        ({"type": dict, "options": {"a": "A"}, "default": {}}, "A field has no type <class 'dict'>."),
        ({"type": list, "list_type": ["str"]}, "A list has no elements of the type ['str']."),
        ({"display": ["text"]}, "Nothing is displayed as ['text']."),
        ({"type": int, "sensitive": True}, "A sensitive field is a text."),
        ({"greater_than": 1}, "Only a number is greater or less than something."),
        ({"type": int, "less_than": "5"}, "It is greater or less than a number."),
        ({"type": float, "less_than": math.nan}, "It is greater or less than a number."),
        ({"type": int, "greater_than": True}, "It is greater or less than a number."),
        ({"type": Path, "pattern": "/srv/.*"}, "What a path may be is for allowed_paths to say."),
        ({"type": Path, "options": {"/a": "A"}}, "What a path may be is for allowed_paths to say."),
        ({"type": int, "pattern": "5"}, "Only a text matches a pattern."),
        ({"type": list, "pattern": "5"}, "Only a text matches a pattern."),
        ({"pattern": "(?=a)"}, "The pattern '(?=a)' is wrong: invalid perl operator: (?=."),
        ({"included_in": "abc"}, "What it has to be included in is a list."),
        ({"included_in": ["a"], "options": {"b": "B"}}, "It may have no value at all."),
        ({"type": int, "options": {"a": "A"}}, "It may have no value at all."),
        ({"list_type": "str"}, "Only a list has elements."),
        ({"type": list, "list_type": "float"}, "A list has no elements of the type 'float'."),
        ({"display": "slider"}, "Nothing is displayed as 'slider'."),
        ({"order": True}, "Its order is a whole number, not True."),
        ({"type": int, "default": "x"}, "The declared value 'x' has to be a whole number, not 'x'."),
        ({"type": int, "value": 0, "greater_than": 0}, "The declared value 0 has to be greater than 0, not 0."),
        ({"pattern": "a", "example": "b"}, "The declared value 'b' has to match a, not 'b'."),
        ({"sensitive": True, "pattern": "a", "default": "hunter2"}, "The declared value *** has to match a, not ***."),
    ],
)
def test_a_declaration_that_can_t_be_kept_is_refused(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Field("x", "X", **declared)
    assert (caught.value.field, str(caught.value)) == ("x", message)


def test_a_field_does_not_print_its_values() -> None:
    one = Field("x", "X", sensitive=True, default="hunter2", value="hunter2", example="hunter2")
    assert "hunter2" not in repr(one)
    assert (one.shown("hunter2"), Field("x", "X").shown("v")) == ("***", "'v'")


def test_a_field_can_be_copied_and_sent() -> None:
    one = Field("x", "X", pattern="[a-z]+", options={"a": "A"})
    assert list(one.faults("b")) == ["has to be one of a, not 'b'."]
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one


def test_a_plain_value_shares_nothing_with_what_it_was_made_of() -> None:
    given = {"a": [Path("/b"), ("c", {"d"})]}
    found = plain(given)
    found["a"][1].append("e")
    assert given == {"a": [Path("/b"), ("c", {"d"})]}
    assert found == {"a": ["/b", ["c", ["d"], "e"]]}
