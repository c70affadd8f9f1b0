"""The tree of a mapping: objects and fields as a request defines them, merged and shown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connectors.engine.embedded.mapping.field_parameters import (
    NOT_IMPLEMENTED,
    OBJECT,
    PARAMETERS,
    bad_mapping,
    check_change,
    flag,
    read_parameters,
)
from connectors.engine.embedded.mapping.java_numbers import text_of
from connectors.engine.embedded.refusal import Refusal, illegal_argument, not_implemented

_ILLEGAL: Final = "illegal_argument_exception"
_MOST_LEVELS: Final = 20
IGNORED: Final = "_ignored"
METADATA: Final = frozenset({
    "_id", "_index", "_source", "_routing", "_version", "_seq_no", IGNORED, "_field_names", "_tier",
    "_nested_path", "_data_stream_timestamp", "_ignored_source", "_doc_count",
})  # fmt: skip


@dataclass(frozen=True)
class Leaf:
    """A field and its multi-fields."""

    path: str
    kind: str
    parameters: Mapping[str, Any]
    fields: "Mapping[str, Leaf]" = field(default_factory=dict)

    def body(self, *, ignore_malformed: bool = False) -> dict[str, Any]:
        """Return how `GET _mapping` shows it; dates alone do not say what the index' setting says."""
        shown = {"type": self.kind, **self.parameters}
        if self.kind == "date" and shown.get("ignore_malformed") is ignore_malformed:
            del shown["ignore_malformed"]
        if self.fields:
            parts = sorted(self.fields.items())
            shown["fields"] = {name: part.body(ignore_malformed=ignore_malformed) for name, part in parts}
        return shown


@dataclass(frozen=True)
class Branch:
    """An object; what was not said is None."""

    path: str
    children: "Mapping[str, Leaf | Branch]" = field(default_factory=dict)
    dynamic: str | None = None
    enabled: bool | None = None
    subobjects: bool | None = None

    def body(self, *, ignore_malformed: bool = False) -> dict[str, Any]:
        """Return how `GET _mapping` shows it; `ignore_malformed` is the setting of the index."""
        shown: dict[str, Any] = {}
        if not self.children and self.path:
            shown["type"] = OBJECT
        if self.dynamic is not None:
            shown["dynamic"] = self.dynamic
        if self.enabled is False:
            shown["enabled"] = False
        if self.subobjects is not None:
            shown["subobjects"] = self.subobjects
        if self.children:
            parts = sorted(self.children.items())
            shown["properties"] = {name: child.body(ignore_malformed=ignore_malformed) for name, child in parts}
        return shown


Node = Leaf | Branch


def parse_branch(path: str, body: dict[str, Any], level: int = 1) -> Branch:
    """Return the object that a request defines; raises Refusal."""
    if level > _MOST_LEVELS + 1:
        raise bad_mapping(f"Limit of mapping depth [{_MOST_LEVELS}] has been exceeded")
    unknown = body.keys() - {"type", "properties", "dynamic", "enabled", "subobjects"}
    if unknown:
        listed = " ".join(f"[{key} : {text_of(body[key])}]" for key in body if key in unknown)
        owner = f"Mapping definition for [{path.rpartition('.')[2]}]" if path else "Root mapping definition"
        raise bad_mapping(f"{owner} has unsupported parameters:  {listed}")
    branch = Branch(path, {}, _dynamic(body), *(_switch(body, key) for key in ("enabled", "subobjects")))
    if branch.subobjects is False:
        raise not_implemented("[subobjects: false]")
    if "properties" not in body or body["properties"] == []:
        return branch
    if not isinstance(body["properties"], dict):
        raise bad_mapping("properties must be a map type", "parse_exception")
    for name, definition in body["properties"].items():
        if definition != []:
            branch = _add(branch, _parts(name), definition, level)
    return branch


def _dynamic(body: dict[str, Any]) -> str | None:
    if "dynamic" not in body:
        return None
    raw = body["dynamic"]
    if raw in ("strict", "runtime"):
        if raw == "runtime":
            raise not_implemented("[dynamic: runtime]")
        return str(raw)
    return text_of(_named_flag("dynamic.dynamic", raw))


def _switch(body: dict[str, Any], key: str) -> bool | None:
    return _named_flag(f"{key}.{key}", body[key]) if key in body else None


def _named_flag(name: str, raw: object) -> bool:
    try:
        return flag(raw)
    except Refusal:
        raise bad_mapping(f"Could not convert [{name}] to boolean", _ILLEGAL) from None


def _parts(name: str) -> list[str]:
    """Return the parts of a dotted name; dots at its end do not count."""
    parts = name.split(".")
    while parts and not parts[-1] and len(parts) > 1:
        parts.pop()
    if not any(parts) and name:
        raise bad_mapping("field name cannot contain only dots", _ILLEGAL)
    for part in parts:
        if not part:
            raise bad_mapping("field name cannot be an empty string", _ILLEGAL)
        if not part.strip():
            raise bad_mapping("field name cannot contain only whitespaces", _ILLEGAL)
    return parts


def _add(branch: Branch, parts: list[str], definition: object, level: int) -> Branch:
    name, *rest = parts
    path = f"{branch.path}.{name}" if branch.path else name
    if path in METADATA:
        raise Refusal(400, "mapper_parsing_exception", f"Field [{path}] is defined more than once")
    added = _add(Branch(path), rest, definition, level + 1) if rest else _parse_node(path, definition, level)
    known = branch.children.get(name)
    if known is not None:
        try:
            added = merge_nodes(known, added, dynamic=True)
        except Refusal as refusal:
            raise bad_mapping(refusal.reason or "", refusal.kind) from None
    return replace(branch, children={**branch.children, name: added})


def _parse_node(path: str, body: object, level: int) -> Node:
    name = path.rpartition(".")[2]
    if not isinstance(body, dict):
        raise bad_mapping(f"Expected map for property [fields] on field [{name}] but got a class java.lang.String")
    kind = body.get("type")
    if kind is None:
        if "properties" not in body and body.keys() != {"enabled"}:
            raise bad_mapping(f"No type specified for field [{name}]")
        kind = OBJECT
    if kind == OBJECT:
        return parse_branch(path, body, level + 1)
    return _parse_leaf(path, body)


def _parse_leaf(path: str, body: dict[str, Any]) -> Leaf:
    kind = text_of(body["type"])
    _check_kind(kind, path.rpartition(".")[2])
    rest = {key: value for key, value in body.items() if key not in ("type", "fields")}
    return Leaf(path, kind, read_parameters(path, kind, rest), _parse_fields(path, body.get("fields")))


def _check_kind(kind: str, name: str) -> None:
    if kind in NOT_IMPLEMENTED:
        raise not_implemented(f"the field type [{kind}]")
    if kind not in PARAMETERS:
        raise bad_mapping(
            f"The mapper type [{kind}] declared on field [{name}] does not exist. It might have been created within a "
            "future version or requires a plugin to be installed. Check the documentation."
        )


def _parse_fields(path: str, body: object) -> dict[str, Leaf]:
    if body is None or body == []:
        return {}
    owner = path.rpartition(".")[2]
    if not isinstance(body, dict):
        raise bad_mapping(f"expected map for property [fields] on field [{owner}] but got a {text_of(body)}")
    fields: dict[str, Leaf] = {}
    for name, definition in body.items():
        if "." in name:
            raise bad_mapping(f"Field name [{name}] which is a multi field of [{owner}] cannot contain '.'")
        if not isinstance(definition, dict) or definition.get("type") is None:
            raise bad_mapping(f"no type specified for property [{name}]")
        if definition["type"] in (OBJECT, "nested"):
            raise bad_mapping(f"Type [{definition['type']}] cannot be used in multi field")
        if "fields" in definition:
            raise bad_mapping(
                f"Encountered a multi-field [{name}] which itself contains a multi-field. "
                "Defining chained multi-fields is not supported."
            )
        fields[name] = _parse_leaf(f"{path}.{name}", definition)
    return fields


def merge_nodes(old: Node, new: Node, *, dynamic: bool = False) -> Node:
    """Return what both define together; raises Refusal where they contradict each other.

    With `dynamic` both are new, which only changes what is said then.
    """
    if isinstance(old, Branch) and isinstance(new, Branch):
        return merge_branches(old, new, dynamic=dynamic)
    if isinstance(old, Leaf) and isinstance(new, Leaf):
        return _merge_leaves(old, new)
    if dynamic:
        kinds = [node.kind if isinstance(node, Leaf) else "ObjectMapper" for node in (old, new)]
        raise illegal_argument(f"mapper [{old.path}] cannot be changed from type [{kinds[0]}] to [{kinds[1]}]")
    raise illegal_argument(f"can't merge a non object mapping [{old.path}] with an object mapping")


def merge_branches(old: Branch, new: Branch, *, dynamic: bool = False) -> Branch:
    """Return an object with what another mapping says of it; raises Refusal."""
    if new.enabled is not None and new.enabled != (old.enabled is not False):
        raise Refusal(
            500, "mapper_exception", f"the [enabled] parameter can't be updated for the object mapping [{old.path}]"
        )
    if new.subobjects is not None and new.subobjects != (old.subobjects is not False):
        raise Refusal(
            500, "mapper_exception", f"the [subobjects] parameter can't be updated for the object mapping [{old.path}]"
        )
    children = dict(old.children)
    for name, child in new.children.items():
        known = children.get(name)
        children[name] = child if known is None else merge_nodes(known, child, dynamic=dynamic)
    return replace(old, children=children, dynamic=new.dynamic or old.dynamic)


def _merge_leaves(old: Leaf, new: Leaf) -> Leaf:
    if old.kind != new.kind:
        raise illegal_argument(f"mapper [{old.path}] cannot be changed from type [{old.kind}] to [{new.kind}]")
    check_change(old.path, old.kind, old.parameters, new.parameters)
    fields = dict(old.fields)
    for name, part in new.fields.items():
        known = fields.get(name)
        fields[name] = part if known is None else _merge_leaves(known, part)
    return replace(new, fields=fields)


def walk(branch: Branch) -> Iterator[Node]:
    """Return all objects and fields below one, multi-fields after their field."""
    for child in branch.children.values():
        yield child
        if isinstance(child, Branch):
            yield from walk(child)
        else:
            yield from child.fields.values()
