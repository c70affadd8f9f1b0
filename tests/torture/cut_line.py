"""A line to a server that breaks: after so many bytes of what the server says, or whenever a test wants it to."""

import asyncio
from types import TracebackType
from typing import Final, Self

from tests.torture.exchange import abort

_AT_ONCE: Final = 4_096


class CutLine:
    """Listens at `port` and passes on to another port of this machine what comes, and back what is answered.

    `answered` counts the bytes of answers. `cut_at` is the one of them at which all breaks, in the middle of whatever
    it is: once, or for good where it `stays` so, until `mend` is called.
    """

    def __init__(self, server_port: int) -> None:
        self.answered = 0
        self.cut_at: int | None = None
        self.stays = False
        self.is_cut = False
        self.cuts = 0
        self._server_port = server_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break all connections that there are."""
        self.cuts += 1
        self.cut_at = None
        for writer in self._writers:
            abort(writer)
        self._writers.clear()

    def cut_after(self, count: int) -> None:
        """Have all break behind so many bytes more."""
        self.cut_at = self.answered + count

    def close(self) -> None:
        """Break all connections, and take none any more."""
        self._server.close()
        self.cut()

    def mend(self) -> None:
        """Pass everything on from now on."""
        self.cut_at, self.is_cut = None, False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        if self.is_cut:
            abort(writer)
            return
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            abort(writer)
            return
        self._writers |= {writer, forth}
        asking = asyncio.create_task(self._pass(reader, forth), name="asking")
        self._tasks.add(asking)
        await self._answer(back, writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while some := await reader.read(_AT_ONCE):
                writer.write(some)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while some := await reader.read(_AT_ONCE):
                left = len(some) if self.cut_at is None else self.cut_at - self.answered
                self.answered += len(some)
                writer.write(some[: max(0, left)])
                await writer.drain()
                if left < len(some):
                    self.is_cut = self.stays
                    writer.close()  # what was said so far is to be heard
                    self._writers.discard(writer)
                    self.cut()
        except OSError:
            pass
        finally:
            writer.close()
