"""Text files of a folder: the token is a digest of what the system says of each of them, without opening any."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from connectors.byoc import Filter
from connectors.errors import SourceUnreachable
from connectors.fields import Field, Fields
from connectors.source import BaseDataSource, Document, Token

SETTLED_AFTER_NS = 2_000_000_000
"""A file that was written so shortly ago may be written again with the same times: some clocks have steps of two
seconds."""


class TextFilesDataSource(BaseDataSource):
    """The text files of one folder."""

    name = "Text files"
    service_type = "text_files"
    fields = Fields(Field("folder", "Folder", type=Path, example="/srv/texts"))

    async def ping(self) -> None:
        """See that the folder can be read."""
        await asyncio.to_thread(self._names)

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Compare digests. While a file is too new to tell there is no token, so that the next answer is yes too."""
        now = await asyncio.to_thread(self._token)
        return now is None or now != token, now

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Document]:
        """Yield a document for each file. One that is gone since its name was read is an error: the walk is of none."""
        for name in await asyncio.to_thread(self._names):
            yield {"_id": name, "text": await asyncio.to_thread(self._text, name)}

    def _token(self) -> Token | None:
        digest, settled_before_ns = hashlib.sha256(), time.time_ns() - SETTLED_AFTER_NS
        for name in self._names():
            try:
                found = (self._folder / name).stat()
            except OSError as error:
                raise SourceUnreachable(f"{error.filename} can't be read: {error.strerror}.") from None
            if max(found.st_mtime_ns, found.st_ctime_ns) > settled_before_ns:
                return None
            # Names, so that what is gone is seen; the inode and the time of the inode, as anybody can set the other one
            # back, and a file of the same size and time may be moved over this one.
            known = (name, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
            digest.update(repr(known).encode())
        return {"folder": str(self._folder), "digest": digest.hexdigest()}

    def _text(self, name: str) -> str:
        try:
            return (self._folder / name).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise SourceUnreachable(f"{error.filename} can't be read: {error.strerror}.") from None

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self._folder.iterdir() if path.suffix == ".txt")
        except OSError as error:
            raise SourceUnreachable(f"{self._folder} can't be read: {error.strerror}.") from None

    @property
    def _folder(self) -> Path:
        return Path(self.configuration["folder"])
