"""Documents read by a mapping: what they add to the index, and what they add to the mapping."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.engine.embedded.mapping.date_patterns import BadDate
from connectors.engine.embedded.mapping.dates import date_format
from connectors.engine.embedded.mapping.field import Entries, Field
from connectors.engine.embedded.mapping.field_parameters import PARAMETERS, build_type
from connectors.engine.embedded.mapping.field_types import FieldType, Keyword, Malformed, Text, Value
from connectors.engine.embedded.mapping.java_numbers import text_of
from connectors.engine.embedded.mapping.tree import IGNORED, METADATA, Branch, Leaf, Node, merge_nodes
from connectors.engine.embedded.refusal import Refusal, not_implemented

_DYNAMIC_DATES: Final = ("strict_date_optional_time", "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis")
_DYNAMIC_KEYWORD: Final = 256
_VECTOR: Final = range(128, 4_097)
_ILLEGAL: Final = "illegal_argument_exception"


@dataclass(frozen=True, eq=False)
class LeafReader:
    """Reads the values of one field and its multi-fields."""

    field: Field
    fields: "tuple[LeafReader, ...]"
    ignores_malformed: bool
    keeps: bool
    stored: bool
    notes: bool


@dataclass(frozen=True, eq=False)
class BranchReader:
    """Reads an object: its known fields by name, and what happens to others."""

    path: str
    children: Mapping[str, "LeafReader | BranchReader"]
    dynamic: str
    enabled: bool


@dataclass(frozen=True)
class Rules:
    """What of a mapping, beside its fields, decides what is added to it."""

    detects_dates: bool
    fields: int
    most_fields: int
    most_levels: int
    ignore_malformed: bool = False


def unparsable_document(reason: str, cause: str | None = None, kind: str = _ILLEGAL) -> Refusal:
    """Return the refusal of a document."""
    more = None if cause is None else {"caused_by": {"type": kind, "reason": cause}}
    return Refusal(400, "document_parsing_exception", reason, more=more)


class DocumentReader:
    """Reads one document; used once. `additions` is what the mapping lacks, None if nothing."""

    def __init__(self, rules: Rules, doc_id: str | None) -> None:
        self.additions: Branch | None = None
        self._rules = rules
        self._doc_id = doc_id
        self._values: dict[str, tuple[Value, ...]] = {}
        self._texts: dict[str, tuple[Any, ...]] = {}
        self._many: dict[str, tuple[FieldType, list[Value]]] = {}
        self._present: set[str] = set()
        self._ignored: set[str] = set()
        self._added = _Additions()

    def read(self, root: BranchReader, source: dict[str, Any]) -> Entries:
        """Read the document; raises Refusal."""
        if root.enabled:
            self._object(root, source)
        if self._added.nodes:
            # Before the values are sorted: this is what refuses those that have no order.
            self.additions = self._added.tree()
        for path, (kind, values) in self._many.items():
            (self._texts if isinstance(kind, Text) else self._values)[path] = kind.order(values)
        if self._ignored:
            self._values[IGNORED] = tuple(sorted(self._ignored))
        return Entries(self._values, self._texts, frozenset(self._present) if self._present else _NOTHING)

    def _object(self, reader: BranchReader, source: dict[str, Any]) -> None:
        children = reader.children
        for name, raw in source.items():
            child = children.get(name)
            if child is None:
                self._unknown(reader, name, raw)
            elif isinstance(child, LeafReader):
                self._leaf(child, raw)
            else:
                self._branch(child, raw, name)

    def _branch(self, reader: BranchReader, raw: object, name: str | None) -> None:
        if not reader.enabled or raw is None:
            return
        if type(raw) is dict:
            self._object(reader, raw)
        elif type(raw) is list:
            for item in raw:
                self._branch(reader, item, None)
        else:
            shown = name or "null"
            raise unparsable_document(
                f"object mapping for [{reader.path}] tried to parse field [{shown}] as object, "
                "but found a concrete value"
            )

    def _leaf(self, reader: LeafReader, raw: object) -> None:
        if type(raw) is list:
            for item in raw:
                self._leaf(reader, item)
            return
        field = reader.field
        try:
            value = field.type.null_value if raw is None else field.type.read(raw)
        except Malformed as error:
            self._ignore(reader, raw, error)
            value = None
        if value is not None:
            if reader.keeps:
                self._keep(field, value)
            if reader.stored:
                self._present.add(field.path)
        elif field.type.__class__ is Keyword and (raw is not None or "null_value" in field.parameters):
            self._ignored.add(field.path)  # it is longer than `ignore_above`
        for part in reader.fields:
            self._leaf(part, raw)

    def _ignore(self, reader: LeafReader, raw: object, error: Malformed) -> None:
        """Leave out a value that its field can't have; raises Refusal where that is not wanted, and for an object."""
        if not reader.ignores_malformed or type(raw) is dict:
            raise self._malformed(reader.field, raw, error) from None
        if reader.notes:
            self._ignored.add(reader.field.path)

    def _keep(self, field: Field, value: Value) -> None:
        path = field.path
        into: dict[str, tuple[Any, ...]] = self._texts if field.type.__class__ is Text else self._values
        if path not in into:
            into[path] = (value,)
            return
        many = self._many.get(path)
        if many is None:
            self._many[path] = many = (field.type, [*into[path]])
        many[1].append(value)

    def _malformed(self, field: Field, raw: object, error: Malformed) -> Refusal:
        which = "" if self._doc_id is None else f" in document with id '{self._doc_id}'"
        return unparsable_document(
            f"failed to parse field [{field.path}] of type [{field.type.name}]{which}. "
            f"Preview of field's value: '{text_of(raw)}'",
            error.reason,
            error.kind,
        )

    def _unknown(self, reader: BranchReader, name: str, raw: object) -> None:
        if "." in name or not name:
            first, rest = _expanded(name)
            if rest:
                raw = {rest: raw}
            child = reader.children.get(first)
            if child is None:
                self._missing(reader, first, raw)
            elif isinstance(child, LeafReader):
                self._leaf(child, raw)
            else:
                self._branch(child, raw, first)
            return
        self._missing(reader, name, raw)

    def _missing(self, reader: BranchReader, name: str, raw: object) -> None:
        path = f"{reader.path}.{name}" if reader.path else name
        if name.isspace():
            raise unparsable_document(f"Field name cannot contain only whitespace: [{path}]")
        if path in METADATA:
            self._metadata(path, raw)
            return
        if reader.dynamic == "strict":
            raise Refusal(
                400,
                "strict_dynamic_mapping_exception",
                f"mapping set to strict, dynamic introduction of [{name}] within [{reader.path or '_doc'}] "
                "is not allowed",
            )
        if reader.dynamic == "true":
            self._introduce(reader, path, raw)

    def _metadata(self, path: str, raw: object) -> None:
        if isinstance(raw, list):
            for item in raw:
                self._metadata(path, item)
            return
        if path != "_doc_count":
            why = f"Field [{path}] is a metadata field and cannot be added inside a document. "
            error = Malformed(why + "Use the index API request parameters.", "document_parsing_exception")
        elif type(raw) is int and raw > 0:
            return
        else:
            error = Malformed(f"Field [_doc_count] must be a positive integer. Value [{text_of(raw)}] is not allowed.")
        which = "" if self._doc_id is None else f" in document with id '{self._doc_id}'"
        raise unparsable_document(
            f"failed to parse field [{path}] of type [{path}]{which}. Preview of field's value: '{text_of(raw)}'",
            error.reason,
            error.kind,
        )

    def _introduce(self, reader: BranchReader, path: str, raw: object) -> None:
        """Add a field that the mapping lacks, each value on its own: contradictions show when all are merged."""
        if raw is None:
            return
        if type(raw) is list:
            if len(raw) in _VECTOR and all(type(item) is float for item in raw):
                raise not_implemented("the field type [dense_vector], which such a long array of floats gets")
            for item in raw:
                self._introduce(reader, path, item)
            return
        if type(raw) is dict:
            self._note(Branch(path))
            self._object(BranchReader(path, {}, "true", enabled=True), raw)
            return
        leaf = dynamic_leaf(path, raw, dates=self._rules.detects_dates)
        self._note(leaf)
        self._leaf(leaf_reader(leaf, ignore_malformed=self._rules.ignore_malformed), raw)

    def _note(self, node: Node) -> None:
        levels = node.path.count(".") + (2 if isinstance(node, Branch) else 1)
        if levels > self._rules.most_levels:
            limit = f"Limit of mapping depth [{self._rules.most_levels}]"
            reason = f"{limit} has been exceeded due to object field [{node.path}]"
            raise unparsable_document(f"failed to parse: {reason}", reason)
        new = self._added.note(node)
        if self._rules.fields + new > self._rules.most_fields:
            reason = (
                f"Limit of total fields [{self._rules.most_fields}] has been exceeded while adding new fields [{new}]"
            )
            raise unparsable_document(f"failed to parse: {reason}", reason)


_NOTHING: Final[frozenset[str]] = frozenset()


class _Additions:
    """The fields that a document adds, in the order in which it names them."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._seen: set[str] = set()

    def note(self, node: Node) -> int:
        """Keep it; return how many fields there are by now."""
        self.nodes.append(node)
        self._seen.add(node.path)
        if isinstance(node, Leaf):
            self._seen.update(part.path for part in node.fields.values())
        return len(self._seen)

    def tree(self) -> Branch:
        """Return all of them below one root; raises Refusal where they contradict each other."""
        branches: dict[str, dict[str, Node]] = {"": {}}
        order: list[str] = []
        for node in self.nodes:
            parent, name = self._place(node.path, branches, order)
            known = branches[parent].get(name)
            branches[parent][name] = node if known is None else merge_nodes(known, node, dynamic=True)
            if isinstance(node, Branch) and node.path not in branches:
                branches[node.path] = {}
                order.append(node.path)
        return self._grown("", branches)

    def _place(self, path: str, branches: dict[str, dict[str, Node]], order: list[str]) -> tuple[str, str]:
        """Return the object that a field belongs to and its name there; objects that the mapping knows come about."""
        parent, _, name = path.rpartition(".")
        if parent not in branches:
            grandparent, own = self._place(parent, branches, order)
            branches[grandparent].setdefault(own, Branch(parent))
            branches[parent] = {}
            order.append(parent)
        return parent, name

    def _grown(self, path: str, branches: dict[str, dict[str, Node]]) -> Branch:
        children = {
            name: self._grown(node.path, branches) if isinstance(node, Branch) else node
            for name, node in branches[path].items()
        }
        return Branch(path, children)


def _expanded(name: str) -> tuple[str, str]:
    """Return the first part of a dotted name and the rest; raises Refusal."""
    parts = name.split(".")
    while parts and not parts[-1]:
        parts.pop()
    if not name:
        reason = "field name cannot be an empty string"
        raise unparsable_document(f"failed to parse: {reason}", reason)
    if not parts:
        reason = "field name cannot contain only dots"
        raise unparsable_document(f"failed to parse: {reason}", reason)
    for part in parts:
        if not part:
            reason = f"field name cannot contain only whitespace: ['{name}']"
            raise unparsable_document(f"failed to parse: {reason}", reason)
        if not part.strip():
            reason = f"field name starting or ending with a [.] makes object resolution ambiguous: [{name}]"
            raise unparsable_document(f"failed to parse: {reason}", reason)
    return parts[0], ".".join(parts[1:])


def dynamic_leaf(path: str, raw: object, *, dates: bool) -> Leaf:
    """Return the field that a value of an unknown name gets."""
    if isinstance(raw, bool):
        return Leaf(path, "boolean", {})
    if isinstance(raw, int):
        return Leaf(path, "long", {})
    if isinstance(raw, float):
        return Leaf(path, "float", {})
    if dates and isinstance(raw, str) and raw[:1] in _DATE_STARTS:
        for number, text in enumerate(_DYNAMIC_DATES):
            try:
                date_format(text.removesuffix("||epoch_millis")).parse(raw)
            except BadDate:
                continue
            if raw.lstrip("-").isdecimal():
                break
            return Leaf(path, "date", {"format": text, "locale": ""} if number else {})
    keyword = Leaf(f"{path}.keyword", "keyword", {"ignore_above": _DYNAMIC_KEYWORD})
    return Leaf(path, "text", {}, {"keyword": keyword})


_DATE_STARTS: Final = frozenset("-+0123456789")


def field_of(leaf: Leaf) -> Field:
    """Return a field without its multi-fields."""
    given = leaf.parameters
    doc_values = leaf.kind not in ("text", "binary") and given.get("doc_values", True)
    indexed = leaf.kind != "binary" and given.get("index", True)
    return Field(leaf.path, build_type(leaf.kind, given), indexed, doc_values, leaf.body())


def leaf_reader(leaf: Leaf, *, ignore_malformed: bool) -> LeafReader:
    """Return what reads the values of a field; `ignore_malformed` counts unless the field says so itself."""
    field = field_of(leaf)
    kept = field.indexed or field.doc_values
    stored = not kept and bool(leaf.parameters.get("store"))
    ignores = "ignore_malformed" in PARAMETERS[leaf.kind] and leaf.parameters.get("ignore_malformed", ignore_malformed)
    # Elasticsearch does not look at the values of a boolean that it has no use for.
    unread = leaf.kind == "boolean" and not kept and not stored
    return LeafReader(
        field,
        tuple(leaf_reader(part, ignore_malformed=ignore_malformed) for part in leaf.fields.values()),
        ignores or unread,
        kept,
        stored,
        notes=not unread,
    )


def branch_reader(branch: Branch, dynamic: str = "true", *, ignore_malformed: bool) -> BranchReader:
    """Return what reads an object; `dynamic` is what its parent says, which counts unless it says so itself."""
    own = branch.dynamic or dynamic
    children = {
        name: branch_reader(child, own, ignore_malformed=ignore_malformed)
        if isinstance(child, Branch)
        else leaf_reader(child, ignore_malformed=ignore_malformed)
        for name, child in branch.children.items()
    }
    return BranchReader(branch.path, children, own, branch.enabled is not False)
