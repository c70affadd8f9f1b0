"""Files below a folder: a walk that never leaves it, looking at one of them, and reading it."""

import errno
import os
import re
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    DocumentSkipped,
    SourceError,
    SourceUnreachable,
)
from connectors.sources._files.globs import Glob

MOST_AT_ONCE: Final = 500
"""How many names of a folder are looked at before whoever walks may stop."""
MOST_LINKS: Final = 8
"""How many links to folders a way may go through: folders that link to each other make more ways than can be walked."""
_GONE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG)
"""What the system says of a name that is not there, can't be, or is not what it was: a link, a socket."""
_ESCAPED: Final = 0xDC00
"""What Python adds to a byte of a name that is no UTF-8."""
_DENIED: Final = (errno.EACCES, errno.EPERM)
_PASSED: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW
"""How folders on the way are opened: where the system can, without asking for the right to list them."""
_LISTED: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# Without O_NONBLOCK a pipe that took the place of a file would be waited for.
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file, and what the system said of it when it was listed.

    `relative` is its path below the root as the system has it: parts separated by `/`, and bytes that are no UTF-8 as
    surrogates. What may be shown is `shown(relative)`.
    """

    relative: str
    root: Path
    stat: os.stat_result

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.relative.rpartition("/")[2]

    @property
    def path(self) -> Path:
        """The whole path. `Walk.open` opens it without being led out of the root."""
        return self.root / self.relative


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to walk: its path as shown, where it really is, and where links were followed on the way to it."""

    relative: str = ""
    real: str = ""
    left: tuple[str, ...] = ()

    def child(self, name: str) -> "_Folder":
        return _Folder(_joined(self.relative, name), _joined(self.real, name), self.left)


class Walk:
    """The regular files below a root, an absolute path whose links are resolved.

    - It never leaves the root: every folder and file is opened part by part from the root on, and no part may be a
      link. A link is followed only with `follow_links`, by asking for its target's own path, which has to be below the
      root and is then opened in that same way. So a name that turns into a link in the meantime leads nowhere.
    - Links to folders that lie above the link, on any part of the way to it, are not followed: a cycle ends there.
    - What matches `exclude` is left out, a folder with all that is in it, and is not looked into.
    - Sockets, pipes and devices are left out, and so are files that vanish before they are looked at.
    - What can't be read is an error: `AccessDenied` where a right is missing, else `SourceUnreachable`, also when the
      root itself vanishes or is replaced under the walk. A walk that ends has seen every folder.

    A file that is moved while the walk goes on may be seen twice or not at all; file systems promise no more.
    Memory is bounded by the number of folders that lie side by side, whatever the number of files.
    """

    def __init__(self, root: Path, *, follow_links: bool = False, exclude: Glob | None = None) -> None:
        self.root = root
        self.follow_links = follow_links
        self.exclude = exclude

    def entries(self) -> Iterator[Entry]:
        """Yield every file, in no order."""
        for step in self.steps():
            yield from step

    def steps(self) -> Generator[list[Entry], None, None]:
        """Yield every file, in lists that may be empty: one at least for each folder, and for so many names."""
        with self._opened_root() as top:
            pending = [_Folder()]
            while pending:
                folder = pending.pop()
                try:
                    yield from self._listed(top, folder, pending)
                except OSError as error:
                    if error.errno not in _GONE or not folder.relative:
                        raise self._error(error, folder.relative) from error
            self._check_root(top)

    def check(self) -> None:
        """Raise what a walk would raise at its first step."""
        with self._opened_root() as top:
            try:
                with _opened(top, "", _LISTED) as number, os.scandir(number) as names:
                    next(names, None)
            except OSError as error:
                raise self._error(error, "") from error

    def entry(self, relative: str) -> Entry | None:
        """Return one file as the walk would yield it now, or None."""
        found: Entry | _Folder | None = _Folder()
        with self._opened_root() as top:
            for name in relative.split("/"):
                if not isinstance(found, _Folder) or name in ("", ".", "..") or "\0" in name:
                    return None
                try:
                    found = self._at(top, found, name)
                except OSError as error:
                    if error.errno in _GONE:
                        return None
                    raise self._error(error, relative) from error
        return found if isinstance(found, Entry) else None

    def open(self, relative: str) -> BinaryIO:
        """Open a file that the walk has yielded. Raises `DocumentSkipped` if it is gone or may not be read."""
        with self._opened_root() as top:
            try:
                real = self._real(relative) if self.follow_links else relative
                if real is None:
                    raise DocumentSkipped(f"{shown(relative)!r} is a link out of {self.root} now.")
                with _opened(top, real, _READ) as number:
                    if not stat.S_ISREG(os.fstat(number).st_mode):
                        raise DocumentSkipped(f"{shown(relative)!r} is no file any more.")
                    return os.fdopen(os.dup(number), "rb")
            except OSError as error:
                if error.errno in _GONE:
                    raise DocumentSkipped(f"{shown(relative)!r} is gone.") from None
                if error.errno in _DENIED:
                    raise DocumentSkipped(f"{shown(relative)!r} may not be read: {error.strerror}.") from None
                raise self._error(error, relative) from error

    def read(self, entry: Entry) -> bytes:
        """Return the content of a file, as many bytes as it had when it was listed and not one more.

        So a log that grows is read as it was then, and what a limit was compared with is what is held in memory.
        Raises what `open` raises, and `DocumentSkipped` too where another and larger file took its place.
        """
        with self.open(entry.relative) as file:
            now, listed = os.fstat(file.fileno()), entry.stat
            if now.st_size > listed.st_size and not os.path.samestat(now, listed):
                raise DocumentSkipped(f"{shown(entry.relative)!r} was replaced by a larger one.")
            try:
                return file.read(listed.st_size)
            except OSError as error:
                raise self._error(error, entry.relative) from error

    def _listed(self, top: int, folder: _Folder, pending: list[_Folder]) -> Iterator[list[Entry]]:
        """Yield the files that lie in a folder, and add the folders that lie in it to those that are pending."""
        files: list[Entry] = []
        with _opened(top, folder.real, _LISTED) as number, os.scandir(number) as listing:
            for place, one in enumerate(listing, 1):
                with suppress(FileNotFoundError):
                    found = self._found(top, folder, one)
                    if isinstance(found, Entry):
                        files.append(found)
                    elif found is not None:
                        pending.append(found)
                if place % MOST_AT_ONCE == 0:
                    yield files
                    files = []
        yield files

    def _found(self, top: int, folder: _Folder, one: "os.DirEntry[str]") -> Entry | _Folder | None:
        """Return what a name stands for, or None for what is left out."""
        relative = _joined(folder.relative, one.name)
        if self.exclude is not None and self.exclude.matches(relative):
            return None
        if one.is_file(follow_symlinks=False):
            return self._file(relative, one.stat(follow_symlinks=False))
        if one.is_dir(follow_symlinks=False):
            return folder.child(one.name)
        return self._link(top, folder, one.name) if one.is_symlink() else None

    def _at(self, top: int, folder: _Folder, name: str) -> Entry | _Folder | None:
        """Return what a name stands for, as `_found` does, without a listing."""
        relative = _joined(folder.relative, name)
        if self.exclude is not None and self.exclude.matches(relative):
            return None
        status = _status(top, _joined(folder.real, name))
        if stat.S_ISDIR(status.st_mode):
            return folder.child(name)
        return self._link(top, folder, name) if stat.S_ISLNK(status.st_mode) else self._file(relative, status)

    def _file(self, relative: str, status: os.stat_result) -> Entry | None:
        if not stat.S_ISREG(status.st_mode):
            return None
        return Entry(relative, self.root, status)

    def _link(self, top: int, folder: _Folder, name: str) -> Entry | _Folder | None:
        """Return what a link leads to, or None where it is not followed."""
        real = self._real(_joined(folder.real, name)) if self.follow_links else None
        if real is None or self._is_excluded(real):
            return None
        relative, way = _joined(folder.relative, name), (*folder.left, folder.real)
        try:
            status = _status(top, real)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
        if not stat.S_ISDIR(status.st_mode):
            return self._file(relative, status)
        if any(_is_below(place, real) for place in way):
            return None
        if len(way) > MOST_LINKS:
            hint = "Do without links, or exclude some of them."
            message = f"The way to {shown(relative)!r} goes through more than {MOST_LINKS} links to folders."
            raise ConfigurationError(message, field="follow_links", hint=hint)
        return _Folder(relative, real, way)

    def _real(self, relative: str) -> str | None:
        """Return the path below the root of what a path leads to, links followed; None where that is elsewhere."""
        root, target = str(self.root), os.path.realpath(self.root / relative)
        return target[len(root) :].lstrip("/") if _is_below(target, root.rstrip("/")) else None

    def _is_excluded(self, real: str) -> bool:
        """Return whether a path or a folder above it matches what is excluded."""
        if self.exclude is None:
            return False
        parts = real.split("/")
        return any(self.exclude.matches("/".join(parts[:count])) for count in range(1, len(parts) + 1))

    @contextmanager
    def _opened_root(self) -> Iterator[int]:
        """Open the root, no part of which may be a link: who checked the path did not mean what a link leads to."""
        try:
            top = _open(None, self.root.parts, _PASSED)
        except OSError as error:
            raise self._error(error, "") from error
        try:
            yield top
        finally:
            os.close(top)

    def _check_root(self, top: int) -> None:
        """Refuse a walk under which the root was unmounted, removed or replaced: what it missed is not gone."""
        with suppress(OSError):
            if os.path.samestat(os.fstat(top), self.root.stat()):
                return
        raise SourceUnreachable(f"{self.root} was removed or replaced while it was walked.")

    def _error(self, error: OSError, relative: str) -> SourceError:
        path = shown(str(self.root / relative))
        if error.errno in _DENIED:
            hint = "Let the user that this program runs as read it, or exclude it."
            return AccessDenied(f"{path} may not be read: {error.strerror}.", hint=hint)
        if not relative and error.errno in _GONE:
            hint = "Correct the path, or mount what should be there."
            return SourceUnreachable(f"There is no folder {path}: {error.strerror}.", hint=hint)
        return SourceUnreachable(f"{path} can't be read: {error.strerror}.")


def shown(path: str) -> str:
    """Return a path as valid text: each byte that is no UTF-8 as `//` and two digits, which no path has otherwise."""
    if path.isascii():
        return path
    return re.sub("[\udc80-\udcff]", lambda found: f"//{ord(found[0]) - _ESCAPED:02X}", path)


def meant(text: str) -> str:
    """Return the path that is shown as this text; an empty one, which no file has, where there is none."""
    path = re.sub("//([89A-F][0-9A-F])", lambda found: chr(_ESCAPED + int(found[1], 16)), text)
    try:
        path = os.fsdecode(os.fsencode(path))
    except UnicodeEncodeError:
        return ""
    return path if shown(path) == text else ""


@contextmanager
def _opened(top: int, relative: str, flags: int) -> Iterator[int]:
    number = _open(top, relative.split("/") if relative else ".", flags)
    try:
        yield number
    finally:
        os.close(number)


def _status(top: int, relative: str) -> os.stat_result:
    """Return what is known of the very thing that is there, be it a link."""
    above, _, name = relative.rpartition("/")
    with _opened(top, above, _PASSED) as number:
        return os.stat(name, dir_fd=number, follow_symlinks=False)


def _open(top: int | None, parts: Sequence[str], flags: int) -> int:
    """Open what lies below a folder that is open, one part after the other and none of them a link."""
    if ".." in parts:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    *way, last = parts
    folder = top
    try:
        for name in way:
            below = os.open(name, _PASSED, dir_fd=folder)
            if folder is not None and folder != top:
                os.close(folder)
            folder = below
        return os.open(last, flags, dir_fd=folder)
    finally:
        if folder is not None and folder != top:
            os.close(folder)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")
