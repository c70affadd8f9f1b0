"""JSON Lines: what JSON says is what comes out."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.tables import ROUNDS, Rows, fault_of, rows_of, schema_of, written


async def test_json_values_are_what_json_says(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = [
        {"a": 10**30, "b": [1, {"c": None}]},
        {"a": 1.5, "d": "2024-01-01"},
        {"a": None, "d": "2024-01-02", "e": True},
    ]
    path = written(tmp_path / "a.jsonl", "\ufeff" + "\r\n\r\n".join(map(json.dumps, lines)))
    assert await rows_of(path) == [{**line, "row": number} for line, number in zip(lines, (1, 3, 5), strict=True)]
    assert await schema_of(path) == {
        "row": {"type": "integer", "minimum": 1},
        "a": {"type": ["number", "null"]},
        "b": {"type": "array"},
        "d": {"type": "string", "format": "date"},
        "e": {"type": "boolean"},
    }


async def test_types_of_json_are_those_of_all_rows(tmp_path: Path) -> None:
    lines = [{"a": 1, "t": "2024-01-01T00:00:00Z"}] * 3_000 + [{"a": {}, "t": "soon"}, {"a": "x"}]
    schema = await schema_of(written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, lines))))
    assert (schema["a"], schema["t"]) == ({"type": ["integer", "string", "object"]}, {"type": "string"})


async def test_a_file_whose_rows_have_keys_of_their_own_has_a_schema_that_ends_somewhere(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", "\n".join(json.dumps({f"k{number}": 1}) for number in range(12_000)))
    assert len(await schema_of(path)) == 10_001
    assert (await rows_of(path))[-1] == {"k11999": 1, "row": 12_000}


BAD_LINES = [
    b"{",
    b"[1]",
    b"5",
    b'{"a": NaN}',
    b'{"a": "\xff"}',
    b'{"a": "\\ud800"}',
    b'{"a": 1e999}',
    b'{"a": 1} {"a": 2}',
    b'{"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
]


@pytest.mark.parametrize("bad", BAD_LINES, ids=lambda bad: str(bad[:20]))
async def test_bad_lines_are_reported_and_the_walk_goes_on(tmp_path: Path, bad: bytes) -> None:
    path = written(tmp_path / "a.jsonl", b'{"a": 1}\n' + bad + b'\n{"a": 2}\n')
    first, failed, last = await rows_of(path)
    assert (first, failed.id, last) == ({"a": 1, "row": 1}, "a.jsonl/2", {"a": 2, "row": 3})


@pytest.mark.parametrize("line", [*BAD_LINES, b'{"a": 1}'])
async def test_a_row_whose_key_is_not_known_ends_the_walk(tmp_path: Path, line: bytes) -> None:
    path = written(tmp_path / "a.jsonl", b'{"a": 1, "id": 5}\n' + line + b"\n")
    assert "key is not known" in await fault_of(path, key=["id"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@ROUNDS
@given(st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=4), max_size=6))
async def test_any_rows_of_json_come_back(tmp_path: Path, rows: Rows) -> None:
    path = written(tmp_path / "a.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    found = await rows_of(path)
    for row in found:
        del row[next(reversed(row))]  # the number
    assert found == rows
