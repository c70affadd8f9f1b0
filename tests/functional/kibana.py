"""What Kibana does with connectors: it writes documents of connectors and jobs, and reads what became of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from connectors.engine import Engine
from connectors.errors import Conflict
from connectors.registry import Registry

CONNECTORS: Final = ".elastic-connectors"
JOBS: Final = ".elastic-connectors-sync-jobs"
ENDED: Final = frozenset({"completed", "canceled", "error"})
LOOK_EVERY_S: Final = 0.1
Written = dict[str, Any]
_NOT_YET: Final = (
    *("api_key_id", "api_key_secret_id", "description", "error", "language", "last_seen", "last_synced", "sync_cursor"),
    *("last_access_control_sync_error", "last_access_control_sync_scheduled_at", "last_access_control_sync_status"),
    *("last_deleted_document_count", "last_incremental_sync_scheduled_at", "last_indexed_document_count"),
    *("last_sync_error", "last_sync_scheduled_at", "last_sync_status"),
)
_NEVER: Final = {"enabled": False, "interval": "0 0 0 * * ?"}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Kibana:
    """Writes and reads the documents of one connector with plain requests. None of our own records are used."""

    engine: Engine
    connector: str
    index: str

    async def connect(self, service_type: str, values: Mapping[str, object]) -> None:
        """Create the connector, its configuration filled in, and without the `pipeline` that may be left out."""
        source = Registry().source(service_type)
        fields = source.get_default_configuration()
        configuration = {
            name: {**field, "value": values.get(name, field.get("value"))} for name, field in fields.items()
        }
        document = {
            **dict.fromkeys(_NOT_YET),
            "name": f"functional-{service_type}",
            "service_type": service_type,
            "index_name": self.index,
            "is_native": False,
            "status": "configured",
            "configuration": configuration,
            "custom_scheduling": {},
            "features": {"sync_rules": {"basic": {"enabled": True}, "advanced": {"enabled": True}}},
            "filtering": [_in_use(_rule_set((), None))],
            "scheduling": {"full": _NEVER, "incremental": _NEVER, "access_control": _NEVER},
        }
        await self.engine.control.put(CONNECTORS, self.connector, document, refresh="now")

    async def change(self, **fields: object) -> None:
        """Give fields of the connector other values."""
        await self._change(CONNECTORS, self.connector, lambda found: {**found, **fields})

    async def set_rules(self, basic: Sequence[Mapping[str, Any]] = (), advanced: object = None) -> None:
        """Put a rule set into use, as it is once somebody has edited it and it was found valid."""
        await self.change(filtering=[_in_use(_rule_set(basic, advanced))])

    async def edit_rules(self, basic: Sequence[Mapping[str, Any]] = (), advanced: object = None) -> None:
        """Edit the draft of the rules, which waits to be validated; those in use stay."""
        draft = _rule_set(basic, advanced, state="edited")

        def edited(found: Written) -> Written:
            (rules,) = found["filtering"]
            return {**found, "filtering": [{**rules, "draft": draft}]}

        await self._change(CONNECTORS, self.connector, edited)

    async def validated_rules(self, within_s: float) -> Written:
        """Wait until the draft is not only edited any more, and return it with the rules that are in use."""
        async with asyncio.timeout(within_s):
            while (found := await self.rules())["draft"]["validation"]["state"] == "edited":  # noqa: ASYNC110 - as below
                await asyncio.sleep(LOOK_EVERY_S)
        return found

    async def rules(self) -> Written:
        """Return the rules that are in use, and the draft."""
        (found,) = (await self._read(CONNECTORS, self.connector))["filtering"]
        return dict(found)

    async def sync(self, job_type: str = "full") -> str:
        """Want a sync now, and return the id of its job."""
        found = await self._read(CONNECTORS, self.connector)
        copied = ("configuration", "index_name", "language", "pipeline", "service_type")
        nothing = ("cancelation_requested_at", "canceled_at", "completed_at", "error", "last_seen", "started_at")
        job = {
            **dict.fromkeys((*nothing, "total_document_count", "worker_hostname")),
            "connector": {
                "id": self.connector,
                **{name: found.get(name) for name in copied},
                "filtering": found["filtering"][0]["active"],
            },
            "created_at": _now(),
            "deleted_document_count": 0,
            "indexed_document_count": 0,
            "indexed_document_volume": 0,
            "job_type": job_type,
            "metadata": {},
            "status": "pending",
            "trigger_method": "on_demand",
        }
        job_id = uuid4().hex
        await self.engine.control.put(JOBS, job_id, job, refresh="now")
        return job_id

    async def cancel(self, job_id: str) -> None:
        """Want a job to be canceled."""
        changes = {"status": "canceling", "cancelation_requested_at": _now()}
        await self._change(JOBS, job_id, lambda found: {**found, **changes})

    async def job(self, job_id: str) -> Written:
        """Return a job as it is now."""
        return await self._read(JOBS, job_id)

    async def ended(self, job_id: str, within_s: float) -> Written:
        """Wait until a job has ended, and return it."""
        async with asyncio.timeout(within_s):
            while (found := await self.job(job_id))["status"] not in ENDED:  # noqa: ASYNC110 - it is a document
                await asyncio.sleep(LOOK_EVERY_S)
        return found

    async def all_ended(self, within_s: float) -> None:
        """Wait until every job of the connector has ended, those that followed another too."""
        async with asyncio.timeout(within_s):
            while not all(job["status"] in ENDED for job in (await self._jobs()).values()):  # noqa: ASYNC110 - as above
                await asyncio.sleep(LOOK_EVERY_S)

    async def ended_jobs(self) -> dict[str, Written]:
        """Return the jobs of the connector that have ended, by their ids."""
        return {job_id: job for job_id, job in (await self._jobs()).items() if job["status"] in ENDED}

    async def _jobs(self) -> dict[str, Written]:
        await self.engine.control.refresh(JOBS)
        body = {"query": {"term": {"connector.id": self.connector}}, "size": 100}
        return {hit.id: dict(hit.source or {}) for hit in (await self.engine.control.search(JOBS, body)).hits}

    async def _read(self, index: str, doc_id: str) -> Written:
        found = await self.engine.control.get(index, doc_id)
        assert found is not None, f"{doc_id!r} is gone from {index}"
        return dict(found.source)

    async def _change(self, index: str, doc_id: str, change: Callable[[Written], Written]) -> None:
        """Change a document as an update does: again when somebody else changed it meanwhile."""
        while True:
            found = await self.engine.control.get(index, doc_id)
            assert found is not None, f"{doc_id!r} is gone from {index}"
            try:
                document = change(dict(found.source))
                await self.engine.control.put(index, doc_id, document, expected=found.revision, refresh="now")
            except Conflict:
                continue
            return


def _rule_set(basic: Sequence[Mapping[str, Any]], advanced: object, *, state: str = "valid") -> Written:
    """Return a rule set, the rule that every set has last."""
    times = {"created_at": _now(), "updated_at": _now()}
    default = {"id": "DEFAULT", "policy": "include", "field": "_", "rule": "regex", "value": ".*", "order": 0}
    rules = [{"id": f"rule-{order}", "order": order, **rule, **times} for order, rule in enumerate(basic, 1)]
    return {
        "rules": [*rules, {**default, **times}],
        "advanced_snippet": {"value": {} if advanced is None else advanced, **times},
        "validation": {"state": state, "errors": []},
    }


def _in_use(rules: Written) -> Written:
    return {"domain": "DEFAULT", "active": rules, "draft": rules}
