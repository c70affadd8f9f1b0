"""A job of the sync: one connector with its source opened, its target leased and its state taken."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from connectors.aio.retry import Retry
from connectors.byoc import Filter
from connectors.errors import ConfigurationError, IndexMissing, IndexReplaced
from connectors.fields import Configuration
from connectors.filtering.chain import validate
from connectors.source_class import fields_of, made, remarks_of
from connectors.store.connector import Connector
from connectors.store.index_name import check_name
from connectors.store.sync_settings import SyncSettings
from connectors.store.sync_state import JobType
from connectors.store.targets import TargetRecord
from connectors.sync.content.downloads import Downloads
from connectors.sync.content.policy import ContentPolicy
from connectors.sync.document.intake import Intake
from connectors.sync.document.prepared import Preparer
from connectors.sync.document.shape import Recipe, Shape
from connectors.sync.foreign import Mask, entered, of_source
from connectors.sync.index.pipeline import Pipeline, pipeline_of
from connectors.sync.index.target import Target, TargetWatch, open_target, unmake
from connectors.sync.letters import Letters
from connectors.sync.owner.fenced_state import FencedState
from connectors.sync.owner.lease import Claim, Lease, leased
from connectors.sync.report import SyncReport
from connectors.sync.silence import Silence, listening
from connectors.sync.workplace import Workplace
from connectors.sync.writing.neighbours import Neighbours
from connectors.sync.writing.writer import Channel


@dataclass(frozen=True)
class Job:
    """All that one run of a connector works with."""

    place: Workplace
    connector: Connector
    source: Any
    """An object of a source class, entered."""
    configuration: Configuration
    filtering: Filter
    target: Target
    lease: Lease
    state: FencedState
    letters: Letters
    report: SyncReport
    settings: SyncSettings
    shape: Shape
    policy: ContentPolicy
    pipeline: Pipeline | None
    silence: Silence

    @property
    def intake(self) -> Intake:
        """What documents go through on their way from the source."""
        rules = self.filtering.basic_rules
        extra = self.pipeline.fields if self.pipeline is not None else {}
        return Intake(Preparer(self.shape, extra), self.shape, rules.keeps if rules else None)

    @property
    def channel(self) -> Channel:
        """How writes get to the engine."""
        place = self.place
        name = self.pipeline.name if self.pipeline is not None else None
        neighbours = Neighbours(place.connectors, self.connector.id, shared=self.settings.shared_index)
        return Channel(place.engine.data, place.limiter, place.clock, place.limits.writer, name, neighbours)

    def downloads(self) -> Downloads:
        """Return what fetches the contents of this job's documents, to be entered."""
        place = self.place
        retry = Retry(clock=place.clock)
        return Downloads(
            place.limits.downloads, clock=place.clock, retry=retry, mask=self.mask, fetching=self.silence.excused
        )

    @property
    def recipe(self) -> str:
        """What has to be the same for what an earlier sync found to count."""
        return Recipe(self.shape, self.filtering.basic_rules).digest

    @property
    def copy_name(self) -> str:
        """What the local copy of the ledger is called."""
        return _copy_name(self.target.uuid, self.connector)

    @property
    def mask(self) -> Mask:
        """Masks the secrets of the connector in a text."""
        return self.configuration.masked


@asynccontextmanager
async def begun(
    place: Workplace,
    connector: Connector,
    report: SyncReport,
    *,
    run: str,
    live: bool = False,
    waiting: Callable[[str], None] = lambda _owner: None,
) -> AsyncIterator[Job]:
    """Check a connector, open its source, lease its target and take its state, for the time of the block.

    Raises what is wrong with any of it; what a source raises that is no error of ours is a `SourceError`, and that the
    index is gone in the block is an `IndexReplaced`.
    """
    index_name = _index_name(connector, report.job_type)
    is_content = report.job_type is not JobType.ACCESS_CONTROL
    settings = connector.sync
    filtering = Filter(connector.filtering if is_content else None)
    async with AsyncExitStack() as stack:
        silence = await stack.enter_async_context(listening(report, place.hearing, place.clock))
        source, configuration = await _source(stack, place, connector, silence, has_rules=is_content)
        pipeline = await pipeline_of(place.engine, connector.pipeline) if is_content else None
        target = await open_target(place.engine, index_name, language=connector.language, access_control=not is_content)
        report.index = target.index
        await _check_alone(place, connector, target, settings, report.job_type)
        watch = TargetWatch(place.engine, target, place.clock)
        kept_by = place.together.keep if live and place.together is not None else None
        claim = Claim(target, connector.id, run, place.instance, place.limits.lease_timeout_s, watch, kept_by)
        lease = await stack.enter_async_context(leased(place.state, claim, place.clock, waiting=waiting))
        await _check_still_there(place, connector, lease)
        policy = _policy(pipeline)
        job = Job(
            place=place,
            connector=connector,
            source=source,
            configuration=configuration,
            filtering=filtering,
            target=target,
            lease=lease,
            state=await FencedState.taken(place.state, connector.id, _state_of(report.job_type), lease),
            letters=Letters(place.letters, lease, report, most=settings.max_dead_letters, clock=place.clock),
            report=report,
            settings=settings,
            shape=_shape(place, connector, configuration, filtering, pipeline, policy),
            policy=policy,
            pipeline=pipeline,
            silence=silence,
        )
        await _forget_former(job)
        try:
            yield job
        except IndexMissing as error:
            if error.index != target.index:
                raise
            text = f"The index {target.index} was deleted while it was written to."
            raise IndexReplaced(text, index=target.index) from error


async def _source(
    stack: AsyncExitStack, place: Workplace, connector: Connector, silence: Silence, *, has_rules: bool
) -> tuple[Any, Configuration]:
    """Return the source of a connector, checked and reached, which is closed with the stack."""
    found = place.registry.source(connector.service_type or "")
    configuration = Configuration(fields_of(found), connector.configuration, place.grants)
    configuration.check()
    with of_source(configuration.masked):
        one = made(found, configuration, place.storage_of(connector.id))
    source = await stack.enter_async_context(entered(one, configuration.masked, silence))
    silence.report.remarks = remarks_of(source)
    with of_source(configuration.masked, silence):
        if hasattr(source, "validate_config"):
            await source.validate_config()
        await source.ping()
    if not has_rules:  # who may read what is never kept from the index by a mistake in a rule
        return source, configuration
    with silence.asked():
        validation = await validate(source, connector.filtering)
    if not validation.is_valid:
        problems = " ".join(message for error in validation.errors for message in error.messages)
        raise ConfigurationError(f"The sync rules are not valid: {problems}", field="filtering")
    return source, configuration


async def _check_still_there(place: Workplace, connector: Connector, lease: Lease) -> None:
    """Raise a `ConfigurationError` when the connector is gone: who removes one holds the lease of its index first.

    An index that was made just now, in vain, is gone then too.
    """
    found = await place.connectors.get(connector.id)
    if found is not None and not found.deleted:
        return
    target = lease.claim.target
    if lease.is_first:
        await unmake(place.engine, target)
        await place.state.delete(TargetRecord.key_of(target.uuid))
    raise ConfigurationError(f"The connector {connector.id!r} was deleted meanwhile.", field="id")


async def _check_alone(
    place: Workplace, connector: Connector, target: Target, settings: SyncSettings, job_type: JobType
) -> None:
    """Raise a `ConfigurationError` when another connector writes to the same index, and not both of them share it.

    Who may read what is never shared: each of two would take the other's identities for revoked ones.
    """
    record = await place.state.read(TargetRecord.key_of(target.uuid), TargetRecord)
    other_id = record.value.connector if record is not None else None
    if other_id is None or other_id == connector.id:
        return
    other = await place.connectors.get(other_id)
    if other is None or other.deleted or not await _writes_to(place, other, target, job_type):
        return
    is_access = job_type is JobType.ACCESS_CONTROL
    if is_access or not (settings.shared_index and other.sync.shared_index):
        raise ConfigurationError(
            f"The connector {other_id!r} writes to the index {target.index} too.",
            field="index_name",
            hint="Give each its own index." if is_access else "Give each its own, or set sync.shared_index in both.",
        )


async def _writes_to(place: Workplace, other: Connector, target: Target, job_type: JobType) -> bool:
    """Return whether another connector means the same index, by whatever name."""
    try:
        name = _index_name(other, job_type)
        check_name(name)
    except ConfigurationError:
        return False
    return target.uuid in {one.uuid for one in await place.engine.indices.resolve(name)}


async def _forget_former(job: Job) -> None:
    """Remove the local copy of what the index held that the last sync was completed with, where that was another one.

    That one was replaced, or the connector was given another. An access-control sync has a target, and a state, of its
    own, so each leaves the copy of the other alone.
    """
    copies, done = job.place.copies, job.state.value.completed
    if copies is not None and done is not None and done.target != job.target.uuid:
        await asyncio.to_thread(copies.discard, _copy_name(done.target, job.connector))


def _copy_name(target: str, connector: Connector) -> str:
    return f"{target}/{connector.id}"


def _index_name(connector: Connector, job_type: JobType) -> str:
    name = connector.index_for(job_type)
    if name is None:
        raise ConfigurationError("The connector has no index to write to.", field="index_name")
    return name


def _state_of(job_type: JobType) -> JobType:
    """Return under which type the state is kept: full and incremental syncs fence each other by sharing it."""
    return JobType.ACCESS_CONTROL if job_type is JobType.ACCESS_CONTROL else JobType.FULL


def _policy(pipeline: Pipeline | None) -> ContentPolicy:
    extracts = pipeline is not None and pipeline.extract_binary_content
    return ContentPolicy.of(pipeline=pipeline is not None, extract_binary_content=extracts)


def _shape(
    place: Workplace,
    connector: Connector,
    configuration: Configuration,
    filtering: Filter,
    pipeline: Pipeline | None,
    policy: ContentPolicy,
) -> Shape:
    return Shape(
        service_type=connector.service_type or "",
        configuration=configuration.shaping(),
        advanced_rules=filtering.get_advanced_rules(),
        pipeline=pipeline,
        extraction={"extractor": policy.extractor.version, "largest": place.limits.downloads.largest_bytes},
    )
