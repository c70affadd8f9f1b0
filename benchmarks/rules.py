"""What basic rules cost a document: 1, 10 and 100 of them, beside a loop over functions written by hand."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any

from benchmarks.measure import Row, compare
from connectors.filtering.rules import Rules

Document = Mapping[str, Any]
Keeps = Callable[[Document], bool]

COUNTS = (1, 10, 100)
CALLS = 100_000
"""How many rules are evaluated in a round, in as many documents as that takes."""

DOCUMENT: Document = {
    "_id": "4711",
    "path": "/home/ann/reports/2024/q3.pdf",
    "name": "q3.pdf",
    "size": 123_456,
    "status": "open",
    "title": "Report of the third quarter",
    "modified_at": datetime(2024, 5, 1, tzinfo=UTC),
    "owner": {"name": "ann"},
}


def by_hand_regex(text: str) -> Keeps:
    """Match the path with Python's own expressions, which backtrack."""
    expression = re.compile(text)
    return lambda document: expression.match(document["path"]) is not None


def by_hand_older(text: str) -> Keeps:
    """Compare instants."""
    moment = datetime.fromisoformat(text)
    return lambda document: document["modified_at"] < moment


def by_hand_larger(text: str) -> Keeps:
    """Compare numbers."""
    size = int(text)
    return lambda document: document["size"] > size


# Of every kind that people write: field, operator and a value that the document does not match; and the same by hand,
# which knows that the fields are there and of which type they are.
KINDS: tuple[tuple[str, str, str, Callable[[str], Keeps]], ...] = (
    ("path", "starts_with", "/archive/{}/", lambda text: lambda document: document["path"].startswith(text)),
    ("name", "ends_with", ".tmp{}", lambda text: lambda document: document["name"].endswith(text)),
    ("size", ">", "9{}00000000", by_hand_larger),
    ("status", "equals", "deleted {}", lambda text: lambda document: document["status"] == text),
    ("title", "contains", "draft {}", lambda text: lambda document: text in document["title"]),
    ("path", "regex", "/private/[a-z]+-{}/", by_hand_regex),
    ("modified_at", "<", "1970-01-01T00:{:02}:00Z", by_hand_older),
    ("owner.name", "equals", "robot {}", lambda text: lambda document: document["owner"]["name"] == text),
)


def run(count: int) -> list[Row]:
    """Return seconds for as many documents as `documents(count)` says, by so many rules each."""
    missed = list(islice(rules(), count))
    last = {"id": "last", "policy": "exclude", "field": "name", "rule": "equals", "value": "q3.pdf", "order": count}
    keeps, finds = Rules.of(missed).keeps, Rules.of([*missed[:-1], last]).keeps
    bare = loop(count)
    if [bare(DOCUMENT), keeps(DOCUMENT), finds(DOCUMENT)] != [True, True, False]:
        raise AssertionError("The rules decide otherwise than they are meant to.")
    return compare(
        {
            "a loop over functions by hand, none matches": lambda: repeat(bare, count),
            "Rules.keeps, none matches": lambda: repeat(keeps, count),
            "Rules.keeps, the last decides": lambda: repeat(finds, count),
        }
    )


def documents(count: int) -> int:
    """Return how many documents go through so many rules in a round."""
    return CALLS // count


def repeat(keeps: Keeps, count: int) -> None:
    """Evaluate the rules for each document of a round."""
    for _ in range(documents(count)):
        keeps(DOCUMENT)


def rules() -> Iterator[dict[str, Any]]:
    """Yield rules that exclude, of each kind in turn and few alike."""
    for number, (field, operator, value, _) in enumerate(cycle(KINDS)):
        text = value.format(number % 60)
        own = {"id": str(number), "policy": "exclude", "order": number}
        yield {**own, "field": field, "rule": operator, "value": text}


def loop(count: int) -> Keeps:
    """Return the same rules as functions written by hand, asked one after the other."""
    functions = [
        make(value.format(number % 60)) for number, (*_, value, make) in islice(enumerate(cycle(KINDS)), count)
    ]

    def keeps(document: Document) -> bool:
        for matches in functions:  # noqa: SIM110 - all() takes longer
            if matches(document):
                return False
        return True

    return keeps
