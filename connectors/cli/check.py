"""`connectors check`: whether a connector can be synced, tried step by step."""

import asyncio
from contextlib import AsyncExitStack, aclosing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import click

from connectors.cli import checklist
from connectors.cli.arguments import AS_JSON, CONNECTOR, print_json
from connectors.cli.assignments import Assignment
from connectors.cli.checklist import Checklist, Skipped
from connectors.cli.choice import chosen, offer
from connectors.cli.impromptu import Impromptu, grants_of
from connectors.cli.index_use import check_unused
from connectors.cli.invocation import Invocation
from connectors.cli.wording import counted
from connectors.errors import ConfigurationError, SourceUnreachable

if TYPE_CHECKING:
    from connectors.engine import Engine
    from connectors.fields import Configuration
    from connectors.storage import Storage
    from connectors.store.connector import Connector
    from connectors.store.connectors import ConnectorStore

MOST_FIELDS: Final = 12
"""Names of fields of the first document that are shown."""


@click.command(short_help="Try whether a connector can be synced.")
@CONNECTOR
@click.option("--source", "service_type", help="Without an ID: the service type of a source to check.")
@click.option(
    "--set", "assignments", type=Assignment(), multiple=True, help="A setting of that source; may be repeated."
)
@click.option("--index", "index_name", help="The index, or alias, that it would be synced into.")
@click.option(
    "--limit",
    "limit_s",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds that the source may take to answer, and to yield a first document.",
)
@AS_JSON
@click.pass_obj
def check(  # noqa: PLR0913 - one for each option
    invocation: Invocation,
    *,
    connector_id: str | None,
    service_type: str | None,
    assignments: tuple[tuple[str, str], ...],
    index_name: str | None,
    limit_s: float,
    as_json: bool,
) -> int:
    """Try step by step whether the connector ID can be synced, or a source that --source and --set describe.

    Nothing is written, into no index. Exit codes: 0 all is well, 1 something failed, 2 it is a setting that is wrong.
    """
    impromptu = _impromptu(connector_id, service_type, assignments, index_name)
    if connector_id is None and impromptu is None:
        asyncio.run(offer(invocation, as_json=as_json))
    steps = Checklist(tell=lambda step: None if as_json else checklist.show(step))
    asyncio.run(_examine(invocation, impromptu or str(connector_id), steps, limit_s))
    if as_json:
        print_json([asdict(step) for step in steps.steps])
    return steps.exit_code


def _impromptu(
    connector_id: str | None,
    service_type: str | None,
    assignments: tuple[tuple[str, str], ...],
    index_name: str | None,
) -> Impromptu | None:
    context = click.get_current_context()
    if service_type is None:
        if assignments or index_name:
            raise click.UsageError("--set and --index describe a --source, and none is named.", context)
        return None
    if connector_id is not None:
        raise click.UsageError("Name either the ID of a connector or a --source.", context)
    return Impromptu(service_type, index_name or "", dict(assignments))


async def _examine(invocation: Invocation, wanted: Impromptu | str, steps: Checklist, limit_s: float) -> None:
    async with AsyncExitStack() as stack:
        examination = Examination(invocation, wanted, stack, limit_s)
        await steps.step("engine", examination.find_engine)
        if isinstance(wanted, str):
            await steps.step("connector", examination.find_connector, needs=["engine"])
        await steps.step("source", examination.find_source, needs=["connector"])
        await steps.step("settings", examination.check_settings, needs=["source"])
        await steps.step("reach", examination.reach, needs=["settings"])
        await steps.step("rules", examination.check_rules, needs=["reach"])
        described_by = "connector" if isinstance(wanted, str) else "settings"
        await steps.step("index", examination.check_index, needs=["engine", described_by])
        await steps.step("pipeline", examination.check_pipeline, needs=["engine", described_by])
        await steps.step("document", examination.read_first, needs=["reach", "rules"])


class Examination:
    """What a sync needs, one step after the other; each uses what those before it have found.

    A step says what it found, and raises a `ConnectorsError` for what is wrong.
    """

    _engine: "Engine"
    _connectors: "ConnectorStore"
    _connector: "Connector"
    _class: type[Any]
    _configuration: "Configuration"
    _source: Any

    def __init__(self, invocation: Invocation, wanted: Impromptu | str, stack: AsyncExitStack, limit_s: float) -> None:
        self._settings = invocation.settings
        self._registry = invocation.registry
        self._wanted = wanted
        self._stack = stack
        self._limit_s = limit_s

    async def find_engine(self) -> str:
        """Connect to the engine."""
        from connectors.engine import open_engine  # the client takes most of a second to import  # noqa: PLC0415
        from connectors.store.connectors import ConnectorStore  # noqa: PLC0415

        settings = replace(self._settings.engine, attempts=1)  # who asks wants to know now
        self._engine = await self._stack.enter_async_context(open_engine(settings))
        self._connectors = await ConnectorStore.open(self._engine)
        return str(self._engine.info)

    async def find_connector(self) -> str:
        """Read the connector that is named by its id."""
        self._connector = await chosen(self._connectors, str(self._wanted))
        return f"{self._connector.id}, {self._connector.name or 'without a name'}"

    async def find_source(self) -> str:
        """Find the source, with the driver that it may need."""
        from connectors.registry.profile import Profile  # noqa: PLC0415 - loaded only where it is wanted

        wanted = self._wanted
        service_type = wanted.service_type if isinstance(wanted, Impromptu) else self._connector.service_type
        if service_type is None:
            hint = "`connectors sources` lists those that there are."
            raise ConfigurationError("The connector has no source.", field="service_type", hint=hint)
        self._class = self._registry.source(service_type)
        name = Profile.of(self._class, service_type).name
        return f"{name} ({service_type}), of {self._registry.listing(service_type).found_in}"

    async def check_settings(self) -> str:
        """Check the settings of the source."""
        from connectors.fields import Configuration  # noqa: PLC0415 - as above
        from connectors.source_class import can_be_live, fields_of  # noqa: PLC0415

        fields, grants = fields_of(self._class), self._settings.grants
        if isinstance(self._wanted, Impromptu):
            self._connector = self._wanted.unstored(fields)
            grants = grants_of(self._settings.exposed_secrets)
        self._configuration = Configuration(fields, self._connector.configuration, grants)
        self._configuration.check()
        if self._connector.sync.live and not can_be_live(self._class):
            hint = f"Switch it off: connectors set {self._connector.id} --sync live=false"
            raise ConfigurationError("The source can't tell of changes as they happen.", field="sync.live", hint=hint)
        return f"{counted(len(fields), 'setting')}, all valid"

    async def reach(self) -> str:
        """Open the source, and ping it."""
        from connectors.source_class import made  # noqa: PLC0415 - as above
        from connectors.sync.foreign import entered, of_source  # noqa: PLC0415

        mask = self._configuration.masked
        try:
            async with asyncio.timeout(self._limit_s):
                storage = await self._storage()
                with of_source(mask):
                    one = made(self._class, self._configuration, storage)
                self._source = await self._stack.enter_async_context(entered(one, mask))
                with of_source(mask):
                    if hasattr(self._source, "validate_config"):
                        await self._source.validate_config()
                    await self._source.ping()
        except TimeoutError:
            raise SourceUnreachable(
                f"The source did not answer within {self._limit_s:g} s.",
                hint="Is its address right, and may this machine reach it? --limit waits longer.",
            ) from None
        return "opened it, and it answered"

    async def _storage(self) -> "Storage":
        """Return what the source remembers: that of its connector, as a token in there may be the one that is valid."""
        from connectors.aio.retry import NEVER, Retry  # noqa: PLC0415 - as above
        from connectors.storage import Storage  # noqa: PLC0415
        from connectors.storages.opening import open_backend  # noqa: PLC0415

        if isinstance(self._wanted, Impromptu):
            return Storage.in_memory()
        opening = open_backend(self._settings.storage, self._engine)
        backend = await self._stack.enter_async_context(opening)
        return Storage(backend, self._connector.id, retry=Retry(NEVER))  # who asks wants to know now

    async def check_rules(self) -> str:
        """Ask the source whether the rules are valid."""
        from connectors.byoc import Filter  # noqa: PLC0415 - as above
        from connectors.filtering.chain import validate  # noqa: PLC0415

        filtering = self._connector.filtering
        validation = await validate(self._source, filtering)
        if not validation.is_valid:
            problems = [message for error in validation.errors for message in error.messages]
            raise ConfigurationError("\n".join(problems), field="filtering")
        rules = Filter(filtering)
        number = len(rules.basic_rules.rules)
        parts = [counted(number, "basic rule")] * bool(number) + ["advanced rules"] * rules.has_advanced_rules()
        return " and ".join(parts) or "none"

    async def check_index(self) -> str:
        """Look whether the index can be written to, and is no other connector's."""
        from connectors.sync.index.target import find_target  # noqa: PLC0415 - as above

        name = self._connector.index_name
        if name is None and isinstance(self._wanted, Impromptu):
            raise Skipped("no --index is named")
        if name is None:
            hint = f"connectors set {self._connector.id} --index NAME"
            raise ConfigurationError("The connector has no index to write to.", field="index_name", hint=hint)
        target = await find_target(self._engine, name)
        await check_unused(self._engine, self._connectors, self._connector, name)
        if target is None:
            return f"{name}, which is not there yet: the first sync makes it"
        return name if target.index == name else f"{name}, which is {target.index}"

    async def check_pipeline(self) -> str:
        """Look whether there is the pipeline that documents are to go through."""
        from connectors.sync.index.pipeline import pipeline_of  # noqa: PLC0415 - as above

        found = await pipeline_of(self._engine, self._connector.pipeline)
        return found.name if found is not None else "none, and none is needed"

    async def read_first(self) -> str:
        """Read the first document that the rules keep, and nothing of what is in it but names."""
        try:
            async with asyncio.timeout(self._limit_s):
                return await self._first()
        except TimeoutError:
            raise Skipped(f"none came within {self._limit_s:g} s; a sync waits longer") from None

    async def _first(self) -> str:
        from connectors.byoc import Filter  # noqa: PLC0415 - as above
        from connectors.changes import Failed  # noqa: PLC0415
        from connectors.dataset import Dataset  # noqa: PLC0415
        from connectors.sync.foreign import of_source, read, told  # noqa: PLC0415

        mask, filtering = self._configuration.masked, Filter(self._connector.filtering)
        rules = filtering.basic_rules
        failed = dropped = 0
        with of_source(mask):
            walk = self._source.get_docs(filtering)
        async with read(walk, mask) as documents, aclosing(told(documents, mask)) as items:
            async for item in items:
                document = item[0] if isinstance(item, tuple) else item
                if isinstance(document, Dataset):
                    continue
                if isinstance(document, Failed):
                    failed += 1
                elif rules and not rules.keeps(document):
                    dropped += 1
                else:
                    return f"{_named(document)}{_before(failed, dropped)}"
        return f"there is none{_before(failed, dropped)}"


def _named(document: dict[str, Any]) -> str:
    """Return the id of a document and the names of its fields."""
    names = [name for name in document if name != "_id"]
    more = f" and {len(names) - MOST_FIELDS} more" if len(names) > MOST_FIELDS else ""
    return f"{document.get('_id')!r} with {', '.join(map(str, names[:MOST_FIELDS])) or 'no fields'}{more}"


def _before(failed: int, dropped: int) -> str:
    """Return what came that can't be shown as a document."""
    parts = [f"{counted(failed, 'document')} can't be read"] * bool(failed)
    parts += [f"{counted(dropped, 'document')} dropped by rules"] * bool(dropped)
    return f" ({', '.join(parts)})" if parts else ""
