"""The messages of a Maildir: the folder in which mail servers keep a file for each message."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import partial
from pathlib import Path
from typing import Any

from connectors.aio.threads import Drawings
from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.download import Download
from connectors.errors import AccessDenied, ConfigurationError, DocumentSkipped, SourceUnreachable
from connectors.fields import Configuration, Field, Fields
from connectors.source import BaseDataSource, Document, Token

FOLDERS = ("new", "cur")  # in this order, as messages move from the first to the second
FLAGS = {"S": "seen", "R": "replied", "F": "flagged", "T": "trashed", "D": "draft", "P": "passed"}
PARSER = BytesParser(policy=policy.default)
Message = tuple[Document, Download] | Failed


class MaildirDataSource(BaseDataSource):
    """The messages of one Maildir with their headers; the text of a message is downloaded when it is needed."""

    name = "Maildir"
    service_type = "maildir"
    fields = Fields(
        Field("folder", "Folder", type=Path, example="/srv/mail/me", tooltip="The folder that holds new and cur."),
    )

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self._drawings = Drawings()

    async def close(self) -> None:
        """Stop the walks that still go on."""
        await self._drawings.stop()

    async def ping(self) -> None:
        """See that the folder is a Maildir."""
        for folder in FOLDERS:
            await asyncio.to_thread(next, self._names(folder), None)

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Tell by the names: a message never changes, and its flags are in its name."""
        now = {"digest": await asyncio.to_thread(self._digest)}
        return now != token, now

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Message]:
        """Yield the messages, read in a thread, so that nothing else waits for the disk."""
        async with aclosing(self._drawings.drawn([message] for message in self._messages())) as messages:
            async for message in messages:
                yield message

    def _messages(self) -> Iterator[Message]:
        arrived = set(self._names("new"))
        for name in sorted(arrived):
            yield from self._message("new", name)
        for name in self._names("cur"):
            if unique(name) not in arrived:  # it was there a moment ago, and has been yielded
                yield from self._message("cur", name)

    def _message(self, folder: str, name: str) -> Iterator[Message]:
        """Yield one message, or nothing where it is gone; one that was opened by its reader meanwhile has moved."""
        for path in (self._folder / folder / name, *self._renamed(name)):
            try:
                with path.open("rb") as file:
                    headers, size = PARSER.parse(file, headersonly=True), os.fstat(file.fileno()).st_size
            except FileNotFoundError:
                continue
            except OSError as error:
                yield Failed(unique(name), f"The message {path.name} can't be read: {error.strerror}.")
                return
            yield document_of(name, headers), Download(partial(self._text, path), str(size), size, path.name)
            return

    async def _text(self, path: Path) -> dict[str, Any]:
        try:
            return {"text": await asyncio.to_thread(text_of, path)}
        except OSError as error:
            raise DocumentSkipped(f"The message {path.name} can't be read: {error.strerror}.") from None
        except (LookupError, ValueError) as error:  # a charset that nobody knows, or bytes that are none of it
            raise DocumentSkipped(f"The message {path.name} has no readable text: {error}.") from None

    def _renamed(self, name: str) -> Iterator[Path]:
        return (self._folder / "cur" / other for other in self._names("cur") if unique(other) == unique(name))

    def _names(self, folder: str) -> Iterator[str]:
        path = self._folder / folder
        try:
            with os.scandir(path) as entries:
                yield from (entry.name for entry in entries if not entry.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            hint = "Name the folder of a Maildir, which holds new and cur."
            raise ConfigurationError(f"There is no folder {path}.", field="folder", hint=hint) from None
        except PermissionError:
            raise AccessDenied(f"The folder {path} may not be read.") from None
        except OSError as error:
            raise SourceUnreachable(f"The folder {path} can't be read: {error.strerror}.") from None

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for folder in FOLDERS:
            for name in sorted(self._names(folder)):
                digest.update(os.fsencode(f"{folder}/{name}\0"))
        return digest.hexdigest()

    @property
    def _folder(self) -> Path:
        folder: Path = self.configuration["folder"]
        return folder


def unique(name: str) -> str:
    """Return the part of a message's name that stays when its flags change."""
    return name.partition(":")[0]


def document_of(name: str, headers: EmailMessage) -> dict[str, Any]:
    """Return the document of a message."""
    sent = headers["date"].datetime if headers["date"] is not None else None
    letters = name.partition(":2,")[2]
    document = {
        "_id": unique(name),
        "_timestamp": sent if sent is None or sent.tzinfo is not None else sent.replace(tzinfo=UTC),
        "subject": headers["subject"],
        "from": headers["from"],
        "to": headers["to"],
        "flags": [FLAGS[letter] for letter in letters if letter in FLAGS],
    }
    return {field: _plain(value) for field, value in document.items() if value is not None}


def text_of(path: Path) -> str:
    """Return the text of a message, as plain as there is one."""
    with path.open("rb") as file:
        body = PARSER.parse(file).get_body(preferencelist=("plain", "html"))
    return "" if body is None else str(body.get_content())


def _plain(value: object) -> object:
    return value if isinstance(value, list | datetime) else str(value)
