"""A server that speaks the protocol of Redis and says what a test wants: other versions, modules, and faults."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

Answer = Callable[[list[bytes]], Any]
INFO = (
    "redis_version:{version}\r\nredis_mode:standalone\r\nrun_id:abc\r\nrole:master\r\ncluster_enabled:0\r\n"
    "db0:keys=1,expires=0,avg_ttl=0\r\n"
)


class Fault(Exception):
    """An error that the server answers with."""


class Simple(str):
    """A word that is answered as such, and not as bytes."""

    __slots__ = ()


def info(version: str = "7.0.0") -> bytes:
    """Return what INFO says."""
    return INFO.format(version=version).encode()


@asynccontextmanager
async def stub(answers: Mapping[str, Any]) -> AsyncIterator[tuple[int, list[list[bytes]]]]:
    """Provide the port of a server, and the commands that it gets. An answer is a value, or a function of a command."""
    got: list[list[bytes]] = []
    writers: list[asyncio.StreamWriter] = []
    serving: list[asyncio.Task[Any] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        serving.append(asyncio.current_task())
        try:
            while header := await reader.readline():
                command = []
                for _ in range(int(header[1:])):
                    size = int((await reader.readline())[1:])
                    command.append((await reader.readexactly(size + 2))[:-2])
                got.append(command)
                answer = answers.get(command[0].decode().upper(), Fault(f"ERR unknown command '{command[0].decode()}'"))
                writer.write(_wire(answer(command) if callable(answer) else answer))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], got
    finally:
        server.close()
        for one in writers:
            one.close()
        await asyncio.gather(*[one for one in serving if one is not None], return_exceptions=True)
        await server.wait_closed()


def _wire(answer: object) -> bytes:
    match answer:
        case Fault():
            return b"-%s\r\n" % str(answer).encode()
        case Simple():
            return b"+%s\r\n" % answer.encode()
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % answer
        case str():
            return _wire(answer.encode())
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(answer), answer)
        case list():
            return b"*%d\r\n%s" % (len(answer), b"".join(map(_wire, answer)))
    raise TypeError(answer)
