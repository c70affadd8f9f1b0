"""An impromptu connector: one that a command line describes, made when it is first synced and found again after."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from connectors.cli.assignments import with_whole_path
from connectors.errors import ConfigurationError
from connectors.grants import Grants

if TYPE_CHECKING:
    from connectors.fields import Fields
    from connectors.store.connector import Connector
    from connectors.sync.workplace import Workplace


DESCRIPTION: Final = "Made by `connectors sync --source`."


@dataclass(frozen=True)
class Impromptu:
    """A source, settings of it and an index. Its id follows from these, without the settings that are secret.

    So the same command goes on with the same connector, also after a password was changed. A path is made absolute,
    as another process may be somewhere else.
    """

    service_type: str
    index_name: str
    settings: Mapping[str, str] = field(repr=False)
    language: str | None = None

    async def connector(self, place: "Workplace", *, is_new_fine: bool = True) -> "Connector":
        """Return its connector, made when there is none yet and that `is_new_fine`, with these settings.

        Raises a `ConfigurationError` for settings that are wrong, and an `EngineError`.
        """
        from connectors.source_class import fields_of  # noqa: PLC0415 - loaded only where it is wanted

        fields = fields_of(place.registry.source(self.service_type))
        values = self._values(fields)
        connector_id = self._id(fields, values)
        found = await place.connectors.get(connector_id)
        if not is_new_fine and (found is None or found.deleted):
            message = f"Nothing was synced from there into {self.index_name} yet, so nothing can be gone."
            raise ConfigurationError(message, field="index_name", hint="A full sync comes first.")
        if found is None:
            return await place.connectors.create(connector_id, await self._document(place, connector_id, values))
        if found.deleted:
            fresh = {**await self._document(place, connector_id, values), "deleted": False}
            return await place.connectors.update(connector_id, lambda _: fresh)
        return await place.connectors.update(connector_id, lambda one: self._changes(one, values))

    def unstored(self, fields: "Fields") -> "Connector":
        """Return the connector without making it, of a source that has these fields.

        Raises a `ConfigurationError` for a setting that there is not.
        """
        from connectors.engine.records import Revision  # noqa: PLC0415 - as above
        from connectors.store.connector import Connector  # noqa: PLC0415

        values = self._values(fields)
        index = {"index_name": self.index_name} if self.index_name else {}
        document = {"service_type": self.service_type, "configuration": values, "language": self.language, **index}
        return Connector(self._id(fields, values), document, Revision(0, 0))

    def _values(self, fields: "Fields") -> dict[str, str]:
        """Return the settings as they are stored. Raises a `ConfigurationError` for one that there is not."""
        from connectors.registry import nearest  # noqa: PLC0415 - as above

        unknown = next((name for name in self.settings if name not in fields), None)
        if unknown is not None:
            raise ConfigurationError(f"There is no setting {unknown!r}.", field=unknown, hint=nearest(unknown, fields))
        return {name: with_whole_path(fields[name], text) for name, text in self.settings.items()}

    def _id(self, fields: "Fields", values: Mapping[str, str]) -> str:
        shown = {name: text for name, text in values.items() if not fields[name].sensitive}
        described = json.dumps([self.service_type, shown, self.index_name], sort_keys=True)
        return f"{self.service_type}-{hashlib.blake2b(described.encode('utf-8', 'replace'), digest_size=6).hexdigest()}"

    async def _document(self, place: "Workplace", connector_id: str, values: Mapping[str, str]) -> Mapping[str, Any]:
        from connectors.store.new_connector import new_connector  # noqa: PLC0415 - as above

        described = {
            "id": connector_id,
            "name": f"{self.service_type} into {self.index_name}",
            "description": DESCRIPTION,
            "service_type": self.service_type,
            "index_name": self.index_name,
            "language": self.language,
            "configuration": values,
        }
        new = await new_connector(described, place.registry, place.grants, place.clock.now())
        return new.document

    def _changes(self, connector: "Connector", values: Mapping[str, str]) -> dict[str, Any]:
        """Return what the command line says otherwise than the connector does."""
        configuration = dict(connector.configuration)
        for name, value in values.items():
            stored = configuration.get(name)
            configuration[name] = {**(stored if isinstance(stored, Mapping) else {}), "value": value}
        changes: dict[str, Any] = {"configuration": configuration}
        if self.language is not None:
            changes["language"] = self.language
        return changes


def sync_command(connector: "Connector") -> str:
    """Return the command that syncs a connector again.

    An impromptu one is read only by the command that says which paths it reads.
    """
    if connector.document.get("description") == DESCRIPTION:
        return f"connectors sync --source {connector.service_type} --index {connector.index_name} … as before"
    return f"connectors sync {connector.id}"


def grants_of(exposed_secrets: tuple[str, ...]) -> Grants:
    """Return what the settings of an impromptu connector may refer to: who types them may read what they name."""
    return Grants(allowed_paths=None, exposed_secrets=exposed_secrets)
