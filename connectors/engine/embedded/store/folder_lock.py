"""The lock of a data folder: one process owns it, for as long as it lives."""

import fcntl
import os
from pathlib import Path

from connectors.errors import ConfigurationError, EngineBlocked


class FolderLock:
    """Held from its making until `release` or the end of the process, however that comes about.

    Raises `EngineBlocked` when another process has it, and `ConfigurationError` when there can be no such folder.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise ConfigurationError(
                f"The data folder {folder} can't be used: {reason}.",
                field="engine.data",
                hint="It has to be a folder, or the name for a new one, that this user can write to.",
            ) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise EngineBlocked(
                f"The data folder {folder} is in use by the process {owner}.",
                hint="End that process, or name another folder.",
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._descriptor)
