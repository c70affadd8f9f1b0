"""Rules of files: a file is kept that matches one of them in everything, and invalid ones are told."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.byoc import Filter
from connectors.errors import ConfigurationError
from connectors.filtering.validation import SyncRuleValidationResult
from connectors.sources._files.rules import FileRule
from connectors.sources._files.walk import Walk
from tests.sources.folders import documents, planted, rules, source


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return planted(tmp_path)


@pytest.mark.parametrize(
    ("wire", "found"),
    [
        ([{"pattern": "**/*.md"}], ["readme.md"]),
        ([{"min_size": 2}], ["docs/Photo.JPG", "docs/deep/log", "readme.md"]),
        ([{"max_size": 2}], ["docs/Photo.JPG", "docs/deep/.hidden", "docs/deep/log"]),
        ([{"min_size": 1, "max_size": "2 B"}], ["docs/Photo.JPG", "docs/deep/log"]),
        ([{"min_size": "1k"}], []),
        ([{"max_size": "1KiB"}], ["docs/Photo.JPG", "docs/deep/.hidden", "docs/deep/log", "readme.md"]),
        ([{"newer_than": "61m"}], ["docs/Photo.JPG", "docs/deep/.hidden", "docs/deep/log"]),
        ([{"older_than": "61m"}], ["readme.md"]),
        ([{"older_than": "61m", "newer_than": "1 d"}], []),
        ([{"older_than": "61m", "newer_than": "2w"}], ["readme.md"]),
        ([{"pattern": "*"}, {"pattern": "**/*.JPG", "max_size": 2}], ["docs/Photo.JPG", "readme.md"]),
        ([], ["docs/Photo.JPG", "docs/deep/.hidden", "docs/deep/log", "readme.md"]),
    ],
)
async def test_a_file_is_kept_that_matches_one_rule_in_everything(
    root: Path, wire: list[Any], found: list[str]
) -> None:
    week = datetime.now(UTC).timestamp() - 7 * 86_400
    os.utime(root / "readme.md", (week, week))
    assert sorted(await documents(root, rules(*wire))) == found


@pytest.mark.parametrize(("age_ns", "is_newer"), [(-1, True), (3_599_999_999_999, True), (3_600_000_000_000, False)])
def test_a_file_of_any_age_is_either_newer_or_older(root: Path, age_ns: int, is_newer: bool) -> None:
    entry = Walk(root).entry("readme.md")
    assert entry is not None
    now_ns = entry.stat.st_mtime_ns + age_ns
    assert FileRule.of({"newer_than": "1h"}).keeps(entry, now_ns) is is_newer
    assert FileRule.of({"older_than": "60m"}).keeps(entry, now_ns) is not is_newer


INVALID: list[tuple[Any, str]] = [
    ([{}], "at least one of pattern, min_size"),
    (["*.md"], "at least one of pattern, min_size"),
    ([{"size": 3}], "nothing else"),
    ([{"pattern": 5}], "pattern has to be a text, not 5"),
    ([{"pattern": "a/"}], "The pattern 'a/' has an empty part"),
    ([{"min_size": -1}], "min_size has to be a number of bytes"),
    ([{"min_size": True}], "min_size has to be a number of bytes"),
    ([{"max_size": "10 PB"}], "max_size has to be a number of bytes"),
    ([{"newer_than": 30}], "newer_than has to be a time such as 90s"),
    ([{"older_than": "1y"}], "older_than has to be a time such as 90s"),
    ([{"older_than": "999999999w"}], "older_than has to be a time such as 90s"),
    ([{"min_size": 2, "max_size": 1}], "No file is at least as large"),
    ([{"older_than": "7d", "newer_than": "1w"}], "No file is newer"),
]


@pytest.mark.parametrize(("wire", "reason"), [*INVALID, ({"pattern": "*"}, "a list of objects")])
async def test_invalid_rules_end_a_walk_before_it_begins(root: Path, wire: Any, reason: str) -> None:
    filtering = Filter({"advanced_snippet": {"value": wire}})
    with pytest.raises(ConfigurationError) as error:
        await documents(root, filtering)
    assert reason in str(error.value)
    assert error.value.field == "filtering"


def told(wire: Any) -> list[str]:
    """Return what the validators of a source say of its rules."""
    problems = []
    for validator in source(Path("/")).advanced_rules_validators():
        results = validator().validate(wire)
        for one in [results] if isinstance(results, SyncRuleValidationResult) else results:
            assert one.rule_id == SyncRuleValidationResult.ADVANCED_RULES
            problems += [] if one.is_valid else [one.validation_message]
    return problems


def test_valid_rules_are_found_so() -> None:
    every = {"pattern": "**/*.md", "min_size": 10, "max_size": "10MB", "newer_than": "30d", "older_than": "1h"}
    assert told([every, {"min_size": "0"}]) == []


@pytest.mark.parametrize("wire", [wire for wire, _ in INVALID] + [{"pattern": "*"}])
def test_each_invalid_rule_is_found_by_its_place(wire: Any) -> None:
    rule = wire[0] if isinstance(wire, list) else wire
    [problem] = told([{"pattern": "*"}, rule] if isinstance(wire, list) else wire)
    assert problem.startswith("rules[1]" if isinstance(wire, list) else "rules")


def test_what_is_wrong_beyond_the_schema_is_told_of_every_rule() -> None:
    units = ", or one with KB, MB, GB or TB"
    assert told([{"pattern": "a/"}, {"min_size": "ten"}]) == [
        "rules[0]: The pattern 'a/' has an empty part, or one of dots only: no path below a folder is like that.",
        f"rules[1]: min_size has to be a number of bytes{units}, each 1,024 of the one before, not 'ten'.",
    ]


def test_what_the_schema_says_and_what_it_can_not_say_are_told_together() -> None:
    assert told([{"sizes": 3, "newer_than": "soon"}, {"pattern": "a/", "older_than": "1y"}, "x"]) == [
        "rules[0]: It knows no 'sizes'.",
        "rules[2]: It has to be an object, not 'x'.",
        "rules[0]: newer_than has to be a time such as 90s, 15m, 12h, 30d or 4w, not 'soon'.",
        "rules[1]: The pattern 'a/' has an empty part, or one of dots only: no path below a folder is like that.",
        "rules[1]: older_than has to be a time such as 90s, 15m, 12h, 30d or 4w, not '1y'.",
    ]
