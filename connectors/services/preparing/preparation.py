"""Preparation: connectors that are new, or that somebody configured, are filled in, checked, and told what is wrong."""

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from connectors import logger
from connectors.aio.clock import Clock
from connectors.aio.tasks import Tasks
from connectors.engine.records import Revision
from connectors.errors import ConfigurationError, ConnectorsError
from connectors.registry import Registry
from connectors.registry.profile import Profile
from connectors.schedule.zone import Zone
from connectors.services.preparing.draft import Draft
from connectors.services.preparing.examination import Means, Verdict, examined
from connectors.services.preparing.filling import WAITING, filled
from connectors.services.preparing.presence import Presence
from connectors.services.scheduling.timings import READY, timings_of
from connectors.store.connector import Connector, ConnectorStatus
from connectors.store.connectors import ConnectorStore
from connectors.store.custom_schedule import custom_schedules, faults_of
from connectors.sync.foreign import of_source
from connectors.sync.outcome import LONGEST
from connectors.wording import shortened

log = logger.get(__name__)
AT_ONCE: Final = 4
TURN_S: Final = 5.0
"""How long a look begins with one connector after the other: the rest is for the next look, behind what is newer."""
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 300.0
"""Pauses between attempts at what may pass by itself double from the first to the longest one."""
SETTLED: Final = frozenset({ConnectorStatus.CONNECTED, ConnectorStatus.ERROR})


@dataclass
class _Known:
    """What is remembered of a connector: that it was looked at as it is, and when to look at it all the same."""

    digest: bytes
    seen: Revision
    tries: int = 0
    again_at: float | None = None


@dataclass
class Preparation:
    """Looks at connectors that are new, or changed in what matters for their source, and says in them what it found.

    - What a document lacks of its source's settings and features is added; what a person gave stays.
    - Its source is opened and reached: then the connector is `connected`, or in `error` with the reason. What may pass
      by itself is tried again after pauses that grow.
    - Sync rules that somebody edited are validated, and used if they are valid.
    - It says now and then that somebody looks after the connectors.

    It writes what follows from the document and its source, only where that is not there yet, and only if nobody
    changed what it follows from meanwhile. So several daemons may do the same at once.
    """

    store: ConnectorStore
    registry: Registry
    means: Means
    clock: Clock
    zone: Zone
    _known: dict[str, _Known] = field(default_factory=dict)
    _presence: Presence = field(init=False)

    def __post_init__(self) -> None:
        self._presence = Presence(self.store, self.clock, self._serves)

    async def look(self, connectors: Mapping[str, Connector]) -> None:
        """Look at the connectors of the roster that need it, a few at a time. What fails is logged and tried again.

        It may take as long as the slowest of their sources.
        """
        await self._presence.look(connectors)
        for gone in self._known.keys() - connectors.keys():
            del self._known[gone]
        due = deque(self._due(connectors))
        until = self.clock.monotonic() + TURN_S
        async with Tasks("preparation") as tasks:
            for number in range(min(AT_ONCE, len(due))):
                tasks.start(self._take_from(due, until), name=str(number))

    def _due(self, connectors: Mapping[str, Connector]) -> list[Connector]:
        """Return what has to be looked at: what somebody just edited, what is new, and what is tried again."""
        edited, new, again = list[Connector](), list[Connector](), list[Connector]()
        now = self.clock.monotonic()
        for connector in connectors.values():
            known = self._known.get(connector.id)
            if known is None:
                new.append(connector)
            elif known.again_at is not None and known.again_at <= now:
                again.append(connector)
            elif known.seen != connector.revision:
                if self._digest(connector) == known.digest:
                    known.seen = connector.revision
                else:
                    edited.append(connector)
        return [*edited, *new, *again]

    def _is_due(self, known: _Known) -> bool:
        return known.again_at is not None and known.again_at <= self.clock.monotonic()

    async def _take_from(self, due: deque[Connector], until: float) -> None:
        while due:
            await self._look_at(due.popleft())
            if self.clock.monotonic() >= until:
                return

    async def _look_at(self, connector: Connector) -> None:
        known, result = self._known.get(connector.id), FAILED
        try:
            found = await self.store.get(connector.id)
            if found is None or found.deleted:
                self._known.pop(connector.id, None)
                return
            if known is not None and not self._is_due(known) and known.digest == self._digest(found):
                known.seen = connector.revision  # the roster is behind what this daemon has done itself
                return
            result = await self._prepared(found, is_new=known is None or known.digest == FAILED.digest)
        except ConnectorsError as error:
            log.warning("A connector could not be prepared.", connector=connector.id, why=str(error))
        except Exception:  # the edge: what goes wrong with one connector holds up no other
            log.exception("A connector could not be prepared by a fault of this program.", connector=connector.id)
        self._remember(connector, known, result)

    def _remember(self, connector: Connector, known: _Known | None, result: "_Result") -> None:
        is_same = known is not None and known.again_at is not None and known.digest == result.digest
        tries = known.tries + 1 if known is not None and is_same else 1
        again_at = None
        if result.may_pass:
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(tries - 1, 60))
            again_at = self.clock.monotonic() + pause_s
        self._known[connector.id] = _Known(result.digest, connector.revision, tries, again_at)

    async def _prepared(self, connector: Connector, *, is_new: bool) -> "_Result":
        """Do for a connector, as it was just read, what there is to do. Raises what is wrong with the engine."""
        if connector.service_type is None and connector.status in WAITING:
            return _Result(self._digest(connector))  # nobody has said yet what it is to read
        try:
            with of_source(str):
                source, profile = self._source_of(connector)
        except ConnectorsError as error:
            return await self._tell(connector, None, Verdict.of(error), is_new=is_new)
        service_type = connector.service_type
        connector = await self.store.update(
            connector.id,
            lambda found: filled(found, profile, self.means.grants) if found.service_type == service_type else {},
        )
        if connector.service_type != service_type:
            return OVERTAKEN
        if connector.status not in READY:
            return _Result(self._digest(connector))
        draft = Draft.of(connector)
        verdict = await examined(source, connector, draft, self.means)
        if faults := self._faults_of_overrides(connector, source):
            verdict = replace(verdict, error=" ".join([*([verdict.error] if verdict.error else []), *faults]))
        return await self._tell(connector, draft, verdict, is_new=is_new)

    def _source_of(self, connector: Connector) -> tuple[type[Any], Profile]:
        if connector.service_type is None:
            raise ConfigurationError("The connector does not say which source it reads.", field="service_type")
        source = self.registry.source(connector.service_type)
        profile = Profile.of(source, connector.service_type)
        as_read: Mapping[str, Any] = msgspec.json.decode(msgspec.json.encode(profile.configuration))
        return source, replace(profile, configuration=as_read)

    async def _tell(self, connector: Connector, draft: Draft | None, verdict: Verdict, *, is_new: bool) -> "_Result":
        """Write what was found, unless somebody changed what it follows from: then it is looked at again."""
        examined_as, is_overtaken = self._matters(connector), False

        def told(found: Connector) -> Mapping[str, Any]:
            nonlocal is_overtaken
            is_overtaken = self._matters(found) != examined_as
            return {} if is_overtaken else self._changes(found, draft, verdict, is_new=is_new)

        written = await self.store.update(connector.id, told)
        if is_overtaken:
            return OVERTAKEN
        if written.revision != connector.revision:
            log.info("A connector was checked.", connector=written.id, status=written.status, error=written.error)
        return _Result(self._digest(written), may_pass=verdict.may_pass)

    def _changes(self, found: Connector, draft: Draft | None, verdict: Verdict, *, is_new: bool) -> dict[str, Any]:
        """Return what a verdict makes of a connector, as far as that does not say so already."""
        problems = [*([verdict.error] if verdict.error else []), *self._faults(found)]
        wanted: dict[str, Any] = {}
        if problems:
            wanted = {"status": ConnectorStatus.ERROR, "error": shortened(" ".join(problems), LONGEST)}
        elif not (is_new and _tells_of_a_sync(found)):
            wanted = {"status": ConnectorStatus.CONNECTED, "error": None}
        if draft is not None and verdict.draft is not None:
            wanted["filtering"] = draft.settled(found, verdict.draft)
        return {name: one for name, one in wanted.items() if found.document.get(name) != one}

    # What is compared.

    def _digest(self, connector: Connector) -> bytes:
        """Return what tells whether a connector has to be looked at: how it was settled makes no difference.

        Unless rules wait for a source that could not be reached: that a sync could may be all that is heard of it.
        """
        is_settled = connector.status in SETTLED and Draft.of(connector) is None
        status = "" if is_settled else str(connector.status)
        return self._matters(connector) + status.encode()

    def _matters(self, connector: Connector) -> bytes:
        """Return a digest of all that a verdict follows from. It holds nothing of what it is made of."""
        document, draft = connector.document, Draft.of(connector)
        told = [
            connector.service_type,
            document.get("configuration"),
            document.get("features"),
            document.get("is_native"),
            draft.rules if draft is not None else None,
            self._faults(connector),
            {one.key: one.overrides for one in custom_schedules(connector).values() if one.enabled},
        ]
        return hashlib.blake2b(msgspec.json.encode(told, order="deterministic"), digest_size=16).digest()

    def _faults(self, connector: Connector) -> tuple[str, ...]:
        """Return what is wrong with the schedules, which the scheduler tells in the same words."""
        return timings_of(connector, self.clock.now(), self.zone).faults

    def _faults_of_overrides(self, connector: Connector, source: type[Any]) -> list[str]:
        try:
            with of_source(str):
                return list(faults_of(connector, source, self.means.grants))
        except ConnectorsError as error:
            return [str(error)]

    def _serves(self, connector: Connector) -> bool:
        try:
            with of_source(str):
                self._source_of(connector)
        except ConnectorsError:
            return False
        return True


@dataclass(frozen=True)
class _Result:
    """As what a connector was looked at, and whether what was found may be otherwise by itself."""

    digest: bytes
    may_pass: bool = False


FAILED: Final = _Result(b"failed", may_pass=True)
OVERTAKEN: Final = _Result(b"overtaken", may_pass=True)


def _tells_of_a_sync(connector: Connector) -> bool:
    """Return whether a connector is in error as its last sync failed, which a source that answers makes no better."""
    names = ("last_sync_error", "last_access_control_sync_error")
    is_in_error = connector.status is ConnectorStatus.ERROR and connector.error is not None
    return is_in_error and any(connector.error == connector.document.get(name) for name in names)
