"""Directory: the files below a folder of the machine that the connector runs on."""

import asyncio
import grp
import hashlib
import json
import os
import pwd
import stat
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from connectors.aio.clock import Clock, SystemClock
from connectors.aio.threads import Drawings
from connectors.byoc import Filter
from connectors.dataset import LONGEST_ID
from connectors.download import Download
from connectors.errors import ConfigurationError, SourceUnreachable
from connectors.fields import Configuration, Field, Fields
from connectors.source import BaseDataSource, Document, Token
from connectors.sources._files.globs import Glob, InvalidGlob
from connectors.sources._files.rules import FileRule, FileRulesValidator, rules_of
from connectors.sources._files.settled import SETTLED_NS
from connectors.sources._files.walk import Entry, Walk, meant, shown

T = TypeVar("T")
_DIGEST: Final = 1 << 256
_CUT: Final = "//#"
"""What stands in a shortened id before its hash, and in no path as it is shown."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DirectoryDataSource(BaseDataSource):
    """Every file below a folder is a document, and its content can be downloaded."""

    name = "Directory"
    service_type = "directory"
    advanced_rules_enabled = True
    fields = Fields(
        Field(
            "directory",
            "Directory",
            type=Path,
            example="/srv/documents",
            tooltip="A folder of the machine that the connector runs on, below one of allowed_paths of config.yml.",
        ),
        Field(
            "pattern",
            "Files",
            default="**/*",
            required=False,
            example="**/*.{md,pdf}",
            tooltip="Which files, by their path below the directory: `**` is any number of folders.",
        ),
        Field(
            "exclude",
            "Files and folders to leave out",
            required=False,
            example="**/{.git,node_modules,*.tmp}",
            tooltip="A folder that matches is left out with all that is in it, and is not looked into.",
        ),
        Field(
            "follow_links",
            "Follow links",
            type=bool,
            default=False,
            advanced=True,
            tooltip="Follow symbolic links to files and folders that are below the directory too.",
        ),
    )

    def __init__(self, configuration: Configuration, *, clock: Clock | None = None) -> None:
        super().__init__(configuration)
        self._clock = clock or SystemClock()
        self._owners = _Names(lambda number: pwd.getpwuid(number).pw_name)
        self._groups = _Names(lambda number: grp.getgrgid(number).gr_name)
        self._drawings = Drawings()

    async def close(self) -> None:
        """Stop the walks that still go on."""
        await self._drawings.stop()

    async def validate_config(self) -> None:
        """Check the patterns."""
        await self._selected(None)

    async def ping(self) -> None:
        """Look whether the directory can be listed."""
        walk = (await self._selected(None)).walk
        try:
            await asyncio.to_thread(walk.check)
        except SourceUnreachable:
            if await asyncio.to_thread(walk.root.is_file):
                message, hint = f"{walk.root} is a file.", "Name the folder above it."
                raise ConfigurationError(message, field="directory", hint=hint) from None
            raise

    async def get_docs(self, filtering: Filter | None = None) -> AsyncGenerator[tuple[Document, Download], None]:
        """Yield every file that is selected."""
        selection = await self._selected(filtering)
        async with aclosing(self._drawings.drawn(self._documents(selection))) as documents:
            async for document in documents:
                yield document

    async def get_ids(self, filtering: Filter | None = None) -> AsyncGenerator[Document, None]:
        """Yield every file that is selected, without its content: a walk only looks at files, and reads none."""
        async with aclosing(self.get_docs(filtering)) as documents:
            async for document, _ in documents:
                yield document

    async def get_doc(self, document_id: str) -> tuple[Document, Download] | None:
        """Return a file by its path; one whose path was too long for an id is searched for."""
        selection = await self._selected(None)
        if _CUT in document_id:
            async with aclosing(self._drawings.drawn(self._documents(selection, document_id))) as documents:
                return await anext(documents, None)
        entry = await asyncio.to_thread(selection.walk.entry, meant(document_id))
        if entry is None or not selection.keeps(entry) or _id_of(entry) != document_id:
            return None
        return await asyncio.to_thread(self._document, entry, selection)

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Compare what the system says of the files that `get_docs` would yield now.

        A file that changed in the last moment may change again without having another time. A token of such a moment
        says so, and the answer to it is yes.
        """
        selection = await self._selected(filtering)
        now = _Stamp(digest=_number_of(selection.settings))
        async with aclosing(self._drawings.drawn(self._stamps(selection))) as stamps:
            async for stamp in stamps:
                now += stamp
        return token != now.token or not now.settled, now.token

    def advanced_rules_validators(self) -> Sequence[Any]:
        """Return the validator of the rules of files."""
        return [FileRulesValidator]

    async def _selected(self, filtering: Filter | None) -> "_Selection":
        return await asyncio.to_thread(self._select, filtering)  # as the links of the directory are resolved anew

    def _select(self, filtering: Filter | None) -> "_Selection":
        exclude = self._glob("exclude") if self.configuration.exclude else None
        walk = Walk(self.configuration.directory, follow_links=self.configuration.follow_links, exclude=exclude)
        rules = rules_of(filtering.get_advanced_rules()) if filtering is not None else ()
        now_ns = (self._clock.now() - _EPOCH) // timedelta(microseconds=1) * 1000
        return _Selection(walk, self._glob("pattern"), rules, now_ns)

    def _glob(self, name: str) -> Glob:
        try:
            return Glob(self.configuration[name])
        except InvalidGlob as error:
            raise ConfigurationError(f"{self.fields[name].label!r} {error}.", field=name) from None

    def _documents(
        self, selection: "_Selection", wanted: str | None = None
    ) -> Generator[list[tuple[Document, Download]], None, None]:
        with closing(selection.steps()) as steps:
            for step in steps:
                entries = step if wanted is None else [entry for entry in step if _id_of(entry) == wanted]
                yield [self._document(entry, selection) for entry in entries]

    def _document(self, entry: Entry, selection: "_Selection") -> tuple[Document, Download]:
        path, status = shown(entry.relative), entry.stat
        name = shown(entry.name)
        stem, _, extension = name.rpartition(".")
        modified_at = _instant(status.st_mtime_ns)
        document = {
            "_id": _id_of(entry),
            "_timestamp": modified_at,
            "path": path,
            "name": name,
            "extension": extension.lower() if stem else "",
            "size": status.st_size,
            "created_at": _created_at(status),
            "modified_at": modified_at,
            "owner": self._owners[status.st_uid],
            "group": self._groups[status.st_gid],
            "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        }
        known = {field: value for field, value in document.items() if value is not None}
        fetch = partial(asyncio.to_thread, selection.walk.read, entry)
        return known, Download(fetch, content_version=selection.version(entry), size=status.st_size, name=name)

    def _stamps(self, selection: "_Selection") -> Generator[list["_Stamp"], None, None]:
        with closing(selection.steps()) as steps:
            for step in steps:
                digest = sum(self._digest(entry) for entry in step) % _DIGEST
                yield [_Stamp(len(step), digest, all(map(selection.is_settled, step)))]

    def _digest(self, entry: Entry) -> int:
        """Return a hash of what a document, its content too, is made of."""
        one = entry.stat
        names = f"{self._owners[one.st_uid]}\0{self._groups[one.st_gid]}\0{entry.relative}"
        return _number_of(f"{one.st_size} {one.st_mtime_ns} {one.st_ctime_ns} {one.st_ino} {names}")


@dataclass(frozen=True)
class _Selection:
    """Which files are wanted, at a moment."""

    walk: Walk
    pattern: Glob
    rules: tuple[FileRule, ...]
    now_ns: int

    def steps(self) -> Generator[list[Entry], None, None]:
        """Yield the files, in lists as the walk does."""
        with closing(self.walk.steps()) as steps:
            for step in steps:
                yield [entry for entry in step if self.keeps(entry)]

    def keeps(self, entry: Entry) -> bool:
        if not self.pattern.matches(entry.relative):
            return False
        return not self.rules or any(rule.keeps(entry, self.now_ns) for rule in self.rules)

    @property
    def settings(self) -> str:
        """What of the settings decides about documents. Rules decide by the files that they keep."""
        exclude = self.walk.exclude.text if self.walk.exclude is not None else None
        return json.dumps([str(self.walk.root), self.walk.follow_links, exclude, self.pattern.text])

    def is_settled(self, entry: Entry) -> bool:
        """Return whether a change of the file from now on would show in its times."""
        return entry.stat.st_ctime_ns + SETTLED_NS <= self.now_ns

    def version(self, entry: Entry) -> str:
        """Return the version of a file's content; another one each time where a change might not show."""
        one = entry.stat
        version = f"{one.st_size}-{one.st_mtime_ns}-{one.st_ctime_ns}-{one.st_ino}"
        return version if self.is_settled(entry) else f"{version}-{self.now_ns}"


@dataclass(frozen=True)
class _Stamp:
    """What a set of files looks like, whatever their order: the sum of their hashes."""

    files: int = 0
    digest: int = 0
    settled: bool = True

    def __add__(self, other: "_Stamp") -> "_Stamp":
        digest = (self.digest + other.digest) % _DIGEST
        return _Stamp(self.files + other.files, digest, self.settled and other.settled)

    @property
    def token(self) -> Token:
        return {"files": self.files, "digest": f"{self.digest:064x}", "settled": self.settled}


class _Names(dict[int, str]):
    """Names of users or groups by their numbers, each asked for once; the number where there is no name."""

    def __init__(self, name_of: Callable[[int], str]) -> None:
        super().__init__()
        self._name_of = name_of

    def __missing__(self, number: int) -> str:
        try:
            name = shown(self._name_of(number))
        except KeyError:
            name = str(number)
        self[number] = name
        return name


def _id_of(entry: Entry) -> str:
    """Return the path as it is shown; one that is too long ends in a hash instead."""
    path = shown(entry.relative)
    raw = path.encode()
    if len(raw) <= LONGEST_ID:
        return path
    return f"{raw[: LONGEST_ID - 50].decode('utf-8', 'ignore')}{_CUT}{hashlib.blake2b(raw, digest_size=20).hexdigest()}"


def _number_of(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=32).digest(), "big")


def _created_at(status: os.stat_result) -> datetime | None:
    """Return when a file was created, where the system tells."""
    seconds = getattr(status, "st_birthtime", None)
    return None if seconds is None else _instant(int(seconds * 1e9))


def _instant(nanoseconds: int) -> datetime | None:
    """Return an instant, or None for one outside of the calendar: some file systems take any number."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None
