"""A catalogue over HTTP: the token is the ETag that the server gives for a question without an answer's body."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator
from urllib.error import URLError
from urllib.request import Request, urlopen

from connectors.byoc import Filter
from connectors.errors import ConfigurationError, SourceUnreachable
from connectors.fields import Field, Fields
from connectors.source import BaseDataSource, Document, Token

PATIENCE_S = 30


class CatalogueDataSource(BaseDataSource):
    """The items of a JSON list that a server has at one address.

    A table with one row and a counter, `MAX(version)` where every write raises it, or `PRAGMA data_version` in one
    connection are the same way. It takes a version of everything that a walk yields, which deletions change too: the
    latest time of change of what is still there does not.
    """

    name = "Catalogue"
    service_type = "catalogue"
    fields = Fields(Field("url", "Address", example="https://example.org/items.json"))

    async def ping(self) -> None:
        """See that the server has something at the address."""
        await asyncio.to_thread(self._ask, "HEAD")

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Compare ETags. A weak one is the same for what is only alike, and a server may give none: then it is yes."""
        etag, _ = await asyncio.to_thread(self._ask, "HEAD")
        if etag is None or etag.startswith("W/"):
            return True, None
        now = {"url": self.configuration["url"], "etag": etag}
        return token != now, now

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Document]:
        """Yield the items. The token was taken before this: what comes in between is yielded now and again."""
        _, body = await asyncio.to_thread(self._ask, "GET")
        try:
            items = json.loads(body)
        except ValueError as error:
            raise SourceUnreachable(f"{self.configuration['url']} is not JSON: {error}.") from None
        for item in items:
            yield {"_id": str(item["id"]), **item}

    def _ask(self, method: str) -> tuple[str | None, bytes]:
        url: str = self.configuration["url"]
        if not url.startswith(("http://", "https://")):  # as urlopen reads files of this machine, too
            raise ConfigurationError(f"{url} is no address of the web.", field="url")
        try:
            request = Request(url, method=method)  # noqa: S310 - see above
            with urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - see above
                return answer.headers["ETag"], answer.read()
        except (URLError, http.client.HTTPException, OSError, ValueError) as error:
            raise SourceUnreachable(f"{url} can't be read: {error}.") from None
