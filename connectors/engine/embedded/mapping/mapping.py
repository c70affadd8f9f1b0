"""The mapping of an index: which fields it has, and how a document is read by them."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import translate
from functools import cached_property
from re import compile as compile_regex
from typing import Any, Final

from connectors.engine.embedded.mapping.document_fields import (
    BranchReader,
    DocumentReader,
    Rules,
    branch_reader,
    field_of,
)
from connectors.engine.embedded.mapping.field import Entries, Field
from connectors.engine.embedded.mapping.field_parameters import bad_mapping, flag
from connectors.engine.embedded.mapping.java_numbers import text_of
from connectors.engine.embedded.mapping.tree import IGNORED, METADATA, Branch, Leaf, merge_branches, parse_branch, walk
from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented

__all__ = ["Entries", "Field", "Mapping", "MappingSettings"]

_ILLEGAL: Final = "illegal_argument_exception"


@dataclass(frozen=True)
class MappingSettings:
    """What the settings of an index say of its mapping: how large it may become, and what it does with bad values."""

    fields: int = 1_000
    depth: int = 20
    ignore_malformed: bool = False


_DEFAULT: Final = MappingSettings()
_IGNORED: Final = field_of(Leaf(IGNORED, "keyword", {}))
"""A field of every index: the paths of a document's fields of which it ignored something."""


@dataclass(frozen=True, eq=False)
class Mapping:
    """The fields of an index. A mapping never changes: what adds to it makes another one."""

    root: Branch = field(default_factory=lambda: Branch(""))
    meta: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    settings: MappingSettings = _DEFAULT

    def __post_init__(self) -> None:
        if self._rules.fields > self.settings.fields:
            raise illegal_argument(f"Limit of total fields [{self.settings.fields}] has been exceeded")
        for path in self._objects:
            if path.count(".") + 2 > self.settings.depth:
                raise illegal_argument(
                    f"Limit of mapping depth [{self.settings.depth}] has been exceeded due to object field [{path}]"
                )

    @classmethod
    def parse(cls, body: object, settings: MappingSettings = _DEFAULT) -> "Mapping":
        """Return the mapping of a request that creates an index or adds to a mapping; raises Refusal."""
        if body is None:
            return cls(settings=settings)
        if not isinstance(body, dict):
            raise Refusal(400, "parse_exception", "key [mappings] must be an object")
        if "_doc" in body:
            raise illegal_argument(
                "The mapping definition cannot be nested under a type [_doc] unless include_type_name is set to true."
            )
        rest = dict(body)
        meta = rest.pop("_meta", None)
        if meta is not None and not isinstance(meta, dict):
            raise bad_mapping("[_meta] must be an object", "class_cast_exception")
        if "type" in rest:
            raise bad_mapping(f"Root mapping definition has unsupported parameters:  [type : {text_of(rest['type'])}]")
        _read_metadata(rest)
        options = _read_options(rest)
        return cls(parse_branch("", rest), meta, options, settings)

    def body(self) -> dict[str, Any]:
        """Return it as `GET _mapping` shows it."""
        meta = {} if self.meta is None else {"_meta": self.meta}
        shown = self.root.body(ignore_malformed=self.settings.ignore_malformed)
        properties = {"properties": shown.pop("properties")} if "properties" in shown else {}
        return {**shown, **meta, **self.options, **properties}

    def merge(self, other: "Mapping") -> "Mapping":
        """Return this mapping with what another one adds or changes; raises Refusal."""
        return Mapping(
            merge_branches(self.root, other.root),
            self.meta if other.meta is None else other.meta,
            self.options | other.options,
            self.settings,
        )

    def field(self, path: str) -> Field | None:
        """Return the field of a path."""
        return _IGNORED if path == IGNORED else self._fields.get(path)

    def fields(self) -> Iterator[Field]:
        """Return all fields that were defined, multi-fields after their field."""
        return iter(self._fields.values())

    def fields_below(self, path: str) -> list[Field]:
        """Return the fields of an object, multi-fields included; none if there is no such object."""
        start = f"{path}."
        return (
            [known for known in self._fields.values() if known.path.startswith(start)] if self.is_object(path) else []
        )

    def matching(self, pattern: str) -> list[Field]:
        """Return the fields whose path a pattern with `*` matches."""
        if "*" not in pattern:
            known = self.field(pattern)
            return [] if known is None else [known]
        regex = compile_regex(translate(pattern.replace("[", "[[]").replace("?", "[?]")))
        return [known for known in self._fields.values() if regex.match(known.path)]

    def is_object(self, path: str) -> bool:
        """Return whether a path is an object."""
        return path in self._objects

    def index(self, source: dict[str, Any], doc_id: str | None = None) -> "tuple[Entries, Mapping | None]":
        """Return what a document adds to the index, and the mapping that it makes of this one if it adds fields.

        Raises Refusal.
        """
        reader = DocumentReader(self._rules, doc_id)
        entries = reader.read(self._reader, source)
        if reader.additions is None:
            return entries, None
        return entries, replace(self, root=merge_branches(self.root, reader.additions, dynamic=True))

    @cached_property
    def _fields(self) -> dict[str, Field]:
        return {node.path: field_of(node) for node in walk(self.root) if isinstance(node, Leaf)}

    @cached_property
    def _objects(self) -> frozenset[str]:
        return frozenset(node.path for node in walk(self.root) if isinstance(node, Branch))

    @cached_property
    def _reader(self) -> BranchReader:
        return branch_reader(self.root, ignore_malformed=self.settings.ignore_malformed)

    @cached_property
    def _rules(self) -> Rules:
        count = sum(1 for _ in walk(self.root))
        given = self.settings
        return Rules(self.options.get("date_detection", True), count, given.fields, given.depth, given.ignore_malformed)


def _read_metadata(body: dict[str, Any]) -> None:
    """Take what a mapping says of metadata fields out of it; raises Refusal for all that changes something."""
    for name in [name for name in body if name in METADATA]:
        given = body.pop(name)
        if name not in ("_source", "_routing", "_data_stream_timestamp"):
            raise bad_mapping(f"{name} is not configurable")
        usual = {"_source": {"enabled": True}, "_routing": {"required": False}}.get(name, {"enabled": False})
        if not isinstance(given, dict):
            raise bad_mapping(f"[{name}] config must be an object")
        unusual = {key: value for key, value in given.items() if key not in usual or flag(value) != usual[key]}
        if unusual:
            raise not_implemented(f"{text_of(unusual)} of the metadata field [{name}]")


def _read_options(body: dict[str, Any]) -> dict[str, Any]:
    """Take the options of a whole mapping out of it; raises Refusal."""
    options: dict[str, Any] = {}
    for name in ("date_detection", "numeric_detection"):
        if name in body:
            try:
                options[name] = flag(body.pop(name))
            except Refusal:
                raise bad_mapping(f"Could not convert [{name}] to boolean", _ILLEGAL) from None
    if options.get("numeric_detection"):
        raise not_implemented("[numeric_detection: true]")
    for name in ("dynamic_templates", "runtime", "dynamic_date_formats"):
        if name not in body:
            continue
        given = body.pop(name)
        if given or name == "dynamic_date_formats":
            raise not_implemented(f"[{name}]")
        if name == "dynamic_templates":
            options[name] = []
    return options
