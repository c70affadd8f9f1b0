"""Random mappings: fields of every type, with the parameters that change what is found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.engine.embedded.differential.chance import Chance

Json = dict[str, Any]
UNIQUE: Final = "u"
"""A number that no two documents share."""
WHOLE: Final = {"long": 63, "integer": 31, "short": 15, "byte": 7}
FLOATING: Final = ("double", "float", "half_float")
_KINDS: Final = [
    "text", "text", "text", "keyword", "keyword", *WHOLE, "long", *FLOATING, "boolean", "date", "date", "object",
    "object", "binary",
]  # fmt: skip
_NAMES: Final = ["a", "b", "c", "title", "a_b", "n1", "Tag", "größe", "x-y", "d"]
_MOST_LEVELS: Final = 3
FORMATS: Final[Mapping[str, str]] = {
    "yyyy-MM-dd": "%Y-%m-%d",
    "yyyy-MM-dd HH:mm:ss||epoch_millis": "%Y-%m-%d %H:%M:%S",
    "dd/MM/yyyy": "%d/%m/%Y",
    "strict_date_optional_time": "%Y-%m-%dT%H:%M:%SZ",
    "date_optional_time||epoch_second": "%Y-%m-%dT%H:%M:%S",
    "basic_date": "%Y%m%d",
    "epoch_second": "",
    "epoch_millis": "",
}
"""Formats of dates, and how Python writes them; nothing where it is a number."""
DEFAULT_FORMAT: Final = "strict_date_optional_time||epoch_millis"


@dataclass(frozen=True)
class Leaf:
    """A field, a multi-field included, and what the mapping says of it."""

    path: str
    body: Json

    @property
    def kind(self) -> str:
        """Return its type."""
        return str(self.body["type"])

    @property
    def searchable(self) -> bool:
        """Return whether queries can ask for its values."""
        kept = self.body.get("index", True) or (self.kind != "text" and self.body.get("doc_values", True))
        return bool(kept) and self.kind != "binary"

    @property
    def sortable(self) -> bool:
        """Return whether searches can be sorted by it."""
        return self.kind not in ("text", "binary") and bool(self.body.get("doc_values", True))


@dataclass(frozen=True)
class RandomMapping:
    """A mapping as a request defines it, and its fields."""

    body: Json
    leaves: tuple[Leaf, ...]
    objects: tuple[str, ...]
    ignore_malformed: bool = False
    """The setting of the index, which counts for fields that do not say so themselves."""

    @classmethod
    def random(cls, chance: Chance) -> "RandomMapping":
        """Make one up."""
        body = _properties(chance, 1)
        body["properties"][UNIQUE] = {"type": "long"}
        if chance.maybe(0.4):
            body["dynamic"] = chance.one([True, False, "strict"])
        leaves: list[Leaf] = []
        objects: list[str] = []
        _collect("", body, leaves, objects)
        return cls(body, tuple(leaves), tuple(objects), chance.maybe(0.3))

    def of_kind(self, *kinds: str) -> list[Leaf]:
        """Return the fields of some types."""
        return [leaf for leaf in self.leaves if leaf.kind in kinds]

    @property
    def sortable(self) -> list[Leaf]:
        """Return the fields that searches can be sorted by."""
        return [leaf for leaf in self.leaves if leaf.sortable]


def _properties(chance: Chance, level: int) -> Json:
    names = chance.some(_NAMES, 8 if level == 1 else 4, 4 if level == 1 else 1)
    return {"properties": {name: _node(chance, level) for name in names}}


def _node(chance: Chance, level: int) -> Json:
    kind = chance.one(_KINDS)
    if kind == "object":
        return _object(chance, level) if level < _MOST_LEVELS else _leaf(chance, "long")
    body = _leaf(chance, kind)
    if kind != "binary" and chance.maybe(0.5 if kind == "text" else 0.1):
        parts = chance.some(["keyword", "text", "keyword"], 2)
        body["fields"] = {f"{part[:3]}{place}": _leaf(chance, part) for place, part in enumerate(parts)}
    return body


def _object(chance: Chance, level: int) -> Json:
    body = _properties(chance, level + 1)
    if chance.maybe(0.2):
        body["dynamic"] = chance.one([True, False, "strict"])
    if chance.maybe(0.08):
        body["enabled"] = False
    return body


def _leaf(chance: Chance, kind: str) -> Json:
    body: Json = {"type": kind}
    if kind == "text":
        return body | _text_options(chance)
    if kind == "binary":
        return body
    body |= {key: False for key in ("index", "doc_values") if chance.maybe(0.08)}
    if kind == "keyword":
        return body | _keyword_options(chance)
    if kind == "date":
        return body | _date_options(chance)
    return body | _number_options(chance, kind)


def _number_options(chance: Chance, kind: str) -> Json:
    options: Json = {}
    if chance.maybe(0.2):
        options["ignore_malformed"] = chance.maybe(0.7)
    if chance.maybe(0.15):
        options["null_value"] = chance.maybe(0.5) if kind == "boolean" else chance.randint(-3, 3)
    if kind != "boolean" and chance.maybe(0.1):
        options["coerce"] = False
    return options


def _text_options(chance: Chance) -> Json:
    options: Json = {}
    if chance.maybe(0.05):
        # Without anything else: Elasticsearch fails at the existence of one that is stored.
        return {"index": False}
    if chance.maybe(0.15):
        options["norms"] = False
    if chance.maybe(0.1):
        options["index_options"] = "offsets"
    if chance.maybe(0.1):
        options["store"] = True
    return options


def _keyword_options(chance: Chance) -> Json:
    options: Json = {}
    if chance.maybe(0.3):
        options["ignore_above"] = chance.randint(1, 12)
    if chance.maybe(0.15):
        options["null_value"] = chance.one(["NULL", "fox", ""])
    return options


def _date_options(chance: Chance) -> Json:
    options: Json = {}
    if chance.maybe(0.6):
        options["format"] = chance.one(list(FORMATS))
    if chance.maybe(0.2):
        options["ignore_malformed"] = chance.maybe(0.7)
    return options


def _collect(prefix: str, body: Json, leaves: list[Leaf], objects: list[str]) -> None:
    for name, below in body.get("properties", {}).items():
        path = f"{prefix}{name}"
        if "properties" in below:
            objects.append(path)
            _collect(f"{path}.", below, leaves, objects)
        else:
            leaves.append(Leaf(path, below))
            leaves += [Leaf(f"{path}.{part}", said) for part, said in below.get("fields", {}).items()]
