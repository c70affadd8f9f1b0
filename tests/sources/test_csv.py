"""CSV: no text is changed by what its column is taken for."""

import csv
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.changes import Failed
from tests.sources.tables import ROUNDS, Rows, dataset_of, fault_of, rows_of, schema_of, source_of, written


@pytest.mark.parametrize(
    ("texts", "values", "kind"),
    [
        (["1", "-20", ""], [1, -20, None], "integer"),
        (["9223372036854775807"], [9223372036854775807], "integer"),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"], "string"),
        (["007", "8"], ["007", "8"], "string"),
        (["+49170", "1"], ["+49170", "1"], "string"),
        (["1e5", "1"], ["1e5", "1"], "string"),
        (["-0"], [-0.0], "number"),
        (["1_0", "1"], ["1_0", "1"], "string"),
        (["\u0663"], ["\u0663"], "string"),
        (["nan", "inf"], ["nan", "inf"], "string"),
        (["1" * 5_000], ["1" * 5_000], "string"),
        (["1", "2.5"], [1.0, 2.5], "number"),
        (["1.0", "2.25", "1e-07"], [1.0, 2.25, 1e-07], "number"),
        (["1.50", "2.25", "10.00"], [1.5, 2.25, 10.0], "number"),
        (["1.9", "1.10"], ["1.9", "1.10"], "string"),
        (["0.12345678901234567890"], ["0.12345678901234567890"], "string"),
        (["true", "false"], [True, False], "boolean"),
        (["TRUE", "FALSE"], [True, False], "boolean"),
        (["true", "True"], ["true", "True"], "string"),
        (["2024-02-29", "0001-01-01"], [date(2024, 2, 29), date(1, 1, 1)], "date"),
        (["2023-02-29"], ["2023-02-29"], "string"),
        (["20240229"], [20240229], "integer"),
        (["2024-01-01", "2024-01-01T00:00"], ["2024-01-01", "2024-01-01T00:00"], "string"),
        (
            ["2024-01-01T10:00:00Z", "2024-01-01 10:00"],
            [datetime(2024, 1, 1, 10, tzinfo=UTC), datetime(2024, 1, 1, 10)],  # noqa: DTZ001
            "date-time",
        ),
        (["2024-01-01T10:00:00.1234567"], ["2024-01-01T10:00:00.1234567"], "string"),
    ],
)
async def test_a_column_is_what_gives_back_each_of_its_texts(
    tmp_path: Path, texts: Sequence[str], values: Rows, kind: str
) -> None:
    path = written(tmp_path / "a.csv", "v,x\n" + "".join(f"{text},x\n" for text in texts))
    found = [row["v"] for row in await rows_of(path)]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]
    schema = (await schema_of(path))["v"]
    words = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    assert (schema.get("format", words[0]), "null" in words) == (kind, None in values)


async def test_the_last_row_of_a_large_file_counts_for_the_type_of_all(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "v,w\n" + "1,1\n" * 5_000 + "A1,1\n")
    rows = await rows_of(path)
    assert (rows[0], rows[-1]) == ({"row": 2, "v": "1", "w": 1}, {"row": 5_002, "v": "A1", "w": 1})


async def test_columns_without_a_name_or_with_one_that_is_taken_are_named_by_their_place(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "a,,a,column_2,a_3\n1,2,3,4,5\n")
    [row] = await rows_of(path)
    assert sorted(row.values()) == [1, 2, 2, 3, 4, 5]
    assert row == {"a": 1, "column_2_2": 2, "a_3_3": 3, "column_2": 4, "a_3": 5, "row": 2}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a;b\n1;x,y\n", {}),
        ("a\tb\n1\tx,y\n", {}),
        ("a|b\n1|x,y\n", {}),
        ("\n\na;b\n1;x,y\n", {}),
        ('a,b\n1,"x,y"\n', {}),
        ('a,b\n1,"x,y"', {}),
        ('a,b\r\n1,"x,y"\r\n', {}),
        ('a,b\r1,"x,y"\r', {}),
        ("a\tb\n1\tx,y\n", {"delimiter": "tab"}),
        ('\ufeff"a","b"\n1,"x,y"\n', {}),
    ],
)
async def test_the_usual_dialects_are_read(tmp_path: Path, text: str, values: dict[str, object]) -> None:
    path = written(tmp_path / "a.csv", text)
    assert [{"a": row["a"], "b": row["b"]} for row in await rows_of(path, **values)] == [{"a": 1, "b": "x,y"}]


async def test_a_file_of_tabs_says_so_by_its_name(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tsv", "a,b\tc,d,e\n1\t2\n")
    assert await rows_of(path) == [{"a,b": 1, "c,d,e": 2, "row": 2}]


@pytest.mark.parametrize(("encoding", "bom"), [("cp1252", b""), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")])
async def test_encodings_are_those_of_the_setting_or_of_the_byte_order_mark(
    tmp_path: Path, encoding: str, bom: bytes
) -> None:
    path = written(tmp_path / "a.csv", bom + "ä,b\nö,1\n".encode(encoding))
    assert await rows_of(path, encoding="utf-8" if bom else encoding) == [{"ä": "ö", "b": 1, "row": 2}]


async def test_cells_of_several_lines_are_kept_and_rows_counted_by_their_first_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", 'a,b\n"x\r\ny",1\n\n"z",2\n')
    assert await rows_of(path) == [{"a": "x\r\ny", "b": 1, "row": 2}, {"a": "z", "b": 2, "row": 5}]


async def test_rows_that_can_not_be_parsed_are_reported_and_the_walk_goes_on(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", b'a,b\n1,2\n3\n4,5,6\n\xff,7\n"x"y,8\n9,10\n')
    reasons = {
        3: "has 1 cells instead of 2",
        4: "has 3 cells instead of 2",
        5: "holds bytes that are none of the file's encoding",
        6: "is no CSV (',' expected after '\"')",
    }
    failed = [Failed(f"a.csv/{row}", f"Row {row} of 'a.csv' {reason}.") for row, reason in reasons.items()]
    assert await rows_of(path) == [{"a": 1, "b": 2, "row": 2}, *failed, {"a": 9, "b": 10, "row": 7}]


async def test_a_quote_that_is_not_closed_fails_every_row_that_may_be_in_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", 'a,b\n1,2\n"3,4\n5,6\n7,8\n')
    found = await rows_of(path)
    assert [row if isinstance(row, dict) else row.id for row in found] == [
        {"a": 1, "b": 2, "row": 2},
        *("a.csv/3", "a.csv/4", "a.csv/5"),
    ]


async def test_a_quote_that_takes_in_too_many_rows_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "a\n" + '"3\n' + "4\n" * 2_000)
    assert "begins in line 2" in await fault_of(path)


@pytest.mark.parametrize("header", [b'"a"b,c', b"a,\xff", b"a," + b"x" * 20_000_000], ids=["quote", "bytes", "long"])
async def test_a_header_that_can_not_be_parsed_is_an_error(tmp_path: Path, header: bytes) -> None:
    assert "names of the columns" in await fault_of(written(tmp_path / "a.csv", header + b"\n1,2\n"))


async def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl"):
        source = source_of(written(tmp_path / name, ""))
        dataset = await dataset_of(source)
        assert (dataset.columns, dataset.rows) == (("row",), 0)
        assert [row async for row in source.read(dataset)] == []


async def test_a_line_that_is_too_long_is_one_row_that_failed(tmp_path: Path) -> None:
    long = "x" * 40_000_000
    found = await rows_of(written(tmp_path / "a.csv", f"a,b\n1,2\n{long},1\n3,4\n"))
    assert [row if isinstance(row, dict) else row.id for row in found] == [
        {"a": 1, "b": 2, "row": 2},
        "a.csv/3",
        {"a": 3, "b": 4, "row": 4},
    ]
    found = await rows_of(written(tmp_path / "a.jsonl", f'{{"a": 1}}\n{{"a": "{long}"}}\n{{"a": 3}}\n'))
    reason = "Row 2 of 'a.jsonl' is longer than 16,777,216 bytes."
    assert found == [{"a": 1, "row": 1}, Failed("a.jsonl/2", reason), {"a": 3, "row": 3}]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.sampled_from(
    ["0", "-1", "007", "1.5", "1.50", "1e5", "true", "2024-01-01", "2024-01-01T10:00:00Z", "+4", "1e-07", "-0.0"]
)


@ROUNDS
@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=9)))
async def test_any_cells_come_back_and_numbers_as_they_were_written(tmp_path: Path, cells: list[list[str]]) -> None:
    width = len(cells[0]) if cells else 1
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([[f"c{place}" for place in range(width)], *cells])
    found = await rows_of(tmp_path / "a.csv", delimiter=",")
    values = [[row[f"c{place}"] for place in range(width)] for row in found]
    assert len(values) == len(cells)
    for texts, column in zip(zip(*cells, strict=True), zip(*values, strict=True), strict=True):
        for text, value in zip(texts, column, strict=True):
            if isinstance(value, float):
                decimals = len(text.partition(".")[2])
                assert text in {repr(value), repr(value).removesuffix(".0"), f"{value:.{decimals}f}"}
            elif isinstance(value, bool):
                assert text.lower() == str(value).lower()
            elif isinstance(value, datetime):
                assert datetime.fromisoformat(text) == value
            else:
                assert text == ("" if value is None else str(value))
