"""Copies of ledgers on the local disk, which spare a sync the scan: a cache, and never a reason to fail."""

import contextlib
import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import xxhash

from connectors import logger
from connectors.sync.ledger.file import UnsoundFile, read, read_header, write
from connectors.sync.ledger.ledger import Ledger

log = logger.get(__name__)
ABANDONED_AFTER_S: Final = 3_600
"""Nobody has written to a temporary file for so long who will still finish it."""
UNUSED_AFTER_S: Final = 30 * 86_400
"""A copy that was neither saved nor loaded for so long is one of an index that is gone, or is worth no space."""
LOOKED_AT: Final = 200
"""So many files are looked at whenever a copy is saved: of more some by chance, so that the others' turn comes."""
_ENDING: Final = ".ledger"
_TEMPORARY: Final = ".tmp"
_KEPT_S: Final = {_TEMPORARY: ABANDONED_AFTER_S, _ENDING: UNUSED_AFTER_S}
_READABLE: Final = 60


class LedgerCopy:
    """A folder with a file for each name; a name stands for a target and a connector, and may be any text.

    Each copy carries the stamp of the index that it is true to. `load` returns one that was once saved, and whole; a
    file that is anything else is removed, and so is, when another one is saved, a copy that nobody has used for long.
    Nothing here raises because of the disk: that is logged, once, and there is no copy then. All of it blocks, so it
    belongs into a thread.
    """

    def __init__(self, folder: Path, *, fsync: Callable[[int], None] = os.fsync) -> None:
        self._folder = folder
        self._fsync = fsync

    def save(self, name: str, stamp_json: bytes, ledger: Ledger) -> bool:
        """Put what the ledger holds in the place of the last copy, and return whether that was possible.

        Memory is bounded by a block. The ledger is not to be changed meanwhile. If two processes save at once, one of
        the two copies stays. If it fails there is the last copy, whose stamp says how old it is, or none.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._remove_old()
            with self._temporary() as (file, temporary):
                write(file, name, stamp_json, ledger)
                file.flush()
                self._fsync(file.fileno())
                temporary.replace(self._path(name))
            self._sync_folder()
        except OSError as error:
            log.warning(
                "A copy of a ledger could not be saved, so a later sync has to scan.", name=name, why=str(error)
            )
            return False
        return True

    def load(self, name: str) -> tuple[bytes, Ledger] | None:
        """Return the stamp and the ledger that were saved last. None when there is no sound copy."""
        path = self._path(name)
        try:
            with path.open("rb") as file:
                header, ledger = read(file, name)
                with contextlib.suppress(OSError):
                    os.utime(file.fileno())  # it is in use, for `_remove_old`
        except FileNotFoundError:
            return None
        except UnsoundFile as error:
            log.warning("A copy of a ledger is unsound, so this sync has to scan.", name=name, why=str(error))
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        except OSError as error:
            log.warning("A copy of a ledger could not be read, so this sync has to scan.", name=name, why=str(error))
            return None
        return header.stamp_json, ledger

    def append(self, name: str, stamp_json: bytes, change: Callable[[Ledger], None], *, since: bytes) -> bool:
        """Change a copy and give it a new stamp, if its stamp is `since`, and return whether that was possible.

        `change` acknowledges and drops what a sync without a ledger wrote and deleted, in that order.
        """
        loaded = self.load(name)
        if loaded is None or loaded[0] != since:
            return False
        change(loaded[1])
        return self.save(name, stamp_json, loaded[1])

    def discard(self, name: str) -> None:
        """Remove a copy, if there is one."""
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            log.warning("A copy of a ledger could not be removed.", name=name, why=str(error))

    def names(self) -> list[str]:
        """Return the names of which there are copies, in order, as far as their headers can be read."""
        found = []
        for path in self._files(_ENDING):
            with contextlib.suppress(OSError, UnsoundFile), path.open("rb") as file:
                found.append(read_header(file).name)
        return sorted(found)

    def _path(self, name: str) -> Path:
        """Return the file of a name: readable, and another one for every other name on every file system."""
        readable = re.sub(r"[^a-z0-9_]+", "-", name.lower())[:_READABLE]
        return self._folder / f"{readable}-{xxhash.xxh3_128_hexdigest(name.encode('utf-8', 'surrogatepass'))}{_ENDING}"

    def _files(self, ending: str) -> list[Path]:
        try:
            return [path for path in self._folder.iterdir() if path.name.endswith(ending)]
        except OSError:
            return []

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[tuple[BinaryIO, Path]]:
        """Open a new file, which is gone afterwards unless it was renamed."""
        descriptor, path = tempfile.mkstemp(dir=self._folder, prefix="copy-", suffix=_TEMPORARY)
        temporary = Path(path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file, temporary
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _remove_old(self) -> None:
        """Remove what processes left that died while they wrote, and copies that nobody has used for long.

        What another process writes this moment is a young temporary file, and what it has just renamed is young too.
        """
        paths = list(self._folder.iterdir())
        for path in random.sample(paths, min(len(paths), LOOKED_AT)):
            kept_s = _KEPT_S.get(path.suffix)
            with contextlib.suppress(OSError):
                if kept_s is not None and path.stat().st_mtime < time.time() - kept_s:
                    path.unlink()

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._fsync(descriptor)
        finally:
            os.close(descriptor)
