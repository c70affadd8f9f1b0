import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.engine.embedded.refusal import Refusal
from connectors.engine.embedded.store.document import parse_document

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_any_object_is_a_document(document: dict[str, Any]) -> None:
    assert parse_document("1", json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'[{"a":1}]',
        b'"text"',
        b"null",
        b'{"a":',
        b'{"a":1}}',
        b"\xff",
        b'{"a":NaN}',
        b'{"x":[{"a":1,"a":1}]}',
    ],
)
def test_what_is_no_document_is_refused(raw: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_document("1", raw)
    assert (caught.value.status, caught.value.kind) == (400, "document_parsing_exception")


@pytest.mark.parametrize("raw", [b"", b"  \n"])
def test_nothing_at_all_is_refused_as_that(raw: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_document("1", raw)
    assert caught.value.kind == "parse_exception"


def test_a_colon_after_a_quote_within_text_is_no_name() -> None:
    assert parse_document("1", rb'{"a":"\":","b":"x\":y"}') == {"a": '":', "b": 'x":y'}
