"""The routes of aliases: other names of indices, changed all at once."""

from fnmatch import fnmatchcase
from typing import Any

from connectors.engine.embedded.api.router import Answer, Route, route
from connectors.engine.embedded.refusal import Refusal, illegal_argument
from connectors.engine.embedded.request import Call
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.names import index_not_found

WAIT = "timeout master_timeout"
CHOICE = "ignore_unavailable allow_no_indices expand_wildcards local master_timeout"


class AliasesApi:
    """Answers requests for aliases."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def routes(self) -> list[Route]:
        """Return what this answers."""
        return [
            route("POST", "/_aliases", self.change, WAIT),
            route("GET", "/_alias", self.get, CHOICE),
            route("GET", "/_alias/{name}", self.get, CHOICE),
            route("GET", "/{index}/_alias", self.get, CHOICE),
            route("GET", "/{index}/_alias/{name}", self.get, CHOICE),
            route("PUT POST", "/{index}/_alias/{name}", self.add, WAIT),
            route("DELETE", "/{index}/_alias/{name}", self.remove, WAIT),
        ]

    def get(self, call: Call) -> Answer:
        """Show the aliases of indices, all or those whose names match."""
        expression, wanted = call.parts.get("index"), call.parts.get("name")
        ignore = call.parameters.flag("ignore_unavailable")
        indices = self._catalog.names.expand(expression or "_all", ignore_unavailable=ignore)
        names = wanted.split(",") if wanted not in {None, "_all", "*"} and wanted is not None else ["*"]
        shown: dict[str, Any] = {}
        found: set[str] = set()
        for index in indices:
            aliases = self._catalog.names.aliases_of(index.name)
            kept = {alias: more for alias, more in aliases.items() if any(fnmatchcase(alias, one) for one in names)}
            found |= kept.keys()
            if kept or (wanted is None and expression is not None):
                shown[index.name] = {"aliases": kept}
        missing = [one for one in names if "*" not in one and one not in found]
        if missing:
            several = "es" if len(missing) > 1 else ""
            error = f"alias{several} [{','.join(missing)}] missing"
            return Answer(404, {"error": error, "status": 404, **shown})
        return Answer(200, shown)

    def add(self, call: Call) -> Answer:
        """Give indices another name."""
        properties = call.json() or {}
        added = [
            (call.parts["name"], index.name, properties) for index in self._catalog.names.expand(call.parts["index"])
        ]
        self._catalog.change_aliases(add=added, remove=[], drop=[])
        return Answer(200, {"acknowledged": True})

    def remove(self, call: Call) -> Answer:
        """Take another name from indices."""
        removed = self._removed(call.parts["index"], call.parts["name"])
        self._catalog.change_aliases(add=[], remove=removed, drop=[])
        return Answer(200, {"acknowledged": True})

    def change(self, call: Call) -> Answer:
        """Carry out several changes, all or none."""
        actions = (call.json() or {}).get("actions")
        if not isinstance(actions, list) or not actions:
            raise illegal_argument("No action specified")
        add, remove, drop = [], [], []
        for one in actions:
            kind, given = next(iter(one.items())) if isinstance(one, dict) and len(one) == 1 else (str(one), {})
            names, aliases = _listed(given, "index", "indices"), _listed(given, "alias", "aliases")
            more = {k: v for k, v in given.items() if k not in {"index", "indices", "alias", "aliases", "must_exist"}}
            match kind:
                case "add":
                    add += [(a, i.name, more) for a in aliases for n in names for i in self._catalog.names.expand(n)]
                case "remove":
                    remove += [pair for a in aliases for n in names for pair in self._removed(n, a)]
                case "remove_index":
                    drop += [self._dropped(name) for name in names]
                case _:
                    raise Refusal(400, "x_content_parse_exception", f"[aliases] unknown field [{kind}]")
        self._catalog.change_aliases(add=add, remove=remove, drop=drop)
        return Answer(200, {"acknowledged": True, "errors": False})

    def _removed(self, expression: str, alias: str) -> list[tuple[str, str]]:
        indices = self._catalog.names.expand(expression)
        found = [
            (own, index.name)
            for index in indices
            for own in self._catalog.names.aliases_of(index.name)
            if fnmatchcase(own, alias)
        ]
        if not found:
            more = {"resource.type": "aliases", "resource.id": alias}
            raise Refusal(404, "aliases_not_found_exception", f"aliases [{alias}] missing", more=more)
        return found

    def _dropped(self, name: str) -> str:
        if name not in self._catalog.indices:
            raise index_not_found(name)
        return name


def _listed(given: dict[str, Any], one: str, several: str) -> list[str]:
    value = given.get(one, given.get(several, []))
    return [value] if isinstance(value, str) else list(value)
