"""The embedded engine in one piece: a data folder, its catalog, and the routes over it."""

import threading
from pathlib import Path

from connectors.engine.embedded.api.aliases import AliasesApi
from connectors.engine.embedded.api.bulk import BulkApi
from connectors.engine.embedded.api.cluster import ClusterApi
from connectors.engine.embedded.api.documents import DocumentsApi
from connectors.engine.embedded.api.indices import IndicesApi
from connectors.engine.embedded.api.router import Router
from connectors.engine.embedded.api.search import SearchApi
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.folder_lock import FolderLock
from connectors.engine.embedded.store.indexer import TableIndexer
from connectors.engine.embedded.store.points_in_time import PointsInTime


class EmbeddedEngine:
    """Answers requests over the data of one folder, which it owns. Requests may come from any thread, and take turns.

    Raises `EngineBlocked` when another process owns the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = FolderLock(folder)
        points = PointsInTime()
        self._catalog = Catalog(folder, lambda file: TableIndexer(file.connection), points.oldest)
        self._turn = threading.Lock()
        apis = (
            ClusterApi(self._catalog, self._catalog.cluster_uuid),
            IndicesApi(self._catalog),
            AliasesApi(self._catalog),
            BulkApi(self._catalog),
            DocumentsApi(self._catalog),
            SearchApi(self._catalog, points),
        )
        self._router = Router([route for api in apis for route in api.routes()])

    def handle(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """Return the status and the JSON of the answer to a request."""
        with self._turn:
            return self._router.handle(method, target, body)

    def close(self) -> None:
        """Close every file."""
        with self._turn:
            self._catalog.close()
            self._lock.release()
