"""The privileges that docs/engines.md lists are those that are needed: a key that has them does all of it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from connectors.engine import open_engine
from connectors.errors import ConfigurationError, EngineDenied
from connectors.grants import Grants
from connectors.secret import Secret
from connectors.services.cleaning.janitor import Janitor
from connectors.services.cleaning.remains import Shelf
from connectors.services.scheduling.roster import Roster
from connectors.settings import EngineSettings
from connectors.store.jobs import JobStore
from connectors.sync.foreground import run_foreground
from connectors.sync.removal import remove
from connectors.sync.workplace import open_workplace
from tests.engine.real import Node, node
from tests.engine.test_secured_elasticsearch import make_key, settings
from tests.sync.staged import OneSource, staged

pytestmark = [pytest.mark.real_engine("elasticsearch"), pytest.mark.timeout(300)]
PIPELINE = {"name": "search-default-ingestion", "extract_binary_content": True}
DOCUMENTS = 5
PAGE = Path(__file__).parent.parent.parent / "docs" / "engines.md"


@pytest.fixture(scope="module")
def secured() -> Iterator[Node]:
    with node("elasticsearch", ES_SECURITY="1") as one:
        yield one


def listed() -> dict[str, Any]:
    """Return the role that the page shows."""
    found = re.search(r"POST /_security/api_key\n((?: {4}.*\n)+)", PAGE.read_text(encoding="utf-8"))
    assert found is not None
    body: dict[str, Any] = msgspec.json.decode(found[1])
    return body


def with_key(secured: Node, body: dict[str, Any]) -> EngineSettings:
    made = make_key(secured, body)
    return replace(settings(secured), username=None, password=None, api_key=Secret(made["encoded"]), attempts=1)


async def work(known: EngineSettings, folder: Path) -> int:
    """Do what daemons and commands do: make the indices, sync twice, clean, and delete the connector.

    Return how many of the documents were indexed.
    """
    async with open_engine(known) as engine:
        source = staged(documents=DOCUMENTS)
        place = await open_workplace(engine, OneSource(source), grants=Grants(), copies=folder)
        own = f"search-{uuid4().hex}"  # what was denied before it could clean up is in nobody's way
        document = {"service_type": "staged", "index_name": own, "configuration": {}, "pipeline": PIPELINE}
        connector = await place.connectors.create(own, document)
        for _ in range(2):
            await run_foreground(place, connector)
        await engine.control.refresh(own)
        indexed = await engine.control.count(own)
        await place.storage_of(own).set("k", 1, expires_in_s=1)
        jobs = await JobStore.open(engine)
        shelf = Shelf(place.state, place.letters, jobs, place.connectors, place.storage)
        await Janitor.of(shelf, Roster(place.connectors, place.clock), place.clock).look()
        removed = await remove(place, connector, with_indices=True)
        assert removed.indices == (f"{own}-000001",)
        return indexed


async def test_a_key_with_the_privileges_that_are_listed_does_all_of_it(secured: Node, tmp_path: Path) -> None:
    assert await work(with_key(secured, listed()), tmp_path) == DOCUMENTS


def narrower() -> Iterator[Any]:
    """Yield the role without each of its privileges."""
    role = next(iter(listed()["role_descriptors"].values()))
    for one in role["cluster"]:
        yield pytest.param(("cluster", None, one), id=one)
    for number, group in enumerate(role["indices"]):
        for one in group["privileges"]:
            yield pytest.param(("indices", number, one), id=f"{one} of {group['names'][0]}")


@pytest.mark.parametrize("missing", list(narrower()))
async def test_without_one_of_them_something_is_denied_or_nothing_is_indexed(
    secured: Node, tmp_path: Path, missing: tuple[str, int | None, str]
) -> None:
    body = listed()
    role = next(iter(body["role_descriptors"].values()))
    kind, number, one = missing
    privileges = role["cluster"] if kind == "cluster" else role["indices"][number]["privileges"]
    privileges.remove(one)
    if one == "read_pipeline":  # then the pipeline is believed to be there
        assert await work(with_key(secured, body), tmp_path) == 0
        return
    with pytest.raises((EngineDenied, ConfigurationError), match=r"privilege|is unauthorized"):
        await work(with_key(secured, body), tmp_path)
