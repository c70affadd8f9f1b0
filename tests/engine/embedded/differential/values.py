"""Random values of fields, as documents hold them and as queries name them."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.engine.embedded.differential.chance import Chance
from tests.engine.embedded.differential.mappings import DEFAULT_FORMAT, FLOATING, FORMATS, WHOLE, Leaf
from tests.engine.embedded.differential.words import Vocabulary

_FIRST_DAY: Final = datetime(2024, 1, 28, tzinfo=UTC)
_FRACTIONS: Final = [0.5, -0.5, 1.25, 0.1, 2.0, 1e-3, 3.3333333, -7.75, 1024.5, 0.0]
_LARGE: Final = [1e10, -1e10, 65504.0, 16777217.0]
NOT_OF_TYPE: Final = ["no such value", "12x", "2024-13-45", {"x": 1}, True, "1.5e"]


def moment(chance: Chance) -> datetime:
    """Return a time within a few days, often at midnight, so that documents meet."""
    at = _FIRST_DAY + timedelta(days=chance.randrange(6))
    if chance.maybe(0.5):
        return at
    return at + timedelta(hours=chance.randrange(24), seconds=chance.one([0, 1, 59, 1800]))


def date_text(chance: Chance, form: str) -> str | int:
    """Return a time as the first part of a format writes it, or another part."""
    at = moment(chance)
    if form == DEFAULT_FORMAT:
        return _default_date(chance, at)
    pattern = FORMATS[form]
    if not pattern:
        seconds = int(at.timestamp())
        return seconds if form == "epoch_second" else seconds * 1000
    if form.endswith("||epoch_millis") and chance.maybe(0.3):
        return int(at.timestamp() * 1000)
    return at.strftime(pattern)


def _default_date(chance: Chance, at: datetime) -> str | int:
    written: list[str | int] = [
        at.strftime("%Y-%m-%d"),
        at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        at.strftime("%Y-%m-%dT%H:%M:%S.123Z"),
        at.strftime("%Y-%m-%dT%H:%M:%S+02:00"),
        at.strftime("%Y-%m-%dT%H:%M"),
        int(at.timestamp() * 1000),
    ]
    return chance.one(written)


def number(chance: Chance, kind: str) -> int | float:
    """Return a number that a type holds, mostly a small one."""
    if kind in WHOLE:
        most = 2 ** WHOLE[kind] - 1
        return chance.one([most, -most - 1, most - 1]) if chance.maybe(0.05) else chance.randint(-6, 6)
    if chance.maybe(0.05):
        return 65504.0 if kind == "half_float" else chance.one(_LARGE)
    return chance.one(_FRACTIONS) if chance.maybe(0.7) else chance.randint(-4, 4)


def value(chance: Chance, leaf: Leaf, vocabulary: Vocabulary) -> Any:
    """Return a value that a document can hold in a field."""
    kind = leaf.kind
    if kind == "text":
        return chance.randint(0, 20) if chance.maybe(0.03) else vocabulary.text(chance)
    if kind == "keyword":
        return _keyword(chance, vocabulary)
    if kind == "boolean":
        return chance.one([True, False, "true", "false"])
    if kind == "date":
        return date_text(chance, leaf.body.get("format", DEFAULT_FORMAT))
    if kind == "binary":
        return base64.b64encode(chance.randbytes(5)).decode()
    found = number(chance, kind)
    if abs(found) > 1e6 and "fields" in leaf.body and kind in FLOATING:
        # As texts, large numbers are written otherwise: see the page about the engine.
        found = 1024.5
    if leaf.body.get("coerce") is not False:
        if chance.maybe(0.1):
            return str(found)
        if kind in WHOLE and abs(found) < 100 and chance.maybe(0.05):
            return found + 0.5
    return found


def _keyword(chance: Chance, vocabulary: Vocabulary) -> Any:
    if chance.maybe(0.06):
        return chance.one(["", 5, 1.5, True, " fox ", "\U0001f600" * 5])
    return vocabulary.word(chance) if chance.maybe(0.85) else vocabulary.text(chance, 2)


def asked(chance: Chance, leaf: Leaf, vocabulary: Vocabulary, *, bold: bool) -> Any:
    """Return a value that a query may ask for in a field; a `bold` one may be refused."""
    kind = leaf.kind
    if bold and kind != "text" and chance.maybe(0.05):
        return chance.one(["no such value", "1.5x", 1e300, 2**40, True])
    if kind == "text":
        return chance.one([vocabulary.word(chance), vocabulary.word(chance).lower(), 7, True])
    if kind in WHOLE:
        return chance.one([number(chance, kind), number(chance, kind), str(chance.randint(-6, 6)), 1.5, 2.0, 300])
    if kind in FLOATING:
        return chance.one([number(chance, kind), number(chance, kind), str(number(chance, kind)), 3])
    if kind == "date" and chance.maybe(0.15):
        return chance.one(["now", "now/d", "now-1d"])
    if kind == "boolean":
        return chance.one([True, False, "true", "false"])
    if kind == "keyword":
        # No long text: Lucene builds an automaton of it, and fails.
        return vocabulary.word(chance) if chance.maybe(0.9) else chance.one(["", 5, 1.5, True])
    return value(chance, leaf, vocabulary)
