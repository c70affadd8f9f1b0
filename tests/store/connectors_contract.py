"""What the store of connectors promises on every engine: inherited by one test class an engine."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from connectors.engine import Engine
from connectors.errors import Conflict, EngineRefused
from connectors.store.connector import Connector
from connectors.store.connectors import LATE, NAME, ConnectorStore

KIBANA: dict[str, Any] = {
    "name": "Shop",
    "service_type": "sqlite",
    "index_name": "shop",
    "configuration": {"database": {"value": "/srv/shop.db", "type": "str", "sensitive": False}, "": {"..": None}},
    "scheduling": {"full": {"enabled": True, "interval": "0 0 0 * * ?"}},
    "custom_scheduling": {},
    "sync_cursor": {"": {"a..b": 2**63}},
    "is_native": False,
    "some_day": {"new": [1, {"x": None}]},
}


class ConnectorsContract:
    """Its module provides the fixture `engine`. Every test keeps to connectors of its own."""

    @pytest.fixture
    async def store(self, engine: Engine) -> ConnectorStore:
        return await ConnectorStore.open(engine)

    @pytest.fixture
    def own(self) -> str:
        return uuid4().hex

    async def test_a_connector_is_read_as_it_was_written(self, store: ConnectorStore, own: str) -> None:
        assert await store.get(own) is None
        created = await store.create(own, KIBANA)
        found = await store.get(own)
        assert found == created
        assert found is not None
        assert (found.id, found.document) == (own, KIBANA)

    async def test_a_second_one_of_the_same_id_is_refused_and_changes_nothing(
        self, store: ConnectorStore, own: str
    ) -> None:
        first = await store.create(own, KIBANA)
        with pytest.raises(Conflict, match=f"There is a connector '{own}' already"):
            await store.create(own, {"name": "other"})
        assert await store.get(own) == first

    async def test_an_update_leaves_every_other_field_as_it_is(self, store: ConnectorStore, own: str) -> None:
        await store.create(own, {**KIBANA, "changed": True})
        updated = await store.update(own, lambda connector: {"error": None, "sync_cursor": {"b": 1}, "changed": 1})
        found = await store.get(own)
        assert found == updated
        assert found is not None
        assert found.document == {**KIBANA, "error": None, "sync_cursor": {"b": 1}, "changed": 1}
        assert found.document["changed"] is not True

    async def test_an_update_that_changes_nothing_writes_nothing(self, store: ConnectorStore, own: str) -> None:
        created = await store.create(own, KIBANA)
        assert await store.update(own, lambda connector: {"name": "Shop"}) == created
        assert await store.update(own, lambda connector: {}) == created

    async def test_updates_by_many_at_once_are_all_there(self, store: ConnectorStore, own: str) -> None:
        await store.create(own, {"by": []})

        def adding(number: int, connector: Connector) -> Mapping[str, Any]:
            return {"by": [*connector.document["by"], number]}

        async with asyncio.TaskGroup() as tasks:
            for number in range(8):
                tasks.create_task(
                    store.update(own, lambda connector, number=number: adding(number, connector)),  # type: ignore[misc]
                    name=f"update {number}",
                )
        found = await store.get(own)
        assert found is not None
        assert sorted(found.document["by"]) == list(range(8))

    async def test_a_connector_that_is_missing_is_not_made_by_an_update(self, store: ConnectorStore, own: str) -> None:
        with pytest.raises(Conflict, match=f"There is no connector '{own}'"):
            await store.update(own, lambda connector: {"name": "a"})
        assert await store.get(own) is None

    async def test_every_connector_that_is_not_deleted_is_found(self, store: ConnectorStore, own: str) -> None:
        documents: dict[str, dict[str, Any]] = {
            "a": {"service_type": own},
            "b": {"service_type": f"{own}2", "deleted": False},
            "c": {"service_type": own, "deleted": True},
            "d": {"service_type": f"{own}3"},
        }
        for name, document in documents.items():
            await store.create(own + name, document)
        everything = {one.id async for one in store.all()}
        assert {one for one in everything if one.startswith(own)} == {f"{own}a", f"{own}b", f"{own}d"}
        found = [one async for one in store.all(service_types=[own, f"{own}2"])]
        assert sorted(one.id for one in found) == [f"{own}a", f"{own}b"]
        assert found == [await store.get(one.id) for one in found]

    async def test_what_was_written_since_is_found_deleted_ones_too(self, store: ConnectorStore, own: str) -> None:
        made = [await store.create(f"{own}{number:02}", {"deleted": True}) for number in range(LATE + 5)]
        found = await store.revisions_since(made[-2].revision.seq_no)
        assert found is not None
        assert found[made[-1].id] == made[-1].revision
        assert made[0].id not in found
        changed = await store.update(made[0].id, lambda _: {"name": "changed"})
        found = await store.revisions_since(made[-1].revision.seq_no)
        assert found is not None
        assert found[changed.id] == changed.revision
        everything = await store.revisions()
        assert {one.id: everything.get(one.id) for one in made} == {
            one.id: one.revision for one in [changed, *made[1:]]
        }

    async def test_many_are_read_as_they_are_and_those_that_are_missing_left_out(
        self, store: ConnectorStore, own: str
    ) -> None:
        made = {one.id: one for one in [await store.create(f"{own}{n:03}", {"deleted": n == 7}) for n in range(120)]}
        found = await store.get_many([*made, f"{own}-missing"])
        assert {one.id: one for one in found} == made
        assert await store.get_many([]) == []

    async def test_many_are_written_at_once_but_those_that_somebody_changed_or_deleted(
        self, store: ConnectorStore, own: str
    ) -> None:
        made = [await store.create(f"{own}{number}", {**KIBANA, "name": str(number)}) for number in range(4)]
        await store.update(made[1].id, lambda _: {"description": "changed"})
        await store.delete(made[2].id)
        assert await store.write(made, {"last_seen": "2026-01-01"}) == {made[0].id, made[3].id}
        found = {one.id: one.document for one in await store.get_many([one.id for one in made])}
        assert found == {
            made[0].id: {**made[0].document, "last_seen": "2026-01-01"},
            made[1].id: {**made[1].document, "description": "changed"},
            made[3].id: {**made[3].document, "last_seen": "2026-01-01"},
        }

    async def test_one_of_many_that_the_engine_refuses_is_an_error(self, store: ConnectorStore, own: str) -> None:
        made = [await store.create(f"{own}{number}", {"name": str(number)}) for number in range(2)]
        with pytest.raises(EngineRefused, match="Could not write the connector"):
            await store.write(made, {"last_seen": "no date"})

    async def test_the_alias_is_what_kibana_knows(self, engine: Engine, store: ConnectorStore) -> None:
        assert await engine.indices.aliases(NAME) == {".elastic-connectors-v1": [NAME]}

    async def test_a_connector_is_deleted_and_may_be_gone_already(self, store: ConnectorStore, own: str) -> None:
        await store.create(own, KIBANA)
        for _ in range(2):
            await store.delete(own)
            assert await store.get(own) is None
        assert (await store.create(own, KIBANA)).document == KIBANA

    async def test_connectors_are_found_by_the_names_of_their_index(self, store: ConnectorStore, own: str) -> None:
        for number, index in enumerate((own, f"{own}-b", f"{own}-c", own)):
            await store.create(f"{own}-{number}", {"index_name": index, "deleted": number == 3})
        found = await store.of_index({own, f"{own}-c"})
        assert [one.id for one in found] == [f"{own}-0", f"{own}-2"]

    async def test_an_overview_has_what_tells_how_a_connector_is_and_nothing_large(
        self, store: ConnectorStore, own: str
    ) -> None:
        draft = {"rules": [{"id": "a"}], "validation": {"state": "invalid", "errors": []}}
        told = {
            **{name: KIBANA[name] for name in ("name", "service_type", "index_name", "scheduling", "is_native")},
            "status": "error",
            "error": "No way",
            "features": {"incremental_sync": {"enabled": True}},
            "last_seen": "2026-01-01",
            "last_synced": "2026-01-02",
            "last_sync_scheduled_at": "2026-01-03",
            "last_sync_status": "completed",
            "last_access_control_sync_error": "none",
        }
        filtering = [{"domain": "DEFAULT", "active": {"rules": []}, "draft": draft}]
        weekly = {"enabled": True, "interval": "0 0 0 ? * 1", "name": "Weekly"}
        custom = {"weekly": {**weekly, "configuration_overrides": {"database": {"value": "secret"}}}}
        given = {"filtering": filtering, "custom_scheduling": custom, "sync": {"windows": ["22:00-06:00"], "new": {}}}
        created = await store.create(own, {**KIBANA, **told, **given})
        await store.create(f"{own}-gone", {**KIBANA, "deleted": True})
        found = {one.id: one async for one in store.overview()}
        shown = [{"domain": "DEFAULT", "draft": {"validation": draft["validation"]}}]
        assert found[own].document == {
            **told,
            "filtering": shown,
            "custom_scheduling": {"weekly": weekly},
            "sync": {"windows": ["22:00-06:00"]},
        }
        assert found[own].revision == created.revision
        assert f"{own}-gone" not in found
