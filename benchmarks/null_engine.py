"""An engine that answers every bulk at once, in a process of its own, so that what is measured is the client."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

GREETING = json.dumps({"cluster_name": "null", "version": {"number": "8.19.8"}}).encode()
HEAD = (
    b"HTTP/1.1 200 OK\r\nx-elastic-product: Elasticsearch\r\n"
    b"content-type: application/vnd.elasticsearch+json;compatible-with=8\r\ncontent-length: "
)


def bulk_answer(operations: int) -> bytes:
    """Return what an engine says when it created so many documents."""
    shards = {"total": 1, "successful": 1, "failed": 0}
    items = [
        {
            "index": {
                "_index": "content-000001",
                "_id": f"table_{number}",
                "_version": 3_671_000_000_000_000_000 + number,
                "result": "created",
                "_shards": shards,
                "_seq_no": number,
                "_primary_term": 1,
                "status": 201,
            }
        }
        for number in range(operations)
    ]
    return json.dumps({"took": 1, "errors": False, "items": items}).encode()


async def serve(operations: int) -> None:
    """Serve on a free port, which is printed, until the process is ended."""
    answers = {True: bulk_answer(operations), False: GREETING}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _, _, length = head.lower().partition(b"content-length: ")
                await reader.readexactly(int(length.split(b"\r\n", 1)[0] or 0))
                content = answers[b"_bulk" in head.split(b"\r\n", 1)[0]]
                writer.write(HEAD + str(len(content)).encode() + b"\r\n\r\n" + content)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=2**26)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def null_engine(operations: int) -> Iterator[str]:
    """Provide the address of a null engine that answers for so many operations."""
    command = [sys.executable, "-m", "benchmarks.null_engine", str(operations)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
