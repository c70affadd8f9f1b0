"""Source filters: what of a document is answered; the expectations are Elasticsearch's."""

from typing import Any

import pytest

from connectors.engine.embedded.query.source_filter import SourceFilter

SOURCE = {
    "a": {"b": 1, "c": {"d": 2, "e": []}, "ab": 3},
    "ab": {"x": {}},
    "l": [{"b": 1}, {"c": 2}, {}],
    "n": None,
    "a.z": {"q": 9},
    "m": [[{"b": 1, "c": 1}]],
}


@pytest.mark.parametrize(
    ("include", "part"),
    [
        ("*b", {"ab": {"x": {}}}),
        ("*.d", {}),
        ("**.d", {"a": {"c": {"d": 2}}}),
        ("a.z.q", {"a.z": {"q": 9}}),
        ("a.c.e", {"a": {"c": {"e": []}}}),
        ("l.*", {"l": [{"b": 1}, {"c": 2}]}),
        ("m.b", {"m": [[{"b": 1}]]}),
        ("n", {"n": None}),
        ("none", {}),
    ],
)
def test_included_names_are_kept(include: str, part: dict[str, Any]) -> None:
    assert SourceFilter(includes=(include,)).part(SOURCE) == part


@pytest.mark.parametrize(
    ("excludes", "changed"),
    [
        (["ab.x"], {"ab": ...}),
        (["l.b"], {"l": [{"c": 2}, {}]}),
        (["m.b", "m.c"], {"m": ...}),
        (["n", "a"], {"n": ..., "a": ..., "a.z": ...}),
        (["a.*"], {"a": {}, "a.z": ...}),
        (["l.*"], {"l": []}),
        (["*.b"], {"a": {"c": {"d": 2, "e": []}, "ab": 3}, "l": [{"c": 2}], "m": [[{"c": 1}]]}),
        (["*none"], {"l": [{"b": 1}, {"c": 2}]}),
    ],
)
def test_excluded_names_are_left_out(excludes: list[str], changed: dict[str, Any]) -> None:
    wanted = {name: value for name, value in (SOURCE | changed).items() if value is not ...}
    assert SourceFilter(excludes=tuple(excludes)).part(SOURCE) == wanted


def test_inclusion_reaches_over_names_where_an_exclusion_has_a_star() -> None:
    assert SourceFilter(includes=("a*d",), excludes=("*x",)).part(SOURCE) == {"a": {"c": {"d": 2}}}
