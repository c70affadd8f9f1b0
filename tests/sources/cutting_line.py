"""A line to a server that can be cut: at once, or in the middle of what the server says."""

import asyncio
from types import TracebackType
from typing import Any, Self

CHUNK = 65_536


class CuttingLine:
    """Listens at `port` and passes on whatever comes, to a server on this machine."""

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.cuts = 0
        self._server_port = server_port
        self._server: asyncio.Server | None = None
        self._left: int | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def cut(self) -> None:
        """End all connections as a cable that is pulled does."""
        self.cuts += 1
        self._left = None
        for writer in self._writers:
            writer.transport.abort()

    def close(self) -> None:
        """Cut, and take no connections any more."""
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut_after(self, count: int) -> None:
        """Cut behind so many bytes more of the server's."""
        self._left = count

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_there = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._writers |= {writer, to_there}
        ways = [self._pass(reader, to_there), self._pass(there, writer, counted=True)]
        for way in ways:
            task = asyncio.ensure_future(way)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool = False) -> None:
        try:
            while data := await reader.read(CHUNK):
                if counted and self._left is not None:
                    if len(data) >= self._left:
                        writer.write(data[: self._left])
                        await writer.drain()
                        self.cut()
                        return
                    self._left -= len(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
