"""The embedded engine in one piece: a data folder, its catalog, and the routes over it."""

from pathlib import Path

from connectors.engine.embedded.api.aliases import AliasesApi
from connectors.engine.embedded.api.bulk import BulkApi
from connectors.engine.embedded.api.cluster import ClusterApi
from connectors.engine.embedded.api.delete_by_query import DeleteByQueryApi
from connectors.engine.embedded.api.documents import DocumentsApi
from connectors.engine.embedded.api.indices import IndicesApi
from connectors.engine.embedded.api.router import Router
from connectors.engine.embedded.api.search import SearchApi
from connectors.engine.embedded.api.views import Views
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.folder_lock import FolderLock
from connectors.engine.embedded.store.housekeeping import Housekeeping
from connectors.engine.embedded.store.indexer import TableIndexer
from connectors.engine.embedded.store.points_in_time import PointsInTime
from connectors.engine.embedded.store.readers import LONGEST_S
from connectors.engine.embedded.store.refreshing import Refreshing
from connectors.engine.embedded.turn import SLICE_S, Turn


class EmbeddedEngine:
    """Answers requests over the data of one folder, which it owns. Requests may come from any thread.

    Writes take turns, a slice at a time; searches read beside them. Raises `EngineBlocked` when another process owns
    the folder, and `ConfigurationError` when it can't be used.
    """

    def __init__(self, folder: Path, slice_s: float = SLICE_S, longest_search_s: float = LONGEST_S) -> None:
        self._lock = FolderLock(folder)
        self._turn = Turn(slice_s=slice_s)
        points = PointsInTime()
        self._housekeeping = Housekeeping(self._turn, points)
        try:
            self._catalog = Catalog(folder, lambda file: TableIndexer(file.connection), slice_s, longest_search_s)
        except BaseException:
            self._lock.release()
            raise
        refreshing = Refreshing(self._turn, self._housekeeping)
        views = Views(self._catalog, self._turn, refreshing, points)
        apis = (
            ClusterApi(self._catalog, self._catalog.cluster_uuid),
            IndicesApi(self._catalog, self._turn, refreshing),
            AliasesApi(self._catalog),
            BulkApi(self._catalog, self._turn, refreshing),
            DocumentsApi(self._catalog, self._turn, refreshing, views),
            SearchApi(points, views),
            DeleteByQueryApi(self._turn, refreshing, views),
        )
        self._router = Router([route for api in apis for route in api.routes()], self._turn)

    def handle(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """Return the status and the JSON of the answer to a request."""
        return self._router.handle(method, target, body)

    def settle(self) -> None:
        """Wait until nothing is done in the background any more."""
        self._housekeeping.settle()

    def close(self) -> None:
        """Close every file, after the slice of work that is under way."""
        self._housekeeping.close()
        with self._turn.taken():
            self._catalog.close()
            self._lock.release()
