import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import DocumentSkipped
from connectors.secret import Secret
from connectors.sync.document.encoding import DEEPEST, encoded
from tests.sync.conversions import CONVERSIONS, NOW, Owner, nested, objects, texts

ROOT = Path(__file__).parents[2]
MENDED = {"half": "\ud800"}
"""What no document with it can be encoded without: everything is walked through."""
PREFIX = '{"half":"\ufffd","v":'


@pytest.mark.parametrize(("value", "expected"), CONVERSIONS, ids=[str(n) for n in range(len(CONVERSIONS))])
def test_a_value_becomes_what_is_documented(value: object, expected: str) -> None:
    assert encoded({"v": value}).decode() == f'{{"v":{expected}}}'
    assert encoded({"v": value, **MENDED}).decode() == f"{PREFIX}{expected}}}"


class Lazy(Mapping[str, Any]):
    """A mapping that fails while it is read."""

    def __getitem__(self, key: str) -> Any:
        raise OSError("s3cret")

    def __iter__(self) -> Iterator[str]:
        yield "a"

    def __len__(self) -> int:
        return 1


def numbers() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "is of the type object, which has no form in JSON"),
        (Secret("s3cret"), "is of the type connectors.secret.Secret, which has no form in JSON"),
        (numbers(), "is of the type generator, which has no form in JSON"),
        (range(10**12), "is of the type range, which has no form in JSON"),
        (1j, "is of the type complex, which has no form in JSON"),
        (int, "is of the type type, which has no form in JSON"),
        (np.longdouble(1), "is of the type numpy.longdouble, which has no form in JSON"),
        (np.timedelta64(1, "M"), "is a number of months or years, which have no length"),
        (10**400, "is a number too large for any engine"),
        (Decimal(10**400), "is a number too large or too long for any engine"),
        (Decimal("1E+999999"), "is a number too large or too long for any engine"),
        (Decimal("1.8E+308"), "is a number too large for any engine"),
        (Decimal("0." + "1" * 1000), "is a number too large or too long for any engine"),
        (
            datetime.min.replace(tzinfo=timezone(timedelta(minutes=19, seconds=32))),
            "is an instant before the first or after the last year",
        ),
        ({1: "a", "1": "b"}, "has two names that both become 1"),
        ({"\ud800": "a", chr(0xDFFF): "b"}, "has two names that both become �"),
        ({(1, 2): "a"}, "has a name of the type tuple"),
        (Lazy(), f"is of the type {__name__}.Lazy, whose conversion failed (OSError)"),
    ],
)
def test_what_has_no_form_is_skipped_by_its_path_and_type(value: object, reason: str) -> None:
    for fields in ({"a": {"b": [0, value]}}, {"a": {"b": [0, value]}, **MENDED}):
        with pytest.raises(DocumentSkipped) as raised:
            encoded(fields)
        assert raised.value.reason == f"The field a.b.1 {reason}."
        assert "s3cret" not in str(raised.value)


def test_a_long_path_is_shortened_and_can_be_written() -> None:
    with pytest.raises(DocumentSkipped) as raised:
        encoded({"\ud800" * 300: object()})
    assert raised.value.reason == f"The field {'�' * 199}… is of the type object, which has no form in JSON."


@pytest.mark.parametrize("more", [{}, MENDED])
def test_nesting_ends_where_orjson_ends_it(more: dict[str, Any]) -> None:
    assert json.loads(encoded({"v": nested(DEEPEST - 1), **more}))["v"] == nested(DEEPEST - 1)
    for levels in (DEEPEST, DEEPEST + 1, 5_000):
        with pytest.raises(DocumentSkipped, match="is nested more than 254 deep"):
            encoded({"v": nested(levels), **more})


def test_deep_objects_of_types_that_are_converted_are_skipped() -> None:
    found: object = 1
    for _ in range(DEEPEST):
        found = Owner(found, found)  # type: ignore[arg-type]
    with pytest.raises(DocumentSkipped, match="is nested more than 254 deep"):
        encoded({"v": found})


def test_sets_in_sets_are_skipped_in_the_end_and_not_encoded_again_at_each_level() -> None:
    found: frozenset[Any] = frozenset()
    for number in range(DEEPEST - 2):
        found = frozenset({found, number})
    assert len(encoded({"v": found})) == 1410
    with pytest.raises(DocumentSkipped, match="is nested more than 254 deep"):
        encoded({"v": frozenset({frozenset({found})})})


def test_what_contains_itself_is_skipped() -> None:
    ring: list[Any] = []
    ring += [ring, ring]
    knot: dict[str, Any] = {}
    knot["a"] = knot["b"] = knot
    for value in (ring, knot):
        with pytest.raises(DocumentSkipped, match="is nested more than 254 deep"):
            encoded({"v": value})


@pytest.mark.parametrize("kind", ["Decimal128", "Owner"])
def test_what_is_converted_without_end_is_skipped(kind: str) -> None:
    if kind == "Owner":
        one: Any = Owner("", NOW)
        one.name = one
    else:
        one = type(kind, (), {"to_decimal": lambda self: self})()
    with pytest.raises(DocumentSkipped, match=r"nested more than 254 deep|to be converted, without end"):
        encoded({"v": one})


@settings(max_examples=200)
@given(st.dictionaries(texts(), objects(), max_size=4))
def test_whatever_comes_is_json_for_every_reader_or_skipped(fields: dict[str, Any]) -> None:
    try:
        raw = encoded(fields)
    except DocumentSkipped as error:
        raw = encoded({"reason": error.reason})
    found = json.loads(raw)
    assert math.inf not in flat(found)
    assert list(found) == sorted(found)
    assert msgspec.json.decode(raw).keys() == found.keys()


def flat(value: object) -> list[float]:
    if isinstance(value, dict | list):
        return [one for part in (value.values() if isinstance(value, dict) else value) for one in flat(part)]
    return [abs(value)] if isinstance(value, float) else []


@settings(max_examples=100)
@given(
    st.dictionaries(st.text(max_size=4), objects().filter(can_be_read_again := lambda one: "iterator" not in repr(one)))
)
def test_the_walk_makes_the_same_as_the_short_way(fields: dict[str, Any]) -> None:
    fields = {name: value for name, value in fields.items() if name != "half"}

    def tried(more: dict[str, Any]) -> Any:
        try:
            return json.loads(encoded({**fields, **more}))
        except DocumentSkipped as error:
            return error.reason

    walked = tried(MENDED)
    if isinstance(walked, dict):
        assert walked.pop("half") == "\ufffd"
    assert tried({}) == walked


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.integers() | st.text(),
            lambda inner: st.dictionaries(st.text(max_size=4), inner, max_size=4),
            max_leaves=8,
        ),
    )
)
def test_the_order_of_names_makes_no_difference(fields: dict[str, Any]) -> None:
    assert encoded(turned(fields)) == encoded(fields)


def turned(value: Any) -> Any:
    return {name: turned(value[name]) for name in reversed(value)} if isinstance(value, dict) else value


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), JSON, max_size=3), st.dictionaries(st.text(), JSON, max_size=3))
def test_documents_that_differ_have_other_bytes(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert json.loads(encoded(one)) == one
    assert (encoded(one) == encoded(other)) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


def test_sets_are_the_same_in_every_process() -> None:
    code = (
        "from connectors.sync.document.encoding import encoded;"
        "print(encoded({'v': {str(n) for n in range(50)} | {(n, b'a') for n in range(9)}, 'w': {'x', 'y', 'z'}}))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(found) == 1


def test_an_instant_is_the_same_one_whatever_its_offset() -> None:
    here = datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=19, seconds=32, microseconds=5)))
    found = json.loads(encoded({"v": here}))["v"]
    assert datetime.fromisoformat(found) == here.astimezone(UTC)
