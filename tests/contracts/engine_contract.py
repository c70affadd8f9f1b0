"""The conformance suite of search engines: what every engine answers to the same raw requests."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.contracts.engine.aliases import Aliases
from tests.contracts.engine.bulk import Bulk
from tests.contracts.engine.bulk_refusals import BulkRefusals
from tests.contracts.engine.case import Feature, body_of
from tests.contracts.engine.cluster import Cluster
from tests.contracts.engine.compare_and_set import CompareAndSet
from tests.contracts.engine.delete_by_query import DeleteByQuery
from tests.contracts.engine.documents import Documents
from tests.contracts.engine.errors import Errors
from tests.contracts.engine.external_versions import ExternalVersions
from tests.contracts.engine.hits import Hits
from tests.contracts.engine.indices import Blocks, IndexPatterns, Indices
from tests.contracts.engine.malformed import Malformed
from tests.contracts.engine.mappings import Mappings, Values
from tests.contracts.engine.multi_get import MultiGet
from tests.contracts.engine.one_shard import OneShard
from tests.contracts.engine.pages import Pages
from tests.contracts.engine.pipelines import Pipelines
from tests.contracts.engine.queries import Queries
from tests.contracts.engine.scan import Scan
from tests.contracts.engine.scroll import Scroll
from tests.contracts.engine.stamp import Stamp
from tests.contracts.engine.updates import Updates
from tests.contracts.engine.visibility import Visibility
from tests.contracts.wire import Wire


class DocumentContract(
    Documents, MultiGet, CompareAndSet, ExternalVersions, Updates, Bulk, BulkRefusals, DeleteByQuery, Pipelines
):
    """What is said about writes, and about reads by id."""


class SearchContract(Visibility, Queries, Hits, Pages, Scan, OneShard, Scroll):
    """What is said about searches."""


class IndexContract(Indices, IndexPatterns, Blocks, Aliases, Mappings, Values, Malformed, Stamp):
    """What is said about indices as a whole."""


class EngineContract(DocumentContract, SearchContract, IndexContract, Errors, Cluster):
    """Inherited by one test class per engine, whose module provides the fixture `wire`."""

    lacks: frozenset[Feature] = frozenset()
    """Features that this engine does not have; the cases that need them are skipped."""

    @pytest.fixture(autouse=True)
    def _skip_what_is_lacking(self, request: pytest.FixtureRequest) -> None:
        needed: frozenset[Feature] = getattr(request.function, "needs", frozenset())
        if lacking := needed & self.lacks:
            pytest.skip(f"this engine lacks {', '.join(sorted(lacking))}")

    @pytest.fixture
    async def index(self, wire: Wire) -> AsyncIterator[str]:
        """Give the name of an index that does not exist yet; delete everything whose name starts with it."""
        name = f"contract-{uuid4().hex[:12]}"
        yield name
        left = body_of(await wire("GET", f"/{name}*,.{name}*?expand_wildcards=all"))
        if left:
            body_of(await wire("DELETE", f"/{','.join(left)}"))
