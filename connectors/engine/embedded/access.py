"""Access to a data folder: this process owns it, or goes through the one that does."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from connectors import logger
from connectors.engine.embedded.desk import Desk, desk_of
from connectors.engine.embedded.server import listening
from connectors.errors import EngineBlocked

log = logger.get(__name__)
ADDRESS_FILE: Final = "address"
SOCKET_FILE: Final = "socket"
LONGEST_PATH: Final = 100
"""Bytes that the path of a Unix socket may have; systems take between 104 and 108."""


class Address(msgspec.Struct, frozen=True):
    """Where the owner of a data folder listens. A hint: the owner may be gone."""

    pid: int
    socket: str


@asynccontextmanager
async def owning(folder: Path) -> AsyncIterator[Desk]:
    """Own a data folder while the block runs, and let other processes of this user in through its socket.

    Raises `EngineBlocked` when another process owns it.
    """
    async with desk_of(folder) as desk:
        _forget_owner(folder)
        path = _socket_path(folder)
        async with listening(desk, path):
            _note_owner(folder, Address(os.getpid(), str(path)))
            try:
                yield desk
            finally:
                _forget_owner(folder)


class Access:
    """What requests for a data folder go through, for as long as the block runs.

    Whoever comes first owns the folder. When the owner goes, the first of the others that has a request takes over, and
    the rest finds it through the address in the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.desk: Desk | None = None
        self._stack = AsyncExitStack()
        self._joining = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.join()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.desk = None
        await self._stack.aclose()

    async def join(self) -> None:
        """Own the folder if nobody does; otherwise `socket` says where its owner listens."""
        async with self._joining:
            if self.desk is not None:
                return
            try:
                self.desk = await self._stack.enter_async_context(owning(self.folder))
            except EngineBlocked as blocked:
                log.debug("The data folder has an owner.", reason=str(blocked))

    @property
    def socket(self) -> Path:
        """Where the owner listens, as far as is known."""
        address = _noted_owner(self.folder)
        return Path(address.socket) if address else self.folder.resolve() / SOCKET_FILE


def _socket_path(folder: Path) -> Path:
    """Return where the socket goes: into the folder, or elsewhere when that path is too long for one."""
    path = folder.resolve() / SOCKET_FILE
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    return Path(tempfile.mkdtemp(prefix="connectors-")) / SOCKET_FILE


def _note_owner(folder: Path, address: Address) -> None:
    written = folder / f"{ADDRESS_FILE}.new"
    written.write_bytes(msgspec.json.encode(address) + b"\n")
    written.replace(folder / ADDRESS_FILE)


def _noted_owner(folder: Path) -> Address | None:
    try:
        return msgspec.json.decode((folder / ADDRESS_FILE).read_bytes(), type=Address)
    except (OSError, msgspec.DecodeError):
        return None


def _forget_owner(folder: Path) -> None:
    """Remove what an owner left, which may have been killed. Only for who owns the folder now."""
    address = _noted_owner(folder)
    (folder / ADDRESS_FILE).unlink(missing_ok=True)
    for path in {folder.resolve() / SOCKET_FILE, *([Path(address.socket)] if address else [])}:
        if path.is_socket():
            path.unlink()
        if path.parent != folder.resolve():
            with contextlib.suppress(OSError):
                path.parent.rmdir()
