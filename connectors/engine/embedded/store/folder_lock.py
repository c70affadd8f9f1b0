"""The lock of a data folder: one process owns it, for as long as it lives."""

import fcntl
import os
from pathlib import Path

from connectors.errors import EngineBlocked


class FolderLock:
    """Held from its making until `release` or the end of the process, however that comes about."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
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
