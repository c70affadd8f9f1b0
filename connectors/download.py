"""A download: the content of a document, fetched only when it is needed."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

Content = bytes | Mapping[str, Any]
"""What a document consists of: a file's bytes, or fields to add to the document."""
Fetch = Callable[[], Awaitable[Content]]


@dataclass(frozen=True)
class Download:
    """How to fetch a document's content, and what is known of it before.

    `fetch` is called at most once a sync and not at all for content that is indexed already: when `content_version` (an
    ETag; size, inode and time in nanoseconds; a hash) is what it was. Without a version it is called each time. A file
    larger than the limit, by its `size` in bytes, is not fetched. `fetch` raises `DocumentSkipped(reason)` for content
    that can't be had, and any other error of a source for what may come back.
    """

    fetch: Fetch
    content_version: str | None = None
    size: int | None = None
    name: str | None = None

    async def __call__(self) -> Content:
        """Fetch the content."""
        return await self.fetch()


def download_of(given: Download | Fetch | None) -> Download | None:
    """Return what came with a document as a download: a bare coroutine function is one without a version."""
    return given if given is None or isinstance(given, Download) else Download(given)
